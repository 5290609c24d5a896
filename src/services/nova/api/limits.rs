//! `/limits`

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Map, Value, json};
use stackup_web::{Cx, Json, Query};

use super::{NO_IMAGE_METADATA, NO_PERSONALITY, NO_PROXIES, known_parameters};
use crate::logic::quotas;
use crate::{Error, Nova};

/// Name in the answer, and the limit behind it.
const LIMITS: &[(&str, &str)] = &[
    ("maxTotalInstances", "instances"),
    ("maxTotalCores", "cores"),
    ("maxTotalRAMSize", "ram"),
    ("maxServerMeta", "metadata_items"),
    ("maxTotalKeypairs", "key_pairs"),
    ("maxServerGroups", "server_groups"),
    ("maxServerGroupMembers", "server_group_members"),
];
const USED: &[(&str, &str)] = &[
    ("totalInstancesUsed", "instances"),
    ("totalCoresUsed", "cores"),
    ("totalRAMUsed", "ram"),
    ("totalServerGroupsUsed", "server_groups"),
];

pub(super) async fn index(
    State(nova): State<Arc<Nova>>,
    Cx(cx): Cx,
    query: Query,
) -> Result<Json<Value>, Error> {
    known_parameters(&cx, &query, &["tenant_id", "reserved"])?;
    let own = cx.project_id().map(ToString::to_string).unwrap_or_default();
    let project = match query.get("tenant_id") {
        Some(project) if project != own => {
            nova.policy.check_own(&cx, "os_compute_api:limits:other_project")?;
            project.to_owned()
        }
        _ => own,
    };
    let (limits, used) = quotas::of_project(&nova, &cx, &project).await?;
    let mut absolute = Map::new();
    let mut set = |name: &str, value: i64| {
        absolute.insert(name.to_owned(), json!(value));
    };
    for (name, limit) in LIMITS {
        set(name, limits[limit]);
    }
    for (name, limit) in USED {
        set(name, used[limit]);
    }
    if !cx.since(NO_PERSONALITY) {
        set("maxPersonality", limits["injected_files"]);
        set("maxPersonalitySize", limits["injected_file_content_bytes"]);
    }
    if !cx.since(NO_IMAGE_METADATA) {
        set("maxImageMeta", limits["metadata_items"]);
    }
    if !cx.since(NO_PROXIES) {
        for name in ["maxTotalFloatingIps", "maxSecurityGroups", "maxSecurityGroupRules"] {
            set(name, -1);
        }
        set("totalFloatingIpsUsed", 0);
        set("totalSecurityGroupsUsed", 0);
    }
    Ok(Json(json!({"limits": {"rate": [], "absolute": absolute}})))
}
