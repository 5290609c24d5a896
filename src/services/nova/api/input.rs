//! Request bodies, field by field, with upstream's complaints.
//!
//! Which fields a body may have depends on the microversion, so a body is not a struct: a handler
//! takes the fields its version has, and [`Fields::done`] refuses what is left.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use stackup_core::ids::is_uuid_like;
use stackup_web::Fault;

/// An object of a request.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    taken: Vec<&'static str>,
}

type Result<T> = std::result::Result<T, Fault>;

/// The complaint of upstream's schemas.
pub(crate) fn wrong(field: &str, value: &Value, why: &str) -> Fault {
    let shown: String = value.to_string().chars().take(200).collect();
    Fault::bad_request(format!("Invalid input for field/attribute {field}. Value: {shown}. {why}"))
}

impl<'a> Fields<'a> {
    /// The object under `key`, which is all that the body may have.
    pub(crate) fn only(body: &'a Value, key: &'static str) -> Result<Self> {
        let mut outer = Self::of(key, body)?;
        let inner = outer.need(key)?;
        outer.done()?;
        Self::of(key, inner)
    }

    /// An object.
    pub(crate) fn of(field: &str, value: &'a Value) -> Result<Self> {
        let map = value
            .as_object()
            .ok_or_else(|| wrong(field, value, &format!("{value} is not of type 'object'")))?;
        Ok(Self { map, taken: Vec::new() })
    }

    /// Refuses fields that nobody took.
    pub(crate) fn done(&self) -> Result<()> {
        let stranger = self.map.keys().find(|key| !self.taken.contains(&key.as_str()));
        match stranger {
            None => Ok(()),
            Some(key) => Err(Fault::bad_request(format!(
                "Additional properties are not allowed ('{key}' was unexpected)"
            ))),
        }
    }

    /// A field as it is.
    pub(crate) fn raw(&mut self, key: &'static str) -> Option<&'a Value> {
        self.taken.push(key);
        self.map.get(key)
    }

    pub(crate) fn need(&mut self, key: &'static str) -> Result<&'a Value> {
        self.raw(key).ok_or_else(|| Fault::bad_request(format!("'{key}' is a required property")))
    }

    /// Text of a length. Null is no text.
    pub(crate) fn text(
        &mut self,
        key: &'static str,
        least: usize,
        most: usize,
    ) -> Result<Option<String>> {
        self.raw(key).map(|value| text(key, value, least, most)).transpose()
    }

    pub(crate) fn need_text(
        &mut self,
        key: &'static str,
        least: usize,
        most: usize,
    ) -> Result<String> {
        text(key, self.need(key)?, least, most)
    }

    /// Text or null.
    pub(crate) fn nullable(
        &mut self,
        key: &'static str,
        most: usize,
    ) -> Result<Option<Option<String>>> {
        match self.raw(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => text(key, value, 0, most).map(Some).map(Some),
        }
    }

    /// A name: 1 to 255 printable characters that neither begin nor end with a space.
    pub(crate) fn name(&mut self, key: &'static str) -> Result<Option<String>> {
        self.raw(key).map(|value| name(key, value)).transpose()
    }

    pub(crate) fn need_name(&mut self, key: &'static str) -> Result<String> {
        name(key, self.need(key)?)
    }

    /// A number, also written as text.
    pub(crate) fn integer(
        &mut self,
        key: &'static str,
        least: i64,
        most: i64,
    ) -> Result<Option<i64>> {
        self.raw(key).map(|value| integer(key, value, least, most)).transpose()
    }

    /// A flag, in any of the spellings that upstream takes.
    pub(crate) fn flag(&mut self, key: &'static str) -> Result<Option<bool>> {
        self.raw(key).map(|value| flag(key, value)).transpose()
    }

    pub(crate) fn uuid(&mut self, key: &'static str) -> Result<Option<String>> {
        self.raw(key)
            .map(|value| match value.as_str() {
                Some(text) if is_uuid_like(text) => Ok(text.to_owned()),
                _ => Err(wrong(key, value, &format!("{value} is not a 'uuid'"))),
            })
            .transpose()
    }

    /// An address of version 4 or 6; null and "" take one away.
    pub(crate) fn address(
        &mut self,
        key: &'static str,
        v6: bool,
    ) -> Result<Option<Option<String>>> {
        let Some(value) = self.raw(key) else { return Ok(None) };
        if value.is_null() || value.as_str() == Some("") {
            return Ok(Some(None));
        }
        let address = value.as_str().and_then(|text| text.parse::<std::net::IpAddr>().ok());
        match address {
            Some(address) if address.is_ipv6() == v6 => Ok(Some(Some(address.to_string()))),
            _ => {
                let kind = if v6 { "ipv6" } else { "ipv4" };
                Err(wrong(key, value, &format!("{value} is not a '{kind}'")))
            }
        }
    }

    /// One of some words.
    pub(crate) fn word(
        &mut self,
        key: &'static str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>> {
        let Some(value) = self.raw(key) else { return Ok(None) };
        let found = words.iter().find(|word| value.as_str() == Some(**word));
        found
            .copied()
            .map(Some)
            .ok_or_else(|| wrong(key, value, &format!("{value} is not one of {words:?}")))
    }

    /// Names and values of a server's metadata.
    pub(crate) fn metadata(
        &mut self,
        key: &'static str,
    ) -> Result<Option<BTreeMap<String, String>>> {
        self.raw(key).map(|value| metadata(key, value)).transpose()
    }

    pub(crate) fn list(&mut self, key: &'static str) -> Result<Option<&'a Vec<Value>>> {
        self.raw(key).map(|value| list(key, value)).transpose()
    }
}

pub(crate) fn list<'a>(field: &str, value: &'a Value) -> Result<&'a Vec<Value>> {
    value.as_array().ok_or_else(|| wrong(field, value, &format!("{value} is not of type 'array'")))
}

pub(crate) fn text(field: &str, value: &Value, least: usize, most: usize) -> Result<String> {
    let Some(text) = value.as_str() else {
        return Err(wrong(field, value, &format!("{value} is not of type 'string'")));
    };
    match text.chars().count() {
        n if n < least => Err(wrong(field, value, &format!("{value} is too short"))),
        n if n > most => Err(wrong(field, value, &format!("{value} is too long"))),
        _ => Ok(text.to_owned()),
    }
}

pub(crate) fn name(field: &str, value: &Value) -> Result<String> {
    let text = text(field, value, 1, 255)?;
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err(wrong(
            field,
            value,
            "An invalid 'name' value was provided. The name must be: printable characters. Can \
             not start or end with whitespace.",
        ));
    }
    Ok(text)
}

pub(crate) fn integer(field: &str, value: &Value, least: i64, most: i64) -> Result<i64> {
    let number = match value {
        Value::String(text) => text.parse::<i64>().ok(),
        other => other.as_i64(),
    };
    match number {
        None => Err(wrong(field, value, &format!("{value} is not of type 'integer'"))),
        Some(n) if n < least => {
            Err(wrong(field, value, &format!("{value} is less than the minimum of {least}")))
        }
        Some(n) if n > most => {
            Err(wrong(field, value, &format!("{value} is greater than the maximum of {most}")))
        }
        Some(n) => Ok(n),
    }
}

pub(crate) fn flag(field: &str, value: &Value) -> Result<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) => match text.as_str() {
            "True" | "TRUE" | "true" | "1" | "ON" | "On" | "on" | "YES" | "Yes" | "yes" => Ok(true),
            "False" | "FALSE" | "false" | "0" | "OFF" | "Off" | "off" | "NO" | "No" | "no" => {
                Ok(false)
            }
            _ => Err(wrong(field, value, &format!("{value} is not a boolean"))),
        },
        _ => Err(wrong(field, value, &format!("{value} is not of type 'boolean'"))),
    }
}

/// Metadata: keys of 1 to 255 plain characters, values of up to 255.
pub(crate) fn metadata(field: &str, value: &Value) -> Result<BTreeMap<String, String>> {
    let map = value
        .as_object()
        .ok_or_else(|| wrong(field, value, &format!("{value} is not of type 'object'")))?;
    let mut out = BTreeMap::new();
    for (key, value) in map {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_:. ".contains(c);
        if key.is_empty() || key.chars().count() > 255 || !key.chars().all(plain) {
            return Err(Fault::bad_request(format!(
                "Invalid input for field/attribute {field}. Value: {key}. '{key}' does not match \
                 any of the regexes: '^[a-zA-Z0-9-_:. ]{{1,255}}$'"
            )));
        }
        out.insert(key.clone(), text(key, value, 0, 255)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strangers_are_refused() {
        let body = json!({"server": {"name": "a", "other": 1}});
        let mut fields = Fields::only(&body, "server").unwrap();
        assert_eq!(fields.need_name("name").unwrap(), "a");
        let fault = fields.done().unwrap_err();
        assert_eq!(fault.message, "Additional properties are not allowed ('other' was unexpected)");
        assert!(Fields::only(&json!({"server": {}, "x": 1}), "server").is_err());
        assert!(Fields::only(&json!({}), "server").is_err());
        assert!(Fields::only(&json!([1]), "server").is_err());
    }

    #[test]
    fn fields_are_what_upstream_takes() {
        let body =
            json!({"b": "Yes", "i": "12", "n": " a", "a": "1.2.3.4", "m": {"k": "v"}, "z": null});
        let mut fields = Fields::of("x", &body).unwrap();
        assert_eq!(fields.flag("b").unwrap(), Some(true));
        assert_eq!(fields.integer("i", 0, 99).unwrap(), Some(12));
        assert!(fields.integer("i", 0, 9).is_err());
        assert!(fields.name("n").is_err());
        assert_eq!(fields.address("a", false).unwrap(), Some(Some("1.2.3.4".into())));
        assert!(fields.address("a", true).is_err());
        assert_eq!(fields.metadata("m").unwrap().unwrap()["k"], "v");
        assert_eq!(fields.nullable("z", 9).unwrap(), Some(None));
        assert!(fields.text("z", 0, 9).is_err());
        assert!(fields.done().is_ok());
    }
}
