//! /usages, and /resource_providers/{uuid}/usages

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use stackup_policy::Target;
use stackup_web::{Cx, Json, Query};

use super::valid::Id;
use super::{CONSUMER_TYPE, dated, only};
use crate::Placement;
use crate::error::Error;
use crate::logic::providers;
use crate::store::{allocations, inventories};

pub(super) async fn of_provider(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
) -> Result<Response, Error> {
    let read = placement.db.read(move |r| {
        let provider = providers::get(r, &id)?;
        let offered = inventories::list(r, &provider.id)?;
        let used = allocations::used(r, &provider.id)?;
        Ok::<_, Error>((provider, offered, used))
    });
    let (provider, offered, used) = read.await?;
    let usages: Map<String, Value> = offered
        .keys()
        .map(|class| (class.clone(), json!(used.get(class).copied().unwrap_or(0))))
        .collect();
    let body = json!({"usages": usages, "resource_provider_generation": provider.generation});
    Ok(dated(&cx, provider.updated_at, Json(body).into_response()))
}

/// Checked here and not by the table: the project asked about is in the query.
pub(super) async fn of_project(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    query: Query,
) -> Result<Response, Error> {
    let mut known = vec!["project_id", "user_id"];
    if cx.since(CONSUMER_TYPE) {
        known.push("consumer_type");
    }
    only(&query, &known)?;
    let project = query.get("project_id").map(str::to_owned);
    let user = query.get("user_id").map(str::to_owned);
    let project = project.ok_or_else(|| {
        Error::bad("Invalid query string parameters: 'project_id' is a required property")
    })?;
    for text in [Some(&project), user.as_ref()].into_iter().flatten() {
        if text.is_empty() || text.chars().count() > 255 {
            return Err(Error::bad(format!(
                "Invalid query string parameters: '{text}' is too short or too long"
            )));
        }
    }
    placement.policy.check(&cx, "placement:usages", &Target::project(&project))?;
    let read = placement
        .db
        .read(move |r| Ok::<_, Error>(allocations::of_project(r, &project, user.as_deref())?));
    let rows = read.await?;
    let usages = if cx.since(CONSUMER_TYPE) {
        by_type(&rows, query.get("consumer_type"))
    } else {
        let mut sum: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, _, class, used) in &rows {
            *sum.entry(class).or_insert(0) += used;
        }
        json!(sum)
    };
    Ok(dated(&cx, placement.clock.now(), Json(json!({"usages": usages})).into_response()))
}

/// Amounts and consumers by type; `consumer_type=all` adds the types up.
fn by_type(rows: &[allocations::Usage], wanted: Option<&str>) -> Value {
    let mut types: BTreeMap<&str, (BTreeMap<&str, u64>, BTreeSet<&str>)> = BTreeMap::new();
    for (kind, consumer, class, used) in rows {
        let kind = kind.as_deref().unwrap_or("unknown");
        let name = if wanted == Some("all") { "all" } else { kind };
        if wanted.is_some_and(|wanted| wanted != "all" && wanted != kind) {
            continue;
        }
        let (amounts, consumers) = types.entry(name).or_default();
        *amounts.entry(class).or_insert(0) += used;
        consumers.insert(consumer);
    }
    let views = types.into_iter().map(|(name, (amounts, consumers))| {
        let mut view = json!(amounts);
        view["consumer_count"] = json!(consumers.len());
        (name.to_owned(), view)
    });
    Value::Object(views.collect())
}
