//! Security groups, as the other services of the process see them.

use serde_json::json;
use stackup_contracts::{IngressRule, NewIngressRule, RuleSource, SecurityGroupRules, WhichGroups};
use stackup_core::{Ctx, SecurityGroupId, Value};
use stackup_store::Reader;

use super::port::group_info;
use super::resources::Made;
use super::work::not_found;
use crate::Neutron;
use crate::error::{Error, Result};
use crate::model::{Record, SECURITY_GROUP, SECURITY_GROUP_RULE};
use crate::store::records::{self, equals};
use crate::store::{Filter, Listing, Scope};

impl Neutron {
    /// Groups with their ingress rules, by project and name.
    pub(crate) async fn group_rules(
        &self,
        cx: &Ctx,
        which: WhichGroups,
    ) -> Result<Vec<SecurityGroupRules>> {
        self.ensure_default_group(cx).await?;
        let scope = Scope::of(cx, &SECURITY_GROUP);
        self.db
            .scan(move |r| {
                let groups = chosen(r, &scope, &which)?;
                with_rules(r, &groups)
            })
            .await
    }

    pub(crate) async fn add_group(
        &self,
        cx: &Ctx,
        name: &str,
        description: &str,
    ) -> Result<SecurityGroupRules> {
        let body = json!({"security_group": {"name": name, "description": description}});
        let made = self.create(cx, &SECURITY_GROUP, body).await?;
        self.one_group(cx, one(made)?.id().into()).await
    }

    pub(crate) async fn rename_group(
        &self,
        cx: &Ctx,
        id: &SecurityGroupId,
        name: &str,
        description: &str,
    ) -> Result<SecurityGroupRules> {
        let body = json!({"security_group": {"name": name, "description": description}});
        self.update(cx, &SECURITY_GROUP, id.as_str(), body, None).await?;
        self.one_group(cx, id.clone()).await
    }

    pub(crate) async fn add_ingress(&self, cx: &Ctx, new: NewIngressRule) -> Result<IngressRule> {
        let mut rule = json!({
            "security_group_id": new.group_id,
            "direction": "ingress",
            "protocol": new.protocol,
            "port_range_min": new.from,
            "port_range_max": new.to,
        });
        match new.source {
            RuleSource::Group(id) => rule["remote_group_id"] = json!(id),
            RuleSource::Cidr(net) => {
                rule["ethertype"] = json!(if net.addr().is_ipv4() { "IPv4" } else { "IPv6" });
                rule["remote_ip_prefix"] = json!(net.to_string());
            }
        }
        let body = json!({"security_group_rule": rule});
        let rule = one(self.create(cx, &SECURITY_GROUP_RULE, body).await?)?;
        self.db.read(move |r| ingress(r, &rule)).await
    }

    async fn one_group(&self, cx: &Ctx, id: SecurityGroupId) -> Result<SecurityGroupRules> {
        let found = self.group_rules(cx, WhichGroups::This(id.clone())).await?;
        found.into_iter().next().ok_or_else(|| not_found(&SECURITY_GROUP, id.as_str()))
    }
}

fn one(made: Made) -> Result<Record> {
    match made {
        Made::One(record) => Ok(*record),
        Made::Many(_) => Err(Error::BadRequest {
            resource: "security_group",
            message: "one was asked for".to_owned(),
        }),
    }
}

fn chosen(r: &Reader<'_>, scope: &Scope, which: &WhichGroups) -> Result<Vec<Record>> {
    if let WhichGroups::This(id) = which {
        let found = records::find(r, &SECURITY_GROUP, scope, id.as_str())?;
        return Ok(vec![found.ok_or_else(|| not_found(&SECURITY_GROUP, id.as_str()))?]);
    }
    let mut groups = records::list(r, &SECURITY_GROUP, scope, &Listing::of(Vec::new()))?;
    if *which == WhichGroups::OfProject {
        groups.retain(|group| group.project_id() == scope.me);
    }
    groups.sort_by(|a, b| (a.project_id(), a.text("name")).cmp(&(b.project_id(), b.text("name"))));
    Ok(groups)
}

fn with_rules(r: &Reader<'_>, groups: &[Record]) -> Result<Vec<SecurityGroupRules>> {
    let ids = groups.iter().map(|group| Value::Text(group.id().to_owned())).collect();
    let of = Filter::OneOf { expression: "t.security_group_id", values: ids, null: false };
    let filters = vec![of, equals("t.direction", "ingress")];
    let listing = Listing::of(filters);
    let rules = records::list(r, &SECURITY_GROUP_RULE, &Scope::everything(), &listing)?;
    let mut all = Vec::with_capacity(groups.len());
    for group in groups {
        let own = rules.iter().filter(|rule| rule.text("security_group_id") == group.id());
        let ingress = own.map(|rule| ingress(r, rule)).collect::<Result<_>>()?;
        all.push(SecurityGroupRules { group: group_info(group), ingress });
    }
    Ok(all)
}

fn ingress(r: &Reader<'_>, rule: &Record) -> Result<IngressRule> {
    let text = |name: &str| rule.some_text(name).map(str::to_owned);
    let remote = match rule.some_text("remote_group_id") {
        Some(id) => records::find(r, &SECURITY_GROUP, &Scope::everything(), id)?,
        None => None,
    };
    Ok(IngressRule {
        id: rule.id().to_owned(),
        group_id: rule.text("security_group_id").into(),
        protocol: text("protocol"),
        from: rule.get("port_range_min").as_i64(),
        to: rule.get("port_range_max").as_i64(),
        cidr: text("remote_ip_prefix"),
        remote_group: remote.as_ref().map(group_info),
    })
}
