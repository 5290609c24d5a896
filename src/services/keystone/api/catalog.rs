//! Regions, services and endpoints.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, answer};

use super::fields::{Body, Fields, required};
use super::list::{Filter, Listing, by};
use crate::Keystone;
use crate::error::Error;
use crate::logic::catalog::{EndpointFields, RegionFields, ServiceFields};
use crate::model::catalog::{Endpoint, Interface, Region, Service};

const REGION_FILTERS: &[Filter] = &[by("parent_region_id", "parent_id")];
const SERVICE_FILTERS: &[Filter] = &[by("type", "type")];
const ENDPOINT_FILTERS: &[Filter] = &[
    by("interface", "interface"),
    by("service_id", "service_id"),
    by("region_id", "region_id"),
    by("region", "region_id"),
];

pub(super) async fn list_regions(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.regions(listing.conditions(REGION_FILTERS, "id")).await?;
    let views = found.iter().map(|region| region_view(region, &cx)).collect();
    listing.wrap(&cx, "regions", views, REGION_FILTERS, None).map(Json)
}

pub(super) async fn show_region(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let region = keystone.region(&id).await?;
    Ok(Json(json!({"region": region_view(&region, &cx)})))
}

pub(super) async fn create_region(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let mut given = body.member("region")?;
    let id = given.text("id", 255)?;
    let mut fields = read_region(given)?;
    fields.id = id;
    let region = keystone.create_region(fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"region": region_view(&region, &cx)})))
}

pub(super) async fn put_region(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, Error> {
    let mut given = body.member("region")?;
    if given.take("id").is_some_and(|other| other != id.as_str()) {
        return Err(Error::invalid(format!(
            "Conflicting region IDs specified: \"{id}\" != the body's"
        )));
    }
    let mut fields = read_region(given)?;
    fields.id = Some(id);
    let region = keystone.create_region(fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"region": region_view(&region, &cx)})))
}

pub(super) async fn update_region(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("region")?;
    given.same_id(&id)?;
    let region = keystone.update_region(&id, read_region(given)?).await?;
    Ok(Json(json!({"region": region_view(&region, &cx)})))
}

pub(super) async fn delete_region(
    State(keystone): State<Arc<Keystone>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_region(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_services(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let mut found = keystone.services(listing.conditions(SERVICE_FILTERS, "id")).await?;
    if let Some(name) = listing.query.get("name") {
        found.retain(|service| service.extra.get("name").and_then(Value::as_str) == Some(name));
    }
    let views = found.iter().map(|service| service_view(service, &cx)).collect();
    listing.wrap(&cx, "services", views, SERVICE_FILTERS, None).map(Json)
}

pub(super) async fn show_service(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let service = keystone.service(&id).await?;
    Ok(Json(json!({"service": service_view(&service, &cx)})))
}

pub(super) async fn create_service(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let mut fields = read_service(body.member("service")?)?;
    required(fields.kind.as_ref(), "type")?;
    fields.extra.entry("name").or_insert_with(|| json!(""));
    let service = keystone.create_service(fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"service": service_view(&service, &cx)})))
}

pub(super) async fn update_service(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("service")?;
    given.same_id(&id)?;
    let service = keystone.update_service(&id, read_service(given)?).await?;
    Ok(Json(json!({"service": service_view(&service, &cx)})))
}

pub(super) async fn delete_service(
    State(keystone): State<Arc<Keystone>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_service(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_endpoints(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.endpoints(listing.conditions(ENDPOINT_FILTERS, "id")).await?;
    let views = found.iter().map(|endpoint| endpoint_view(endpoint, &cx)).collect();
    listing.wrap(&cx, "endpoints", views, ENDPOINT_FILTERS, None).map(Json)
}

pub(super) async fn show_endpoint(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let endpoint = keystone.endpoint(&id).await?;
    Ok(Json(json!({"endpoint": endpoint_view(&endpoint, &cx)})))
}

pub(super) async fn create_endpoint(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let fields = read_endpoint(body.member("endpoint")?)?;
    required(fields.interface, "interface")?;
    required(fields.service_id.as_ref(), "service_id")?;
    required(fields.url.as_ref(), "url")?;
    let endpoint = keystone.create_endpoint(&cx, fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"endpoint": endpoint_view(&endpoint, &cx)})))
}

pub(super) async fn update_endpoint(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("endpoint")?;
    given.same_id(&id)?;
    let endpoint = keystone.update_endpoint(&cx, &id, read_endpoint(given)?).await?;
    Ok(Json(json!({"endpoint": endpoint_view(&endpoint, &cx)})))
}

pub(super) async fn delete_endpoint(
    State(keystone): State<Arc<Keystone>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_endpoint(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read_region(mut fields: Fields) -> Result<RegionFields, Error> {
    Ok(RegionFields {
        id: None,
        parent_id: fields.nullable("parent_region_id")?,
        description: fields.nullable("description")?,
        extra: fields.rest(),
    })
}

fn read_service(mut fields: Fields) -> Result<ServiceFields, Error> {
    let name = fields.nullable("name")?;
    let description = fields.nullable("description")?;
    let mut read = ServiceFields {
        kind: fields.name("type", 255)?,
        enabled: fields.flag("enabled")?,
        extra: fields.rest(),
    };
    for (key, value) in [("name", name), ("description", description)] {
        if let Some(value) = value {
            read.extra.insert(key.to_owned(), json!(value));
        }
    }
    Ok(read)
}

fn read_endpoint(mut fields: Fields) -> Result<EndpointFields, Error> {
    let region = fields.nullable("region")?;
    let interface = fields.text("interface", 64)?;
    let interface = interface.map(|text| {
        Interface::parse(&text).ok_or_else(|| {
            Error::invalid(format!(
                "Invalid input for field 'endpoint/interface': '{text}' is not one of ['admin', \
                 'internal', 'public']"
            ))
        })
    });
    let url = fields.text("url", 255)?;
    if let Some(text) = url.as_deref().filter(|text| !is_url(text)) {
        return Err(Error::invalid(format!(
            "Invalid input for field 'endpoint/url': '{text}' does not match \
             '^[a-zA-Z0-9+.-]+:.+'"
        )));
    }
    Ok(EndpointFields {
        service_id: fields.id("service_id")?,
        region_id: fields.nullable("region_id")?.or(region),
        interface: interface.transpose()?,
        url,
        enabled: fields.flag("enabled")?,
        extra: fields.rest(),
    })
}

fn is_url(text: &str) -> bool {
    let scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    text.split_once(':').is_some_and(|(before, after)| {
        !before.is_empty() && before.chars().all(scheme) && !after.is_empty()
    })
}

fn region_view(region: &Region, cx: &Ctx) -> Value {
    let id = stackup_web::query::encode(&region.id);
    let mut view = json!({
        "id": region.id,
        "description": region.description,
        "parent_region_id": region.parent_id,
        "links": {"self": format!("{}/v3/regions/{id}", cx.self_url)},
    });
    super::add_extra(&mut view, &region.extra);
    view
}

fn service_view(service: &Service, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": service.id,
        "type": service.kind,
        "enabled": service.enabled,
        "links": {"self": format!("{}/v3/services/{}", cx.self_url, service.id)},
    });
    super::add_extra(&mut view, &service.extra);
    view
}

fn endpoint_view(endpoint: &Endpoint, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": endpoint.id,
        "interface": endpoint.interface,
        "region_id": endpoint.region_id,
        "region": endpoint.region_id,
        "service_id": endpoint.service_id,
        "url": endpoint.shown(&cx.base_url),
        "enabled": endpoint.enabled,
        "links": {"self": format!("{}/v3/endpoints/{}", cx.self_url, endpoint.id)},
    });
    super::add_extra(&mut view, &endpoint.extra);
    view
}
