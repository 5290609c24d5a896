//! Lists of servers: what SQL filters, what is filtered after it, page by page.

use regex::Regex;
use stackup_contracts::PortInfo;
use stackup_core::{Ctx, Page};
use stackup_store::StoreError;

use super::networks;
use crate::model::server::Server;
use crate::model::state::{Status, TaskState, VmState, status, vm_states_of};
use crate::store::servers;
use crate::{Error, Nova};

/// What a list may contain, beyond what SQL can say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    pub sql: servers::Filter,
    pub statuses: Option<Vec<Status>>,
    pub name: Option<Regex>,
    pub hostname: Option<Regex>,
    pub description: Option<Regex>,
    pub ip: Option<Regex>,
    pub ip6: Option<Regex>,
    pub tags: Tags,
    pub metadata: Vec<(String, Option<String>)>,
    pub locked: Option<bool>,
    pub key_name: Option<String>,
    pub zone: Option<String>,
    pub config_drive: Option<bool>,
    pub power_state: Option<u8>,
    pub task_state: Option<TaskState>,
    pub access_ipv4: Option<Regex>,
    pub access_ipv6: Option<Regex>,
    pub created_at: Option<String>,
    pub launched_at: Option<String>,
    pub terminated_at: Option<String>,
    pub launch_index: Option<u32>,
    pub progress: Option<u32>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Tags {
    pub all: Vec<String>,
    pub any: Vec<String>,
    pub not_all: Vec<String>,
    pub not_any: Vec<String>,
}

impl Tags {
    fn pass(&self, tags: &[String]) -> bool {
        let has = |tag: &String| tags.contains(tag);
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && (self.not_all.is_empty() || !self.not_all.iter().all(has))
            && !self.not_any.iter().any(has)
    }
}

impl Wish {
    /// Only servers that show as one of these.
    pub(crate) fn set_statuses(&mut self, statuses: Vec<Status>) {
        let mut states: Vec<VmState> = statuses.iter().flat_map(|s| vm_states_of(*s)).collect();
        states.sort_unstable();
        states.dedup();
        self.sql.vm_states = Some(states);
        self.statuses = Some(statuses);
    }

    /// Whether a server passes what SQL did not look at.
    fn pass(&self, server: &Server) -> bool {
        let matches = |regex: &Option<Regex>, text: &str| {
            regex.as_ref().is_none_or(|regex| regex.is_match(text))
        };
        let optional = |regex: &Option<Regex>, text: &Option<String>| {
            matches(regex, text.as_deref().unwrap_or_default())
        };
        let time = |wanted: &Option<String>, time: Option<stackup_core::Time>| {
            wanted.as_ref().is_none_or(|wanted| {
                stackup_core::Time::parse(wanted).is_ok_and(|wanted| time == Some(wanted))
            })
        };
        let shown = status(server.vm_state, server.task_state);
        let key = server.key.as_ref().map(|key| key.name.as_str());
        self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&shown))
            && matches(&self.name, &server.name)
            && matches(&self.hostname, &server.hostname)
            && optional(&self.description, &server.description)
            && optional(&self.access_ipv4, &server.access_ipv4)
            && optional(&self.access_ipv6, &server.access_ipv6)
            && self.tags.pass(&server.tags)
            && self.has_metadata(server)
            && same(self.locked, server.lock.is_some())
            && self.key_name.as_deref().is_none_or(|name| key == Some(name))
            && self.zone.as_ref().is_none_or(|zone| server.zone.as_ref() == Some(zone))
            && same(self.config_drive, server.config_drive)
            && same(self.power_state, server.power_state.code())
            && self.task_state.is_none_or(|task| server.task_state == Some(task))
            && same(self.launch_index, server.launch_index)
            && same(self.progress, server.progress)
            && time(&self.created_at, Some(server.created_at))
            && time(&self.launched_at, server.launched_at)
            && time(&self.terminated_at, server.terminated_at)
    }

    fn has_metadata(&self, server: &Server) -> bool {
        self.metadata.iter().all(|(key, value)| match value {
            Some(value) => server.metadata.get(key) == Some(value),
            None => server.metadata.contains_key(key),
        })
    }

    fn by_address(&self) -> bool {
        self.ip.is_some() || self.ip6.is_some()
    }

    /// Whether one of the ports' addresses matches.
    fn has_address<'a>(&self, ports: impl Iterator<Item = &'a PortInfo>) -> bool {
        let fixed: Vec<String> =
            ports.flat_map(|port| &port.fixed_ips).map(|ip| ip.address.to_string()).collect();
        let any = |regex: &Option<Regex>, v6: bool| {
            regex.as_ref().is_some_and(|regex| {
                fixed.iter().any(|ip| ip.contains(':') == v6 && regex.is_match(ip))
            })
        };
        any(&self.ip, false) || any(&self.ip6, true)
    }
}

fn same<T: PartialEq + Copy>(wanted: Option<T>, is: T) -> bool {
    wanted.is_none_or(|wanted| wanted == is)
}

/// A page of servers, and whether there are more. Fails with 400 when the marker is not there.
pub(crate) async fn list(
    nova: &Nova,
    cx: &Ctx,
    wish: Wish,
    page: &Page,
) -> Result<(Vec<Server>, bool), Error> {
    let marker = match &page.marker {
        Some(id) => Some(self::marker(nova, cx, id).await?),
        None => None,
    };
    let mut after = marker;
    let mut found: Vec<Server> = Vec::new();
    // One more than asked for tells whether there is a next page.
    let want = page.limit.saturating_add(1);
    loop {
        let batch = want.saturating_sub(found.len()).max(100);
        let (filter, sort, from) = (wish.sql.clone(), page.sort.clone(), after.take());
        let rows: Vec<Server> = nova
            .db
            .scan(move |r| {
                let keyset = servers::keyset(&sort, from.as_ref())?;
                servers::list(r, &filter, &keyset, batch)
            })
            .await
            .map_err(|error: StoreError| Error::from(error))?;
        let last = rows.len() < batch;
        after = rows.last().cloned();
        let mut rows: Vec<Server> = rows.into_iter().filter(|server| wish.pass(server)).collect();
        if wish.by_address() {
            rows = with_address(nova, cx, &wish, rows).await?;
        }
        found.extend(rows);
        if last || found.len() >= want {
            break;
        }
    }
    let more = found.len() > page.limit;
    found.truncate(page.limit);
    Ok((found, more))
}

async fn with_address(
    nova: &Nova,
    cx: &Ctx,
    wish: &Wish,
    servers: Vec<Server>,
) -> Result<Vec<Server>, Error> {
    let ids: Vec<_> = servers.iter().map(|server| server.id.clone()).collect();
    let ports = networks::ports_of_all(nova, cx, &ids).await?;
    let of = |server: &Server| {
        let id = server.id.to_string();
        ports.iter().filter(move |port| port.device_id == id)
    };
    Ok(servers.into_iter().filter(|server| wish.has_address(of(server))).collect())
}

async fn marker(nova: &Nova, cx: &Ctx, id: &str) -> Result<Server, Error> {
    let (reach, wanted) = (cx.reach(), id.to_owned());
    nova.db
        .read(move |r| servers::get(r, &reach, &wanted, true).map_err(Error::from))
        .await?
        .ok_or_else(|| Error::invalid(format!("marker [{id}] not found")))
}

/// A filter's text as a pattern. What is no pattern is looked for as it is.
pub(crate) fn pattern(text: &str) -> Option<Regex> {
    let bounded = |text: &str| regex::RegexBuilder::new(text).size_limit(1 << 20).build().ok();
    bounded(text).or_else(|| bounded(&regex::escape(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::server::sample;

    #[test]
    fn tags_pass_or_not() {
        let tags = |list: &[&str]| list.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        let mine = tags(&["a", "b"]);
        let pass = |change: fn(&mut Tags, Vec<String>), list: &[&str]| {
            let mut wish = Tags::default();
            change(&mut wish, tags(list));
            wish.pass(&mine)
        };
        assert!(pass(|wish, list| wish.all = list, &["a", "b"]));
        assert!(!pass(|wish, list| wish.all = list, &["a", "c"]));
        assert!(pass(|wish, list| wish.any = list, &["c", "b"]));
        assert!(!pass(|wish, list| wish.not_all = list, &["a", "b"]));
        assert!(pass(|wish, list| wish.not_all = list, &["a", "c"]));
        assert!(!pass(|wish, list| wish.not_any = list, &["a", "c"]));
    }

    #[test]
    fn a_broken_pattern_is_plain_text() {
        assert!(pattern("vm(1").unwrap().is_match("my vm(1"));
        let wish = Wish { name: pattern("^vm[0-9]$"), ..Wish::default() };
        assert!(wish.pass(&sample("s")));
    }
}
