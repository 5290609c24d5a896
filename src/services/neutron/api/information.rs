//! What can only be looked at: zones, availabilities, providers.

use axum::extract::{Path, State};
use serde_json::{Value as Json, json};
use stackup_web::{Cx, Json as Body, Query};

use super::listing;
use super::resources::Service;
use crate::error::{Error, Result};
use crate::model::NETWORK;
use crate::store::links::ZONE;

const RULE: &str = "get_network_ip_availability";

pub(super) async fn zones(Cx(_): Cx) -> Body<Json> {
    let zones = ["network", "router"]
        .map(|resource| json!({"name": ZONE, "resource": resource, "state": "available"}));
    Body(json!({"availability_zones": zones}))
}

pub(super) async fn availabilities(
    State(neutron): Service,
    Cx(cx): Cx,
    query: Query,
) -> Result<Body<Json>> {
    if neutron.policy.check_own(&cx, RULE).is_err() {
        return Ok(Body(json!({"network_ip_availabilities": []})));
    }
    // The names of a network, with a prefix.
    let renamed: Vec<String> = query
        .pairs()
        .filter(|(name, _)| *name != "ip_version")
        .map(|(name, value)| {
            let name = name.strip_prefix("network_").unwrap_or(name);
            let value = stackup_web::query::encode(value);
            format!("{name}={value}")
        })
        .collect();
    let filters = listing::filters(&NETWORK, &Query::parse(&renamed.join("&")))?;
    let found = neutron.availabilities(filters).await?;
    Ok(Body(json!({"network_ip_availabilities": found})))
}

pub(super) async fn availability(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Body<Json>> {
    let hidden = |_| Error::NetworkNotFound(id.clone());
    neutron.policy.check_own(&cx, RULE).map_err(hidden)?;
    Ok(Body(json!({"network_ip_availability": neutron.availability(&id).await?})))
}

/// Who serves what, where there is a choice: here, nowhere.
pub(super) async fn providers(Cx(_): Cx) -> Body<Json> {
    Body(json!({"service_providers": [
        {"service_type": "L3_ROUTER_NAT", "name": "single_node", "default": true},
    ]}))
}
