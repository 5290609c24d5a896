//! Bodies: read against a resource's table, with upstream's complaints.

use serde_json::{Map, Value as Json};

use super::attribute::{Attr, Post, Resource, Source, modern};
use crate::error::Error;

/// The accepted attributes of one resource in a request.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    values: Map<String, Json>,
    /// What the request itself named, with another value than the default: rules on attributes
    /// look at these.
    given: Vec<&'static str>,
}

/// What a POST asks for.
#[derive(Debug, Clone)]
pub(crate) enum Batch {
    One(Fields),
    /// `{"networks": […]}`: all of them or none.
    Many(Vec<Fields>),
}

impl Fields {
    /// Without a request: for what neutron makes itself.
    pub(crate) fn own(values: Json) -> Self {
        Self {
            values: match values {
                Json::Object(map) => map,
                _ => Map::new(),
            },
            given: Vec::new(),
        }
    }

    /// As if the request had named these; defaults are filled in.
    pub(crate) fn create(resource: &'static Resource, given: Json) -> Result<Self, Error> {
        match given {
            Json::Object(map) => create(resource, map),
            _ => Err(invalid_body("the body is not an object")),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.values.get(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A text that is there and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let text = self.get(name).and_then(Json::as_str);
        text.filter(|text| !text.is_empty())
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Json::as_bool)
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Json::as_i64)
    }

    pub(crate) fn list(&self, name: &str) -> Option<&[Json]> {
        self.get(name).and_then(Json::as_array).map(Vec::as_slice)
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Json>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Sets what the request left open.
    pub(crate) fn set_default(&mut self, name: &str, value: impl Into<Json>) {
        if !self.has(name) {
            self.set(name, value);
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        self.values.remove(name)
    }

    pub(crate) fn given(&self) -> &[&'static str] {
        &self.given
    }

    pub(crate) fn values(&self) -> &Map<String, Json> {
        &self.values
    }
}

/// Reads the body of a POST to a collection.
pub(crate) fn read_create(resource: &'static Resource, body: Json) -> Result<Batch, Error> {
    let mut body = root(body)?;
    match (body.remove(resource.name), body.remove(resource.plural)) {
        (Some(Json::Object(one)), None) => create(resource, one).map(Batch::One),
        (None, Some(Json::Array(many))) => {
            if many.is_empty() {
                return Err(invalid_body("Resources required"));
            }
            let many = many.into_iter().map(|one| match one {
                // Each may carry its own key, as the older form of the API had it.
                Json::Object(mut one) => match one.remove(resource.name) {
                    Some(Json::Object(inner)) => create(resource, inner),
                    _ => create(resource, one),
                },
                _ => Err(unfound(resource)),
            });
            many.collect::<Result<_, _>>().map(Batch::Many)
        }
        _ => Err(unfound(resource)),
    }
}

/// Reads the body of a PUT.
pub(crate) fn read_update(resource: &'static Resource, body: Json) -> Result<Fields, Error> {
    let mut body = root(body)?;
    let Some(Json::Object(given)) = body.remove(resource.name) else {
        return Err(unfound(resource));
    };
    let mut fields = Fields { values: Map::new(), given: Vec::new() };
    for (name, value) in known(resource, given)? {
        if !name.put {
            return Err(Error::ReadOnly(name.name.to_owned()));
        }
        fields.values.insert(name.name.to_owned(), accept(name, value)?);
        fields.given.push(name.name);
    }
    Ok(fields)
}

fn create(resource: &'static Resource, given: Map<String, Json>) -> Result<Fields, Error> {
    let mut fields = Fields { values: Map::new(), given: Vec::new() };
    for (attr, value) in known(resource, given)? {
        if attr.post == Post::Never {
            return Err(Error::NotInPost(attr.name.to_owned()));
        }
        let value = accept(attr, value)?;
        if !is_default(attr, &value) {
            fields.given.push(attr.name);
        }
        fields.values.insert(attr.name.to_owned(), value);
    }
    for attr in resource.attrs() {
        match attr.post {
            Post::Required if !fields.has(attr.name) => {
                return Err(Error::Missing(attr.name.to_owned()));
            }
            Post::Default(literal) => fields.set_default(attr.name, literal.json()),
            Post::Required | Post::Never | Post::Open => {}
        }
    }
    Ok(fields)
}

/// Whether the value is what the attribute has without being named.
fn is_default(attr: &Attr, value: &Json) -> bool {
    match attr.post {
        Post::Default(literal) => literal.json() == *value,
        Post::Required | Post::Never | Post::Open => false,
    }
}

fn known(
    resource: &'static Resource,
    given: Map<String, Json>,
) -> Result<Vec<(&'static Attr, Json)>, Error> {
    let mut known: Vec<(&'static Attr, Json)> = Vec::with_capacity(given.len());
    let mut unknown = Vec::new();
    for (name, value) in given {
        match resource.attr(&name) {
            Some(attr) if !matches!(attr.source, Source::Hidden(_)) => {
                let twice = known.iter().any(|(other, _)| other.name == attr.name);
                if twice && modern(&name) != name {
                    continue;
                }
                known.push((attr, value));
            }
            _ => unknown.push(name),
        }
    }
    if unknown.is_empty() { Ok(known) } else { Err(Error::Unrecognized(unknown.join("', '"))) }
}

fn accept(attr: &'static Attr, value: Json) -> Result<Json, Error> {
    attr.shape
        .accept(value)
        .map_err(|reason| Error::InvalidAttribute { attribute: attr.name.to_owned(), reason })
}

fn root(body: Json) -> Result<Map<String, Json>, Error> {
    match body {
        Json::Object(map) => Ok(map),
        _ => Err(invalid_body("Resource body required")),
    }
}

fn unfound(resource: &Resource) -> Error {
    invalid_body(&format!("Unable to find '{}' in request body", resource.name))
}

fn invalid_body(reason: &str) -> Error {
    Error::BadBody(reason.to_owned())
}
