//! Which host gets a server: placement knows who has room, filters who may, weighers who should.

pub(crate) mod filters;
pub(crate) mod weighers;

use std::collections::{BTreeMap, BTreeSet};

use stackup_contracts::{Allocation, CandidateQuery, Consumer};
use stackup_core::{Ctx, ErrorKind, ProviderId, ids};

use super::hosts;
use crate::model::aggregate::Aggregate;
use crate::model::flavor::FlavorSize;
use crate::model::group::ServerGroup;
use crate::model::server::Server;
use crate::store::{groups, servers};
use crate::{Error, Nova};

/// A host with room, and what the filters look at.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostState {
    pub name: String,
    pub zone: String,
    /// Used and capacity, by class.
    pub usage: BTreeMap<String, (u64, u64)>,
    pub enabled: bool,
    pub up: bool,
    pub aggregates: Vec<Aggregate>,
    /// Ids of the servers on it, as far as hints and groups ask.
    pub servers: BTreeSet<String>,
}

/// What a server needs of its host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub flavor: Option<FlavorSize>,
    pub zone: Option<String>,
    pub forced_host: Option<String>,
    pub unfiltered: bool,
    pub group: Option<ServerGroup>,
    /// Whether some member of the group has a host.
    pub group_placed: bool,
    pub hints: BTreeMap<String, Vec<String>>,
    /// Hosts that were tried, or must be left.
    pub excluded: Vec<String>,
}

/// The provider of a host in placement, which is also the hypervisor's id.
pub(crate) fn provider_of(host: &str) -> ProviderId {
    ids::named(&format!("{host}.compute-node")).into()
}

/// The hosts that may have it, the best first. Pure.
pub(crate) fn rank(hosts: Vec<HostState>, request: &Request) -> Vec<HostState> {
    let mut fit: Vec<HostState> =
        hosts.into_iter().filter(|host| filters::pass(host, request)).collect();
    weighers::sort(&mut fit, request);
    fit
}

/// Finds a host for the server and takes its room there, under the consumer's name.
///
/// Fails with [`Error::NoValidHost`] when nobody has room or may have it.
pub(crate) async fn place(
    nova: &Nova,
    cx: &Ctx,
    server: &Server,
    consumer: &str,
    excluded: &[String],
) -> Result<String, Error> {
    let mut request = request(nova, server, excluded).await?;
    let placed = placed(nova, &request, server).await?;
    let member = |id: &String| {
        let mut members = request.group.iter().flat_map(|group| &group.members);
        members.any(|member| member.as_str() == id.as_str())
    };
    request.group_placed = placed.values().flatten().any(member);
    let local_root = server.image.is_some();
    let query = CandidateQuery {
        resources: server.flavor.resources(local_root),
        required: server.flavor.traits("required"),
        forbidden: server.flavor.traits("forbidden"),
        member_of: Vec::new(),
        limit: None,
    };
    // Another one may take the room between the question and the claim; then it is asked again.
    for _ in 0..3 {
        let hosts = candidates(nova, cx, &query, &placed).await?;
        if hosts.is_empty() {
            return Err(Error::NoValidHost("There are not enough hosts available.".to_owned()));
        }
        for host in rank(hosts, &request) {
            match claim(nova, cx, server, consumer, &host.name).await {
                Ok(()) => return Ok(host.name),
                Err(Error::Call(error)) if error.kind == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
    }
    Err(Error::NoValidHost("There are not enough hosts available.".to_owned()))
}

/// Takes the server's room on a host.
pub(crate) async fn claim(
    nova: &Nova,
    cx: &Ctx,
    server: &Server,
    consumer: &str,
    host: &str,
) -> Result<(), Error> {
    let allocation = Allocation {
        provider: provider_of(host),
        resources: server.flavor.resources(server.image.is_some()),
    };
    let consumer = Consumer {
        id: consumer.to_owned(),
        project_id: server.project_id.clone(),
        user_id: server.user_id.clone(),
        kind: if consumer == &*server.id { "INSTANCE" } else { "MIGRATION" }.to_owned(),
    };
    let placement = nova.hub.placement()?;
    Ok(placement.allocate(&cx.elevated("nova"), &consumer, &[allocation]).await?)
}

async fn request(nova: &Nova, server: &Server, excluded: &[String]) -> Result<Request, Error> {
    let id = server.id.to_string();
    let group = nova.db.read(move |r| groups::of_server(r, &id).map_err(Error::from)).await?;
    Ok(Request {
        flavor: Some(server.flavor.clone()),
        zone: server.pinned_zone.clone(),
        forced_host: server.boot.forced_host.clone(),
        unfiltered: server.boot.unfiltered,
        group,
        group_placed: false,
        hints: server.boot.hints.clone(),
        excluded: excluded.to_vec(),
    })
}

async fn candidates(
    nova: &Nova,
    cx: &Ctx,
    query: &CandidateQuery,
    placed: &BTreeMap<String, BTreeSet<String>>,
) -> Result<Vec<HostState>, Error> {
    let found = nova.hub.placement()?.candidates(&cx.elevated("nova"), query).await?;
    let known = hosts::known(nova).await?;
    let state = |candidate: stackup_contracts::Candidate| {
        let host = known.get(&candidate.name)?;
        Some(HostState {
            zone: host.zone.clone(),
            usage: candidate.usage,
            enabled: !host.service.disabled,
            up: host.up,
            aggregates: host.aggregates.clone(),
            servers: placed.get(&candidate.name).cloned().unwrap_or_default(),
            name: candidate.name,
        })
    };
    Ok(found.into_iter().filter_map(state).collect())
}

/// The servers that group and hints speak of, by host.
async fn placed(
    nova: &Nova,
    request: &Request,
    myself: &Server,
) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let mut named: Vec<String> = request
        .group
        .iter()
        .flat_map(|group| group.members.iter().map(ToString::to_string))
        .collect();
    for hint in ["same_host", "different_host"] {
        named.extend(request.hints.get(hint).into_iter().flatten().cloned());
    }
    if named.is_empty() {
        return Ok(BTreeMap::new());
    }
    let filter =
        servers::Filter { deleted: Some(false), ids: Some(named), ..servers::Filter::default() };
    let members = nova.db.read(move |r| servers::all(r, &filter).map_err(Error::from)).await?;
    let mut placed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for server in members.into_iter().filter(|server| server.id != myself.id) {
        if let Some(host) = server.host {
            placed.entry(host).or_default().insert(server.id.to_string());
        }
    }
    Ok(placed)
}
