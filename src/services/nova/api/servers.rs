//! `/servers`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde_json::{Value, json};
use stackup_core::{Ctx, Page};
use stackup_policy::Target;
use stackup_web::{Cx, Json, Query, answer};

use super::server_view::{self as view, Around};
use super::{STRICT, links, next, server_body, server_filters};
use crate::logic::flows::delete;
use crate::logic::{create, list, servers};
use crate::model::server::Server;
use crate::{Error, Nova};

pub(super) async fn index(
    State(nova): State<Arc<Nova>>,
    Cx(cx): Cx,
    query: Query,
) -> Result<Json<Value>, Error> {
    let rule = "os_compute_api:servers:index:get_all_tenants";
    let (servers, page, more) = select(&nova, &cx, &query, rule).await?;
    let views: Vec<Value> = servers.iter().map(|server| view::brief(&cx, server)).collect();
    Ok(Json(listing(&cx, "servers", &views, &query, &servers, &page, more)))
}

pub(super) async fn detail(
    State(nova): State<Arc<Nova>>,
    Cx(cx): Cx,
    query: Query,
) -> Result<Json<Value>, Error> {
    let rule = "os_compute_api:servers:detail:get_all_tenants";
    let (servers, page, more) = select(&nova, &cx, &query, rule).await?;
    let around = Around::of(&nova, &cx, &servers).await?;
    let views: Vec<Value> = servers.iter().map(|server| view::full(&cx, server, &around)).collect();
    Ok(Json(listing(&cx, "servers/detail", &views, &query, &servers, &page, more)))
}

async fn select(
    nova: &Nova,
    cx: &Ctx,
    query: &Query,
    all_tenants: &str,
) -> Result<(Vec<Server>, Page, bool), Error> {
    let page = super::page(nova, query)?;
    server_filters::check_sort(&page)?;
    let Some(wish) = server_filters::wish(nova, cx, query, all_tenants)? else {
        return Ok((Vec::new(), page, false));
    };
    let (servers, more) = list::list(nova, cx, wish, &page).await?;
    Ok((servers, page, more))
}

fn listing(
    cx: &Ctx,
    path: &str,
    views: &[Value],
    query: &Query,
    servers: &[Server],
    page: &Page,
    more: bool,
) -> Value {
    let mut body = json!({"servers": views});
    // nova: a full page has a link, whether anything follows or not
    let full = page.limited && servers.len() == page.limit;
    if let Some(last) = servers.last().filter(|_| more || full) {
        body["servers_links"] = next(cx, path, query, &last.id);
    }
    body
}

pub(super) async fn show(
    State(nova): State<Arc<Nova>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    Ok(Json(json!({"server": one(&nova, &cx, &server).await?})))
}

/// The whole view of one server.
pub(super) async fn one(nova: &Nova, cx: &Ctx, server: &Server) -> Result<Value, Error> {
    let around = Around::of(nova, cx, std::slice::from_ref(server)).await?;
    let around = around.with_group(nova, cx, server).await?;
    Ok(view::full(cx, server, &around))
}

/// What an update and a rebuild answer: less than the whole before 2.75.
pub(super) async fn changed(nova: &Nova, cx: &Ctx, server: &Server) -> Result<Value, Error> {
    if cx.since(STRICT) {
        return one(nova, cx, server).await;
    }
    let around = Around::of(nova, cx, std::slice::from_ref(server)).await?;
    let around = around.with_group(nova, cx, server).await?;
    Ok(view::basic(cx, server, &around))
}

pub(super) async fn create(
    State(nova): State<Arc<Nova>>,
    Cx(cx): Cx,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let asked = server_body::create(&cx, &body)?;
    if asked.attaches_network {
        let rule = "os_compute_api:servers:create:attach_network";
        nova.policy.check(&cx, rule, &Target::own(&cx.caller))?;
    }
    let reservation = asked.return_reservation;
    let created = create::create(&nova, &cx, asked.new).await?;
    let Some(server) = created.servers.first() else {
        return Err(Error::invalid("no server was asked for"));
    };
    if reservation {
        let body = json!({"reservation_id": server.reservation_id});
        return Ok(answer(StatusCode::ACCEPTED, &body));
    }
    let mut view = json!({
        "id": server.id,
        "links": links(&cx, "servers", &server.id),
        "OS-DCF:diskConfig": server.disk_config,
        "security_groups": view::asked_groups(server),
    });
    if nova.config.show_password {
        view["adminPass"] = json!(created.admin_pass);
    }
    let mut response = answer(StatusCode::ACCEPTED, &json!({"server": view}));
    let location = format!("{}/v2.1/servers/{}", cx.self_url, server.id);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn update(
    State(nova): State<Arc<Nova>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let update = server_body::update(&cx, &body)?;
    let server = servers::update(&nova, &cx, &id, update).await?;
    Ok(Json(json!({"server": changed(&nova, &cx, &server).await?})))
}

pub(super) async fn delete(
    State(nova): State<Arc<Nova>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    delete::begin(&nova, &cx, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
