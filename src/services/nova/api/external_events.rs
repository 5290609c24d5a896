//! `POST /os-server-external-events`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::{Mv, Reach};
use stackup_web::{Cx, Json, answer};

use super::input::{Fields, list};
use crate::store::servers;
use crate::{Error, Nova};

/// Name, and the version that brought it.
const EVENTS: &[(&str, Mv)] = &[
    ("network-changed", Mv(2, 1)),
    ("network-vif-plugged", Mv(2, 1)),
    ("network-vif-unplugged", Mv(2, 1)),
    ("network-vif-deleted", Mv(2, 1)),
    ("volume-extended", Mv(2, 51)),
    ("power-update", Mv(2, 76)),
    ("accelerator-request-bound", Mv(2, 82)),
    ("volume-reimaged", Mv(2, 93)),
];

/// Everything that an event could change is read where it is, so events only wake.
pub(super) async fn create(
    State(nova): State<Arc<Nova>>,
    Cx(cx): Cx,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let mut outer = Fields::of("body", &body)?;
    let events = list("events", outer.need("events")?)?;
    outer.done()?;
    let mut answers = Vec::new();
    let mut known = 0;
    for value in events {
        let mut fields = Fields::of("events", value)?;
        fields.need("server_uuid")?;
        let id = fields.uuid("server_uuid")?.unwrap_or_default();
        let names: Vec<&'static str> =
            EVENTS.iter().filter(|(_, since)| cx.since(*since)).map(|(name, _)| *name).collect();
        fields.need("name")?;
        let name = fields.word("name", &names)?;
        let status = fields.word("status", &["failed", "completed", "in-progress"])?;
        let tag = fields.text("tag", 0, 255)?;
        fields.done()?;
        let found = nova
            .db
            .read({
                let id = id.clone();
                move |r| servers::get(r, &Reach::All, &id, false).map_err(Error::from)
            })
            .await?;
        let (status, code) = match found.map(|server| server.host.is_some()) {
            Some(true) => (status.unwrap_or("completed"), 200),
            Some(false) => ("failed", 422),
            None => ("failed", 404),
        };
        known += usize::from(code == 200);
        let mut view = json!({"server_uuid": id, "name": name, "status": status, "code": code});
        if let Some(tag) = tag {
            view["tag"] = json!(tag);
        }
        answers.push(view);
    }
    nova.power_hint.give();
    if known == 0 && !answers.is_empty() {
        return Err(Error::NotFound("No instances found for any event".to_owned()));
    }
    let status = match known == answers.len() {
        true => StatusCode::OK,
        false => StatusCode::MULTI_STATUS,
    };
    Ok(answer(status, &json!({"events": answers})))
}
