//! The extensions.

use axum::extract::Path;
use serde_json::{Value as Json, json};
use stackup_web::{Cx, Json as Body};

use crate::error::{Error, Result};
use crate::model::extension::{EXTENSIONS, Extension};

fn view(extension: &Extension) -> Json {
    json!({
        "alias": extension.alias,
        "name": extension.name,
        "description": extension.description,
        "updated": "2026-04-01T00:00:00-00:00",
        "links": [],
    })
}

pub(super) async fn list(Cx(_): Cx) -> Body<Json> {
    let all: Vec<Json> = EXTENSIONS.iter().map(view).collect();
    Body(json!({"extensions": all}))
}

pub(super) async fn show(Cx(_): Cx, Path(alias): Path<String>) -> Result<Body<Json>> {
    let found = EXTENSIONS.iter().find(|extension| extension.alias == alias);
    let extension = found.ok_or_else(|| Error::ExtensionNotFound(alias.clone()))?;
    Ok(Body(json!({"extension": view(extension)})))
}
