//! Which rule is asked of which target, attribute rules included.

use serde_json::Value as Json;
use stackup_core::Ctx;
use stackup_policy::{Policy, Target};

use super::Work;
use crate::error::Result;
use crate::model::{Fields, Lens, METERING_LABEL, NETWORK, Record, Resource, SECURITY_GROUP};

/// What is touched, in the words of the rules.
pub(crate) struct Touched<'a> {
    pub(crate) project: &'a str,
    pub(crate) network: Option<&'a str>,
    pub(crate) group: Option<&'a str>,
    /// Whose project counts, not the row's own.
    pub(crate) label: Option<&'a str>,
    pub(crate) device_owner: &'a str,
    pub(crate) target_tenant: &'a str,
}

impl<'a> Touched<'a> {
    /// Something that a request makes.
    pub(crate) fn by(project: &'a str, fields: &'a Fields) -> Self {
        Self {
            project,
            network: fields.text("network_id"),
            group: fields.text("security_group_id"),
            label: fields.text("metering_label_id"),
            device_owner: fields.text("device_owner").unwrap_or_default(),
            target_tenant: fields.text("target_tenant").unwrap_or_default(),
        }
    }

    /// Something that is there, as it will be when the fields are set.
    pub(crate) fn existing(record: &'a Record, fields: Option<&'a Fields>) -> Self {
        let text = |name: &'static str| {
            let known = record.resource.attr(name).is_some();
            let new = fields.and_then(|fields| fields.text(name));
            new.or_else(|| record.some_text(name).filter(|_| known))
        };
        let has = |name: &str| record.resource.attr(name).is_some();
        Self {
            project: if has("project_id") { record.project_id() } else { "" },
            network: if has("network_id") { record.some_text("network_id") } else { None },
            group: if has("security_group_id") {
                record.some_text("security_group_id")
            } else {
                None
            },
            label: if has("metering_label_id") {
                record.some_text("metering_label_id")
            } else {
                None
            },
            device_owner: if has("device_owner") {
                text("device_owner").unwrap_or_default()
            } else {
                ""
            },
            target_tenant: if has("target_tenant") {
                text("target_tenant").unwrap_or_default()
            } else {
                ""
            },
        }
    }

    fn target(&self, w: &Work<'_, '_>) -> Result<Target> {
        let label = self.label.map(|label| w.any(&METERING_LABEL, label)).transpose()?;
        let project = label.as_ref().map_or(self.project, Record::project_id);
        let mut target = Target::project(project)
            .with("device_owner", self.device_owner)
            .with("target_tenant", self.target_tenant)
            .with("target_project", self.target_tenant);
        if let Some(network) = self.network {
            let network = w.any(&NETWORK, network)?;
            let shared = if network.flag("shared") { "True" } else { "False" };
            target = target.with("network:project_id", network.project_id()).with("shared", shared);
        }
        if let Some(group) = self.group {
            let group = w.any(&SECURITY_GROUP, group)?;
            target = target.with("security_group:project_id", group.project_id());
        }
        Ok(target)
    }
}

/// Asks `<verb>_<resource>` and the rules of the attributes that the request names.
pub(crate) fn authorise(
    w: &Work<'_, '_>,
    verb: &str,
    resource: &Resource,
    touched: &Touched<'_>,
    fields: Option<&Fields>,
) -> Result<()> {
    let target = touched.target(w)?;
    let rule = format!("{verb}_{}", resource.name);
    let policy = w.policy;
    policy.check(w.cx, &rule, &target)?;
    for attribute in fields.map_or(&[][..], Fields::given) {
        let rule = format!("{rule}:{attribute}");
        ask(policy, w.cx, &rule, &target)?;
        let value = fields.and_then(|fields| fields.get(attribute));
        for inner in inner_keys(value) {
            ask(policy, w.cx, &format!("{rule}:{inner}"), &target)?;
        }
    }
    Ok(())
}

/// Asks a rule if there is one.
fn ask(policy: &Policy, cx: &Ctx, rule: &str, target: &Target) -> Result<()> {
    if policy.knows(rule) {
        policy.check(cx, rule, target)?;
    }
    Ok(())
}

/// The keys inside an object, or inside the objects of a list.
fn inner_keys(value: Option<&Json>) -> Vec<&str> {
    let mut keys: Vec<&str> = match value {
        Some(Json::Object(map)) => map.keys().map(String::as_str).collect(),
        Some(Json::Array(items)) => {
            let objects = items.iter().filter_map(Json::as_object);
            objects.flat_map(|map| map.keys().map(String::as_str)).collect()
        }
        _ => Vec::new(),
    };
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What the caller may see of a resource's attributes.
pub(crate) fn lens(policy: &Policy, cx: &Ctx, resource: &Resource, fields: Vec<String>) -> Lens {
    let hides = |name: &str| {
        let rule = format!("get_{}:{name}", resource.name);
        policy.knows(&rule) && name != "tags" && policy.check_own(cx, &rule).is_err()
    };
    let hidden = resource.attrs().map(|attr| attr.name).filter(|name| hides(name));
    Lens { hidden: hidden.collect(), fields }
}
