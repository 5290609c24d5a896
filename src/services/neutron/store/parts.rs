//! What of a record lies in other tables, read for a whole page at once.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};
use stackup_core::Value;
use stackup_store::{FromRow, Reader, StoreError};

use super::records::{self, Filter, Listing};
use super::sql::{Scope, Sql};
use crate::error::Result;
use crate::model::{Kind, Lens, Record, Resource, SECURITY_GROUP_RULE, View};

const TAGS: &str = "
SELECT resource_id, tag
FROM tags
WHERE resource_id IN ";
const SUBNETS: &str = "
SELECT network_id, id
FROM subnets
WHERE network_id IN ";
const SCOPES: &str = "
SELECT s.network_id, p.ip_version, p.address_scope_id
FROM subnets s
JOIN subnet_pools p ON p.id = s.subnetpool_id
WHERE p.address_scope_id IS NOT NULL AND s.network_id IN ";
const FIXED_IPS: &str = "
SELECT port_id, subnet_id, ip_address
FROM ip_allocations
WHERE port_id IN ";
const GROUPS: &str = "
SELECT port_id, security_group_id
FROM port_security_groups
WHERE port_id IN ";
const GATEWAYS: &str = "
SELECT id, network_id
FROM ports
WHERE id IN ";
const DETAILS: &str = "
SELECT id, name, network_id, mac_address, admin_state_up, status, device_id, device_owner
FROM ports
WHERE id IN ";

/// How many ids one statement asks for: SQLite finds a parameter by looking through all of them.
const AT_ONCE: usize = 128;

/// Fills in the parts of every record.
pub(crate) fn fill(
    r: &Reader<'_>,
    resource: &'static Resource,
    scope: &Scope,
    records: &mut [Record],
) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = records.iter().map(|record| record.id().to_owned()).collect();
    if resource.is_standard() {
        let tags = texts(r, TAGS, &ids, " ORDER BY tag")?;
        give(records, "tags", &tags);
    }
    match resource.kind {
        Kind::Network => networks(r, &ids, records)?,
        Kind::Port => ports(r, &ids, records)?,
        Kind::Router => routers(r, records)?,
        Kind::FloatingIp => floating_ips(r, records)?,
        Kind::SecurityGroup => security_groups(r, scope, &ids, records)?,
        Kind::AddressScope
        | Kind::DefaultRule
        | Kind::MeteringLabel
        | Kind::MeteringLabelRule
        | Kind::RbacPolicy
        | Kind::SecurityGroupRule
        | Kind::Subnet
        | Kind::SubnetPool => {}
    }
    Ok(())
}

fn networks(r: &Reader<'_>, ids: &[String], records: &mut [Record]) -> Result<()> {
    let subnets = texts(r, SUBNETS, ids, " ORDER BY created_at, id")?;
    give(records, "subnets", &subnets);
    let scopes: Vec<(String, i64, String)> = query(r, SCOPES, ids, "")?;
    for record in records {
        record.set("availability_zones", json!([super::links::ZONE]));
        for (network, version, scope) in &scopes {
            if network == record.id() {
                let name = match version {
                    4 => "ipv4_address_scope",
                    _ => "ipv6_address_scope",
                };
                record.set(name, json!(scope));
            }
        }
    }
    Ok(())
}

fn ports(r: &Reader<'_>, ids: &[String], records: &mut [Record]) -> Result<()> {
    let mut ips = fixed_ips(r, ids)?;
    let groups = texts(r, GROUPS, ids, " ORDER BY security_group_id")?;
    give(records, "security_groups", &groups);
    for record in records {
        let ips = ips.remove(record.id()).unwrap_or_default();
        record.set("fixed_ips", Json::Array(ips));
        let bound = record.text("binding:vif_type") == super::links::BRIDGE;
        let details =
            if bound { json!({"port_filter": true, "connectivity": "l2"}) } else { json!({}) };
        record.set("binding:vif_details", details);
    }
    Ok(())
}

fn routers(r: &Reader<'_>, records: &mut [Record]) -> Result<()> {
    let gateways: Vec<String> = records
        .iter()
        .filter_map(|record| record.some_text("gateway_port_id"))
        .map(str::to_owned)
        .collect();
    let networks: Vec<(String, String)> = query(r, GATEWAYS, &gateways, "")?;
    let networks: HashMap<String, String> = networks.into_iter().collect();
    let mut ips = fixed_ips(r, &gateways)?;
    for record in records {
        record.set("availability_zones", json!([super::links::ZONE]));
        let Some(port) = record.some_text("gateway_port_id").map(str::to_owned) else {
            continue;
        };
        let info = json!({
            "network_id": networks.get(&port),
            "enable_snat": record.flag("enable_snat"),
            "external_fixed_ips": ips.remove(&port).unwrap_or_default(),
        });
        record.set("external_gateway_info", info);
    }
    Ok(())
}

fn floating_ips(r: &Reader<'_>, records: &mut [Record]) -> Result<()> {
    let ports: Vec<String> = records
        .iter()
        .filter_map(|record| record.some_text("port_id"))
        .map(str::to_owned)
        .collect();
    let rows: Vec<stackup_store::Row> = query(r, DETAILS, &ports, "")?;
    let mut details: HashMap<String, Json> = HashMap::new();
    for row in rows {
        let view = json!({
            "name": row.get::<String>(1)?,
            "network_id": row.get::<String>(2)?,
            "mac_address": row.get::<String>(3)?,
            "admin_state_up": row.get::<bool>(4)?,
            "status": row.get::<String>(5)?,
            "device_id": row.get::<String>(6)?,
            "device_owner": row.get::<String>(7)?,
        });
        details.insert(row.get(0)?, view);
    }
    for record in records {
        let view = details.get(record.text("port_id")).cloned();
        record.set("port_details", view.unwrap_or(Json::Null));
    }
    Ok(())
}

fn security_groups(
    r: &Reader<'_>,
    scope: &Scope,
    ids: &[String],
    records: &mut [Record],
) -> Result<()> {
    let filter = Filter::OneOf {
        expression: "t.security_group_id",
        values: ids.iter().cloned().map(Value::Text).collect(),
        null: false,
    };
    // Whoever sees a group sees its rules.
    let scope = Scope { all: true, ..scope.clone() };
    let rules = records::list(r, &SECURITY_GROUP_RULE, &scope, &Listing::of(vec![filter]))?;
    let mut by_group: HashMap<String, Vec<Json>> = HashMap::new();
    let lens = Lens::default();
    for rule in &rules {
        let view = serde_json::to_value(View(rule, &lens)).unwrap_or(Json::Null);
        let group = rule.text("security_group_id").to_owned();
        by_group.entry(group).or_default().push(view);
    }
    for record in records {
        let rules = by_group.remove(record.id()).unwrap_or_default();
        record.set("security_group_rules", Json::Array(rules));
    }
    Ok(())
}

/// The addresses of ports, as the API shows them.
fn fixed_ips(r: &Reader<'_>, ports: &[String]) -> Result<HashMap<String, Vec<Json>>> {
    let rows: Vec<(String, String, String)> = query(r, FIXED_IPS, ports, " ORDER BY position")?;
    let mut ips: HashMap<String, Vec<Json>> = HashMap::new();
    for (port, subnet, address) in rows {
        let mut ip = Map::new();
        ip.insert("subnet_id".to_owned(), Json::String(subnet));
        ip.insert("ip_address".to_owned(), Json::String(address));
        ips.entry(port).or_default().push(Json::Object(ip));
    }
    Ok(ips)
}

/// Lists of texts by id, from a statement that ends in `IN`.
fn texts(
    r: &Reader<'_>,
    sql: &str,
    ids: &[String],
    order: &str,
) -> Result<HashMap<String, Vec<Json>>> {
    let rows: Vec<(String, String)> = query(r, sql, ids, order)?;
    let mut lists: HashMap<String, Vec<Json>> = HashMap::new();
    for (id, text) in rows {
        lists.entry(id).or_default().push(Json::String(text));
    }
    Ok(lists)
}

fn give(records: &mut [Record], name: &str, lists: &HashMap<String, Vec<Json>>) {
    for record in records {
        let list = lists.get(record.id()).cloned().unwrap_or_default();
        record.set(name, Json::Array(list));
    }
}

/// The rows of these ids. The order holds for each id, not across them.
fn query<T: FromRow>(
    r: &Reader<'_>,
    text: &str,
    ids: &[String],
    order: &str,
) -> Result<Vec<T>, StoreError> {
    let mut rows = Vec::with_capacity(ids.len());
    for some in ids.chunks(AT_ONCE) {
        let mut sql = Sql::new(text);
        sql.bind_list(some);
        sql.push(order);
        rows.extend(r.query::<T>(&sql.text, &sql.params)?);
    }
    Ok(rows)
}
