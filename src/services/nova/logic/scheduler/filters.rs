//! Who may have a server. Each filter is one question to one host.

use super::{HostState, Request};
use crate::model::group::Policy;

type Filter = fn(&HostState, &Request) -> bool;

/// Asked for every server.
const ALWAYS: &[Filter] = &[forced, not_excluded];
/// Not asked when an administrator forces a host.
const CHOSEN: &[Filter] = &[compute, zone, aggregate_extra_specs, same_host, different_host, group];

/// Whether the host may have it.
pub(crate) fn pass(host: &HostState, request: &Request) -> bool {
    let ask = |filter: &Filter| filter(host, request);
    ALWAYS.iter().all(ask) && (request.unfiltered || CHOSEN.iter().all(ask))
}

fn forced(host: &HostState, request: &Request) -> bool {
    request.forced_host.as_ref().is_none_or(|forced| *forced == host.name)
}

fn not_excluded(host: &HostState, request: &Request) -> bool {
    !request.excluded.contains(&host.name)
}

fn compute(host: &HostState, _: &Request) -> bool {
    host.enabled && host.up
}

fn zone(host: &HostState, request: &Request) -> bool {
    request.zone.as_ref().is_none_or(|zone| *zone == host.zone)
}

/// `aggregate_instance_extra_specs:ssd=true` wants a host in an aggregate that says so.
fn aggregate_extra_specs(host: &HostState, request: &Request) -> bool {
    let Some(flavor) = &request.flavor else { return true };
    let asked = flavor.extra_specs.iter().filter_map(|(key, value)| {
        Some((key.strip_prefix("aggregate_instance_extra_specs:")?, value))
    });
    asked.into_iter().all(|(key, value)| {
        let says = |metadata: &std::collections::BTreeMap<String, String>| {
            metadata.get(key).is_some_and(|said| said == value)
        };
        host.aggregates.iter().any(|aggregate| says(&aggregate.metadata))
    })
}

fn same_host(host: &HostState, request: &Request) -> bool {
    match request.hints.get("same_host") {
        Some(ids) if !ids.is_empty() => ids.iter().any(|id| host.servers.contains(id)),
        _ => true,
    }
}

fn different_host(host: &HostState, request: &Request) -> bool {
    let ids = request.hints.get("different_host");
    !ids.into_iter().flatten().any(|id| host.servers.contains(id))
}

fn group(host: &HostState, request: &Request) -> bool {
    let Some(group) = &request.group else { return true };
    let here = group.members.iter().filter(|id| host.servers.contains(id.as_str())).count();
    match group.policy {
        // The first member may go anywhere.
        Policy::Affinity => here > 0 || !request.group_placed,
        Policy::AntiAffinity => {
            let most = group.rules.max_server_per_host.unwrap_or(1);
            u32::try_from(here).unwrap_or(u32::MAX) < most
        }
        Policy::SoftAffinity | Policy::SoftAntiAffinity => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::scheduler::rank;
    use crate::model::aggregate::Aggregate;
    use crate::model::flavor;
    use crate::model::group::{Rules, ServerGroup};
    use stackup_core::Time;

    fn host(name: &str, free_mb: u64) -> HostState {
        HostState {
            name: name.to_owned(),
            zone: "nova".to_owned(),
            usage: [("MEMORY_MB".to_owned(), (0, free_mb))].into(),
            enabled: true,
            up: true,
            ..HostState::default()
        }
    }

    fn names(hosts: Vec<HostState>, request: &Request) -> Vec<String> {
        rank(hosts, request).into_iter().map(|host| host.name).collect()
    }

    fn group(policy: Policy) -> ServerGroup {
        ServerGroup {
            row: 1,
            id: "g".into(),
            project_id: "p".into(),
            user_id: "u".into(),
            name: "g".into(),
            policy,
            rules: Rules::default(),
            created_at: Time::from_unix(0),
            members: vec!["s1".into()],
        }
    }

    #[test]
    fn the_roomiest_host_comes_first_and_a_disabled_one_not_at_all() {
        let mut off = host("c", 900);
        off.enabled = false;
        let hosts = vec![host("a", 100), host("b", 500), off];
        assert_eq!(names(hosts, &Request::default()), ["b", "a"]);
    }

    #[test]
    fn zones_and_forced_hosts() {
        let mut other = host("b", 500);
        other.zone = "west".into();
        let hosts = || vec![host("a", 100), other.clone()];
        let zone = Request { zone: Some("west".into()), ..Request::default() };
        assert_eq!(names(hosts(), &zone), ["b"]);
        let forced = Request { forced_host: Some("a".into()), ..zone };
        assert!(names(hosts(), &forced).is_empty());
        let forced = Request { unfiltered: true, ..forced };
        assert_eq!(names(hosts(), &forced), ["a"]);
    }

    #[test]
    fn groups_pull_together_or_apart() {
        let mut taken = host("b", 500);
        taken.servers.insert("s1".into());
        let hosts = || vec![host("a", 100), taken.clone()];
        let wanted = |policy| Request {
            group: Some(group(policy)),
            group_placed: true,
            ..Request::default()
        };
        assert_eq!(names(hosts(), &wanted(Policy::Affinity)), ["b"]);
        assert_eq!(names(hosts(), &wanted(Policy::AntiAffinity)), ["a"]);
        assert_eq!(names(hosts(), &wanted(Policy::SoftAntiAffinity)), ["a", "b"]);
        let first = Request { group_placed: false, ..wanted(Policy::Affinity) };
        assert_eq!(names(vec![host("a", 1)], &first), ["a"]);
    }

    #[test]
    fn hints_and_aggregates() {
        let mut taken = host("b", 500);
        taken.servers.insert("s1".into());
        taken.aggregates.push(Aggregate {
            row: 1,
            uuid: "x".into(),
            name: "ssd".into(),
            metadata: [("ssd".to_owned(), "true".to_owned())].into(),
            hosts: vec!["b".into()],
            created_at: Time::from_unix(0),
            updated_at: None,
        });
        let hosts = || vec![host("a", 900), taken.clone()];
        let hint = |name: &str| Request {
            hints: [(name.to_owned(), vec!["s1".to_owned()])].into(),
            ..Request::default()
        };
        assert_eq!(names(hosts(), &hint("same_host")), ["b"]);
        assert_eq!(names(hosts(), &hint("different_host")), ["a"]);
        let mut flavor = flavor::sample();
        let key = "aggregate_instance_extra_specs:ssd".to_owned();
        flavor.extra_specs.insert(key, "true".into());
        let request = Request { flavor: Some(flavor), ..Request::default() };
        assert_eq!(names(hosts(), &request), ["b"]);
    }
}
