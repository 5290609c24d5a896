//! Kernel modules: those the cloud needs, and those that come along.

use std::collections::BTreeSet;
use std::path::Path;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::{Program, kernel};

use super::describe;

/// The first step, so that its revert is the last: then nothing uses the modules any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelModules {
    pub names: Vec<String>,
}

/// What our steps and the running cloud make the kernel load by itself. Nothing else is unloaded,
/// however new it is: a stick plugged in meanwhile brings its driver too.
const FAMILIES: [&str; 24] = [
    "br_netfilter",
    "bridge",
    "stp",
    "llc",
    "veth",
    "tun",
    "tap",
    "loop",
    "dm_",
    "nf_",
    "nft_",
    "nfnetlink",
    "xt_",
    "x_tables",
    "ip_tables",
    "ip6_tables",
    "vhost",
    "kvm",
    "irqbypass",
    "ccp",
    "persistent_data",
    "libcrc32c",
    "configfs",
    "ip_set",
];

const PASSES: usize = 8;

#[async_trait]
impl Step<()> for KernelModules {
    fn name(&self) -> String {
        "kernel_modules".to_owned()
    }

    fn describe(&self) -> Description {
        describe(
            format!("load the kernel modules {}", self.names.join(", ")),
            "unload those that were not loaded before and that nothing uses",
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let loaded = kernel::modules();
        if !Path::new("/proc/modules").exists() {
            return Ok(State::Satisfied);
        }
        let missing: Vec<&str> = self
            .names
            .iter()
            .map(String::as_str)
            .filter(|name| !loaded.contains(*name) && !Path::new("/sys/module").join(name).exists())
            .collect();
        match missing.len() {
            0 => Ok(State::Satisfied),
            n if n == self.names.len() => Ok(State::Absent),
            _ => Ok(State::Differs(format!("{} not loaded", missing.join(", ")))),
        }
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        Ok(json!({ "loaded": kernel::modules() }))
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        for name in &self.names {
            Program::new("modprobe").arg(name).run().await.map_err(|error| {
                StepError::new(format!("kernel module {name} could not be loaded"))
                    .id("STK-KERNEL-001")
                    .hint("is the package with this kernel's modules (linux-image-…) installed?")
                    .source(error)
            })?;
        }
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        let before: BTreeSet<String> = receipt["loaded"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        for _ in 0..PASSES {
            let unused = kernel::unused_modules();
            let gone: Vec<&String> = unused.difference(&before).filter(|name| ours(name)).collect();
            if gone.is_empty() {
                break;
            }
            for name in gone {
                // In use after all: someone else's, and it stays.
                drop(Program::new("modprobe").args(["-r", "-q", name]).status().await);
            }
        }
        Ok(())
    }
}

fn ours(name: &str) -> bool {
    FAMILIES.iter().any(|family| name.starts_with(family))
}
