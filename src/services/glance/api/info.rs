//! What this glance can do, and how much of it a project has used.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};
use stackup_web::{Cx, Json};

use crate::{Error, Glance, quota, store};

pub(super) async fn import(State(glance): State<Arc<Glance>>) -> Json<Value> {
    Json(json!({"import-methods": {
        "description": "Import methods available.",
        "type": "array",
        "value": glance.config.import_methods,
    }}))
}

pub(super) async fn stores(State(glance): State<Arc<Glance>>) -> Json<Value> {
    Json(json!({"stores": [store_of(&glance)]}))
}

pub(super) async fn stores_detail(State(glance): State<Arc<Glance>>) -> Json<Value> {
    let mut store = store_of(&glance);
    store["type"] = json!("file");
    store["weight"] = json!(0);
    store["properties"] = json!({
        "data_dir": glance.config.data_dir.join("images"),
        "chunk_size": 65536,
        "thin_provisioning": false,
    });
    Json(json!({"stores": [store]}))
}

pub(super) async fn usage(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
) -> Result<Json<Value>, Error> {
    let project = cx.project_id().map(ToString::to_string).unwrap_or_default();
    let usage = glance.db.read(move |r| store::usage::of(r, &project)).await?;
    Ok(Json(quota::report(&glance.config.limits, &usage)))
}

fn store_of(glance: &Glance) -> Value {
    json!({
        "id": glance.config.store_id,
        "description": "Files on this host",
        "default": "true",
    })
}
