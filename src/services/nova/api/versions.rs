//! What a client reads before it knows anything.

use axum::extract::Path;
use serde_json::{Value, json};
use stackup_core::MvRange;
use stackup_web::context::Visit;
use stackup_web::versions::Version;
use stackup_web::{Fault, Json};

use super::{MAX, MIN};

const V2: Version = Version {
    id: "v2.0",
    status: "DEPRECATED",
    path: "v2/",
    updated: "2025-07-04T12:00:00Z",
    microversions: None,
    media_type: None,
};
const V21: Version = Version {
    id: "v2.1",
    status: "CURRENT",
    path: "v2.1/",
    updated: "2013-07-23T11:33:21Z",
    microversions: Some(MvRange { min: MIN, max: MAX }),
    media_type: None,
};

/// `GET /`
pub(super) async fn index(visit: Visit) -> Json<Value> {
    Json(json!({"versions": [entry(&V2, &visit), entry(&V21, &visit)]}))
}

/// `GET /v2.1/`
pub(super) async fn v21(visit: Visit) -> Json<Value> {
    Json(document(&V21, &visit, "2.1"))
}

/// `GET /v2/`
pub(super) async fn v2(visit: Visit) -> Json<Value> {
    Json(document(&V2, &visit, "2"))
}

/// `GET /v2.1/versions/{id}`
pub(super) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    match id.as_str() {
        "v2.1" => Ok(Json(document(&V21, &visit, "2.1"))),
        "v2.0" => Ok(Json(document(&V2, &visit, "2"))),
        _ => Err(Fault::not_found("The resource could not be found.")),
    }
}

fn entry(version: &Version, visit: &Visit) -> Value {
    let mut entry = version.document(&visit.self_url);
    if version.microversions.is_none() {
        entry["version"] = json!("");
        entry["min_version"] = json!("");
    }
    entry
}

fn document(version: &Version, visit: &Visit, media: &str) -> Value {
    let mut entry = entry(version, visit);
    if let Some(links) = entry["links"].as_array_mut() {
        links.push(json!({
            "rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"
        }));
    }
    entry["media-types"] = json!([{
        "base": "application/json",
        "type": format!("application/vnd.openstack.compute+json;version={media}"),
    }]);
    json!({"version": entry})
}
