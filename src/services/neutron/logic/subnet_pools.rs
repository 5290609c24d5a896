//! Subnet pools: blocks of addresses cut into subnets.

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use stackup_core::Ctx;

use super::Work;
use super::access::{Touched, authorise};
use crate::Neutron;
use crate::error::{Error, Result};
use crate::model::ipam::{next_block, overlap};
use crate::model::rbac_policy::AS_SHARED;
use crate::model::shape::Shape;
use crate::model::{ADDRESS_SCOPE, Fields, Record, SUBNET, SUBNET_POOL};
use crate::store::links::{self, Share};
use crate::store::records::equals;

pub(crate) fn create(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    let prefixes = merged(&blocks(fields.list("prefixes").unwrap_or_default()))?;
    let v4 = prefixes.first().is_some_and(|net| net.addr().is_ipv4());
    let (smallest, width) = if v4 { (8, 32) } else { (64, 128) };
    fields.set("ip_version", if v4 { 4 } else { 6 });
    fields.set_default("min_prefixlen", smallest);
    fields.set_default("max_prefixlen", width);
    let min = fields.int("min_prefixlen").unwrap_or(smallest);
    fields.set_default("default_prefixlen", min);
    fields.set("prefixes", texts(&prefixes));
    check_bounds(&fields, width)?;
    check_scope(w, &fields, &prefixes, None)?;
    check_default(w, &fields, None)?;
    let id = w.insert(&SUBNET_POOL, &mut fields)?;
    if fields.flag("shared") == Some(true) {
        let share = Share {
            project: fields.text("project_id").unwrap_or_default(),
            object_type: "subnetpool",
            object: &id,
            action: AS_SHARED,
        };
        links::share(w.tx, &share)?;
    }
    Ok(id)
}

pub(crate) fn update(w: &mut Work<'_, '_>, before: &Record, mut fields: Fields) -> Result<()> {
    let width = if before.int("ip_version") == 4 { 32 } else { 128 };
    let mut prefixes = blocks(before.list("prefixes"));
    if let Some(given) = fields.list("prefixes") {
        prefixes = merged(&blocks(given))?;
        let v4 = prefixes.first().is_some_and(|net| net.addr().is_ipv4());
        if v4 != (width == 32) {
            return Err(Error::PrefixVersionMismatch);
        }
        keeps(&blocks(before.list("prefixes")), &prefixes)?;
        fields.set("prefixes", texts(&prefixes));
    }
    let mut after = fields.clone();
    for name in ["min_prefixlen", "max_prefixlen", "default_prefixlen"] {
        after.set_default(name, before.get(name).clone());
    }
    check_bounds(&after, width)?;
    check_scope(w, &fields, &prefixes, Some(before))?;
    after.set("ip_version", before.int("ip_version"));
    check_default(w, &after, Some(before))?;
    w.update(&SUBNET_POOL, before.id(), &fields)
}

pub(crate) fn delete(w: &mut Work<'_, '_>, pool: &Record) -> Result<()> {
    if !links::blocks_of_pool(w.reader(), pool.id())?.is_empty() {
        return Err(Error::SubnetPoolDeleteError(pool.id().to_owned()));
    }
    w.delete(&SUBNET_POOL, pool.id())
}

impl Neutron {
    /// Adds prefixes to a pool, or takes prefixes that no subnet uses from it.
    pub(crate) async fn change_prefixes(
        &self,
        cx: &Ctx,
        id: &str,
        body: &Json,
        add: bool,
    ) -> Result<Json> {
        let given = body.get("prefixes").cloned().unwrap_or(Json::Null);
        let given = Shape::Cidrs.accept(given).map_err(|reason| Error::InvalidAttribute {
            attribute: "prefixes".to_owned(),
            reason,
        })?;
        let given = blocks(given.as_array().map_or(&[][..], Vec::as_slice));
        let id = id.to_owned();
        self.work(cx, move |w| {
            let before = w.find(&SUBNET_POOL, &id)?;
            let touched = Touched::existing(&before, None);
            authorise(w, "update", &SUBNET_POOL, &touched, None)?;
            let had = blocks(before.list("prefixes"));
            let after = if add {
                merged(&[had, given.clone()].concat())?
            } else {
                without(w, &before, had, &given)?
            };
            let mut fields = Fields::own(json!({"prefixes": texts(&after)}));
            fields.set_default("address_scope_id", before.get("address_scope_id").clone());
            check_scope(w, &fields, &after, Some(&before))?;
            w.update(&SUBNET_POOL, &id, &fields)?;
            Ok(json!({"prefixes": texts(&after)}))
        })
        .await
    }
}

fn without(
    w: &Work<'_, '_>,
    pool: &Record,
    mut had: Vec<IpNet>,
    taken: &[IpNet],
) -> Result<Vec<IpNet>> {
    had.retain(|prefix| !taken.contains(prefix));
    for (subnet, cidr) in links::blocks_of_pool(w.reader(), pool.id())? {
        let covered =
            cidr.parse().is_ok_and(|cidr: IpNet| had.iter().any(|prefix| prefix.contains(&cidr)));
        if !covered {
            let reason = format!("One or more prefixes are in use by subnet {subnet}");
            return Err(Error::IllegalSubnetPoolUpdate(reason));
        }
    }
    if had.is_empty() {
        return Err(Error::EmptySubnetPoolPrefixList);
    }
    Ok(had)
}

/// The pool that is used when a subnet says `use_default_subnetpool`.
pub(crate) fn default_of(w: &Work<'_, '_>, version: i64) -> Result<Option<Record>> {
    let pools = w.all(&SUBNET_POOL, Vec::new())?;
    let mut defaults = pools
        .into_iter()
        .filter(|pool| pool.flag("is_default") && pool.int("ip_version") == version);
    Ok(defaults.next())
}

/// Cuts a block from a pool: the one asked for, or the next one of the length.
pub(crate) fn allocate(
    w: &Work<'_, '_>,
    pool: &Record,
    project: &str,
    cidr: Option<IpNet>,
    length: Option<i64>,
) -> Result<IpNet> {
    let length = match cidr {
        Some(cidr) => i64::from(cidr.prefix_len()),
        None => length.unwrap_or(pool.int("default_prefixlen")),
    };
    let (min, max) = (pool.int("min_prefixlen"), pool.int("max_prefixlen"));
    if length < min {
        return Err(Error::MinPrefixSubnetAllocationError { length, bound: min });
    }
    if length > max {
        return Err(Error::MaxPrefixSubnetAllocationError { length, bound: max });
    }
    check_quota(w, pool, project, length)?;
    let prefixes = blocks(pool.list("prefixes"));
    let taken = links::blocks_of_pool(w.reader(), pool.id())?;
    let taken: Vec<IpNet> = taken.iter().filter_map(|(_, cidr)| cidr.parse().ok()).collect();
    let short = |reason: &str| Err(Error::SubnetAllocationError(reason.to_owned()));
    if let Some(cidr) = cidr {
        let inside = prefixes.iter().any(|prefix| prefix.contains(&cidr));
        let free = !taken.iter().any(|other| overlap(other, &cidr));
        return match inside && free {
            true => Ok(cidr),
            false => short("Cannot allocate requested subnet from the available set of prefixes"),
        };
    }
    let length = u8::try_from(length).unwrap_or(u8::MAX);
    match next_block(&prefixes, &taken, length) {
        Some(block) => Ok(block),
        None => short(&format!("Insufficient prefix space to allocate subnet size /{length}")),
    }
}

/// The quota of a pool counts addresses for IPv4, networks of /64 for IPv6.
fn check_quota(w: &Work<'_, '_>, pool: &Record, project: &str, length: i64) -> Result<()> {
    let Some(quota) = pool.get("default_quota").as_i64() else {
        return Ok(());
    };
    let unit = if pool.int("ip_version") == 4 { 32 } else { 64 };
    let size =
        |length: i64| 1_i64.checked_shl(u32::try_from(unit - length).unwrap_or(0)).unwrap_or(1);
    let own = w.all(
        &SUBNET,
        vec![equals("t.subnetpool_id", pool.id()), equals("t.project_id", project)],
    )?;
    let used = own.iter().filter_map(|subnet| subnet.text("cidr").parse::<IpNet>().ok());
    let used: i64 = used.map(|cidr| size(i64::from(cidr.prefix_len()))).sum();
    if used + size(length) > quota { Err(Error::SubnetPoolQuotaExceeded) } else { Ok(()) }
}

fn check_bounds(fields: &Fields, width: i64) -> Result<()> {
    let of = |name: &str| fields.int(name).unwrap_or_default();
    let (min, max, default) = (of("min_prefixlen"), of("max_prefixlen"), of("default_prefixlen"));
    let wrong = |reason: String| Err(Error::IllegalSubnetPoolPrefixBounds(reason));
    if max > width {
        return wrong(format!("max_prefixlen={max}, maximum={width}"));
    }
    if min > max {
        return wrong(format!("min_prefixlen={min}, max_prefixlen={max}"));
    }
    if default < min {
        return wrong(format!("default_prefixlen={default}, min_prefixlen={min}"));
    }
    if default > max {
        return wrong(format!("default_prefixlen={default}, max_prefixlen={max}"));
    }
    Ok(())
}

/// Within an address scope no two pools share an address.
fn check_scope(
    w: &Work<'_, '_>,
    fields: &Fields,
    prefixes: &[IpNet],
    before: Option<&Record>,
) -> Result<()> {
    let kept = before.and_then(|pool| pool.some_text("address_scope_id"));
    let scope = match fields.get("address_scope_id") {
        Some(given) => given.as_str(),
        None => kept,
    };
    let Some(scope) = scope else {
        return Ok(());
    };
    let scope = w.find(&ADDRESS_SCOPE, scope)?;
    let illegal = |reason: &str| Err(Error::IllegalSubnetPoolAssociation(reason.to_owned()));
    let v4 = prefixes.first().is_some_and(|net| net.addr().is_ipv4());
    if v4 != (scope.int("ip_version") == 4) {
        return illegal("the address scope is of another IP version");
    }
    let own = before.map_or("", Record::id);
    let pools = w.all(&SUBNET_POOL, vec![equals("t.address_scope_id", scope.id())])?;
    for pool in pools.iter().filter(|pool| pool.id() != own) {
        let others = blocks(pool.list("prefixes"));
        if others.iter().any(|one| prefixes.iter().any(|other| overlap(one, other))) {
            return illegal("subnetpool prefixes overlap with others of the address scope");
        }
    }
    Ok(())
}

fn check_default(w: &Work<'_, '_>, fields: &Fields, before: Option<&Record>) -> Result<()> {
    if fields.flag("is_default") != Some(true) {
        return Ok(());
    }
    let version = fields.int("ip_version").unwrap_or(4);
    let own = before.map_or("", Record::id);
    match default_of(w, version)?.filter(|other| other.id() != own) {
        Some(other) => Err(Error::InvalidInput(format!(
            "A default subnetpool for this IP family has already been set. Only one default may \
             exist per IP family: {}",
            other.id()
        ))),
        None => Ok(()),
    }
}

/// A pool may grow, not shrink.
fn keeps(before: &[IpNet], after: &[IpNet]) -> Result<()> {
    let lost = before.iter().any(|old| !after.iter().any(|new| new.contains(old)));
    if lost {
        let reason = "Existing prefixes must be a subset of the new prefixes";
        Err(Error::IllegalSubnetPoolUpdate(reason.to_owned()))
    } else {
        Ok(())
    }
}

fn blocks(prefixes: &[Json]) -> Vec<IpNet> {
    let texts = prefixes.iter().filter_map(Json::as_str);
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// One family, neighbours joined.
fn merged(prefixes: &[IpNet]) -> Result<Vec<IpNet>> {
    let Some(first) = prefixes.first() else {
        return Err(Error::EmptySubnetPoolPrefixList);
    };
    if prefixes.iter().any(|net| net.addr().is_ipv4() != first.addr().is_ipv4()) {
        return Err(Error::PrefixVersionMismatch);
    }
    Ok(IpNet::aggregate(&prefixes.to_vec()))
}

fn texts(prefixes: &[IpNet]) -> Json {
    Json::Array(prefixes.iter().map(|net| json!(net.to_string())).collect())
}
