//! /resource_providers/{uuid}/inventories

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stackup_contracts::Inventory;
use stackup_core::Ctx;
use stackup_web::{Cx, Json, answer};

use super::valid::{Id, Valid, wrong};
use super::{DELETE_INVENTORIES, RESERVED_WHOLE, dated};
use crate::Placement;
use crate::error::Error;
use crate::logic::{inventories as logic, providers};
use crate::model::inventory::MAX;
use crate::model::names::is_name;
use crate::store::inventories;

/// What a client says of one class; what it leaves out is unlimited or one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    total: u64,
    #[serde(default)]
    reserved: u64,
    min_unit: Option<u64>,
    max_unit: Option<u64>,
    step_size: Option<u64>,
    allocation_ratio: Option<f64>,
    resource_class: Option<String>,
    resource_provider_generation: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replace {
    inventories: BTreeMap<String, Body>,
    resource_provider_generation: u64,
}

impl Body {
    pub(super) fn inventory(&self, cx: &Ctx, class: &str) -> Result<Inventory, Error> {
        let amounts = [
            ("total", Some(self.total), 1),
            ("reserved", Some(self.reserved), 0),
            ("min_unit", self.min_unit, 1),
            ("max_unit", self.max_unit, 1),
            ("step_size", self.step_size, 1),
        ];
        for (name, amount, least) in amounts {
            match amount {
                Some(amount) if amount < least => {
                    return Err(wrong(&format!(
                        "{amount} is less than the minimum of {least}: '{name}'"
                    )));
                }
                Some(amount) if amount > MAX => {
                    return Err(wrong(&format!(
                        "{amount} is greater than the maximum of {MAX}: '{name}'"
                    )));
                }
                _ => {}
            }
        }
        let ratio = self.allocation_ratio.unwrap_or(1.0);
        // The largest number of a column that other databases keep in 32 bits.
        if !(0.0..=3.402_82e38).contains(&ratio) {
            return Err(wrong(&format!("{ratio} is greater than the maximum of 3.40282e+38")));
        }
        let inventory = Inventory {
            total: self.total,
            reserved: self.reserved,
            min_unit: self.min_unit.unwrap_or(1),
            max_unit: self.max_unit.unwrap_or(MAX),
            step_size: self.step_size.unwrap_or(1),
            allocation_ratio: ratio,
        };
        let whole = cx.since(RESERVED_WHOLE) && self.reserved == self.total;
        if self.reserved > self.total || (self.reserved == self.total && !whole) {
            let or_equal = if cx.since(RESERVED_WHOLE) { "" } else { " or equal to" };
            return Err(Error::bad(format!(
                "Unable to update inventory: Invalid inventory for '{class}'. The reserved value is greater than{or_equal} \
                 total."
            )));
        }
        Ok(inventory)
    }
}

impl Replace {
    /// The inventories, and the generation that the writer read.
    pub(super) fn read(&self, cx: &Ctx) -> Result<(BTreeMap<String, Inventory>, u64), Error> {
        let mut all = BTreeMap::new();
        for (class, body) in &self.inventories {
            if !is_name(class) {
                return Err(wrong(&format!("'{class}' does not match any of the regexes")));
            }
            all.insert(class.clone(), body.inventory(cx, class)?);
        }
        Ok((all, self.resource_provider_generation))
    }
}

fn view(inventory: &Inventory) -> Value {
    json!({
        "total": inventory.total,
        "reserved": inventory.reserved,
        "min_unit": inventory.min_unit,
        "max_unit": inventory.max_unit,
        "step_size": inventory.step_size,
        "allocation_ratio": inventory.allocation_ratio,
    })
}

fn views(inventories: &BTreeMap<String, Inventory>, generation: u64) -> Value {
    let each = inventories.iter().map(|(class, inventory)| (class.clone(), view(inventory)));
    json!({
        "inventories": each.collect::<Map<_, _>>(),
        "resource_provider_generation": generation,
    })
}

fn one(inventory: &Inventory, generation: u64) -> Value {
    let mut body = view(inventory);
    body["resource_provider_generation"] = json!(generation);
    body
}

pub(super) async fn list(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
) -> Result<Response, Error> {
    let read = placement.db.read(move |r| {
        let provider = providers::get(r, &id)?;
        let all = inventories::list(r, &provider.id)?;
        Ok::<_, Error>((provider, all))
    });
    let (provider, all) = read.await?;
    let body = Json(views(&all, provider.generation)).into_response();
    Ok(dated(&cx, provider.updated_at, body))
}

pub(super) async fn show(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path((id, class)): Path<(String, String)>,
) -> Result<Response, Error> {
    let id = super::canonical(&id);
    let read = placement.db.read(move |r| {
        let provider = providers::get(r, &id)?;
        let found = inventories::list(r, &provider.id)?.remove(&class);
        let inventory = found.ok_or(Error::InventoryNotFound { provider: id, class })?;
        Ok::<_, Error>((provider, inventory))
    });
    let (provider, inventory) = read.await?;
    let body = Json(one(&inventory, provider.generation)).into_response();
    Ok(dated(&cx, provider.updated_at, body))
}

pub(super) async fn create(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
    Valid(request): Valid<Body>,
) -> Result<Response, Error> {
    let class = request.resource_class.clone();
    let class = class.ok_or_else(|| wrong("'resource_class' is a required property"))?;
    if !is_name(&class) {
        return Err(wrong(&format!("'{class}' does not match '^[A-Z0-9_]+$'")));
    }
    let inventory = request.inventory(&cx, &class)?;
    let location = format!("{}/resource_providers/{id}/inventories/{class}", cx.self_url);
    let now = placement.clock.now();
    let stored = inventory.clone();
    let named = request.resource_provider_generation;
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        logic::put(tx, &id, &class, &stored, true, named, now)
    };
    let generation = placement.db.write(work).await?;
    let body = answer(StatusCode::CREATED, &one(&inventory, generation));
    Ok(dated(&cx, now, ([(LOCATION, location)], body).into_response()))
}

pub(super) async fn replace(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
    Valid(request): Valid<Replace>,
) -> Result<Response, Error> {
    let (wanted, named) = request.read(&cx)?;
    let (now, shown) = (placement.clock.now(), wanted.clone());
    let work =
        move |tx: &mut stackup_store::Tx<'_>| logic::replace(tx, &id, &wanted, Some(named), now);
    let generation = placement.db.write(work).await?;
    Ok(dated(&cx, now, Json(views(&shown, generation)).into_response()))
}

pub(super) async fn update(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path((id, class)): Path<(String, String)>,
    Valid(request): Valid<Body>,
) -> Result<Response, Error> {
    let id = super::canonical(&id);
    let inventory = request.inventory(&cx, &class)?;
    let (now, stored) = (placement.clock.now(), inventory.clone());
    let named = request.resource_provider_generation;
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        logic::put(tx, &id, &class, &stored, false, named, now)
    };
    let generation = placement.db.write(work).await?;
    Ok(dated(&cx, now, Json(one(&inventory, generation)).into_response()))
}

pub(super) async fn clear(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    if !cx.since(DELETE_INVENTORIES) {
        return Err(Error::NotAllowed);
    }
    let now = placement.clock.now();
    let none = BTreeMap::new();
    placement.db.write(move |tx| logic::replace(tx, &id, &none, None, now)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(placement): State<Arc<Placement>>,
    Path((id, class)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let id = super::canonical(&id);
    let now = placement.clock.now();
    placement.db.write(move |tx| logic::delete(tx, &id, &class, now)).await?;
    Ok(StatusCode::NO_CONTENT)
}
