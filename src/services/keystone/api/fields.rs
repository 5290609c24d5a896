//! Request bodies, with the complaints of keystone's schemas.

use axum::extract::{FromRequest, Request};
use serde_json::Value;
use stackup_web::body::{self, MAX_JSON};

use crate::error::Error;
use crate::model::Extra;

/// An option of a resource, and whether a value is one that it may have.
pub(crate) type KnownOption = (&'static str, fn(&Value) -> bool);

/// A JSON object; an empty body is an empty one.
pub(crate) struct Body(pub(crate) Extra);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let bytes = body::read(request.into_body(), MAX_JSON).await?;
        if bytes.is_empty() {
            return Ok(Self(Extra::new()));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => {
                Err(Error::Expecting { attribute: "valid JSON object", target: "request body" })
            }
            Err(_) => Err(Error::Expecting { attribute: "valid JSON", target: "request body" }),
        }
    }
}

impl Body {
    /// The attributes of the resource under `key`. Nothing there is a resource without attributes.
    pub(crate) fn member(mut self, key: &'static str) -> Result<Fields, Error> {
        match self.0.remove(key) {
            None => Ok(Fields::new(key, Extra::new())),
            Some(Value::Object(map)) => Ok(Fields::new(key, map)),
            Some(other) => Err(Error::invalid(format!("{other} is not of type 'object'"))),
        }
    }

    /// The resources under `key`.
    pub(crate) fn members(mut self, key: &'static str) -> Result<Vec<Fields>, Error> {
        match self.0.remove(key) {
            Some(Value::Array(items)) if !items.is_empty() => items
                .into_iter()
                .map(|item| match item {
                    Value::Object(map) => Ok(Fields::new(key, map)),
                    other => Err(Error::invalid(format!("{other} is not of type 'object'"))),
                })
                .collect(),
            None => Err(Error::invalid(format!("'{key}' is a required property"))),
            Some(other) => Err(Error::invalid(format!("{other} is not a non-empty array"))),
        }
    }
}

/// The attributes of one resource, taken out one by one; what is left are extra attributes.
pub(crate) struct Fields {
    path: &'static str,
    map: Extra,
}

impl Fields {
    fn new(path: &'static str, map: Extra) -> Self {
        Self { path, map }
    }

    fn wrong(&self, key: &str, why: &str) -> Error {
        Error::invalid(format!("Invalid input for field '{}/{key}': {why}", self.path))
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key)
    }

    /// Text; null is wrong.
    pub(crate) fn text(&mut self, key: &str, most: usize) -> Result<Option<String>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= most => Ok(Some(text)),
            Some(Value::String(text)) => Err(self.wrong(key, &format!("'{text}' is too long"))),
            Some(other) => Err(self.wrong(key, &format!("{other} is not of type 'string'"))),
        }
    }

    /// Text or null.
    pub(crate) fn nullable(&mut self, key: &str) -> Result<Option<Option<String>>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text))),
            Some(other) => {
                Err(self.wrong(key, &format!("{other} is not of type 'string', 'null'")))
            }
        }
    }

    /// A name: text that is not blank.
    pub(crate) fn name(&mut self, key: &str, most: usize) -> Result<Option<String>, Error> {
        let name = self.text(key, most)?;
        match &name {
            Some(text) if text.is_empty() => Err(self.wrong(key, "'' is too short")),
            Some(text) if text.trim().is_empty() => {
                Err(self.wrong(key, &format!("'{text}' does not match '[\\\\S]+'")))
            }
            _ => Ok(name),
        }
    }

    /// An id: letters, digits and dashes, at most 64.
    pub(crate) fn id(&mut self, key: &str) -> Result<Option<String>, Error> {
        let id = self.text(key, 64)?;
        if let Some(text) = &id {
            self.check_id(key, text)?;
        }
        Ok(id)
    }

    /// An id or null.
    pub(crate) fn nullable_id(&mut self, key: &str) -> Result<Option<Option<String>>, Error> {
        let id = self.nullable(key)?;
        if let Some(Some(text)) = &id {
            self.check_id(key, text)?;
        }
        Ok(id)
    }

    fn check_id(&self, key: &str, text: &str) -> Result<(), Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) {
            return Ok(());
        }
        Err(self.wrong(key, &format!("'{text}' does not match '^[a-zA-Z0-9-]+$'")))
    }

    pub(crate) fn flag(&mut self, key: &str) -> Result<Option<bool>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(key, &format!("{other} is not of type 'boolean'"))),
        }
    }

    /// A JSON boolean or null.
    pub(crate) fn nullable_flag(&mut self, key: &str) -> Result<Option<bool>, Error> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => {
                Err(self.wrong(key, &format!("{other} is not of type 'boolean', 'null'")))
            }
        }
    }

    /// A whole number of at least `least`, or null.
    pub(crate) fn count(&mut self, key: &str, least: i64) -> Result<Option<i64>, Error> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) if number >= least => Ok(Some(number)),
                Some(number) => {
                    Err(self.wrong(key, &format!("{number} is less than the minimum of {least}")))
                }
                None => Err(self.wrong(key, &format!("{value} is not of type 'integer', 'null'"))),
            },
        }
    }

    /// A whole number within the bounds of a limit.
    pub(crate) fn limit(&mut self, key: &str) -> Result<Option<i64>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) if (-1..=0x7FFF_FFFF).contains(&number) => Ok(Some(number)),
                Some(number) => Err(self.wrong(key, &format!("{number} is out of range"))),
                None => Err(self.wrong(key, &format!("{value} is not of type 'integer'"))),
            },
        }
    }

    /// The resource's options; only those `known` are, each with its check.
    pub(crate) fn options(&mut self, known: &[KnownOption]) -> Result<Option<Extra>, Error> {
        let options = match self.take("options") {
            None => return Ok(None),
            Some(Value::Object(map)) => map,
            Some(other) => {
                return Err(self.wrong("options", &format!("{other} is not of type 'object'")));
            }
        };
        for (name, value) in &options {
            let Some((_, check)) = known.iter().find(|(known, _)| known == name) else {
                let why =
                    format!("Additional properties are not allowed ('{name}' was unexpected)");
                return Err(self.wrong("options", &why));
            };
            if !value.is_null() && !check(value) {
                let why = format!("{value} is not valid under any of the given schemas");
                return Err(self.wrong(&format!("options/{name}"), &why));
            }
        }
        Ok(Some(options))
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|_| self.wrong(key, &format!("{value} is not of type 'array'"))),
        }
    }

    /// Fails when the body names another resource than the path.
    pub(crate) fn same_id(&mut self, id: &str) -> Result<(), Error> {
        match self.take("id") {
            Some(other) if other != id => Err(Error::invalid("Cannot change ID")),
            _ => Ok(()),
        }
    }

    /// What is left: the extra attributes.
    pub(crate) fn rest(mut self) -> Extra {
        self.map.shift_remove("id");
        self.map.shift_remove("links");
        self.map
    }
}

/// Fails when a required attribute is not there.
pub(crate) fn required<T>(value: Option<T>, key: &str) -> Result<T, Error> {
    value.ok_or_else(|| Error::invalid(format!("'{key}' is a required property")))
}

/// The one option of domains, projects and roles.
pub(crate) const IMMUTABLE: &[KnownOption] = &[("immutable", Value::is_boolean)];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        let Value::Object(map) = value else { panic!("an object") };
        Fields::new("user", map)
    }

    #[test]
    fn names_and_ids() {
        assert!(fields(json!({"name": ""})).name("name", 64).is_err());
        assert!(fields(json!({"name": "  "})).name("name", 64).is_err());
        assert!(fields(json!({"name": null})).name("name", 64).is_err());
        assert!(fields(json!({"name": "x".repeat(65)})).name("name", 64).is_err());
        assert_eq!(fields(json!({})).name("name", 64).unwrap(), None);
        assert!(fields(json!({"id": "a b"})).id("id").is_err());
        assert!(fields(json!({"id": "a-b"})).id("id").is_ok());
    }

    #[test]
    fn flags_are_json_booleans() {
        let error = fields(json!({"enabled": "true"})).flag("enabled").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid input for field 'user/enabled': \"true\" is not of type 'boolean'"
        );
    }

    #[test]
    fn what_is_not_known_is_kept() {
        let mut fields = fields(json!({"id": "x", "name": "n", "email": "e", "links": {}}));
        fields.name("name", 255).unwrap();
        let rest = fields.rest();
        assert_eq!(rest.keys().collect::<Vec<_>>(), ["email"]);
    }

    #[test]
    fn unknown_options_are_refused() {
        let options = |value| fields(json!({"options": value})).options(IMMUTABLE);
        assert!(options(json!({"immutable": true})).is_ok());
        assert!(options(json!({"immutable": null})).is_ok());
        assert!(options(json!({"immutable": "yes"})).is_err());
        assert!(options(json!({"other": true})).is_err());
    }
}
