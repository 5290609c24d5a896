//! The kit, seen through a router: a small service with one row of each kind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is a failed test"
)]

mod access;
mod bodies;
mod dispatch;
mod faults;
mod urls;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use http::{HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use stackup_contracts::Hub;
use stackup_core::{ErrorKind, Mv, MvRange};
use stackup_policy::{Policy, Rule, ScopeKind};
use stackup_testing::{Client, StubIdentity};
use stackup_web::context::MaybeCx;
use stackup_web::{
    Access, Api, Cx, Fault, FaultShape, Json, Microversions, Query, Route, action, answer, delete,
    dialects, get, post, put,
};

/// A service whose things are numbers.
struct Toy;

const RULES: &[Rule] = &[
    rule("things:any", "role:reader", &[]),
    rule("things:admin", "role:admin", &[ScopeKind::Project]),
];

const VERSIONS: Microversions = Microversions {
    service_type: "compute",
    range: MvRange { min: Mv(2, 1), max: Mv(2, 9) },
    default: Mv(2, 1),
    legacy: Some("x-openstack-nova-api-version"),
};

const fn rule(name: &'static str, check: &'static str, scopes: &'static [ScopeKind]) -> Rule {
    Rule { name, check, scopes, description: "" }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Thing {
    size: u8,
}

fn routes() -> Vec<Route<Toy>> {
    vec![
        get("/", Access::Open, hello),
        get("/things", "things:any", list),
        post("/things", "things:any", create),
        get("/things/{id}", "things:any", show).until(Mv(2, 4)),
        get("/things/{id}", "things:any", show_more).since(Mv(2, 5)),
        delete("/things/{id}", "things:admin", remove),
        put("/things/{id}", "things:any", remove).until(Mv(2, 3)),
        action("/things/{id}/action", "grow", "things:any", grow),
        action("/things/{id}/action", "shrink", "things:admin", shrink).since(Mv(2, 5)),
        get("/whoami", Access::Token, whoami),
        get("/fault/{status}", Access::Open, fault),
        get("/panic", Access::Open, panics),
    ]
}

async fn hello(MaybeCx(cx): MaybeCx) -> Json<Value> {
    Json(json!({"user": cx.map(|cx| cx.caller.user_name.clone())}))
}

async fn list(State(_): State<Arc<Toy>>, Cx(cx): Cx, query: Query) -> Json<Value> {
    Json(json!({"name": query.get("name"), "version": cx.version.to_string()}))
}

async fn create(Cx(_): Cx, Json(thing): Json<Thing>) -> axum::response::Response {
    answer(StatusCode::ACCEPTED, &json!({"size": thing.size}))
}

async fn show(Cx(_): Cx, Path(id): Path<String>) -> Json<Value> {
    Json(json!({"id": id}))
}

async fn show_more(Cx(_): Cx, Path(id): Path<String>) -> Json<Value> {
    Json(json!({"id": id, "more": true}))
}

async fn remove(Path(_): Path<String>) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The body is still there after it chose the row.
async fn grow(Path(id): Path<String>, Json(body): Json<Value>) -> Json<Value> {
    Json(json!({"id": id, "by": body["grow"]["by"]}))
}

async fn shrink(Path(_): Path<String>) -> StatusCode {
    StatusCode::ACCEPTED
}

async fn whoami(Cx(cx): Cx) -> Json<Value> {
    Json(json!({
        "project": cx.project_id(),
        "base_url": &*cx.base_url,
        "self_url": &*cx.self_url,
        "request_id": &*cx.request_id,
    }))
}

async fn fault(Path(status): Path<u16>, query: Query) -> Fault {
    let kind = match status {
        500 => ErrorKind::Internal,
        _ => ErrorKind::BadRequest,
    };
    let fault = Fault::new(kind, "a <message>").status(status);
    let fault = fault.header(HeaderName::from_static("retry-after"), "7");
    match query.get("name") {
        Some(name) => fault.name(name.to_owned()),
        None => fault,
    }
}

async fn panics() -> StatusCode {
    panic!("on purpose")
}

fn api(codename: &'static str, shape: Arc<dyn FaultShape>, hub: Hub) -> Api {
    Api {
        codename,
        shape,
        microversions: Some(VERSIONS),
        policy: Arc::new(Policy::new(&[RULES], &BTreeMap::new()).expect("rules")),
        hub,
        denied: Fault::from,
    }
}

/// A client of the toy, in a dialect.
fn in_dialect(codename: &'static str, shape: impl FaultShape + 'static) -> Client {
    let hub = Hub::default();
    hub.set_identity(Arc::new(StubIdentity));
    Client::new(api(codename, Arc::new(shape), hub).router(&Arc::new(Toy), routes()))
}

/// A client without a token.
fn anyone() -> Client {
    in_dialect("nova", dialects::Compute)
}

fn member() -> Client {
    anyone().with_token("member@p")
}

fn admin() -> Client {
    anyone().with_token("admin@p")
}
