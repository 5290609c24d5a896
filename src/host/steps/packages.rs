//! Debian packages: exactly those that were missing, and what came along with them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::{Output, Program, files};

use super::user::{names, remove_group, remove_user};
use super::{at, describe, ran};
use crate::facts::installed;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Packages {
    pub names: Vec<String>,
}

const PATIENCE: Duration = Duration::from_secs(1800);

/// Keeps packages from starting their daemons: ours are started when they are configured.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_TEXT: &str =
    "#!/bin/sh\n# Made by stackup install while packages are unpacked.\nexit 101\n";

/// What packages leave behind although they are purged.
const RESIDUE: [&str; 12] = [
    "/etc/lvm",
    "/run/lvm",
    "/run/lock/lvm",
    "/var/lib/chrony",
    "/var/log/chrony",
    "/run/chrony",
    "/etc/chrony",
    "/etc/libvirt",
    "/var/lib/libvirt",
    "/var/cache/libvirt",
    "/var/log/libvirt",
    "/var/lib/qemu",
];

#[async_trait]
impl Step<()> for Packages {
    fn name(&self) -> String {
        "packages".to_owned()
    }

    fn describe(&self) -> Description {
        describe(
            format!("install the packages {}", self.names.join(", ")),
            "purge those that were not installed before, with what came along",
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let missing = self.missing().await;
        match missing.len() {
            0 => Ok(State::Satisfied),
            n if n == self.names.len() => Ok(State::Absent),
            _ => Ok(State::Differs(format!("{} not installed", missing.join(", ")))),
        }
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        let there: Vec<&str> =
            RESIDUE.into_iter().filter(|path| Path::new(path).exists()).collect();
        Ok(json!({
            "installed": all_installed().await?, "users": names("/etc/passwd"),
            "groups": names("/etc/group"), "paths": there,
        }))
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        repair().await?;
        let missing = self.missing().await;
        if missing.is_empty() {
            return Ok(Receipt::Null);
        }
        let mut tried = simulate("install", &missing).await?;
        if tried.code != 0 {
            // The lists may be old, or not there at all; a failure shows in the second try.
            drop(apt("update", &[]).status().await);
            tried = simulate("install", &missing).await?;
        }
        if tried.code != 0 {
            return Err(unsatisfiable(&tried));
        }
        let guarded = guard()?;
        let result = apt("install", &missing).status().await;
        if guarded {
            unguard()?;
        }
        let output = result.map_err(ran)?;
        if output.code != 0 {
            return Err(StepError::new("packages could not be installed")
                .id("STK-PKG-002")
                .hint("run apt-get install with their names to see why")
                .source(tail(&output)));
        }
        Ok(json!({
            "after": all_installed().await?, "users_after": names("/etc/passwd"),
            "groups_after": names("/etc/group"),
        }))
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        unguard()?;
        if receipt["installed"].is_null() {
            return Ok(());
        }
        let after = all_installed().await?;
        let made = new(receipt, "installed", "after", after);
        // A kill may have left packages half configured, which apt removes only when they are whole.
        repair().await?;
        let known = all_known().await?;
        let purge: Vec<String> = made.into_iter().filter(|name| known.contains(name)).collect();
        if !purge.is_empty() {
            only_these(&purge).await?;
            let output = apt("purge", &purge).status().await.map_err(ran)?;
            if output.code != 0 {
                return Err(StepError::new("packages could not be removed")
                    .id("STK-PKG-003")
                    .source(tail(&output)));
            }
        }
        clear(receipt).await
    }
}

impl Packages {
    async fn missing(&self) -> Vec<String> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let there = installed(&names).await;
        self.names.iter().filter(|name| !there.contains(*name)).cloned().collect()
    }
}

fn apt(verb: &str, names: &[String]) -> Program {
    Program::new("apt-get")
        .args(["-q", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"])
        .args(["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"])
        .args(if verb == "install" { &["--no-install-recommends", "--no-remove"][..] } else { &[] })
        .arg(verb)
        .args(names)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("NEEDRESTART_SUSPEND", "1")
        .timeout(PATIENCE)
}

async fn simulate(verb: &str, names: &[String]) -> Result<Output, StepError> {
    let mut program = Program::new("apt-get").args(["-s", "-y"]);
    if verb == "install" {
        program = program.args(["--no-install-recommends", "--no-remove"]);
    }
    program.arg(verb).args(names).timeout(PATIENCE).status().await.map_err(ran)
}

/// Finishes what an interrupted dpkg began. Whoever holds dpkg's lock is waited for.
async fn repair() -> Result<(), StepError> {
    let audit = Program::new("dpkg").arg("--audit").status().await.map_err(ran)?;
    let pending = fs::read_dir("/var/lib/dpkg/updates").map(Iterator::count).unwrap_or(0);
    if audit.stdout.trim().is_empty() && pending == 0 {
        return Ok(());
    }
    let mut last = None;
    for _ in 0..60 {
        let configure = Program::new("dpkg")
            .args(["--force-confdef", "--force-confold", "--configure", "-a"])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .timeout(PATIENCE);
        let output = configure.status().await.map_err(ran)?;
        if output.code == 0 {
            return Ok(());
        }
        let locked = output.stderr.contains("lock");
        last = Some(tail(&output));
        if !locked {
            break;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    Err(StepError::new("an interrupted dpkg could not be finished")
        .id("STK-PKG-004")
        .hint("run dpkg --configure -a")
        .source(last.unwrap_or_default()))
}

/// Every installed package, with its architecture where dpkg needs it.
async fn all_installed() -> Result<BTreeSet<String>, StepError> {
    listed(|status| status.starts_with("ii")).await
}

/// Installed ones, and those that were removed or left half way.
async fn all_known() -> Result<BTreeSet<String>, StepError> {
    listed(|status| !status.starts_with("un")).await
}

async fn listed(wanted: impl Fn(&str) -> bool) -> Result<BTreeSet<String>, StepError> {
    let query = ["-W", "-f", "${db:Status-Abbrev}|${binary:Package}\n"];
    let output = Program::new("dpkg-query").args(query).run().await.map_err(ran)?;
    let lines = output.stdout.lines().filter_map(|line| line.split_once('|'));
    Ok(lines.filter(|(status, _)| wanted(status)).map(|(_, name)| name.to_owned()).collect())
}

/// Refuses when somebody installed something that needs our packages: it would go with them.
async fn only_these(purge: &[String]) -> Result<(), StepError> {
    let output = simulate("purge", purge).await?;
    let plain = |name: &str| name.split(':').next().unwrap_or(name).to_owned();
    let ours: BTreeSet<String> = purge.iter().map(|name| plain(name)).collect();
    let others: Vec<&str> = output
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("Remv ").or_else(|| line.strip_prefix("Purg ")))
        .filter_map(|rest| rest.split(' ').next())
        .filter(|name| !ours.contains(&plain(name)))
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(StepError::new(format!("other packages need ours: {}", others.join(", ")))
        .id("STK-PKG-005")
        .hint("remove them, or mark ours as wanted and forget this step"))
}

/// Users, groups and directories that were not there before the packages were.
async fn clear(receipt: &Receipt) -> Result<(), StepError> {
    for name in new(receipt, "users", "users_after", system_names("/etc/passwd")) {
        remove_user(&name).await?;
    }
    for name in new(receipt, "groups", "groups_after", system_names("/etc/group")) {
        remove_group(&name).await?;
    }
    let paths = set(&receipt["paths"]);
    for path in RESIDUE.into_iter().filter(|path| !paths.contains(*path)) {
        let path = Path::new(path);
        if path.is_dir() && !owned(path).await {
            fs::remove_dir_all(path).map_err(at("removed", path))?;
        }
    }
    Ok(())
}

/// What came between the two lists of a receipt; `now` stands in for the second, which a kill
/// keeps from being written.
fn new(receipt: &Receipt, before: &str, after: &str, now: BTreeSet<String>) -> BTreeSet<String> {
    let after = if receipt[after].is_null() { now } else { set(&receipt[after]) };
    after.difference(&set(&receipt[before])).cloned().collect()
}

/// Whether an installed package has this path.
async fn owned(path: &Path) -> bool {
    let search = Program::new("dpkg-query").arg("-S").arg(path);
    search.status().await.is_ok_and(|output| output.code == 0)
}

/// The names with a number that people do not have.
fn system_names(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| {
            fields.get(2).and_then(|id| id.parse().ok()).is_some_and(|id: u32| id < 1000)
        })
        .map(|fields| fields[0].to_owned())
        .collect()
}

/// True when the file is ours to remove.
fn guard() -> Result<bool, StepError> {
    let path = Path::new(POLICY);
    match fs::read_to_string(path) {
        Ok(text) => Ok(text == POLICY_TEXT),
        Err(_) => {
            files::write_atomic(path, POLICY_TEXT.as_bytes(), 0o755)
                .map_err(at("written", path))?;
            Ok(true)
        }
    }
}

fn unguard() -> Result<(), StepError> {
    let path = Path::new(POLICY);
    if fs::read_to_string(path).is_ok_and(|text| text == POLICY_TEXT) {
        files::remove_if_there(path).map_err(at("removed", path))?;
    }
    Ok(())
}

/// Says what is in the way; the best known case first.
fn unsatisfiable(output: &Output) -> StepError {
    let text = format!("{}\n{}", output.stdout, output.stderr);
    let error = StepError::new("the packages cannot be installed together with what is here");
    if text.contains("qemu-utils") || text.contains("qemu-system-common") {
        return error.id("STK-PKG-001").source(tail(output)).hint(
            "QEMU's packages must be of one version, and one from another source (backports) is \
             installed: enable that source, or downgrade with apt-get install --allow-downgrades",
        );
    }
    if text.contains("Unable to locate") || text.contains("no installation candidate") {
        return error
            .id("STK-PKG-006")
            .hint("check /etc/apt/sources.list and the network, then run apt-get update")
            .source(tail(output));
    }
    error
        .id("STK-PKG-001")
        .hint("apt-get -s install with these names shows why")
        .source(tail(output))
}

fn tail(output: &Output) -> String {
    let text = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(6)..].join("; ")
}

fn set(value: &serde_json::Value) -> BTreeSet<String> {
    let names = value.as_array().into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}
