//! A setting of the running kernel; the old value is kept.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::kernel;

use super::describe;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sysctl {
    pub name: String,
    pub value: String,
    pub reason: String,
}

/// Writing it writes other settings too, so those are kept as well.
const FORWARDING: &str = "net.ipv4.ip_forward";

#[async_trait]
impl Step<()> for Sysctl {
    fn name(&self) -> String {
        format!("sysctl:{}", self.name)
    }

    fn describe(&self) -> Description {
        describe(
            format!("set {} to {} ({})", self.name, self.value, self.reason),
            format!("set {} back", self.name),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        match kernel::sysctl(&self.name).map_err(failed(&self.name))? {
            None => Ok(State::Absent),
            Some(value) if value == self.value => Ok(State::Satisfied),
            Some(value) => Ok(State::Differs(format!("it is {value}"))),
        }
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        let mut also = Map::new();
        for name in side_effects(&self.name) {
            if let Ok(Some(value)) = kernel::sysctl(&name) {
                also.insert(name, Value::String(value));
            }
        }
        let value = kernel::sysctl(&self.name).map_err(failed(&self.name))?;
        Ok(json!({ "value": value, "also": also }))
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        kernel::set_sysctl(&self.name, &self.value).map_err(failed(&self.name))?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        let Some(value) = receipt["value"].as_str() else { return Ok(()) };
        kernel::set_sysctl(&self.name, value).map_err(failed(&self.name))?;
        for (name, value) in receipt["also"].as_object().into_iter().flatten() {
            let now = kernel::sysctl(name).ok().flatten();
            // The device it belongs to may be gone.
            if let (Some(now), Some(value)) = (now, value.as_str())
                && now != value
            {
                kernel::set_sysctl(name, value).map_err(failed(name))?;
            }
        }
        Ok(())
    }
}

fn side_effects(name: &str) -> Vec<String> {
    if name != FORWARDING {
        return Vec::new();
    }
    let mut names = vec!["net.ipv4.conf.all.accept_redirects".to_owned()];
    for device in kernel::sysctl_devices() {
        names.push(format!("net.ipv4.conf.{}.forwarding", device.replace('.', "/")));
    }
    names
}

fn failed(name: &str) -> impl Fn(std::io::Error) -> StepError {
    move |error| {
        StepError::new(format!("kernel setting {name} could not be read or set"))
            .id("STK-KERNEL-002")
            .hint("in a container the host may keep it read-only")
            .source(error)
    }
}
