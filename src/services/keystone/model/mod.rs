//! Types. No async, no SQL, no HTTP.
#![warn(clippy::wildcard_enum_match_arm)]

pub(crate) mod application_credential;
pub(crate) mod assignment;
pub(crate) mod catalog;
pub(crate) mod credential;
pub(crate) mod group;
pub(crate) mod limit;
pub(crate) mod policy;
pub(crate) mod project;
pub(crate) mod role;
pub(crate) mod token;
pub(crate) mod trust;
pub(crate) mod user;

/// A JSON object: what users add to a resource, and its options.
pub(crate) type Extra = serde_json::Map<String, serde_json::Value>;

/// Whether the option `immutable` keeps a resource from being changed or deleted.
pub(crate) fn is_immutable(options: &Extra) -> bool {
    options.get("immutable") == Some(&serde_json::Value::Bool(true))
}
