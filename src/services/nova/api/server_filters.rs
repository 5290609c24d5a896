//! What a list of servers may be filtered and sorted by.

use stackup_core::{Ctx, Page};
use stackup_policy::Target;
use stackup_web::Query;
use stackup_web::query::flag;

use super::{
    CHANGES_BEFORE, FILTERS_FOR_ALL, IP6_FILTER, LOCKED_REASON, STRICT, STRICT_STATUS, TAGS, time,
};
use crate::logic::list::{Tags, Wish, pattern};
use crate::model::state::{Status, TaskState, VmState};
use crate::store::servers::sort_column;
use crate::{Error, Nova};

/// What everybody may filter by.
const FOR_ALL: &[&str] =
    &["reservation_id", "name", "status", "image", "flavor", "ip", "changes-since", "all_tenants"];
/// Since 2.83 everybody may, too.
const LATER_FOR_ALL: &[&str] = &[
    "availability_zone",
    "config_drive",
    "key_name",
    "created_at",
    "launched_at",
    "terminated_at",
    "power_state",
    "task_state",
    "vm_state",
    "progress",
    "user_id",
];
/// Parameters that are no filters.
const OTHER: &[&str] = &["limit", "marker", "sort_key", "sort_dir"];
/// What only administrators may filter by.
const FOR_ADMINS: &[&str] = &[
    "access_ip_v4",
    "access_ip_v6",
    "auto_disk_config",
    "deleted",
    "description",
    "display_description",
    "display_name",
    "host",
    "hostname",
    "image_ref",
    "instance_type_id",
    "kernel_id",
    "launch_index",
    "locked_by",
    "node",
    "project_id",
    "ramdisk_id",
    "root_device_name",
    "soft_deleted",
    "tenant_id",
    "uuid",
    "metadata",
    "ip6",
    "name",
];

/// Refuses to sort by what nobody may sort by.
pub(super) fn check_sort(page: &Page) -> Result<(), Error> {
    match page.sort.iter().find(|key| sort_column(&key.key).is_none()) {
        None => Ok(()),
        Some(key) => Err(Error::invalid(format!(
            "Invalid input for query parameters sort_key. Value: {}. '{}' is not one of the sort keys",
            key.key, key.key
        ))),
    }
}

/// The filters of a query; none when nothing can pass them.
pub(super) fn wish(
    nova: &Nova,
    cx: &Ctx,
    query: &Query,
    all_tenants_rule: &str,
) -> Result<Option<Wish>, Error> {
    check_names(cx, query)?;
    let target = Target::own(&cx.caller);
    let admin = nova.policy.check(cx, "os_compute_api:servers:allow_all_filters", &target).is_ok();
    let mut wish = Wish::default();
    wish.sql.deleted = Some(false);
    let all_tenants = match query.get("all_tenants") {
        None => false,
        Some("") => true,
        Some(text) => flag("all_tenants", text)?,
    };
    if all_tenants {
        nova.policy.check(cx, all_tenants_rule, &target)?;
    }
    for (name, value) in query.pairs() {
        if OTHER.contains(&name) || name == "all_tenants" || !allowed(cx, name, admin) {
            continue;
        }
        if !apply(cx, &mut wish, name, value, admin)? {
            return Ok(None);
        }
    }
    let asked = wish.sql.project.take();
    wish.sql.project = match all_tenants {
        true => asked,
        // nova: a project's id without all_tenants is the caller's own all the same
        false => Some(cx.project_id().map(ToString::to_string).unwrap_or_default()),
    };
    wish.sql.changes_since = time(query, "changes-since")?;
    if wish.sql.changes_since.is_some() && !query.has("deleted") {
        wish.sql.deleted = None;
    }
    if cx.since(CHANGES_BEFORE) {
        wish.sql.changes_before = time(query, "changes-before")?;
        let (since, before) = (wish.sql.changes_since, wish.sql.changes_before);
        if let (Some(since), Some(before)) = (since, before)
            && since > before
        {
            return Err(Error::invalid(
                "The value of changes-since must be less than or equal to changes-before.",
            ));
        }
    }
    Ok(Some(wish))
}

fn allowed(cx: &Ctx, name: &str, admin: bool) -> bool {
    admin
        || FOR_ALL.contains(&name)
        || (cx.since(FILTERS_FOR_ALL) && LATER_FOR_ALL.contains(&name))
        || (cx.since(IP6_FILTER) && name == "ip6")
        || (cx.since(TAGS) && matches!(name, "tags" | "tags-any" | "not-tags" | "not-tags-any"))
        || (cx.since(LOCKED_REASON) && name == "locked")
        || name == "metadata"
}

/// From 2.75 on, names that no version knows are refused.
fn check_names(cx: &Ctx, query: &Query) -> Result<(), Error> {
    if !cx.since(STRICT) {
        return Ok(());
    }
    let known = |name: &str| {
        FOR_ALL.contains(&name)
            || LATER_FOR_ALL.contains(&name)
            || FOR_ADMINS.contains(&name)
            || OTHER.contains(&name)
            || matches!(
                name,
                "tags" | "tags-any" | "not-tags" | "not-tags-any" | "locked" | "changes-before"
            )
    };
    match query.pairs().find(|(name, _)| !known(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::invalid(format!(
            "Additional properties are not allowed ('{name}' was unexpected)"
        ))),
    }
}

/// Adds one filter; false when nothing can pass it.
fn apply(cx: &Ctx, wish: &mut Wish, name: &str, value: &str, admin: bool) -> Result<bool, Error> {
    let text = || Some(value.to_owned());
    let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
    match name {
        "name" | "display_name" => wish.name = pattern(value),
        "hostname" => wish.hostname = pattern(value),
        "description" | "display_description" => wish.description = pattern(value),
        "ip" => wish.ip = pattern(value),
        "ip6" => wish.ip6 = pattern(value),
        "access_ip_v4" => wish.access_ipv4 = pattern(value),
        "access_ip_v6" => wish.access_ipv6 = pattern(value),
        "status" => return status(cx, wish, value, admin),
        "vm_state" => wish.sql.vm_states = Some(VmState::parse(value).into_iter().collect()),
        "task_state" => match TaskState::parse(value) {
            Some(task) => wish.task_state = Some(task),
            None => return Ok(false),
        },
        "image" | "image_ref" => wish.sql.image = last_part(value),
        "flavor" | "instance_type_id" => wish.sql.flavor = last_part(value),
        "reservation_id" => wish.sql.reservation = text(),
        "host" | "node" => wish.sql.host = text(),
        "user_id" => wish.sql.user = text(),
        "project_id" | "tenant_id" => wish.sql.project = text(),
        "uuid" => wish.sql.ids = Some(vec![value.to_owned()]),
        "deleted" => wish.sql.deleted = Some(flag("deleted", value)?),
        "tags" => set_tags(&mut wish.tags, |tags| tags.all = list()),
        "tags-any" => set_tags(&mut wish.tags, |tags| tags.any = list()),
        "not-tags" => set_tags(&mut wish.tags, |tags| tags.not_all = list()),
        "not-tags-any" => set_tags(&mut wish.tags, |tags| tags.not_any = list()),
        "locked" => wish.locked = Some(flag("locked", value)?),
        "key_name" => wish.key_name = text(),
        "availability_zone" => wish.zone = text(),
        "config_drive" => wish.config_drive = Some(flag("config_drive", value).unwrap_or(false)),
        "power_state" => wish.power_state = Some(number(name, value)?),
        "launch_index" => wish.launch_index = Some(number(name, value)?),
        "progress" => wish.progress = Some(number(name, value)?),
        "created_at" => wish.created_at = text(),
        "launched_at" => wish.launched_at = text(),
        "terminated_at" => wish.terminated_at = text(),
        "metadata" => wish.metadata.extend(metadata(value)),
        _ => {}
    }
    Ok(true)
}

fn set_tags(tags: &mut Tags, set: impl FnOnce(&mut Tags)) {
    set(tags);
}

/// Statuses add up. An unknown one matches nothing; from 2.38 on it is an error.
fn status(cx: &Ctx, wish: &mut Wish, value: &str, admin: bool) -> Result<bool, Error> {
    let Some(status) = Status::parse(&value.to_ascii_uppercase()) else {
        return match cx.since(STRICT_STATUS) {
            true => Err(Error::invalid("Invalid status value")),
            false => Ok(false),
        };
    };
    if status == Status::Deleted {
        if !admin {
            return Err(Error::Forbidden(
                "Only administrators may list deleted instances".to_owned(),
            ));
        }
        wish.sql.deleted = Some(true);
    }
    let mut statuses = wish.statuses.take().unwrap_or_default();
    statuses.push(status);
    wish.set_statuses(statuses);
    Ok(true)
}

fn last_part(value: &str) -> Option<String> {
    value.rsplit('/').next().map(str::to_owned)
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Error> {
    value
        .parse()
        .map_err(|_| Error::invalid(format!("Invalid value '{value}' for {name}: not a number")))
}

/// `{"key": "value"}`, or a bare key.
fn metadata(value: &str) -> Vec<(String, Option<String>)> {
    match serde_json::from_str::<std::collections::BTreeMap<String, String>>(value) {
        Ok(map) => map.into_iter().map(|(key, value)| (key, Some(value))).collect(),
        Err(_) => vec![(value.to_owned(), None)],
    }
}
