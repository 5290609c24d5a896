//! `/servers/{id}/ips`

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json};

use super::server_view::addresses;
use crate::logic::networks;
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn index(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(json!({"addresses": all(&nova, &cx, &id).await?})))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, network)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let mut addresses = all(&nova, &cx, &id).await?;
    let of_network = addresses.get_mut(&network).map(Value::take);
    let list = of_network.ok_or_else(|| {
        Error::NotFound("Instance is not a member of specified network".to_owned())
    })?;
    Ok(Json(json!({network: list})))
}

async fn all(nova: &Nova, cx: &Ctx, id: &str) -> Result<Value, Error> {
    let server = nova.server(cx, id).await?;
    let ports = networks::ports(nova, cx, &server.id).await?;
    Ok(addresses(&ports, false))
}
