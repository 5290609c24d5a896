//! Whole-cloud tests: the vocabulary in which the stories of `cloud/` are told.
//!
//! A story says what somebody does with a cloud, over HTTP, and what they then see:
//!
//! ```ignore
//! let cloud = Cloud::shared().await;
//! let alice = cloud.newcomer("member").await;
//! let server = alice.boot_server("web").await;
//! ```
//!
//! All stories share one cloud, each with projects of its own; those that end a cloud start one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is a failed test"
)]

mod process;
mod session;
mod story;

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::json;

pub use process::Process;
pub use session::{Answer, Session};
pub use story::{Network, fresh};

/// A cloud that answers.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// `http://127.0.0.1:41681/identity`
    pub auth_url: String,
    pub password: String,
    /// By service type.
    endpoints: HashMap<String, String>,
}

impl Cloud {
    /// The cloud of all stories; it ends with the test run.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceLock<Cloud> = OnceLock::new();
        // The first story waits for the start, and those that come meanwhile wait with it.
        tokio::task::yield_now().await;
        SHARED.get_or_init(Process::ephemeral)
    }

    /// A cloud on a state directory and a port, and the process that it is.
    pub async fn on(state_dir: &Path, port: u16) -> (Self, Process) {
        let password = "correct-horse-battery";
        let process = Process::serve(state_dir, port, password);
        let mut cloud = Self {
            auth_url: format!("http://127.0.0.1:{port}/identity"),
            password: password.to_owned(),
            endpoints: HashMap::new(),
        };
        let answers = || async { reqwest::get(format!("{}/v3", cloud.auth_url)).await.ok() };
        wait_for("the cloud to answer", 60, answers).await;
        cloud.endpoints = cloud.admin().await.catalog();
        (cloud, process)
    }

    /// The administrator.
    pub async fn admin(&self) -> Session {
        self.login("admin", &self.password, "admin").await
    }

    /// Somebody who is there already.
    pub async fn login(&self, user: &str, password: &str, project: &str) -> Session {
        let answer = self.try_login(user, password, project).await;
        Session::of(self, &answer.expect(201))
    }

    /// What keystone says to a name and a password.
    pub async fn try_login(&self, user: &str, password: &str, project: &str) -> Answer {
        let domain = json!({"id": "default"});
        let user = json!({"name": user, "domain": domain, "password": password});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": project, "domain": domain}},
        }});
        Session::anonymous(self).post("identity", "/v3/auth/tokens", &body).await
    }

    /// A new user with a role in a new project.
    pub async fn newcomer(&self, role: &str) -> Session {
        let admin = self.admin().await;
        let (user, project) = (fresh("user"), fresh("project"));
        let user_id = admin.make_user(&user, "opensesame").await;
        let project_id = admin.make_project(&project).await;
        admin.grant(&user_id, &project_id, role).await;
        self.login(&user, "opensesame", &project).await
    }

    fn endpoint(&self, service: &str) -> String {
        match self.endpoints.get(service) {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None if service == "identity" => self.auth_url.clone(),
            None => panic!("the catalog has no {service}"),
        }
    }
}

/// Polls until `probe` gives a value. Panics past `seconds`, naming what was waited for.
pub async fn wait_for<T>(what: &str, seconds: u64, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(begun.elapsed().as_secs() < seconds, "waited {seconds} s for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
