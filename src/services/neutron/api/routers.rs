//! What is done to routers and subnet pools beside the five verbs.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value as Json;
use stackup_web::{Cx, Json as Body};

use super::resources::{Service, body, one};
use crate::error::Result;

pub(super) async fn add_interface(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Body<Json>> {
    Ok(Body(neutron.add_interface(&cx, &id, &body(&bytes)?).await?))
}

pub(super) async fn remove_interface(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Body<Json>> {
    Ok(Body(neutron.remove_interface(&cx, &id, &body(&bytes)?).await?))
}

pub(super) async fn add_routes(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Response> {
    let router = neutron.change_routes(&cx, &id, &body(&bytes)?, true).await?;
    Ok(one(&neutron, &cx, &router))
}

pub(super) async fn remove_routes(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Response> {
    let router = neutron.change_routes(&cx, &id, &body(&bytes)?, false).await?;
    Ok(one(&neutron, &cx, &router))
}

pub(super) async fn add_prefixes(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Body<Json>> {
    Ok(Body(neutron.change_prefixes(&cx, &id, &body(&bytes)?, true).await?))
}

pub(super) async fn remove_prefixes(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Body<Json>> {
    Ok(Body(neutron.change_prefixes(&cx, &id, &body(&bytes)?, false).await?))
}
