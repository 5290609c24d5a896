//! `/images`, the image service seen through nova, until 2.35 (its metadata until 2.38).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_contracts::{ImageInfo, ImageQuery};
use stackup_core::{Ctx, Time};
use stackup_web::{Cx, Json, Query};

use super::input::Fields;
use super::{bookmark, next, page};
use crate::logic::images;
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn index(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    list(&nova, &cx, &query, "images", brief).await
}

pub(super) async fn detail(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    list(&nova, &cx, &query, "images/detail", full).await
}

async fn list(
    nova: &Nova,
    cx: &Ctx,
    query: &Query,
    path: &str,
    view: fn(&Ctx, &ImageInfo) -> Value,
) -> Result<Json<Value>, Error> {
    let page = page(nova, query)?;
    let mut properties = BTreeMap::new();
    if let Some(server) = query.get("server") {
        let id = server.rsplit('/').next().unwrap_or_default().to_owned();
        properties.insert("instance_uuid".to_owned(), id);
    }
    if let Some(kind) = query.get("type") {
        properties.insert("image_type".to_owned(), kind.to_owned());
    }
    let wanted = ImageQuery {
        name: query.get("name").map(str::to_owned),
        status: query.get("status").map(str::to_ascii_lowercase),
        limit: Some(page.limit),
        marker: page.marker.clone().map(Into::into),
        properties,
    };
    let mut found = images::list(nova, cx, &wanted).await?;
    filter(query, &mut found)?;
    let views: Vec<Value> = found.iter().map(|image| view(cx, image)).collect();
    let mut body = json!({"images": views});
    if let Some(last) = found.last().filter(|_| page.limited && found.len() == page.limit) {
        body["images_links"] = next(cx, path, query, &last.id);
    }
    Ok(Json(body))
}

fn filter(query: &Query, images: &mut Vec<ImageInfo>) -> Result<(), Error> {
    if let Some(since) = super::time(query, "changes-since")? {
        images.retain(|image| image.updated_at >= since);
    }
    for (name, pick) in [
        ("minRam", (|image| image.min_ram) as fn(&ImageInfo) -> u64),
        ("minDisk", |image| image.min_disk),
    ] {
        if let Some(least) = query.get(name).and_then(|text| text.parse::<u64>().ok()) {
            images.retain(|image| pick(image) >= least);
        }
    }
    Ok(())
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let image = images::get(&nova, &cx, &id).await?;
    Ok(Json(json!({"image": full(&cx, &image)})))
}

pub(super) async fn delete(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    images::delete(&nova, &cx, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn metadata(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let image = images::get(&nova, &cx, &id).await?;
    Ok(Json(json!({"metadata": image.properties})))
}

pub(super) async fn metadata_item(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, key)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let image = images::get(&nova, &cx, &id).await?;
    let value = image.properties.get(&key).ok_or_else(missing)?;
    Ok(Json(json!({"meta": {key: value}})))
}

fn missing() -> Error {
    Error::NotFound("Metadata item was not found".to_owned())
}

fn items(body: &Value, key: &'static str) -> Result<BTreeMap<String, String>, Error> {
    let mut fields = Fields::of("body", body)?;
    fields.need(key)?;
    let items = fields.metadata(key)?.unwrap_or_default();
    fields.done()?;
    Ok(items)
}

pub(super) async fn add_metadata(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let changes = items(&body, "metadata")?.into_iter().map(|(key, value)| (key, Some(value)));
    let image = images::set(&nova, &cx, &id, changes.collect()).await?;
    Ok(Json(json!({"metadata": image.properties})))
}

pub(super) async fn replace_metadata(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let new = items(&body, "metadata")?;
    let image = images::get(&nova, &cx, &id).await?;
    let mut changes: BTreeMap<String, Option<String>> =
        image.properties.into_keys().map(|key| (key, None)).collect();
    changes.extend(new.into_iter().map(|(key, value)| (key, Some(value))));
    let image = images::set(&nova, &cx, &id, changes).await?;
    Ok(Json(json!({"metadata": image.properties})))
}

pub(super) async fn set_metadata_item(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let items = items(&body, "meta")?;
    let value = items.get(&key).filter(|_| items.len() == 1).cloned();
    let value = value.ok_or_else(|| Error::invalid("Request body and URI mismatch"))?;
    let changes = BTreeMap::from([(key.clone(), Some(value.clone()))]);
    images::set(&nova, &cx, &id, changes).await?;
    Ok(Json(json!({"meta": {key: value}})))
}

pub(super) async fn delete_metadata_item(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response, Error> {
    let image = images::get(&nova, &cx, &id).await?;
    if !image.properties.contains_key(&key) {
        return Err(missing());
    }
    images::set(&nova, &cx, &id, BTreeMap::from([(key, None)])).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn brief(cx: &Ctx, image: &ImageInfo) -> Value {
    json!({
        "id": image.id,
        "name": image.name,
        "links": [
            {"rel": "self", "href": format!("{}/v2.1/images/{}", cx.self_url, image.id)},
            bookmark(cx, "images", &image.id),
            {
                "rel": "alternate",
                "type": "application/vnd.openstack.image",
                "href": format!("{}/image/images/{}", cx.base_url, image.id),
            },
        ],
    })
}

fn full(cx: &Ctx, image: &ImageInfo) -> Value {
    let (status, progress) = match image.status.as_str() {
        "active" => ("ACTIVE", 100),
        "queued" => ("SAVING", 25),
        "saving" | "importing" | "uploading" => ("SAVING", 50),
        "deleted" | "pending_delete" => ("DELETED", 0),
        "killed" => ("ERROR", 0),
        _ => ("UNKNOWN", 0),
    };
    let mut view = brief(cx, image);
    view["created"] = json!(Time::seconds_z(image.created_at));
    view["updated"] = json!(Time::seconds_z(image.updated_at));
    view["minDisk"] = json!(image.min_disk);
    view["minRam"] = json!(image.min_ram);
    view["metadata"] = json!(image.properties);
    view["status"] = json!(status);
    view["progress"] = json!(progress);
    view["OS-EXT-IMG-SIZE:size"] = json!(image.size.unwrap_or(0));
    if let Some(id) = image.properties.get("instance_uuid") {
        view["server"] = json!({
            "id": id,
            "links": [
                {"rel": "self", "href": format!("{}/v2.1/servers/{id}", cx.self_url)},
                bookmark(cx, "servers", id),
            ],
        });
    }
    view
}
