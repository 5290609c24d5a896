//! The last two steps of an install: the cloud answers, and a server boots in it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};

use crate::admin;
use crate::client::Client;
use crate::credentials::Credentials;
use crate::verify;

/// Waits until every API answers.
pub struct Answers {
    pub state_dir: PathBuf,
    pub credentials: Credentials,
    pub seconds: u64,
}

/// Boots a server, pings it on a floating IP, and deletes it.
pub struct Proof {
    pub state_dir: PathBuf,
    pub credentials: Credentials,
    pub image: String,
    pub seconds: u64,
}

/// Written when the proof succeeded, so that a resumed install does not prove again what stands.
const PROVED: &str = "proved";

#[async_trait]
impl Step<()> for Answers {
    fn name(&self) -> String {
        "cloud:answers".to_owned()
    }

    fn describe(&self) -> Description {
        Description {
            change: "make users, networks, flavors and images, and wait until every API answers"
                .to_owned(),
            inverse: "they go with the state".to_owned(),
        }
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let up = admin::ask(&self.state_dir, "/status").await.is_ok();
        let login = Client::login(&self.credentials, "admin", "admin").await;
        Ok(if up && login.is_ok() { State::Satisfied } else { State::Absent })
    }

    async fn apply(&self, cx: &()) -> Result<Receipt, StepError> {
        let begun = Instant::now();
        while self.check(cx).await? != State::Satisfied {
            if begun.elapsed() > Duration::from_secs(self.seconds) {
                let message = format!("the cloud did not answer within {} s", self.seconds);
                let error = StepError::new(message).id("STK-RUN-002");
                return Err(error.hint("stackup logs tells why"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), _: &Receipt) -> Result<(), StepError> {
        Ok(())
    }
}

#[async_trait]
impl Step<()> for Proof {
    fn name(&self) -> String {
        "cloud:proof".to_owned()
    }

    fn describe(&self) -> Description {
        Description {
            change: "boot a server, ping it on a floating IP, delete it".to_owned(),
            inverse: "nothing stays of it".to_owned(),
        }
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let proved = self.state_dir.join(PROVED).exists();
        Ok(if proved { State::Satisfied } else { State::Absent })
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        let client = Client::login(&self.credentials, "admin", "demo").await.map_err(failed)?;
        let image = verify::image(&client, &self.image).await.map_err(failed)?;
        let Some(image) = image else {
            let message = format!("there is no image {} to boot", self.image);
            let hint = "scripts/guest-image.sh builds it; --no-verify leaves the proof out";
            return Err(StepError::new(message).id("STK-IMAGE-001").hint(hint));
        };
        let seen = verify::server(&client, &image, self.seconds).await.map_err(failed)?;
        tracing::info!(
            address = seen.address,
            active_s = seen.active.as_secs_f64(),
            answered_s = seen.answered.as_secs_f64(),
            "a server booted"
        );
        let text = format!("active {:?}, ping {:?}\n", seen.active, seen.answered);
        let path = self.state_dir.join(PROVED);
        stackup_system::files::write_atomic(&path, text.as_bytes(), 0o644).map_err(failed)?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), _: &Receipt) -> Result<(), StepError> {
        stackup_system::files::remove_if_there(&self.state_dir.join(PROVED)).map_err(failed)
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> StepError {
    StepError::new("the cloud does not work yet")
        .id("STK-RUN-003")
        .hint("stackup logs and stackup trace --list tell more; the same command tries again")
        .source(error)
}
