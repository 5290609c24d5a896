//! Policies: blobs that keystone keeps and never reads.

use serde_json::Value;

use super::Extra;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicyBlob {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) blob: Value,
    pub(crate) extra: Extra,
}
