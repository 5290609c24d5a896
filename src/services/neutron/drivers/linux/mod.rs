//! The dataplane of a Linux host: bridges, namespaces, nftables, DHCP and metadata.
//!
//! - [`desired`]: topology → what the host has to look like; pure. It renders with `firewall`
//!   (security groups), `nat` (routers), and the configurations of [`dhcp`] and [`ra`].
//! - `kernel`: what the host looks like; `reconcile`: the difference, pure.
//! - `servers`: what runs in the process on sockets made inside the namespaces.
//!
//! Order matters in one place: rules are loaded before a guest's device is put on a bridge, so no
//! frame ever passes unguarded.

mod announce;
pub mod desired;
pub mod dhcp;
mod firewall;
#[cfg(test)]
mod fixture;
mod kernel;
mod metadata;
mod meter;
mod nat;
mod netns;
mod nft;
mod probe;
pub mod ra;
mod reconcile;
mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::StreamExt as _;
use stackup_flow::supervisor::Supervisor;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    Dataplane, DataplaneError, Facts, Firewall, MetadataHandler, Report, Result, Topology, names,
};
use desired::{Desired, Namespace, Settings, desired};
use kernel::{Batch, Refused};
use reconcile::Links;
use servers::Servers;

/// Namespaces that are worked on at once.
const PARALLEL: usize = 4;

/// What the operator chooses.
#[derive(Debug, Clone, Default)]
pub struct LinuxOptions {
    /// Make the bridges of external networks too. Off: the installer makes `br-ex`, and without
    /// it the network is reported as degraded.
    pub manage_external_bridge: bool,
    /// Use this mechanism instead of the best one the kernel takes.
    pub firewall: Option<Firewall>,
}

/// See the module.
pub struct LinuxDataplane {
    options: LinuxOptions,
    handler: metadata::Handler,
    state: Mutex<State>,
}

/// What was made last time, so that a small change costs little.
struct State {
    firewall: Option<Firewall>,
    wanted: Option<Desired>,
    /// The revision of the host's rules; `None` when they are not known to be in force.
    rules: Option<String>,
    /// The wiring that each namespace got without a problem.
    made: BTreeMap<String, Namespace>,
    servers: Servers,
}

/// What working on one namespace brought.
#[derive(Default)]
struct Outcome {
    changes: usize,
    refused: Vec<Refused>,
    broken: Vec<String>,
}

impl LinuxDataplane {
    pub fn new(options: LinuxOptions, supervisor: Supervisor) -> Self {
        let handler: metadata::Handler = Arc::new(OnceLock::new());
        let state = State {
            firewall: options.firewall,
            wanted: None,
            rules: None,
            made: BTreeMap::new(),
            servers: Servers::new(supervisor, Arc::clone(&handler)),
        };
        Self { options, handler, state: Mutex::new(state) }
    }

    async fn converge(&self, topology: &Topology, deep: bool) -> Result<Report> {
        let mut state = self.state.lock().await;
        let state = &mut *state;
        let mut report = Report::default();
        let firewall = state.firewall().await?;
        let settings =
            Settings { firewall, manage_external_bridge: self.options.manage_external_bridge };
        let wanted = desired(topology, &settings);
        report.problems.extend(wanted.problems.iter().cloned());

        state.guard(&wanted, deep, &mut report).await?;
        let mut links = kernel::host_links().await?;
        let mut present = netns::list().map_err(cannot_list)?;
        state.remove(&wanted, &settings, &mut links, &mut present, &mut report).await?;
        state.wire(&wanted, &links, &mut present, deep, &mut report).await?;
        state.serve(&wanted, &present, &mut report).await;

        report.wired = wired(&wanted, &kernel::host_links().await?, &report);
        state.wanted = Some(wanted);
        Ok(report)
    }
}

fn cannot_list(source: std::io::Error) -> DataplaneError {
    DataplaneError::Namespace { name: "list".to_owned(), source }
}

impl State {
    async fn firewall(&mut self) -> Result<Firewall> {
        match self.firewall {
            Some(known) => Ok(known),
            None => {
                let found = probe::firewall().await?;
                Ok(*self.firewall.insert(found))
            }
        }
    }

    /// Puts the security groups in force. When that fails no guest is plugged until it succeeds.
    async fn guard(&mut self, wanted: &Desired, deep: bool, report: &mut Report) -> Result<()> {
        let known = self.rules.as_ref() == Some(&wanted.rules.revision);
        let look = deep || self.rules.is_none();
        if if look { kernel::has_rules(None, &wanted.rules).await? } else { known } {
            self.rules = Some(wanted.rules.revision.clone());
            return Ok(());
        }
        match kernel::load_rules(None, &wanted.rules).await {
            Ok(()) => {
                self.rules = Some(wanted.rules.revision.clone());
                report.changes += 1;
            }
            Err(error) => {
                self.rules = None;
                report.problem(None, format!("security groups cannot be put in force: {error}"));
            }
        }
        Ok(())
    }

    /// Takes away what is ours and not wanted.
    async fn remove(
        &mut self,
        wanted: &Desired,
        settings: &Settings,
        links: &mut Links,
        present: &mut BTreeMap<String, u64>,
        report: &mut Report,
    ) -> Result<()> {
        let mut batch = reconcile::removals(wanted, links, settings.manage_external_bridge);
        let undesired: Vec<String> =
            present.keys().filter(|name| !wanted.namespaces.contains_key(*name)).cloned().collect();
        for name in undesired {
            self.servers.stop(&name).await;
            let ours = self.made.remove(&name).is_some()
                || kernel::inside(&name)
                    .await
                    .is_ok_and(|found| found.links.get("lo").is_some_and(kernel::Link::ours));
            if ours {
                batch.add(None, format!("netns del {name}"));
                present.remove(&name);
            }
        }
        // A namespace that somebody else removed is not made any more.
        self.made.retain(|name, _| present.contains_key(name));
        if batch.len() > 0 {
            run(&batch, None, report).await?;
            *links = kernel::host_links().await?;
        }
        Ok(())
    }

    /// Bridges, namespaces, pairs, guests' devices, and what is inside the namespaces.
    async fn wire(
        &mut self,
        wanted: &Desired,
        links: &Links,
        present: &mut BTreeMap<String, u64>,
        deep: bool,
        report: &mut Report,
    ) -> Result<()> {
        let mut batch = Batch::default();
        let bridges = reconcile::bridges(wanted, links, &mut batch, &mut report.problems);
        for (name, namespace) in &wanted.namespaces {
            if !present.contains_key(name) {
                batch.add(namespace.subject, format!("netns add {name}"));
            }
        }
        run(&batch, None, report).await?;
        *present = netns::list().map_err(cannot_list)?;

        let work: Vec<(String, Namespace)> = wanted
            .namespaces
            .iter()
            .filter(|(name, _)| present.contains_key(*name))
            .map(|(name, namespace)| (name.clone(), namespace.wiring()))
            .filter(|(name, wiring)| deep || self.made.get(name) != Some(wiring))
            .collect();
        // Before the interfaces come, for they inherit.
        for (name, namespace) in &work {
            set_sysctls(name, namespace, report).await;
        }
        let mut batch = Batch::default();
        for (name, namespace) in &wanted.namespaces {
            reconcile::pairs(name, namespace, links, &bridges, &mut batch, &mut report.problems);
        }
        for (name, tap) in &wanted.taps {
            let guarded = self.rules.is_some() && bridges.contains(&tap.bridge);
            if let Some(found) = links.get(name).filter(|_| guarded) {
                reconcile::tap(name, tap, Some(found), &mut batch);
            }
        }
        run(&batch, None, report).await?;
        self.fill(work, links, &bridges, report).await;
        Ok(())
    }

    /// Makes what is inside these namespaces.
    async fn fill(
        &mut self,
        work: Vec<(String, Namespace)>,
        links: &Links,
        bridges: &BTreeSet<String>,
        report: &mut Report,
    ) {
        let mut running = futures::stream::iter(work)
            .map(|(name, namespace)| async move {
                let outcome = inside(&name, &namespace).await;
                (name, namespace, outcome)
            })
            .buffer_unordered(PARALLEL);
        while let Some((name, namespace, outcome)) = running.next().await {
            let outcome = match outcome {
                Ok(found) if !found.broken.is_empty() => {
                    mend(&name, &namespace, links, bridges, found, report).await
                }
                other => other,
            };
            let outcome = match outcome {
                Ok(outcome) => outcome,
                // One that cannot be entered must not keep the others from being made.
                Err(error) => {
                    report.problem(Some(namespace.subject), format!("{name}: {error}"));
                    self.made.remove(&name);
                    continue;
                }
            };
            report.changes += outcome.changes;
            let whole = outcome.refused.is_empty() && outcome.broken.is_empty();
            note(outcome.refused, report);
            if whole {
                self.made.insert(name, namespace);
            } else {
                self.made.remove(&name);
            }
        }
    }

    async fn serve(
        &mut self,
        wanted: &Desired,
        present: &BTreeMap<String, u64>,
        report: &mut Report,
    ) {
        for (name, namespace) in &wanted.namespaces {
            let Some(inode) = present.get(name) else { continue };
            match self.servers.ensure(name, *inode, namespace).await {
                Ok(()) => {}
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    let why = source.unwrap_or_default();
                    report.problem(Some(namespace.subject), format!("{error}: {why}"));
                }
            }
        }
    }
}

/// Makes one namespace as wanted: addresses, routes, rules.
async fn inside(name: &str, wanted: &Namespace) -> Result<Outcome> {
    let found = kernel::inside(name).await?;
    let reconcile::InsideChanges { batch, arrivals, broken } = reconcile::inside(wanted, &found);
    let mut outcome = Outcome { broken, ..Outcome::default() };
    // Rules first: no packet crosses a router before they hold.
    if let Some(rules) = &wanted.rules
        && !kernel::has_rules(Some(name), rules).await?
    {
        match kernel::load_rules(Some(name), rules).await {
            Ok(()) => outcome.changes += 1,
            Err(error) => outcome.refused.push(Refused {
                line: "nft".to_owned(),
                subject: Some(wanted.subject),
                why: error.to_string(),
            }),
        }
    }
    let refused = batch.run(Some(name)).await?;
    outcome.changes += batch.len() - refused.len();
    outcome.refused.extend(refused);
    if !arrivals.is_empty()
        && let Err(error) = netns::within(name, move || announce::announce(&arrivals)).await
    {
        tracing::warn!(namespace = name, %error, "new addresses could not be announced");
    }
    Ok(outcome)
}

/// Makes pairs again whose inner end is gone, then what is inside once more.
async fn mend(
    name: &str,
    namespace: &Namespace,
    links: &Links,
    bridges: &BTreeSet<String>,
    before: Outcome,
    report: &mut Report,
) -> Result<Outcome> {
    let mut left = links.clone();
    let mut batch = Batch::default();
    for outside in &before.broken {
        if left.remove(outside).is_some() {
            batch.add(None, format!("link del dev {outside}"));
        }
    }
    reconcile::pairs(name, namespace, &left, bridges, &mut batch, &mut report.problems);
    run(&batch, None, report).await?;
    let mut after = inside(name, namespace).await?;
    after.changes += before.changes;
    Ok(after)
}

async fn set_sysctls(name: &str, namespace: &Namespace, report: &mut Report) {
    let sysctls = namespace.sysctls.clone();
    let set = move || {
        let mut changed = 0;
        for (key, value) in sysctls {
            changed += usize::from(probe::write_sysctl(key, value)?);
        }
        Ok(changed)
    };
    match netns::within(name, set).await {
        Ok(changed) => report.changes += changed,
        Err(error) => {
            report.problem(Some(namespace.subject), format!("settings of {name}: {error}"));
        }
    }
}

async fn run(batch: &Batch, namespace: Option<&str>, report: &mut Report) -> Result<()> {
    let refused = batch.run(namespace).await?;
    report.changes += batch.len() - refused.len().min(batch.len());
    note(refused, report);
    Ok(())
}

fn note(refused: Vec<Refused>, report: &mut Report) {
    for Refused { line, subject, why } in refused {
        tracing::warn!(change = line, why, "refused by the kernel");
        report.problem(subject, format!("{line}: {why}"));
    }
}

/// The ports whose device is on its bridge and that had no problem.
fn wired(wanted: &Desired, links: &Links, report: &Report) -> BTreeSet<Uuid> {
    let troubled: BTreeSet<Uuid> =
        report.problems.iter().filter_map(|problem| problem.subject).collect();
    let on = |device: &str, bridge: &str| {
        links.get(device).is_some_and(|link| link.master.as_deref() == Some(bridge))
    };
    let guests =
        wanted.taps.iter().filter(|(name, tap)| on(name, &tap.bridge)).map(|(_, tap)| tap.port);
    let servers = wanted
        .namespaces
        .values()
        .flat_map(|namespace| namespace.pairs.values())
        .filter(|pair| on(&pair.outside, &pair.bridge))
        .map(|pair| pair.port);
    guests.chain(servers).filter(|port| !troubled.contains(port)).collect()
}

#[async_trait]
impl Dataplane for LinuxDataplane {
    async fn facts(&self) -> Result<Facts> {
        let firewall = self.state.lock().await.firewall().await?;
        Ok(Facts { driver: "linux", firewall })
    }

    async fn apply(&self, topology: &Topology) -> Result<Report> {
        self.converge(topology, false).await
    }

    async fn repair(&self, topology: &Topology) -> Result<Report> {
        self.converge(topology, true).await
    }

    async fn plug(&self, port: Uuid) -> Result<()> {
        let state = self.state.lock().await;
        let device = names::tap(port);
        let wanted = state.wanted.as_ref().filter(|_| state.rules.is_some());
        let tap = wanted
            .and_then(|wanted| wanted.taps.get(&device))
            .ok_or(DataplaneError::UnknownPort(port))?;
        let mut batch = Batch::default();
        reconcile::tap(&device, tap, None, &mut batch);
        match batch.run(None).await?.into_iter().next() {
            None => Ok(()),
            Some(refused) if refused.why.contains("Cannot find device") => {
                Err(DataplaneError::NoDevice { port, device })
            }
            Some(refused) => Err(DataplaneError::Plug { port, why: refused.why }),
        }
    }

    fn serve_metadata(&self, handler: Arc<dyn MetadataHandler>) {
        if self.handler.set(handler).is_err() {
            tracing::warn!("a second metadata handler is not used");
        }
    }

    async fn stop(&self) {
        self.state.lock().await.servers.stop_all().await;
    }

    async fn remove_all(&self) -> Result<Report> {
        let report = self.converge(&Topology::default(), true).await?;
        let mut state = self.state.lock().await;
        kernel::delete_tables(&firewall::TABLES).await.map_err(DataplaneError::Observe)?;
        state.rules = None;
        Ok(report)
    }
}
