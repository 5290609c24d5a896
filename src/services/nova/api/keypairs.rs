//! `/os-keypairs`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::{Ctx, UserId};
use stackup_policy::Target;
use stackup_web::{Cx, Json, Query, answer};

use super::input::{Fields, wrong};
use super::{KEY_PAGES, KEY_TYPES, KEYS_OF_OTHERS, NO_KEY_MAKING, known_parameters, next, page};
use crate::logic::keypairs::{self, NewKeypair};
use crate::model::keypair::{KeyKind, Keypair};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

/// Whose keys the request is about; others' only for whom the rule allows it.
fn owner(nova: &Nova, cx: &Ctx, asked: Option<&str>, rule: &str) -> Result<UserId, Error> {
    let asked = asked.filter(|_| cx.since(KEYS_OF_OTHERS));
    let user = keypairs::owner(cx, asked);
    nova.policy.check(cx, rule, &Target::new().with("user_id", &*user))?;
    Ok(user)
}

pub(super) async fn index(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    let known: &[&str] = &["user_id", "limit", "marker"];
    known_parameters(&cx, &query, known)?;
    let user = owner(&nova, &cx, query.get("user_id"), "os_compute_api:os-keypairs:index")?;
    let mut page = page(&nova, &query)?;
    if !cx.since(KEY_PAGES) {
        page = stackup_core::Page::all();
    }
    let keys = keypairs::list(&nova, &user, page.marker.clone(), page.limit).await?;
    let views: Vec<Value> = keys.iter().map(|key| json!({"keypair": brief(&cx, key)})).collect();
    let mut body = json!({"keypairs": views});
    if let Some(last) = keys.last().filter(|_| keys.len() == page.limit) {
        body["keypairs_links"] = next(&cx, "os-keypairs", &query, &last.name);
    }
    Ok(Json(body))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path(name): Path<String>,
    query: Query,
) -> Result<Json<Value>, Error> {
    let user = owner(&nova, &cx, query.get("user_id"), "os_compute_api:os-keypairs:show")?;
    let key = keypairs::get(&nova, &user, &name).await?;
    let mut view = brief(&cx, &key);
    view["user_id"] = json!(key.user_id);
    view["id"] = json!(key.row);
    view["created_at"] = json!(key.created_at.micros());
    view["deleted"] = json!(false);
    view["deleted_at"] = Value::Null;
    view["updated_at"] = Value::Null;
    Ok(Json(json!({"keypair": view})))
}

pub(super) async fn create(
    State(nova): S,
    Cx(cx): Cx,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let new = read(&nova, &cx, &body)?;
    let (key, private) = keypairs::create(&nova, new).await?;
    let mut view = brief(&cx, &key);
    view["user_id"] = json!(key.user_id);
    if let Some(private) = private {
        view["private_key"] = json!(private);
    }
    let status = if cx.since(KEY_TYPES) { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &json!({"keypair": view})))
}

fn read(nova: &Nova, cx: &Ctx, body: &Value) -> Result<NewKeypair, Error> {
    let mut fields = Fields::only(body, "keypair")?;
    let value = fields.need("name")?;
    let name = super::input::name("name", value)?;
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || "_- ".contains(c)
            || (cx.since(NO_KEY_MAKING) && "@.".contains(c))
    };
    if !name.chars().all(plain) {
        return Err(wrong("name", value, "Keypair name contains unsafe characters").into());
    }
    let public_key = fields.text("public_key", 1, 65535)?;
    if public_key.is_none() && cx.since(NO_KEY_MAKING) {
        fields.need("public_key")?;
    }
    let kind = match cx.since(KEY_TYPES) {
        true => fields.word("type", &["ssh", "x509"])?.and_then(KeyKind::parse),
        false => None,
    };
    let asked = match cx.since(KEYS_OF_OTHERS) {
        true => fields.text("user_id", 1, 255)?,
        false => None,
    };
    fields.done()?;
    Ok(NewKeypair {
        user_id: owner(nova, cx, asked.as_deref(), "os_compute_api:os-keypairs:create")?,
        name,
        kind: kind.unwrap_or(KeyKind::Ssh),
        public_key,
    })
}

pub(super) async fn delete(
    State(nova): S,
    Cx(cx): Cx,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Error> {
    let user = owner(&nova, &cx, query.get("user_id"), "os_compute_api:os-keypairs:delete")?;
    keypairs::delete(&nova, &user, &name).await?;
    let status = if cx.since(KEY_TYPES) { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED };
    Ok(status.into_response())
}

fn brief(cx: &Ctx, key: &Keypair) -> Value {
    let mut view = json!({
        "name": key.name, "public_key": key.public_key, "fingerprint": key.fingerprint
    });
    if cx.since(KEY_TYPES) {
        view["type"] = json!(key.kind);
    }
    view
}
