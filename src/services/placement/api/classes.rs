//! /resource_classes

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json};

use super::dated;
use super::valid::{Valid, wrong};
use crate::Placement;
use crate::error::Error;
use crate::logic::names;
use crate::model::names::{STANDARD_CLASSES, is_custom};
use crate::store;
use crate::store::names::Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: String,
}

fn view(cx: &Ctx, name: &str) -> Value {
    let href = format!("{}/resource_classes/{name}", super::prefix(cx));
    json!({"name": name, "links": [{"rel": "self", "href": href}]})
}

fn check(name: &str) -> Result<(), Error> {
    if is_custom(name) {
        return Ok(());
    }
    if name.len() > 255 {
        return Err(wrong(&format!("'{name}' is too long. Failed validating 'maxLength'")));
    }
    Err(wrong(&format!("'{name}' does not match '^CUSTOM\\_[A-Z0-9_]+$'")))
}

pub(super) async fn list(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
) -> Result<Response, Error> {
    let read = placement.db.read(|r| Ok::<_, Error>(store::names::list(r, Kind::Class)?));
    let custom = read.await?;
    let names = STANDARD_CLASSES.iter().copied().chain(custom.iter().map(|(n, _)| n.as_str()));
    let all: Vec<Value> = names.map(|name| view(&cx, name)).collect();
    Ok(dated(&cx, placement.clock.now(), Json(json!({"resource_classes": all})).into_response()))
}

pub(super) async fn show(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let asked = name.clone();
    if !placement.db.read(move |r| names::class_is_known(r, &asked)).await? {
        return Err(Error::ClassNotFound(name));
    }
    Ok(dated(&cx, placement.clock.now(), Json(view(&cx, &name)).into_response()))
}

pub(super) async fn create(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Valid(request): Valid<Create>,
) -> Result<Response, Error> {
    check(&request.name)?;
    let location = format!("{}/resource_classes/{}", cx.self_url, request.name);
    let now = placement.clock.now();
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        let made = store::names::add(tx, Kind::Class, &request.name, now)?;
        let taken = || Error::ClassExists(request.name.clone());
        if made { Ok(()) } else { Err(taken()) }
    };
    placement.db.write(work).await?;
    Ok((StatusCode::CREATED, [(LOCATION, location)]).into_response())
}

pub(super) async fn ensure(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    check(&name)?;
    let location = format!("{}/resource_classes/{name}", cx.self_url);
    let now = placement.clock.now();
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        Ok::<_, Error>(store::names::add(tx, Kind::Class, &name, now)?)
    };
    let made = placement.db.write(work).await?;
    let status = if made { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    Ok((status, [(LOCATION, location)]).into_response())
}

/// Gives a custom class another name: what PUT did before it could make one.
pub(super) async fn rename(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(name): Path<String>,
    Valid(request): Valid<Create>,
) -> Result<Response, Error> {
    check(&request.name)?;
    if STANDARD_CLASSES.contains(&name.as_str()) {
        return Err(Error::bad(format!("Cannot update standard resource class {name}")));
    }
    let shown = view(&cx, &request.name);
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        if !names::class_is_known(tx, &name)? {
            return Err(Error::ClassNotFound(name.clone()));
        }
        if names::class_is_known(tx, &request.name)? {
            return Err(Error::ClassExists(request.name.clone()));
        }
        Ok(store::names::rename_class(tx, &name, &request.name)?)
    };
    placement.db.write(work).await?;
    Ok(Json(shown).into_response())
}

pub(super) async fn delete(
    State(placement): State<Arc<Placement>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Error> {
    if STANDARD_CLASSES.contains(&name.as_str()) {
        return Err(Error::bad(format!(
            "Error in delete resource class: Cannot delete standard resource class {name}."
        )));
    }
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        if store::inventories::has_class(tx, &name)? {
            return Err(Error::ClassInUse(name.clone()));
        }
        let there = store::names::remove(tx, Kind::Class, &name)?;
        if there { Ok(()) } else { Err(Error::ClassNotFound(name.clone())) }
    };
    placement.db.write(work).await?;
    Ok(StatusCode::NO_CONTENT)
}
