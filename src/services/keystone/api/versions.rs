//! Version documents.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_web::context::Visit;
use stackup_web::{Json, answer};

fn document(self_url: &str) -> Value {
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": format!("{self_url}/v3/")}],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.identity-v3+json",
        }],
    })
}

pub(super) async fn list(visit: Visit) -> Response {
    let body = json!({"versions": {"values": [document(&visit.self_url)]}});
    let mut response = answer(StatusCode::MULTIPLE_CHOICES, &body);
    let location = format!("{}/v3/", visit.self_url);
    if let Ok(location) = location.parse() {
        response.headers_mut().insert(http::header::LOCATION, location);
    }
    response
}

pub(super) async fn show(visit: Visit) -> Json<Value> {
    Json(json!({"version": document(&visit.self_url)}))
}
