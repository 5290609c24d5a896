//! The version document.

use serde_json::{Value, json};
use stackup_web::Json;

use super::MICROVERSIONS;

pub(super) async fn show() -> Json<Value> {
    let range = MICROVERSIONS.range;
    Json(json!({"versions": [{
        "id": "v1.0",
        "max_version": range.max.to_string(),
        "min_version": range.min.to_string(),
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }]}))
}
