//! A row under the names of the API.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

use super::attribute::{Resource, Source, modern};

/// The values of one row, in the order of its resource's attributes.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) resource: &'static Resource,
    values: Vec<Json>,
}

static NULL: Json = Json::Null;

impl Record {
    pub(crate) fn new(resource: &'static Resource, values: Vec<Json>) -> Self {
        Self { resource, values }
    }

    /// The value of an attribute; null for one that the resource does not have.
    pub(crate) fn get(&self, name: &str) -> &Json {
        let position = self.resource.attrs().position(|attr| attr.name == name);
        debug_assert!(position.is_some(), "{} has no {name}", self.resource.name);
        position.and_then(|index| self.values.get(index)).unwrap_or(&NULL)
    }

    pub(crate) fn set(&mut self, name: &str, value: Json) {
        let position = self.resource.attrs().position(|attr| attr.name == name);
        if let Some(slot) = position.and_then(|index| self.values.get_mut(index)) {
            *slot = value;
        }
    }

    /// A text; empty when it is null.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).as_str().unwrap_or_default()
    }

    /// A text that is there.
    pub(crate) fn some_text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str().filter(|text| !text.is_empty())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).as_bool().unwrap_or_default()
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        self.get(name).as_i64().unwrap_or_default()
    }

    /// The elements of a list.
    pub(crate) fn list(&self, name: &str) -> &[Json] {
        self.get(name).as_array().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    pub(crate) fn project_id(&self) -> &str {
        self.text("project_id")
    }
}

/// What of a record a caller gets to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lens {
    /// Attributes that a rule keeps from the caller.
    pub(crate) hidden: Vec<&'static str>,
    /// The `fields` of the query; empty means all.
    pub(crate) fields: Vec<String>,
}

impl Lens {
    fn shows(&self, name: &str) -> bool {
        let wanted = |field: &String| field == name || modern(field) == name;
        !self.hidden.contains(&name) && (self.fields.is_empty() || self.fields.iter().any(wanted))
    }
}

/// A record through a lens: what goes over the wire.
#[derive(Debug)]
pub(crate) struct View<'a>(pub(crate) &'a Record, pub(crate) &'a Lens);

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let View(record, lens) = self;
        let mut map = serializer.serialize_map(None)?;
        for (attr, value) in record.resource.attrs().zip(&record.values) {
            if matches!(attr.source, Source::Hidden(_) | Source::Request) || !lens.shows(attr.name)
            {
                continue;
            }
            map.serialize_entry(attr.name, value)?;
            if attr.name == "project_id" {
                map.serialize_entry("tenant_id", value)?;
            }
        }
        map.end()
    }
}
