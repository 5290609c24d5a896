//! Limits, and what is used of them.

use serde_json::{Map, Value as Json, json};
use stackup_core::{Ctx, Origin};

use super::Work;
use crate::Neutron;
use crate::error::{Error, Result};
use crate::model::Resource;
use crate::quota::LIMITED;
use crate::store::{quotas, records};

/// Fails when the project would have more of a resource than it may. Counted in the transaction
/// that adds to it, so that two requests cannot both be the last one.
pub(crate) fn check(w: &Work<'_, '_>, resource: &Resource, project: &str, more: i64) -> Result<()> {
    let Some(name) = resource.quota else {
        return Ok(());
    };
    if project.is_empty() || w.cx.origin == Origin::Task {
        return Ok(());
    }
    let own = quotas::of(w.reader(), project)?;
    let limit = own.get(name).copied().or(w.config.quota.of(name)).unwrap_or(-1);
    if limit >= 0 && records::count(w.reader(), resource, project)? + more > limit {
        return Err(Error::OverQuota(name));
    }
    Ok(())
}

impl Neutron {
    /// The limits of a project.
    pub(crate) async fn quota(&self, project: &str) -> Result<Json> {
        let project = project.to_owned();
        let own = self.db.read(move |r| Ok::<_, Error>(quotas::of(r, &project)?)).await?;
        Ok(self.limits(&own))
    }

    /// The limits of whoever has none of their own.
    pub(crate) fn default_quota(&self) -> Json {
        self.limits(&quotas::Limits::new())
    }

    /// The projects with limits of their own.
    pub(crate) async fn quotas(&self) -> Result<Vec<Json>> {
        let all = self.db.read(|r| Ok::<_, Error>(quotas::all(r)?)).await?;
        let views = all.iter().map(|(project, own)| {
            let mut view = self.limits(own);
            view["project_id"] = json!(project);
            view["tenant_id"] = json!(project);
            view
        });
        Ok(views.collect())
    }

    /// Limits with what is used of them.
    pub(crate) async fn quota_details(&self, project: &str) -> Result<Json> {
        let project = project.to_owned();
        let (own, used) = self
            .db
            .read(move |r| {
                let own = quotas::of(r, &project)?;
                let used = LIMITED.iter().map(|resource| records::count(r, resource, &project));
                Ok::<_, Error>((own, used.collect::<Result<Vec<i64>>>()?))
            })
            .await?;
        let limits = self.limits(&own);
        let mut details = Map::new();
        for (resource, used) in LIMITED.iter().zip(used) {
            let name = resource.quota.unwrap_or_default();
            let limit = limits.get(name).cloned();
            details.insert(name.to_owned(), json!({"limit": limit, "used": used, "reserved": 0}));
        }
        Ok(Json::Object(details))
    }

    pub(crate) async fn set_quota(&self, cx: &Ctx, project: &str, body: &Json) -> Result<Json> {
        let limits = read(body)?;
        let id = project.to_owned();
        self.work(cx, move |w| {
            for (resource, amount) in &limits {
                quotas::set(w.tx, &id, resource, *amount)?;
            }
            Ok(())
        })
        .await?;
        self.quota(project).await
    }

    pub(crate) async fn reset_quota(&self, cx: &Ctx, project: &str) -> Result<()> {
        let id = project.to_owned();
        self.work(cx, move |w| Ok(quotas::reset(w.tx, &id)?)).await
    }

    fn limits(&self, own: &quotas::Limits) -> Json {
        let limits = LIMITED.iter().filter_map(|resource| {
            let name = resource.quota?;
            let limit = own.get(name).copied().or(self.config.quota.of(name))?;
            Some((name.to_owned(), json!(limit)))
        });
        Json::Object(limits.collect())
    }
}

fn read(body: &Json) -> Result<Vec<(String, i64)>> {
    let given = body.get("quota").and_then(Json::as_object);
    let given =
        given.ok_or_else(|| Error::BadBody("Unable to find 'quota' in request body".to_owned()))?;
    let mut limits = Vec::new();
    for (name, value) in given {
        if matches!(name.as_str(), "tenant_id" | "project_id" | "force" | "check_limit") {
            continue;
        }
        if !LIMITED.iter().any(|resource| resource.quota == Some(name)) {
            return Err(Error::Unrecognized(name.clone()));
        }
        let shape = crate::model::shape::Shape::Int(-1, i64::from(i32::MAX));
        let value = shape
            .accept(value.clone())
            .map_err(|reason| Error::InvalidAttribute { attribute: name.clone(), reason })?;
        limits.push((name.clone(), value.as_i64().unwrap_or(-1)));
    }
    Ok(limits)
}
