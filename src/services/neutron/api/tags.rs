//! Tags of anything that carries them.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use stackup_web::{Cx, answer};

use super::resources::{Answer, Service, body};
use crate::error::Error;
use crate::logic::tags::{Change, read, read_one};
use crate::model::Resource;

type Tag = Path<(String, String)>;

pub(super) fn list(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Path<String>) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), Path(id)| {
        Box::pin(async move { Ok(shown(&neutron.tags(&cx, resource, &id).await?)) })
    }
}

pub(super) fn replace(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Path<String>, Bytes) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), Path(id), bytes| {
        Box::pin(async move {
            let change = Change::Replace(read(&body(&bytes)?)?);
            Ok(shown(&neutron.change_tags(&cx, resource, &id, change).await?))
        })
    }
}

pub(super) fn add(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Path<String>, Bytes) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), Path(id), bytes| {
        Box::pin(async move {
            let change = Change::Add(read(&body(&bytes)?)?);
            Ok(shown(&neutron.change_tags(&cx, resource, &id, change).await?))
        })
    }
}

pub(super) fn clear(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Path<String>) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), Path(id)| {
        Box::pin(async move {
            neutron.change_tags(&cx, resource, &id, Change::Clear).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        })
    }
}

pub(super) fn has(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Tag) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), Path((id, tag))| {
        Box::pin(async move {
            if neutron.tags(&cx, resource, &id).await?.contains(&tag) {
                Ok(StatusCode::NO_CONTENT.into_response())
            } else {
                Err(Error::TagNotFound(tag))
            }
        })
    }
}

pub(super) fn add_one(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Tag) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), Path((id, tag))| {
        Box::pin(async move {
            let change = Change::Add(vec![read_one(&tag)?]);
            neutron.change_tags(&cx, resource, &id, change).await?;
            Ok(StatusCode::CREATED.into_response())
        })
    }
}

pub(super) fn remove(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Tag) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), Path((id, tag))| {
        Box::pin(async move {
            neutron.change_tags(&cx, resource, &id, Change::Remove(tag)).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        })
    }
}

fn shown(tags: &[String]) -> Response {
    answer(StatusCode::OK, &json!({"tags": tags}))
}
