//! Images.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use serde_json::{Map, Value, json};
use stackup_core::ErrorKind;
use stackup_web::{Cx, Fault, Json, Query, answer, body};

use crate::model::patch::{self, Draft};
use crate::model::{Image, filter};
use crate::{Error, Glance};

/// The properties that glance keeps to itself.
const HIDDEN: &[&str] = &["os_glance_stage_host"];

pub(super) async fn list(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    query: Query,
) -> Result<Json<Value>, Error> {
    let (filter, page) = filter::read(&query, &glance.config)?;
    let limit = page.limit;
    let images = glance.images(&cx, filter, page).await?;
    let last = images.last().filter(|_| images.len() == limit).map(|image| image.id.clone());
    let views: Vec<Value> = images.iter().map(|image| view(image, &glance)).collect();
    let mut list = json!({"images": views});
    add_links(&mut list, "/v2/images", "/v2/schemas/images", &query, last.as_deref());
    Ok(Json(list))
}

pub(super) async fn create(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Json(request): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let image = glance.create_image(&cx, &request).await?;
    let mut response = answer(StatusCode::CREATED, &view(&image, &glance));
    let mut tell = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    };
    tell(LOCATION, &format!("{}/v2/images/{}", cx.self_url, image.id));
    let methods = glance.config.import_methods.join(",");
    tell(HeaderName::from_static("openstack-image-import-methods"), &methods);
    let stores = &glance.config.store_id;
    tell(HeaderName::from_static("openstack-image-store-ids"), stores);
    Ok(response)
}

pub(super) async fn show(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let image = glance.visible_image(&cx, &id).await?;
    Ok(Json(view(&image, &glance)))
}

pub(super) async fn update(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Error> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let draft = Draft::of(kind.unwrap_or_default()).ok_or_else(unknown_patch)?;
    let body: Value = body::parse(&body::read(body, body::MAX_JSON).await?)?;
    let changes = patch::parse(draft, &body, &glance.config)?;
    let image = glance.update_image(&cx, &id, changes).await?;
    Ok(Json(view(&image, &glance)))
}

pub(super) async fn delete(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    glance.delete_image(&cx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn deactivate(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    glance.set_active(&cx, &id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn reactivate(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    glance.set_active(&cx, &id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn add_tag(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path((id, tag)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    glance.add_tag(&cx, &id, &tag).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove_tag(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path((id, tag)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    glance.remove_tag(&cx, &id, &tag).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds `first`, `next` and `schema` to a list.
pub(super) fn add_links(
    list: &mut Value,
    path: &str,
    schema: &str,
    query: &Query,
    last: Option<&str>,
) {
    let with = |query: String| match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{query}"),
    };
    list["first"] = json!(with(query.with(&["marker"], &[])));
    if let Some(last) = last {
        list["next"] = json!(with(query.with(&["marker"], &[("marker", last)])));
    }
    list["schema"] = json!(schema);
}

/// An image as clients see it: its own properties, then everybody's.
pub(super) fn view(image: &Image, glance: &Glance) -> Value {
    let custom = image.properties.iter().filter(|(name, _)| !HIDDEN.contains(&name.as_str()));
    let mut view: Map<String, Value> =
        custom.map(|(name, value)| (name.clone(), json!(value))).collect();
    let own = format!("/v2/images/{}", image.id);
    let base = json!({
        "name": image.name,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "visibility": image.visibility,
        "size": image.size,
        "virtual_size": image.virtual_size,
        "status": image.status,
        "checksum": image.checksum,
        "protected": image.protected,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "owner": image.owner,
        "os_hidden": image.os_hidden,
        "os_hash_algo": image.os_hash_algo,
        "os_hash_value": image.os_hash_value,
        "id": image.id,
        "created_at": image.created_at.seconds_z(),
        "updated_at": image.updated_at.seconds_z(),
        "tags": image.tags,
        "self": own,
        "file": format!("{own}/file"),
        "schema": "/v2/schemas/image",
    });
    if let Value::Object(base) = base {
        view.extend(base);
    }
    if image.status.has_data() {
        view.insert("stores".to_owned(), json!(glance.config.store_id));
    }
    Value::Object(view)
}

fn unknown_patch() -> Error {
    let message = format!("Image PATCH expects Content-Type one of: {}", Draft::ACCEPTED);
    let fault = Fault::new(ErrorKind::UnsupportedMediaType, message);
    Error::Request(fault.header(HeaderName::from_static("accept-patch"), Draft::ACCEPTED))
}
