//! Trusts: made by the trustor, used by the trustee, handed on where that was allowed.

use std::collections::BTreeSet;

use stackup_core::{Ctx, ProjectId, Time, ids};
use stackup_policy::Target;
use stackup_store::Reader;

use super::application_credentials::RoleName;
use crate::Keystone;
use crate::error::Error;
use crate::model::Extra;
use crate::model::role::{Role, RoleRef};
use crate::model::trust::Trust;
use crate::store::{Where, assignments, projects, roles, trusts, users};

/// How long a chain of trusts may become.
const MAX_REDELEGATIONS: i64 = 3;

/// What a request says of a trust.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustFields {
    pub(crate) trustor_user_id: String,
    pub(crate) trustee_user_id: String,
    pub(crate) project_id: Option<String>,
    pub(crate) impersonation: bool,
    pub(crate) expires_at: Option<Time>,
    pub(crate) remaining_uses: Option<i64>,
    pub(crate) allow_redelegation: bool,
    pub(crate) redelegation_count: Option<i64>,
    pub(crate) roles: Vec<RoleName>,
    pub(crate) extra: Extra,
}

fn target(trust: &Trust) -> Target {
    Target::new()
        .with("target.trust.trustor_user_id", &*trust.trustor_user_id)
        .with("target.trust.trustee_user_id", &*trust.trustee_user_id)
}

impl Keystone {
    /// A trust with its roles, if the caller may touch it by `rule`. Unlike elsewhere, one that is
    /// not there is 404 for everybody.
    pub(crate) async fn trust_for(
        &self,
        cx: &Ctx,
        rule: &str,
        id: &str,
    ) -> Result<(Trust, Vec<Role>), Error> {
        let (wanted, now) = (id.to_owned(), self.now());
        let found = self
            .read(move |r| {
                let Some(trust) = trusts::get(r, &wanted)?.filter(|trust| trust.is_open(now))
                else {
                    return Ok(None);
                };
                let mut named = Vec::new();
                for id in &trust.role_ids {
                    named.extend(roles::get(r, id)?);
                }
                Ok(Some((trust, named)))
            })
            .await?;
        let (trust, named) = found.ok_or_else(|| Error::not_found("trust", id))?;
        self.allow(cx, rule, &target(&trust))?;
        not_by_application_credential(cx)?;
        Ok((trust, named))
    }

    /// All trusts, or those of a trustor or a trustee.
    pub(crate) async fn list_trusts(
        &self,
        cx: &Ctx,
        trustor: Option<&str>,
        trustee: Option<&str>,
    ) -> Result<Vec<Trust>, Error> {
        let mut condition = Where::new();
        if let Some(id) = trustor {
            let target = Target::new().with("target.trust.trustor_user_id", id);
            self.allow(cx, "identity:list_trusts_for_trustor", &target)?;
            condition = condition.eq("trustor_user_id", id);
        } else if let Some(id) = trustee {
            let target = Target::new().with("target.trust.trustee_user_id", id);
            self.allow(cx, "identity:list_trusts_for_trustee", &target)?;
            condition = condition.eq("trustee_user_id", id);
        } else {
            self.allow(cx, "identity:list_trusts", &Target::new())?;
        }
        not_by_application_credential(cx)?;
        self.read(move |r| Ok(trusts::list(r, &condition)?)).await
    }

    pub(crate) async fn create_trust(
        &self,
        cx: &Ctx,
        fields: TrustFields,
    ) -> Result<(Trust, Vec<Role>), Error> {
        let trustor = &fields.trustor_user_id;
        let own = Target::new().with("target.trust.trustor_user_id", trustor);
        self.allow(cx, "identity:create_trust", &own)?;
        not_by_application_credential(cx)?;
        let denied = |text: &str| Err(Error::Denied(text.to_owned()));
        if fields.project_id.is_some() && fields.roles.is_empty() {
            return denied("At least one role should be specified");
        }
        if cx.caller.user_id != trustor.as_str() {
            return denied("The authenticated user should match the trustor");
        }
        let (by, now) = (cx.caller.trust_id.clone(), self.now());
        self.write(move |tx| {
            if users::get(tx, &fields.trustee_user_id)?.is_none() {
                return Err(Error::not_found("user", &fields.trustee_user_id));
            }
            let parent = match &by {
                Some(id) => {
                    let parent = trusts::get(tx, id)?.filter(|trust| trust.is_open(now));
                    Some(parent.ok_or_else(|| Error::not_found("trust", id))?)
                }
                None => None,
            };
            let lent = roles_to_lend(tx, &fields, parent.as_ref())?;
            let trust = new_trust(&fields, &lent, parent.as_ref())?;
            trusts::insert(tx, &trust)?;
            Ok((trust, lent))
        })
        .await
    }

    /// Deletes a trust with those made by it; its tokens are good no more.
    pub(crate) async fn delete_trust(&self, cx: &Ctx, id: &str) -> Result<(), Error> {
        let (trust, _) = self.trust_for(cx, "identity:delete_trust", id).await?;
        self.write(move |tx| Ok(trusts::delete(tx, &trust.id).map(drop)?)).await
    }

    /// Counts a token against its trust.
    pub(crate) async fn use_trust(&self, trust: &Trust) -> Result<(), Error> {
        if trust.remaining_uses.is_none() {
            return Ok(());
        }
        let id = trust.id.clone();
        let left = self.write(move |tx| Ok(trusts::consume(tx, &id)?)).await?;
        if left {
            return Ok(());
        }
        let id = &trust.id;
        Err(Error::Forbidden(format!("No remaining uses for trust: {id}.")))
    }
}

/// An application credential neither sees nor makes trusts: they would outlive its bounds.
fn not_by_application_credential(cx: &Ctx) -> Result<(), Error> {
    if cx.caller.application_credential_id.is_none() {
        return Ok(());
    }
    Err(Error::Denied(
        "Using method 'application_credential' is not allowed for managing trusts.".to_owned(),
    ))
}

/// The roles asked for; the first trustor of the chain must have each of them on the project.
fn roles_to_lend(
    r: &Reader<'_>,
    fields: &TrustFields,
    parent: Option<&Trust>,
) -> Result<Vec<Role>, Error> {
    let Some(project) = &fields.project_id else {
        return Ok(Vec::new());
    };
    let owner = match parent {
        Some(parent) => first_trustor(r, parent)?,
        None => fields.trustor_user_id.clone(),
    };
    let project = projects::get(r, project)?.ok_or_else(|| Error::not_found("project", project))?;
    let place = assignments::place(r, &project)?;
    let held: BTreeSet<String> =
        assignments::roles_in(r, &owner, &place)?.into_iter().map(|role| role.id).collect();
    let mut lent = Vec::new();
    for name in &fields.roles {
        let asked = name.id.as_deref().or(name.name.as_deref()).unwrap_or_default();
        let role = match (&name.id, &name.name) {
            (Some(id), _) => roles::get(r, id)?,
            (None, Some(name)) => roles::named(r, name)?,
            (None, None) => None,
        };
        let role = role.filter(|role| held.contains(&role.id));
        lent.push(role.ok_or_else(|| Error::not_found("role", asked))?);
    }
    Ok(lent)
}

/// Who began the chain.
fn first_trustor(r: &Reader<'_>, trust: &Trust) -> Result<String, Error> {
    let mut first = trust.clone();
    while let Some(id) = &first.redelegated_trust_id {
        match trusts::get(r, id)? {
            Some(before) => first = before,
            None => break,
        }
    }
    Ok(first.trustor_user_id.to_string())
}

fn new_trust(fields: &TrustFields, lent: &[Role], parent: Option<&Trust>) -> Result<Trust, Error> {
    let redelegatable = fields.allow_redelegation && fields.redelegation_count != Some(0);
    let most = parent.map_or(MAX_REDELEGATIONS, |parent| parent.redelegation_count - 1);
    let count = match (redelegatable, fields.redelegation_count) {
        (false, _) => 0,
        (true, None) => most,
        (true, Some(count)) => count,
    };
    if count > most {
        return Err(Error::Forbidden(format!(
            "Requested redelegation depth of {count} is greater than allowed {most}"
        )));
    }
    if redelegatable && fields.remaining_uses.is_some() {
        let text = "remaining_uses must not be set if redelegation is allowed";
        return Err(Error::invalid(text));
    }
    let mut trust = Trust {
        id: ids::hex(),
        trustor_user_id: fields.trustor_user_id.as_str().into(),
        trustee_user_id: fields.trustee_user_id.as_str().into(),
        project_id: fields.project_id.as_deref().map(ProjectId::from),
        impersonation: fields.impersonation,
        expires_at: fields.expires_at,
        remaining_uses: fields.remaining_uses,
        redelegated_trust_id: parent.map(|parent| parent.id.clone()),
        redelegation_count: count,
        extra: fields.extra.clone(),
        role_ids: lent.iter().map(|role| role.id.clone()).collect(),
    };
    if let Some(parent) = parent {
        check_redelegation(parent, &mut trust)?;
    }
    Ok(trust)
}

/// A trust made by a trust gives no more than that one does.
fn check_redelegation(parent: &Trust, trust: &mut Trust) -> Result<(), Error> {
    let refused = |text: String| Err(Error::Forbidden(text));
    let depth = parent.redelegation_count;
    if !(1..=MAX_REDELEGATIONS).contains(&depth) {
        return refused(format!(
            "Remaining redelegation depth of {depth} out of allowed range of [0..{MAX_REDELEGATIONS}]"
        ));
    }
    if let Some(uses) = trust.remaining_uses {
        return refused(format!(
            "Field \"remaining_uses\" is set to {uses} while it must not be set in order to \
             redelegate a trust"
        ));
    }
    match (trust.expires_at, parent.expires_at) {
        (Some(own), Some(limit)) if own > limit => {
            return refused(
                "Requested expiration time is more than redelegated trust can provide".to_owned(),
            );
        }
        (None, limit) => trust.expires_at = limit,
        _ => {}
    }
    if trust.project_id != parent.project_id
        || !trust.role_ids.iter().all(|role| parent.role_ids.contains(role))
    {
        return refused("Some of requested roles are not in redelegated trust".to_owned());
    }
    if trust.impersonation && !parent.impersonation {
        return refused(format!(
            "Impersonation is not allowed because redelegated trust does not specify \
             impersonation. Redelegated trust id: {}",
            parent.id
        ));
    }
    Ok(())
}

/// What a trust gives now: its roles, as far as the first trustor still has them. None when the
/// trust or one before it is gone, or somebody in the chain is disabled.
pub(crate) fn lent(
    r: &Reader<'_>,
    id: &str,
    now: Time,
) -> Result<Option<(Trust, Vec<RoleRef>)>, Error> {
    let Some(trust) = trusts::get(r, id)?.filter(|trust| trust.is_current(now)) else {
        return Ok(None);
    };
    let mut chain = vec![trust.clone()];
    while let Some(before) = chain.last().and_then(|t| t.redelegated_trust_id.clone()) {
        match trusts::get(r, &before)?.filter(|trust| trust.is_current(now)) {
            Some(before) => chain.push(before),
            None => return Ok(None),
        }
    }
    for link in &chain {
        for user in [&link.trustor_user_id, &link.trustee_user_id] {
            if users::get(r, user)?.is_none_or(|user| !user.enabled) {
                return Ok(None);
            }
        }
    }
    let project = match &trust.project_id {
        Some(id) => projects::get(r, id)?,
        None => None,
    };
    let (Some(project), Some(first)) = (project, chain.last()) else {
        return Ok(Some((trust, Vec::new())));
    };
    let place = assignments::place(r, &project)?;
    let held = assignments::roles_in(r, &first.trustor_user_id, &place)?;
    let wanted = assignments::expand(r, trust.role_ids.iter().cloned().collect())?;
    // upstream: a trustor who has lost one of the roles has ended the trust's use.
    let complete = wanted.iter().all(|role| held.contains(role));
    Ok(complete.then_some((trust, wanted)))
}
