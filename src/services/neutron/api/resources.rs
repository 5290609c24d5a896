//! The five verbs, for every resource.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value as Json, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Query, answer};

use super::listing;
use crate::Neutron;
use crate::error::{Error, Result};
use crate::logic::access;
use crate::logic::resources::Made;
use crate::model::{Lens, Record, Resource, View};
use crate::store::Listing;

pub(super) type Service = State<Arc<Neutron>>;
pub(super) type Answer = BoxFuture<'static, Result<Response>>;

/// One resource under its key: `{"network": {…}}`.
struct One<'a>(&'a Record, &'a Lens);

/// Several under theirs, with links when the client asked for a page.
struct Many<'a> {
    resource: &'static Resource,
    records: &'a [Record],
    lens: &'a Lens,
    links: Vec<Json>,
}

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0.resource.name, &View(self.0, self.1))?;
        map.end()
    }
}

impl Serialize for Many<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let views: Vec<View<'_>> = self.records.iter().map(|r| View(r, self.lens)).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.resource.plural, &views)?;
        if !self.links.is_empty() {
            map.serialize_entry(&format!("{}_links", self.resource.plural), &self.links)?;
        }
        map.end()
    }
}

/// A body of JSON; what does not parse is said in neutron's words.
pub(super) fn body(bytes: &[u8]) -> Result<Json> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::BadBody(format!("The body is not JSON: {error}")))
}

/// `If-Match: revision_number=3`.
fn revision(headers: &HeaderMap) -> Result<Option<i64>> {
    let Some(text) = headers.get("if-match").and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let number = text.strip_prefix("revision_number=").and_then(|number| number.parse().ok());
    let wrong = || Error::BadBody(format!("If-Match: {text} is no revision_number"));
    number.map(Some).ok_or_else(wrong)
}

pub(super) fn list(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, axum::http::Uri, Query) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), uri, query| {
        Box::pin(async move {
            let wanted = listing::read(resource, &query, &neutron.config)?;
            let records = neutron.list(&cx, resource, wanted.clone()).await?;
            let lens = access::lens(&neutron.policy, &cx, resource, listing::fields(&query));
            let links = links(&cx, uri.path(), &query, &wanted, &records);
            let many = Many { resource, records: &records, lens: &lens, links };
            Ok(answer(StatusCode::OK, &many))
        })
    }
}

pub(super) fn show(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Path<String>, Query) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), Path(id), query| {
        Box::pin(async move {
            let record = neutron.show(&cx, resource, &id).await?;
            let lens = access::lens(&neutron.policy, &cx, resource, listing::fields(&query));
            Ok(answer(StatusCode::OK, &One(&record, &lens)))
        })
    }
}

pub(super) fn create(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, axum::body::Bytes) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), bytes| {
        Box::pin(async move {
            let made = neutron.create(&cx, resource, body(&bytes)?).await?;
            let lens = access::lens(&neutron.policy, &cx, resource, Vec::new());
            Ok(match made {
                Made::One(record) => answer(StatusCode::CREATED, &One(&record, &lens)),
                Made::Many(records) => {
                    let links = Vec::new();
                    let many = Many { resource, records: &records, lens: &lens, links };
                    answer(StatusCode::CREATED, &many)
                }
            })
        })
    }
}

pub(super) fn update(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Path<String>, HeaderMap, axum::body::Bytes) -> Answer
+ Clone
+ Send
+ Sync
+ 'static {
    move |State(neutron), Cx(cx), Path(id), headers, bytes| {
        Box::pin(async move {
            let (wanted, body) = (revision(&headers)?, body(&bytes)?);
            let record = neutron.update(&cx, resource, &id, body, wanted).await?;
            let lens = access::lens(&neutron.policy, &cx, resource, Vec::new());
            Ok(answer(StatusCode::OK, &One(&record, &lens)))
        })
    }
}

pub(super) fn remove(
    resource: &'static Resource,
) -> impl Fn(Service, Cx, Path<String>, HeaderMap) -> Answer + Clone + Send + Sync + 'static {
    move |State(neutron), Cx(cx), Path(id), headers| {
        Box::pin(async move {
            neutron.delete(&cx, resource, &id, revision(&headers)?).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        })
    }
}

/// Answers with one record.
pub(super) fn one(neutron: &Neutron, cx: &Ctx, record: &Record) -> Response {
    let lens = access::lens(&neutron.policy, cx, record.resource, Vec::new());
    answer(StatusCode::OK, &One(record, &lens))
}

/// The pages beside this one.
fn links(cx: &Ctx, path: &str, query: &Query, wanted: &Listing, records: &[Record]) -> Vec<Json> {
    let page = &wanted.page;
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Vec::new();
    };
    if !page.limited {
        return Vec::new();
    }
    let url = format!("{}{path}", cx.self_url);
    let link = |rel: &str, marker: &str, reverse: bool| {
        let mut pairs = vec![("marker", marker)];
        if reverse {
            pairs.push(("page_reverse", "True"));
        }
        let query = query.with(&["marker", "page_reverse"], &pairs);
        json!({"rel": rel, "href": format!("{url}?{query}")})
    };
    let full = records.len() == page.limit;
    let mut links = Vec::new();
    if full || wanted.reverse {
        links.push(link("next", last.id(), false));
    }
    if page.marker.is_some() && (full || !wanted.reverse) {
        links.push(link("previous", first.id(), true));
    }
    links
}
