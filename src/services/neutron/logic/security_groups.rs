//! Security groups, their rules, and the group that every project has.

use serde_json::{Value as Json, json};
use stackup_core::Ctx;

use super::Work;
use super::work::null;
use crate::Neutron;
use crate::error::{Error, Result};
use crate::model::security_group::{DEFAULT_NAME, PARENT};
use crate::model::{
    DEFAULT_RULE, Fields, Record, SECURITY_GROUP, SECURITY_GROUP_RULE, security_rule,
};
use crate::store::groups;
use crate::store::records::equals;

impl Neutron {
    /// Makes the default group of the caller's project, if it is not there.
    pub(crate) async fn ensure_default_group(&self, cx: &Ctx) -> Result<()> {
        let Some(project) = cx.project_id().map(ToString::to_string) else {
            return Ok(());
        };
        let id = project.clone();
        let there =
            self.db.read(move |r| Ok::<_, Error>(groups::default_of(r, &id)?.is_some())).await?;
        if there {
            return Ok(());
        }
        self.work(cx, move |w| ensure_default(w, &project).map(drop)).await
    }
}

/// The default group of a project, made when it is not there.
pub(crate) fn ensure_default(w: &mut Work<'_, '_>, project: &str) -> Result<String> {
    if let Some(id) = groups::default_of(w.reader(), project)? {
        return Ok(id);
    }
    let fields = Fields::create(
        &SECURITY_GROUP,
        json!({"name": DEFAULT_NAME, "description": "Default security group"}),
    )?;
    group(w, fields, project, true)
}

pub(crate) fn create(w: &mut Work<'_, '_>, fields: Fields) -> Result<String> {
    let project = fields.text("project_id").unwrap_or_default().to_owned();
    ensure_default(w, &project)?;
    if fields.text("name").is_some_and(|name| name.eq_ignore_ascii_case(DEFAULT_NAME)) {
        return Err(Error::SecurityGroupDefaultAlreadyExists);
    }
    // The default group may have been the last one that the quota allows.
    super::quotas::check(w, &SECURITY_GROUP, &project, 1)?;
    group(w, fields, &project, false)
}

/// A group with the rules that groups begin with.
fn group(w: &mut Work<'_, '_>, mut fields: Fields, project: &str, default: bool) -> Result<String> {
    fields.set("project_id", project);
    fields.set("default_of", if default { json!(project) } else { null() });
    let id = w.insert(&SECURITY_GROUP, &mut fields)?;
    let used = if default { "used_in_default_sg" } else { "used_in_non_default_sg" };
    for template in w.all(&DEFAULT_RULE, Vec::new())? {
        if !template.flag(used) {
            continue;
        }
        let remote = template.text("remote_group_id");
        let remote = if remote == PARENT { &id } else { remote };
        let rule = json!({
            "project_id": project,
            "security_group_id": id,
            "direction": template.get("direction"),
            "ethertype": template.get("ethertype"),
            "protocol": template.get("protocol"),
            "port_range_min": template.get("port_range_min"),
            "port_range_max": template.get("port_range_max"),
            "remote_ip_prefix": template.get("remote_ip_prefix"),
            "remote_group_id": if remote.is_empty() { null() } else { json!(remote) },
            "description": template.get("description"),
        });
        let mut rule = Fields::create(&SECURITY_GROUP_RULE, rule)?;
        security_rule::check(&mut rule)?;
        w.insert(&SECURITY_GROUP_RULE, &mut rule)?;
    }
    Ok(id)
}

pub(crate) fn update(w: &mut Work<'_, '_>, before: &Record, fields: &Fields) -> Result<()> {
    let name = fields.text("name");
    let is_default = before.some_text("default_of").is_some();
    if is_default && name.is_some_and(|name| name != before.text("name")) {
        return Err(Error::SecurityGroupCannotUpdateDefault);
    }
    if !is_default && name.is_some_and(|name| name.eq_ignore_ascii_case(DEFAULT_NAME)) {
        return Err(Error::SecurityGroupDefaultAlreadyExists);
    }
    if fields.flag("stateful").is_some_and(|new| new != before.flag("stateful")) {
        unused(w, before)?;
    }
    w.update(&SECURITY_GROUP, before.id(), fields)
}

pub(crate) fn delete(w: &mut Work<'_, '_>, group: &Record) -> Result<()> {
    unused(w, group)?;
    // neutron: only an administrator removes the default group; it comes back when asked for.
    if group.some_text("default_of").is_some() && !w.cx.is_admin() {
        return Err(Error::SecurityGroupCannotRemoveDefault);
    }
    w.delete(&SECURITY_GROUP, group.id())
}

fn unused(w: &Work<'_, '_>, group: &Record) -> Result<()> {
    if groups::members(w.reader(), group.id())? > 0 {
        Err(Error::SecurityGroupInUse(group.id().to_owned()))
    } else {
        Ok(())
    }
}

pub(crate) fn create_rule(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    security_rule::check(&mut fields)?;
    let group = w.any(&SECURITY_GROUP, fields.text("security_group_id").unwrap_or_default())?;
    if let Some(remote) = fields.text("remote_group_id") {
        w.find(&SECURITY_GROUP, remote)?;
    }
    let others = w.all(&SECURITY_GROUP_RULE, vec![equals("t.security_group_id", group.id())])?;
    if let Some(same) = others.iter().find(|other| is_same(other, &fields)) {
        return Err(Error::SecurityGroupRuleExists(same.id().to_owned()));
    }
    let id = w.insert(&SECURITY_GROUP_RULE, &mut fields)?;
    // A rule is a change of its group.
    w.revise(&SECURITY_GROUP, group.id())?;
    Ok(id)
}

pub(crate) fn create_default_rule(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    security_rule::check(&mut fields)?;
    let remote = fields.text("remote_group_id").filter(|remote| *remote != PARENT);
    if let Some(remote) = remote.map(str::to_owned) {
        w.find(&SECURITY_GROUP, &remote)?;
    }
    w.insert(&DEFAULT_RULE, &mut fields)
}

fn is_same(rule: &Record, fields: &Fields) -> bool {
    security_rule::IDENTITY.iter().all(|name| {
        let new = fields.get(name).unwrap_or(&Json::Null);
        rule.get(name) == new
    })
}
