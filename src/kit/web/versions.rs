//! Version documents: what a client reads before it knows anything.

use serde_json::{Value, json};
use stackup_core::MvRange;

/// One major version of an API.
#[derive(Debug, Clone)]
pub struct Version {
    /// `v2.1`
    pub id: &'static str,
    /// `CURRENT`, `SUPPORTED`; keystone says `stable`.
    pub status: &'static str,
    /// The path under the service's own URL: `v2.1/`.
    pub path: &'static str,
    pub updated: &'static str,
    pub microversions: Option<MvRange>,
    /// `application/vnd.openstack.compute+json;version=2.1`, where the service names one.
    pub media_type: Option<&'static str>,
}

impl Version {
    /// The entry of this version, with links as the caller sees them.
    pub fn document(&self, self_url: &str) -> Value {
        let href = format!("{}/{}", self_url.trim_end_matches('/'), self.path);
        let mut entry = json!({
            "id": self.id,
            "status": self.status,
            "links": [{"rel": "self", "href": href}],
        });
        if !self.updated.is_empty() {
            entry["updated"] = json!(self.updated);
        }
        if let Some(range) = self.microversions {
            entry["version"] = json!(range.max.to_string());
            entry["min_version"] = json!(range.min.to_string());
        }
        if let Some(kind) = self.media_type {
            entry["media-types"] = json!([{"base": "application/json", "type": kind}]);
        }
        entry
    }
}
