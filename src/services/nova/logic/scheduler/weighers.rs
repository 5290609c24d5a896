//! Who should have a server: of the hosts that may, the one with the most room.

use super::{HostState, Request};
use crate::model::group::Policy;

/// Sorts the best first. Ties are ordered by name, so that a test knows the answer.
pub(crate) fn sort(hosts: &mut [HostState], request: &Request) {
    hosts.sort_by(|a, b| {
        let by_group = group(b, request).cmp(&group(a, request));
        let by_room = free(b, "MEMORY_MB")
            .cmp(&free(a, "MEMORY_MB"))
            .then(free(b, "VCPU").cmp(&free(a, "VCPU")))
            .then(free(b, "DISK_GB").cmp(&free(a, "DISK_GB")));
        by_group.then(by_room).then(a.name.cmp(&b.name))
    });
}

fn free(host: &HostState, class: &str) -> u64 {
    let (used, capacity) = host.usage.get(class).copied().unwrap_or_default();
    capacity.saturating_sub(used)
}

/// Members of the group on the host: wanted, or not, by a soft policy.
fn group(host: &HostState, request: &Request) -> i64 {
    let Some(group) = &request.group else { return 0 };
    let here = group.members.iter().filter(|id| host.servers.contains(id.as_str())).count();
    let here = i64::try_from(here).unwrap_or(i64::MAX);
    match group.policy {
        Policy::SoftAffinity => here,
        Policy::SoftAntiAffinity => -here,
        Policy::Affinity | Policy::AntiAffinity => 0,
    }
}
