//! The version document.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use stackup_web::Json;
use stackup_web::context::Visit;

use super::MICROVERSIONS;
use crate::Placement;

pub(super) async fn show(State(placement): State<Arc<Placement>>, visit: Visit) -> Response {
    let range = MICROVERSIONS.range;
    let body = Json(json!({"versions": [{
        "id": "v1.0",
        "max_version": range.max.to_string(),
        "min_version": range.min.to_string(),
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }]}));
    super::dated_in(visit.version, placement.clock.now(), body.into_response())
}
