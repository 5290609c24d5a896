//! Bodies, refused in the words of placement's schemas.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stackup_core::ErrorKind;
use stackup_web::{Fault, body};

use crate::error::Error;

/// A JSON body that fits its schema: `Valid(request): Valid<Create>`.
pub(super) struct Valid<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Valid<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned());
        let bytes = body::read(request.into_body(), body::MAX_JSON).await?;
        match kind.as_deref() {
            Some("application/json") => {}
            None if !bytes.is_empty() => {
                return Err(Fault::bad_request("content-type header required"));
            }
            other => {
                let other = other.unwrap_or("None");
                let text = format!("The media type {other} is not supported, use application/json");
                return Err(Fault::new(ErrorKind::UnsupportedMediaType, text));
            }
        }
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Fault::bad_request(format!("Malformed JSON: {error}")))?;
        fit(value).map(Valid).map_err(|error| error.fault())
    }
}

/// The UUID of a path, as it is stored.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let found = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = found.map_err(|_| Fault::not_found("The resource could not be found."))?;
        Ok(Self(super::canonical(&text)))
    }
}

/// Reads a value whose form depends on the version.
pub(super) fn fit<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| wrong(&said(&error.to_string())))
}

/// What does not fit.
pub(super) fn wrong(what: &str) -> Error {
    Error::bad(format!("JSON does not validate: {what}"))
}

/// serde's complaint in jsonschema's words, which clients' tests look for.
fn said(error: &str) -> String {
    let quoted = |text: &str, from: char| -> Option<String> {
        let rest = text.split_once(from)?.1;
        Some(rest.split_once(from)?.0.to_owned())
    };
    if error.starts_with("missing field")
        && let Some(name) = quoted(error, '`')
    {
        return format!("'{name}' is a required property");
    }
    if error.starts_with("unknown field")
        && let Some(name) = quoted(error, '`')
    {
        return format!("Additional properties are not allowed ('{name}' was unexpected)");
    }
    let Some((found, expected)) = error
        .strip_prefix("invalid type: ")
        .or_else(|| error.strip_prefix("invalid value: "))
        .and_then(|rest| rest.split_once(", expected "))
    else {
        return error.to_owned();
    };
    let kind = match expected {
        "u64" | "Option<u64>" => "integer",
        "f64" => "number",
        "a string" => "string",
        "a sequence" => "array",
        expected if expected == "a map" || expected.starts_with("struct") => "object",
        other => other,
    };
    let value = quoted(found, '"').map(|text| format!("'{text}'"));
    let value = value.or_else(|| quoted(found, '`'));
    format!("{} is not of type '{kind}'", value.as_deref().unwrap_or(found))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Form {
        number: u64,
        list: Option<Vec<String>>,
        map: Option<BTreeMap<String, u64>>,
    }

    #[test]
    fn complaints_are_the_schemas() {
        let complaint = |value| fit::<Form>(value).err().unwrap().to_string();
        for (value, said) in [
            (json!({}), "'number' is a required property"),
            (
                json!({"number": 1, "x": 2}),
                "Additional properties are not allowed ('x' was unexpected)",
            ),
            (json!({"number": "one"}), "'one' is not of type 'integer'"),
            (json!({"number": -1}), "-1 is not of type 'integer'"),
            (json!({"number": 1, "list": "a"}), "'a' is not of type 'array'"),
            (json!({"number": 1, "map": "a"}), "'a' is not of type 'object'"),
        ] {
            assert_eq!(complaint(value), format!("JSON does not validate: {said}"));
        }
    }
}
