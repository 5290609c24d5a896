//! The versions, and what v2.0 has.

use axum::extract::State;
use http::StatusCode;
use serde_json::{Value as Json, json};
use stackup_web::context::Visit;
use stackup_web::versions::Version;
use stackup_web::{Cx, Json as Body};

use super::resources::Service;

const V2: Version = Version {
    id: "v2.0",
    status: "CURRENT",
    path: "v2.0/",
    updated: "",
    microversions: None,
    media_type: None,
};

pub(super) async fn list(visit: Visit) -> (StatusCode, Body<Json>) {
    (StatusCode::OK, Body(json!({"versions": [V2.document(&visit.self_url)]})))
}

/// The collections, as clients that explore want them.
pub(super) async fn show(State(_): Service, Cx(cx): Cx) -> Body<Json> {
    let resources = [
        ("network", "networks"),
        ("subnet", "subnets"),
        ("subnetpool", "subnetpools"),
        ("port", "ports"),
        ("router", "routers"),
        ("floatingip", "floatingips"),
        ("security_group", "security-groups"),
        ("security_group_rule", "security-group-rules"),
    ];
    let views = resources.map(|(name, collection)| {
        let href = format!("{}/v2.0/{collection}", cx.self_url);
        json!({
            "name": name,
            "collection": collection,
            "links": [{"rel": "self", "href": href}],
        })
    });
    Body(json!({"resources": views}))
}
