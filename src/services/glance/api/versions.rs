//! Version documents.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_web::answer;
use stackup_web::context::Visit;

/// What this glance answers; none of them changes what another does.
const NEWEST: u8 = 18;

/// `GET /`: which one do you want?
pub(super) async fn choices(visit: Visit) -> Response {
    answer(StatusCode::MULTIPLE_CHOICES, &document(&visit))
}

/// `GET /versions`
pub(super) async fn list(visit: Visit) -> Response {
    answer(StatusCode::OK, &document(&visit))
}

fn document(visit: &Visit) -> Value {
    let href = format!("{}/v2/", visit.self_url.trim_end_matches('/'));
    let versions: Vec<Value> = (0..=NEWEST)
        .rev()
        .map(|minor| {
            json!({
                "id": format!("v2.{minor}"),
                "status": if minor == NEWEST { "CURRENT" } else { "SUPPORTED" },
                "links": [{"rel": "self", "href": href}],
            })
        })
        .collect();
    json!({"versions": versions})
}
