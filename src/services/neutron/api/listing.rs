//! The query of a list: filters, order, page, fields.

use stackup_core::Value;
use stackup_web::Query;
use stackup_web::page::{self, SortStyle};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::attribute::{Attr, modern};
use crate::model::shape::Shape;
use crate::model::{Kind, Resource};
use crate::store::{Filter, Listing};

/// Names of the query that are no attributes.
const CONTROLS: &[&str] = &["limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields"];

/// The attributes that the client wants.
pub(crate) fn fields(query: &Query) -> Vec<String> {
    let named = query.all("fields").flat_map(|names| names.split(','));
    named.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What of a resource is listed, in which order.
pub(crate) fn read(resource: &Resource, query: &Query, config: &Config) -> Result<Listing> {
    let max = config.max_limit.unwrap_or(usize::MAX);
    let page = page::page(query, max, &[SortStyle::KeyAndDir])?;
    for key in &page.sort {
        if resource.attr(&key.key).is_none_or(|attr| attr.expression().is_none()) {
            let reason = format!("'{}' is not a valid sort key", key.key);
            return Err(Error::BadBody(reason));
        }
    }
    Ok(Listing {
        filters: filters(resource, query)?,
        page,
        reverse: query.flag("page_reverse")?.unwrap_or(false),
    })
}

/// The filters of a query; names that the resource does not know are ignored.
pub(crate) fn filters(resource: &Resource, query: &Query) -> Result<Vec<Filter>> {
    let mut filters = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in query.pairs() {
        if seen.contains(&name) || CONTROLS.contains(&name) {
            continue;
        }
        seen.push(name);
        let values: Vec<&str> = query.all(name).collect();
        if resource.is_standard() && tags(name, &values, &mut filters) {
            continue;
        }
        if parts(resource, name, &values, &mut filters) {
            continue;
        }
        let attr = resource.attr(modern(name));
        if let Some((attr, expression)) = attr.and_then(|attr| Some((attr, attr.expression()?))) {
            filters.push(one_of(attr, expression, &values)?);
        }
    }
    Ok(filters)
}

fn one_of(attr: &Attr, expression: &'static str, values: &[&str]) -> Result<Filter> {
    let mut wanted: Vec<Value> = Vec::new();
    let mut null = false;
    for text in values {
        match attr.shape.filter(text) {
            Some(value) => wanted.push(value),
            None if attr.shape == Shape::Flag => {
                return Err(Error::InvalidInput(format!(
                    "'{text}' cannot be converted to boolean"
                )));
            }
            None => {}
        }
        null |= text.is_empty();
    }
    Ok(if wanted.is_empty() {
        Filter::Nothing
    } else {
        Filter::OneOf { expression, values: wanted, null }
    })
}

const HAS_TAG: &str = "EXISTS (SELECT 1 FROM tags g WHERE g.resource_id = t.id AND g.tag = {})";
const HAS_NOT_TAG: &str =
    "NOT EXISTS (SELECT 1 FROM tags g WHERE g.resource_id = t.id AND g.tag = {})";

/// `tags` all of them, `tags-any` one of them, `not-tags` not all, `not-tags-any` none.
fn tags(name: &str, values: &[&str], filters: &mut Vec<Filter>) -> bool {
    let texts = || values.iter().flat_map(|list| list.split(','));
    let all = |condition: &'static str| {
        texts().map(move |tag| Filter::Matches { condition, value: Value::Text(tag.to_owned()) })
    };
    match name {
        "tags" => filters.extend(all(HAS_TAG)),
        "not-tags-any" => filters.extend(all(HAS_NOT_TAG)),
        "tags-any" => filters.push(Filter::Any(all(HAS_TAG).collect())),
        "not-tags" => filters.push(Filter::Any(all(HAS_NOT_TAG).collect())),
        _ => return false,
    }
    true
}

const HAS_ADDRESS: &str = "t.id IN (
    SELECT a.port_id FROM ip_allocations a WHERE a.ip_address = {})";
const HAS_ADDRESS_PART: &str = "t.id IN (
    SELECT a.port_id FROM ip_allocations a WHERE a.ip_address LIKE {})";
const HAS_SUBNET: &str = "t.id IN (
    SELECT a.port_id FROM ip_allocations a WHERE a.subnet_id = {})";
const HAS_GROUP: &str = "t.id IN (
    SELECT m.port_id FROM port_security_groups m WHERE m.security_group_id = {})";
const OF_SUBNET: &str = "t.id IN (
    SELECT s.network_id FROM subnets s WHERE s.id = {})";

/// Filters over other tables.
fn parts(resource: &Resource, name: &str, values: &[&str], filters: &mut Vec<Filter>) -> bool {
    let matches = |condition: &'static str, text: &str| Filter::Matches {
        condition,
        value: Value::Text(text.to_owned()),
    };
    match (resource.kind, name) {
        // The values name several addresses of one port, or one of several ports' addresses.
        (Kind::Port, "fixed_ips") => {
            let pairs = || values.iter().flat_map(|value| value.split(','));
            for (key, condition) in [
                ("ip_address", HAS_ADDRESS),
                ("ip_address_substr", HAS_ADDRESS_PART),
                ("subnet_id", HAS_SUBNET),
            ] {
                let wanted: Vec<Filter> = pairs()
                    .filter_map(|pair| pair.split_once('='))
                    .filter(|(name, _)| *name == key)
                    .map(|(_, value)| match key {
                        "ip_address_substr" => matches(condition, &format!("%{}%", plain(value))),
                        _ => matches(condition, value),
                    })
                    .collect();
                if !wanted.is_empty() {
                    filters.push(Filter::Any(wanted));
                }
            }
        }
        (Kind::Port, "security_groups" | "security_group_ids") => {
            filters.push(Filter::Any(values.iter().map(|id| matches(HAS_GROUP, id)).collect()));
        }
        (Kind::Network, "subnets") => {
            filters.push(Filter::Any(values.iter().map(|id| matches(OF_SUBNET, id)).collect()));
        }
        _ => return false,
    }
    true
}

/// Without what LIKE takes for a pattern.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '%' | '_' | '\\')).collect()
}
