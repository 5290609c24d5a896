//! Tags.

use serde_json::{Value as Json, json};
use stackup_core::Ctx;

use super::Work;
use super::access::{Touched, authorise};
use crate::Neutron;
use crate::error::{Error, Result};
use crate::model::Resource;
use crate::model::shape::Shape;
use crate::store::{Scope, records, tags};

/// What is done to the tags of something.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Replace(Vec<String>),
    Add(Vec<String>),
    Remove(String),
    Clear,
}

impl Neutron {
    pub(crate) async fn tags(
        &self,
        cx: &Ctx,
        resource: &'static Resource,
        id: &str,
    ) -> Result<Vec<String>> {
        let (scope, id) = (Scope::of(cx, resource), id.to_owned());
        self.db
            .read(move |r| {
                if records::find(r, resource, &scope, &id)?.is_none() {
                    return Err(super::work::not_found(resource, &id));
                }
                Ok(tags::list(r, &id)?)
            })
            .await
    }

    /// Changes the tags and gives them back.
    pub(crate) async fn change_tags(
        &self,
        cx: &Ctx,
        resource: &'static Resource,
        id: &str,
        change: Change,
    ) -> Result<Vec<String>> {
        let id = id.to_owned();
        self.work(cx, move |w| {
            let record = w.find(resource, &id)?;
            authorise(w, "update", resource, &Touched::existing(&record, None), None)?;
            apply(w, &id, &change)?;
            w.revise(resource, &id)?;
            Ok(tags::list(w.reader(), &id)?)
        })
        .await
    }
}

fn apply(w: &mut Work<'_, '_>, id: &str, change: &Change) -> Result<()> {
    match change {
        Change::Replace(new) => {
            tags::clear(w.tx, id)?;
            for tag in new {
                tags::add(w.tx, id, tag)?;
            }
        }
        Change::Add(new) => {
            for tag in new {
                tags::add(w.tx, id, tag)?;
            }
        }
        Change::Remove(tag) => {
            if !tags::remove(w.tx, id, tag)? {
                return Err(Error::TagNotFound(tag.clone()));
            }
        }
        Change::Clear => tags::clear(w.tx, id)?,
    }
    Ok(())
}

/// Reads `{"tags": […]}`.
pub(crate) fn read(body: &Json) -> Result<Vec<String>> {
    let given = body.get("tags").cloned();
    accept(given.ok_or_else(|| Error::BadBody("Invalid tags body".to_owned()))?)
}

/// A tag of a path.
pub(crate) fn read_one(tag: &str) -> Result<String> {
    accept(json!([tag])).map(|tags| tags.concat())
}

fn accept(tags: Json) -> Result<Vec<String>> {
    let invalid = |reason| Error::InvalidAttribute { attribute: "tags".to_owned(), reason };
    let tags = Shape::Tags.accept(tags).map_err(invalid)?;
    Ok(serde_json::from_value(tags).unwrap_or_default())
}
