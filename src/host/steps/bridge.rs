//! The bridge of the external network, with the host's address on it.

use async_trait::async_trait;
use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::Program;

use super::{describe, foreign, ran};
use crate::facts::{Link, OWNER, links};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bridge {
    pub name: String,
    pub address: Ipv4Net,
}

#[async_trait]
impl Step<()> for Bridge {
    fn name(&self) -> String {
        format!("bridge:{}", self.name)
    }

    fn describe(&self) -> Description {
        describe(
            format!("add the bridge {} with {}", self.name, self.address),
            format!("remove the bridge {}", self.name),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let Some(link) = self.find().await else { return Ok(State::Absent) };
        if !link.ours() {
            return Err(foreign(format!("a device {}", self.name), "STK-NET-001"));
        }
        if !link.addresses.contains(&IpNet::V4(self.address)) {
            return Ok(State::Differs(format!("it does not have {}", self.address)));
        }
        Ok(State::Satisfied)
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        let ip = |args: &[&str]| Program::new("ip").args(args);
        let name = self.name.as_str();
        let found = self.find().await;
        if found.is_none() {
            // Ports start to forward at once; without it they wait 15 s. Made and marked in one
            // call: a kill leaves nothing that is not known as ours.
            let make = format!(
                "link add name {name} type bridge forward_delay 0\nlink set dev {name} alias {OWNER}\n"
            );
            ip(&["-batch", "-"]).stdin(make).run().await.map_err(ran)?;
        }
        let addresses = found.map(|link| link.addresses).unwrap_or_default();
        for old in
            addresses.iter().filter(|old| matches!(old, IpNet::V4(net) if *net != self.address))
        {
            ip(&["addr", "del", &old.to_string(), "dev", name]).run().await.map_err(ran)?;
        }
        let address = self.address.to_string();
        ip(&["addr", "replace", &address, "dev", name]).run().await.map_err(ran)?;
        ip(&["link", "set", name, "up"]).run().await.map_err(ran)?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), _: &Receipt) -> Result<(), StepError> {
        match self.find().await {
            Some(link) if link.ours() => {
                let delete = Program::new("ip").args(["link", "del", &self.name]);
                delete.run().await.map(drop).map_err(ran)
            }
            _ => Ok(()),
        }
    }
}

impl Bridge {
    async fn find(&self) -> Option<Link> {
        links().await.into_iter().find(|link| link.name == self.name)
    }
}
