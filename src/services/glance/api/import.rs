//! Imports.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::Value;
use stackup_web::{Cx, Json};

use crate::logic::import::Method;
use crate::{Error, Glance};

pub(super) async fn begin(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(request): Json<Value>,
) -> Result<StatusCode, Error> {
    let method = method(&request, &glance)?;
    check_stores(&request, &glance)?;
    glance.import_image(&cx, &id, method, request).await?;
    Ok(StatusCode::ACCEPTED)
}

fn method(request: &Value, glance: &Glance) -> Result<Method, Error> {
    let bad = |why: &str| Error::BadRequest(why.to_owned());
    let method =
        request.get("method").ok_or_else(|| bad("Import request requires a 'method' field."))?;
    let name = method.get("name").ok_or_else(|| bad("Import request requires a 'name' field."))?;
    let enabled = |wanted: &&str| glance.config.import_methods.iter().any(|own| own == wanted);
    match name.as_str().filter(enabled) {
        Some("glance-direct") => Ok(Method::GlanceDirect),
        Some("web-download") => match method.get("uri").and_then(Value::as_str) {
            Some(uri) => Ok(Method::WebDownload { uri: uri.to_owned() }),
            None => Err(bad("URI for web-download does not pass filtering: None")),
        },
        _ => {
            let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
            Err(Error::BadRequest(format!("Unknown import method name '{name}'.")))
        }
    }
}

/// There is one store; a request may name it, or all.
fn check_stores(request: &Value, glance: &Glance) -> Result<(), Error> {
    for name in ["all_stores_must_succeed", "all_stores"] {
        if request.get(name).is_some_and(|value| !value.is_boolean()) {
            return Err(Error::BadRequest(format!("'{name}' must be boolean value only")));
        }
    }
    let stores = match request.get("stores") {
        None | Some(Value::Null) => return Ok(()),
        Some(stores) => stores,
    };
    let Some(stores) = stores.as_array() else {
        return Err(Error::BadRequest("'stores' must be a list".to_owned()));
    };
    for store in stores {
        if store.as_str() != Some(&glance.config.store_id) {
            return Err(Error::Conflict(format!("Unknown scheme '{store}' found in URI")));
        }
    }
    Ok(())
}
