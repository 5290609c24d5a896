//! The volume group of the block storage, on a sparse file or a disk.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_profile::ByteSize;
use stackup_system::{Program, files};

use super::{at, describe, foreign, ran};
use crate::facts::{OWNER, volume_groups};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeGroup {
    pub name: String,
    #[serde(flatten)]
    pub backing: Backing,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backing {
    Loop { file: PathBuf, size: ByteSize },
    Device { device: PathBuf },
}

/// LVM makes them when a group changes, whatever it is told.
const DIRS: [&str; 2] = ["/etc/lvm/archive", "/etc/lvm/backup"];

/// LVM would keep a copy of each change in /etc/lvm.
const QUIET: [&str; 2] = ["--config", "backup{backup=0 archive=0}"];

#[async_trait]
impl Step<()> for VolumeGroup {
    fn name(&self) -> String {
        format!("volume_group:{}", self.name)
    }

    fn describe(&self) -> Description {
        let name = &self.name;
        match &self.backing {
            Backing::Loop { file, size } => describe(
                format!("make the volume group {name} on {} ({size}, sparse)", file.display()),
                format!("remove the volume group {name} with its volumes, and {}", file.display()),
            ),
            Backing::Device { device } => describe(
                format!("make the volume group {name} on {}", device.display()),
                format!(
                    "remove the volume group {name} with its volumes from {}",
                    device.display()
                ),
            ),
        }
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        match volume_groups().await.into_iter().find(|group| group.name == self.name) {
            None => Ok(State::Absent),
            Some(group) if group.ours() => Ok(State::Satisfied),
            Some(_) => Err(foreign(format!("a volume group {}", self.name), "STK-VOL-001")),
        }
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        let dirs: Vec<&str> = DIRS.into_iter().filter(|dir| !Path::new(dir).exists()).collect();
        let prior = json!({ "dirs": dirs });
        let Backing::Device { device } = &self.backing else { return Ok(prior) };
        let signatures = Program::new("wipefs").arg("-n").arg(device).run().await.map_err(ran)?;
        if signatures.stdout.trim().is_empty() {
            return Ok(prior);
        }
        Err(StepError::new(format!("{} is not empty", device.display()))
            .id("STK-VOL-002")
            .hint(format!("if nothing on it is needed: wipefs -a {}", device.display())))
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        let device = match &self.backing {
            Backing::Device { device } => device.to_string_lossy().into_owned(),
            Backing::Loop { file, size } => {
                sparse(file, *size)?;
                attach(file).await?
            }
        };
        let known = volume_groups().await.iter().any(|group| group.name == self.name);
        if !known {
            lvm("pvcreate", &["-y", "-ff", &device]).await?;
            lvm("vgcreate", &["--addtag", OWNER, &self.name, &device]).await?;
        }
        Ok(json!({ "device": device }))
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        remove(&self.name).await?;
        for dir in receipt["dirs"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            // Only when nobody else's copies are in it.
            drop(fs::remove_dir(dir));
        }
        match &self.backing {
            Backing::Loop { file, .. } => {
                for device in attached(file).await? {
                    drop(lvm("pvremove", &["-y", "-ff", &device]).await);
                    detach(&device).await?;
                }
                files::remove_if_there(file).map_err(at("removed", file))
            }
            Backing::Device { device } => {
                let device = device.to_string_lossy();
                // One that never became a physical volume is fine.
                drop(lvm("pvremove", &["-y", "-ff", &device]).await);
                Ok(())
            }
        }
    }
}

/// Removes a volume group of ours with its volumes, and what LVM wrote about it.
pub(crate) async fn remove(name: &str) -> Result<(), StepError> {
    let ours = volume_groups().await.into_iter().any(|group| group.name == name && group.ours());
    if ours {
        lvm("vgremove", &["-y", "-ff", name]).await?;
    }
    for dir in DIRS {
        let Ok(entries) = fs::read_dir(dir) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let file = entry.file_name();
            let file = file.to_string_lossy();
            if file == name || file.starts_with(&format!("{name}_")) {
                files::remove_if_there(&entry.path()).map_err(at("removed", &entry.path()))?;
            }
        }
    }
    Ok(())
}

fn sparse(file: &Path, size: ByteSize) -> Result<(), StepError> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).open(file);
    let made = made.map_err(at("made", file))?;
    let length = made.metadata().map_err(at("looked at", file))?.len();
    if length < size.0 {
        made.set_len(size.0).map_err(at("made larger", file))?;
    }
    Ok(())
}

async fn attach(file: &Path) -> Result<String, StepError> {
    if let Some(device) = attached(file).await?.into_iter().next() {
        return Ok(device);
    }
    let direct = Program::new("losetup").args(["--find", "--show", "--direct-io=on"]).arg(file);
    let output = match direct.run().await {
        Ok(output) => output,
        // Not every file system can do it.
        Err(_) => {
            Program::new("losetup").args(["--find", "--show"]).arg(file).run().await.map_err(ran)?
        }
    };
    Ok(output.stdout.trim().to_owned())
}

/// The loop devices of a file.
pub(crate) async fn attached(file: &Path) -> Result<Vec<String>, StepError> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let list = Program::new("losetup").args(["-n", "-O", "NAME", "-j"]).arg(file);
    let output = list.run().await.map_err(ran)?;
    Ok(output.stdout.lines().map(|line| line.trim().to_owned()).collect())
}

/// Detaches and waits: the kernel may still be busy with the last reader.
pub(crate) async fn detach(device: &str) -> Result<(), StepError> {
    Program::new("losetup").args(["-d", device]).run().await.map_err(ran)?;
    let name = device.trim_start_matches("/dev/");
    let bound = Path::new("/sys/block").join(name).join("loop/backing_file");
    for _ in 0..50 {
        if !bound.exists() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(StepError::new(format!("{device} stays busy")).id("STK-VOL-003").hint("who uses it?"))
}

async fn lvm(verb: &str, args: &[&str]) -> Result<(), StepError> {
    Program::new(verb).args(QUIET).args(args).run().await.map(drop).map_err(ran)
}
