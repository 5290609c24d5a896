//! What is ours by its mark: removed whether or not the ledger knows of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use stackup_flow::StepError;
use stackup_system::process::find;
use stackup_system::{ProcessId, Program};

use crate::facts::{Link, OWNER, links, nft_tables, volume_groups};
use crate::paths::Paths;
use crate::steps::directory::{empty, remove_dir};
use crate::steps::volume_group::{attached, detach};
use crate::steps::{nft_table, unit, volume_group};

/// Ends guests and takes apart the networks: what the service leaves running when it stops.
pub(crate) async fn runtime(paths: &Paths) -> Result<(), StepError> {
    for guest in guests(paths) {
        guest.stop(Duration::from_secs(5)).await.map_err(|error| {
            StepError::new(format!("guest process {} does not end", guest.pid)).source(error)
        })?;
    }
    for name in namespaces().await {
        run(Program::new("ip").args(["netns", "del", &name])).await?;
    }
    for link in links().await.into_iter().filter(Link::ours) {
        // The other end of a pair goes with it.
        if links().await.iter().any(|there| there.name == link.name) {
            run(Program::new("ip").args(["link", "del", &link.name])).await?;
        }
    }
    for table in nft_tables().await {
        let Some((family, name)) = table.split_once(' ') else { continue };
        if our_table(name) {
            nft_table::remove(family, name).await?;
        }
    }
    Ok(())
}

/// Removes what is left on the host and marked as ours. Errors are collected.
pub(crate) async fn marks(paths: &Paths) -> Vec<StepError> {
    let mut errors = Vec::new();
    let mut keep = |result: Result<(), StepError>| errors.extend(result.err());
    keep(runtime(paths).await);
    keep(unit::remove().await);
    for group in volume_groups().await.into_iter().filter(|group| group.ours()) {
        keep(volume_group::remove(&group.name).await);
    }
    keep(loops(paths).await);
    keep(time_process(paths).await);
    keep(clouds());
    keep(sysctl_file());
    keep(remove_tree(&paths.runtime()));
    errors
}

/// What is still there after a reset, as a person would name it.
pub(crate) async fn residue(paths: &Paths) -> Vec<String> {
    let mut left = Vec::new();
    left.extend(guests(paths).into_iter().map(|guest| format!("guest process {}", guest.pid)));
    left.extend(namespaces().await.into_iter().map(|name| format!("network namespace {name}")));
    let links = links().await.into_iter().filter(Link::ours);
    left.extend(links.map(|link| format!("network device {}", link.name)));
    let tables = nft_tables().await.into_iter();
    let ours =
        tables.filter(|table| table.split_once(' ').is_some_and(|(_, name)| our_table(name)));
    left.extend(ours.map(|table| format!("nftables table {table}")));
    let groups = volume_groups().await.into_iter().filter(|group| group.ours());
    left.extend(groups.map(|group| format!("volume group {}", group.name)));
    for path in [crate::service::unit_path(), paths.runtime(), paths.state_dir.clone()] {
        if path.exists() {
            left.push(path.display().to_string());
        }
    }
    left
}

/// Guests have files of ours among their arguments.
fn guests(paths: &Paths) -> Vec<ProcessId> {
    let state_dir = format!("{}/", paths.state_dir.display());
    find(|args| {
        args.first().is_some_and(|program| program.contains("qemu-system"))
            && args.iter().any(|arg| arg.contains(&state_dir))
    })
}

/// Namespaces with Neutron's names and nothing but our devices in them.
async fn namespaces() -> Vec<String> {
    let Ok(dir) = fs::read_dir("/run/netns") else { return Vec::new() };
    let mut found = Vec::new();
    for name in dir.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        if !name.starts_with("qrouter-") && !name.starts_with("qdhcp-") {
            continue;
        }
        let show = Program::new("ip").args(["-n", &name, "-o", "link", "show"]);
        let text = show.status().await.map(|output| output.stdout).unwrap_or_default();
        let foreign = text
            .lines()
            .filter(|line| !line.contains(": lo:"))
            .any(|line| !line.contains(&format!("alias {OWNER}")));
        if !foreign {
            found.push(name);
        }
    }
    found
}

fn our_table(name: &str) -> bool {
    name == OWNER
        || name.starts_with(&format!("{OWNER}_"))
        || name.starts_with(&format!("{OWNER}-"))
}

/// Loop devices on files of the state directory.
async fn loops(paths: &Paths) -> Result<(), StepError> {
    let Ok(dir) = fs::read_dir(&paths.state_dir) else { return Ok(()) };
    for entry in dir.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            for device in attached(&entry.path()).await? {
                detach(&device).await?;
            }
        }
    }
    Ok(())
}

async fn time_process(paths: &Paths) -> Result<(), StepError> {
    let Some(process) = ProcessId::from_file(&paths.runtime().join("chronyd.pid")) else {
        return Ok(());
    };
    let stopped = process.stop(Duration::from_secs(5)).await;
    stopped.map_err(|error| StepError::new("chronyd does not end").source(error))
}

fn clouds() -> Result<(), StepError> {
    let path = Path::new(crate::plan::CLOUDS);
    let Ok(text) = fs::read_to_string(path) else { return Ok(()) };
    let rest = stackup_profile::clouds::strip(&text);
    if rest == text {
        return Ok(());
    }
    let result = if rest.trim().is_empty() {
        stackup_system::files::remove_if_there(path).map(|()| {
            // Only when nothing else is in it.
            drop(path.parent().map(fs::remove_dir));
        })
    } else {
        stackup_system::files::write_atomic(path, rest.as_bytes(), 0o600)
    };
    result.map_err(|error| StepError::new(format!("{} stays", path.display())).source(error))
}

fn sysctl_file() -> Result<(), StepError> {
    let path = Path::new(crate::plan::SYSCTL_FILE);
    if fs::read_to_string(path).is_ok_and(|text| text.starts_with("# Made by stackup")) {
        stackup_system::files::remove_if_there(path)
            .map_err(|error| StepError::new(format!("{} stays", path.display())).source(error))?;
    }
    Ok(())
}

fn remove_tree(path: &Path) -> Result<(), StepError> {
    if !path.exists() {
        return Ok(());
    }
    empty(path, &[])?;
    remove_dir(path)
}

async fn run(program: Program) -> Result<(), StepError> {
    let shown = program.to_string();
    program.run().await.map(drop).map_err(|error| StepError::new(shown).source(error))
}
