//! A system user that a library looks up, whether or not anything runs as it.

use std::fs;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::Program;

use super::{describe, ran};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub home: String,
    /// Who needs it.
    pub reason: String,
}

#[async_trait]
impl Step<()> for User {
    fn name(&self) -> String {
        format!("user:{}", self.name)
    }

    fn describe(&self) -> Description {
        describe(
            format!("add the system user {} ({})", self.name, self.reason),
            format!("remove the user {} and its group", self.name),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let there = names("/etc/passwd").contains(&self.name);
        Ok(if there { State::Satisfied } else { State::Absent })
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        Ok(json!({ "group": names("/etc/group").contains(&self.name) }))
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        if names("/etc/passwd").contains(&self.name) {
            return Ok(Receipt::Null);
        }
        let group = if names("/etc/group").contains(&self.name) {
            vec!["--gid", self.name.as_str()]
        } else {
            vec!["--user-group"]
        };
        Program::new("useradd")
            .args(["--system", "--no-create-home", "--shell", "/usr/sbin/nologin"])
            .args(["--home-dir", &self.home])
            .args(group)
            .arg(&self.name)
            .run()
            .await
            .map_err(ran)?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        remove_user(&self.name).await?;
        if receipt["group"] == false {
            remove_group(&self.name).await?;
        }
        Ok(())
    }
}

/// The names in a file of the form of `/etc/passwd`.
pub(crate) fn names(file: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.split(':').next()).map(str::to_owned).collect()
}

pub(crate) async fn remove_user(name: &str) -> Result<(), StepError> {
    if names("/etc/passwd").iter().any(|known| known == name) {
        Program::new("userdel").arg(name).run().await.map_err(ran)?;
    }
    Ok(())
}

pub(crate) async fn remove_group(name: &str) -> Result<(), StepError> {
    if names("/etc/group").iter().any(|known| known == name) {
        Program::new("groupdel").arg(name).run().await.map_err(ran)?;
    }
    Ok(())
}
