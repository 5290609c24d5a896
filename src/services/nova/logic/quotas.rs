//! Limits, and what counts against them.

use std::collections::BTreeMap;

use stackup_core::Ctx;
use stackup_store::Reader;

use super::create::NewServer;
use crate::model::server::Server;
use crate::quota::{LIMITED, Per};
use crate::store::{groups, keypairs, quotas, servers};
use crate::{Error, Nova};

/// A limit of -1 is none.
pub(crate) type Limits = BTreeMap<&'static str, i64>;

/// The class whose limits everybody has who has none of his own.
const DEFAULT_CLASS: &str = "default";

/// What everybody gets.
pub(crate) fn defaults(
    r: &Reader<'_>,
    configured: &BTreeMap<String, i64>,
) -> Result<Limits, Error> {
    let class = quotas::of_class(r, DEFAULT_CLASS)?;
    let limit =
        |name: &str, default| class.get(name).or(configured.get(name)).copied().unwrap_or(default);
    Ok(LIMITED.iter().map(|limited| (limited.name, limit(limited.name, limited.default))).collect())
}

/// What a project gets.
pub(crate) fn limits(
    r: &Reader<'_>,
    configured: &BTreeMap<String, i64>,
    project: &str,
) -> Result<Limits, Error> {
    let mut limits = defaults(r, configured)?;
    let own = quotas::of_project(r, project)?;
    for (name, limit) in &mut limits {
        if let Some(own) = own.get(*name) {
            *limit = *own;
        }
    }
    Ok(limits)
}

/// What a project, and the one who asks, use of each limit.
pub(crate) fn used(r: &Reader<'_>, project: &str, user: &str) -> Result<Limits, Error> {
    let servers = servers::usage(r, project)?;
    let mut used: Limits = LIMITED.iter().map(|limited| (limited.name, 0)).collect();
    let mut set = |name, value: u64| {
        used.insert(name, i64::try_from(value).unwrap_or(i64::MAX));
    };
    set("instances", servers.instances);
    set("cores", servers.cores);
    set("ram", servers.ram);
    set("server_groups", groups::count(r, project)?);
    set("key_pairs", keypairs::count(r, user)?);
    Ok(used)
}

/// Servers that somebody wants.
pub(crate) struct Ask {
    pub least: u32,
    pub most: u32,
    pub cores: u64,
    pub ram: u64,
    pub metadata_items: usize,
    pub files: Vec<(usize, usize)>,
}

impl Ask {
    pub(crate) fn of(server: &Server, new: &NewServer) -> Self {
        let file = |(path, text): &(String, String)| (path.len(), text.len() / 4 * 3);
        Self {
            least: new.min_count,
            most: new.max_count,
            cores: server.flavor.vcpus.into(),
            ram: server.flavor.memory_mb,
            metadata_items: server.metadata.len(),
            files: new.personality.iter().map(file).collect(),
        }
    }
}

/// How many of the servers asked for the limits allow: at least the least, or an error.
pub(crate) fn grant_servers(
    limits: &Limits,
    used: servers::Usage,
    ask: &Ask,
) -> Result<u32, Error> {
    check_request(limits, ask)?;
    let over = |count: u32| {
        let count = u64::from(count);
        [
            ("cores", used.cores, ask.cores * count),
            ("instances", used.instances, count),
            ("ram", used.ram, ask.ram * count),
        ]
        .into_iter()
        .filter(|(name, used, more)| exceeds(limits[name], used + more))
        .collect::<Vec<_>>()
    };
    let mut count = ask.most;
    while count > ask.least && !over(count).is_empty() {
        count -= 1;
    }
    let over = over(count);
    if over.is_empty() {
        return Ok(count);
    }
    let list = |pick: &dyn Fn(&(&str, u64, u64)) -> String| {
        over.iter().map(pick).collect::<Vec<_>>().join(", ")
    };
    Err(Error::OverQuota(format!(
        "Quota exceeded for {}: Requested {}, but already used {} of {} {}",
        list(&|o| o.0.to_owned()),
        list(&|o| o.2.to_string()),
        list(&|o| o.1.to_string()),
        list(&|o| limits[o.0].to_string()),
        list(&|o| o.0.to_owned()),
    )))
}

fn check_request(limits: &Limits, ask: &Ask) -> Result<(), Error> {
    let size = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    check_metadata(limits, ask.metadata_items)?;
    if exceeds(limits["injected_files"], size(ask.files.len())) {
        return Err(Error::OverQuota("Personality file limit exceeded.".to_owned()));
    }
    for (path, content) in &ask.files {
        if exceeds(limits["injected_file_path_bytes"], size(*path)) {
            return Err(Error::OverQuota(
                "Personality file path exceeds maximum length.".to_owned(),
            ));
        }
        if exceeds(limits["injected_file_content_bytes"], size(*content)) {
            return Err(Error::OverQuota(
                "Personality file content exceeds maximum length.".to_owned(),
            ));
        }
    }
    Ok(())
}

/// Whether so many metadata items are allowed.
pub(crate) fn check_metadata(limits: &Limits, items: usize) -> Result<(), Error> {
    let most = limits["metadata_items"];
    if exceeds(most, u64::try_from(items).unwrap_or(u64::MAX)) {
        return Err(Error::OverQuota(format!("Maximum number of metadata items exceeds {most}")));
    }
    Ok(())
}

/// Whether a limit is passed; -1 never is.
pub(crate) fn exceeds(limit: i64, amount: u64) -> bool {
    u64::try_from(limit).is_ok_and(|limit| amount > limit)
}

/// A project's limits and use.
pub(crate) async fn of_project(
    nova: &Nova,
    cx: &Ctx,
    project: &str,
) -> Result<(Limits, Limits), Error> {
    let (project, user) = (project.to_owned(), cx.caller.user_id.to_string());
    let configured = nova.config.quota.clone();
    nova.db
        .read(move |r| {
            Ok::<_, Error>((limits(r, &configured, &project)?, used(r, &project, &user)?))
        })
        .await
}

/// What everybody gets.
pub(crate) async fn of_everybody(nova: &Nova) -> Result<Limits, Error> {
    let configured = nova.config.quota.clone();
    nova.db.read(move |r| defaults(r, &configured)).await
}

/// Changes a project's limits. Without `force`, not below what it uses.
pub(crate) async fn set(
    nova: &Nova,
    cx: &Ctx,
    project: &str,
    changes: &BTreeMap<String, i64>,
    force: bool,
) -> Result<(), Error> {
    let (project, user) = (project.to_owned(), cx.caller.user_id.to_string());
    let changes = changes.clone();
    nova.db
        .write(move |tx| {
            let used = used(tx, &project, &user)?;
            for (name, limit) in &changes {
                let per = crate::quota::find(name).map(|limited| limited.per);
                let in_use = used.get(name.as_str()).copied().unwrap_or(0);
                if !force && per == Some(Per::Project) && *limit >= 0 && *limit < in_use {
                    return Err(Error::invalid(format!(
                        "Quota limit {limit} for {name} must be greater than or equal to already \
                         used and reserved {in_use}."
                    )));
                }
                quotas::set(tx, &project, name, *limit)?;
            }
            Ok(())
        })
        .await
}

/// Back to what everybody gets.
pub(crate) async fn clear(nova: &Nova, project: &str) -> Result<(), Error> {
    let project = project.to_owned();
    nova.db.write(move |tx| quotas::clear(tx, &project).map_err(Error::from)).await
}

/// Changes what a class gets; only `default` has an effect.
pub(crate) async fn set_class(
    nova: &Nova,
    class: &str,
    changes: &BTreeMap<String, i64>,
) -> Result<(), Error> {
    let (class, changes) = (class.to_owned(), changes.clone());
    nova.db
        .write(move |tx| {
            for (name, limit) in &changes {
                quotas::set_class(tx, &class, name, *limit)?;
            }
            Ok::<_, Error>(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(least: u32, most: u32) -> Ask {
        Ask { least, most, cores: 2, ram: 512, metadata_items: 0, files: Vec::new() }
    }

    fn standard() -> Limits {
        LIMITED.iter().map(|limited| (limited.name, limited.default)).collect()
    }

    #[test]
    fn what_is_asked_for_is_cut_to_what_is_allowed() {
        let used = servers::Usage { instances: 8, ..servers::Usage::default() };
        assert_eq!(grant_servers(&standard(), used, &ask(1, 5)).unwrap(), 2);
        let refused = grant_servers(&standard(), used, &ask(3, 5)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Quota exceeded for instances: Requested 3, but already used 8 of 10 instances"
        );
        assert_eq!(refused.fault().status, 403);
    }

    #[test]
    fn minus_one_is_no_limit() {
        let mut limits = standard();
        for limit in limits.values_mut() {
            *limit = -1;
        }
        assert_eq!(grant_servers(&limits, servers::Usage::default(), &ask(500, 500)).unwrap(), 500);
    }
}
