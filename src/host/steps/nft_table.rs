//! The one table of the packet filter that is ours.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::Program;

use super::{describe, ran};

/// A table by its whole text. The text is written as `nft list` prints it, which is how drift is
/// seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NftTable {
    pub family: String,
    pub name: String,
    pub rules: String,
}

#[async_trait]
impl Step<()> for NftTable {
    fn name(&self) -> String {
        format!("nft_table:{}:{}", self.family, self.name)
    }

    fn describe(&self) -> Description {
        describe(
            format!(
                "add the nftables table {} {}: guests reach out by the host",
                self.family, self.name
            ),
            format!("remove the nftables table {} {}", self.family, self.name),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let list = Program::new("nft").args(["-s", "list", "table", &self.family, &self.name]);
        let Ok(output) = list.status().await else { return Ok(State::Absent) };
        if output.code != 0 {
            return Ok(State::Absent);
        }
        if lines(&output.stdout) == lines(&self.rules) {
            return Ok(State::Satisfied);
        }
        Ok(State::Differs("its rules are others".to_owned()))
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        let (family, name) = (&self.family, &self.name);
        // One transaction: add, so that delete finds something; delete; add anew.
        let text = format!("table {family} {name}\ndelete table {family} {name}\n{}", self.rules);
        Program::new("nft").args(["-f", "-"]).stdin(text).run().await.map_err(ran)?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), _: &Receipt) -> Result<(), StepError> {
        remove(&self.family, &self.name).await
    }
}

pub(crate) async fn remove(family: &str, name: &str) -> Result<(), StepError> {
    let text = format!("table {family} {name}\ndelete table {family} {name}\n");
    Program::new("nft").args(["-f", "-"]).stdin(text).run().await.map(drop).map_err(ran)
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}
