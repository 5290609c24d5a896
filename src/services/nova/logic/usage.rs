//! What servers used in a period: `os-simple-tenant-usage`.

use std::collections::BTreeMap;

use stackup_core::Time;

use crate::model::server::Server;
use crate::store::servers;
use crate::{Error, Nova};

/// What one server used.
#[derive(Debug, Clone)]
pub(crate) struct ServerUsage {
    pub server: Server,
    pub hours: f64,
    pub uptime: u64,
}

/// What a project used.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProjectUsage {
    pub servers: Vec<ServerUsage>,
}

impl ProjectUsage {
    pub(crate) fn hours(&self) -> f64 {
        self.servers.iter().map(|usage| usage.hours).sum()
    }

    /// Hours, weighed by an amount of the server.
    pub(crate) fn weighed(&self, amount: impl Fn(&Server) -> u64) -> f64 {
        let one = |usage: &ServerUsage| usage.hours * to_f64(amount(&usage.server));
        self.servers.iter().map(one).sum()
    }
}

/// The servers that lived in the period, by project.
pub(crate) async fn between(
    nova: &Nova,
    start: Time,
    stop: Time,
    project: Option<String>,
) -> Result<BTreeMap<String, ProjectUsage>, Error> {
    let filter = servers::Filter { project, ..servers::Filter::default() };
    let all = nova.db.scan(move |r| servers::all(r, &filter).map_err(Error::from)).await?;
    let mut usages: BTreeMap<String, ProjectUsage> = BTreeMap::new();
    for server in all {
        if let Some(usage) = used(server, start, stop, nova.now()) {
            let project = usage.server.project_id.to_string();
            usages.entry(project).or_default().servers.push(usage);
        }
    }
    Ok(usages)
}

fn used(server: Server, start: Time, stop: Time, now: Time) -> Option<ServerUsage> {
    let launched = server.launched_at?;
    let ended = server.terminated_at.unwrap_or(stop.min(now).max(launched));
    if launched > stop || ended < start {
        return None;
    }
    let seconds = ended.min(stop).since(launched.max(start)).as_secs_f64();
    let uptime = server.terminated_at.unwrap_or(now).since(launched).as_secs();
    Some(ServerUsage { server, hours: seconds / 3600.0, uptime })
}

#[expect(clippy::cast_precision_loss, reason = "sizes of servers are far below 2^52")]
fn to_f64(amount: u64) -> f64 {
    amount as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::server::sample;

    #[test]
    fn only_the_period_counts() {
        let hour = std::time::Duration::from_secs(3600);
        let server = sample("s");
        let born = server.launched_at.unwrap();
        let usage = used(server.clone(), born + hour, born + hour * 3, born + hour * 10).unwrap();
        assert!((usage.hours - 2.0).abs() < 1e-9);
        assert_eq!(usage.uptime, 36_000);
        assert!(used(server, born - hour * 3, born - hour, born).is_none());
    }
}
