//! Application credentials and access rules.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use stackup_core::{Caller, Ctx, Scope, Time, ids};
use stackup_policy::Target;
use stackup_store::Tx;

use super::credentials::check_unrestricted;
use crate::Keystone;
use crate::error::Error;
use crate::model::application_credential::{AccessRule, ApplicationCredential};
use crate::model::role::Role;
use crate::store::{
    Where, application_credentials as store, assignments, catalog, projects, roles,
};

/// What a request says of an application credential.
#[derive(Clone, Default)]
pub(crate) struct ApplicationCredentialFields {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) unrestricted: bool,
    /// Ids or names; none is all that the token has.
    pub(crate) roles: Option<Vec<RoleName>>,
    pub(crate) access_rules: Vec<AccessRule>,
}

/// A role by id or by name.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct RoleName {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
}

impl Keystone {
    /// One with its roles, if the caller may touch it by `rule`. Its owner is who made it, whatever
    /// the path says.
    pub(crate) async fn application_credential_for(
        &self,
        cx: &Ctx,
        rule: &str,
        user_id: &str,
        id: &str,
    ) -> Result<(ApplicationCredential, Vec<Role>), Error> {
        let wanted = id.to_owned();
        let found = self.read(move |r| Ok(store::get(r, &wanted)?)).await?;
        let owner = found.as_ref().map_or(user_id, |found| &*found.user_id);
        self.allow(cx, rule, &Target::new().with("user_id", owner))?;
        not_by_trust(cx)?;
        let found = found.ok_or_else(|| Error::not_found("Application Credential", id))?;
        let roles = self.roles_by_id(found.role_ids.clone()).await?;
        Ok((found, roles))
    }

    pub(crate) async fn list_application_credentials(
        &self,
        cx: &Ctx,
        user_id: &str,
        condition: Where,
    ) -> Result<Vec<(ApplicationCredential, Vec<Role>)>, Error> {
        let owner = Target::new().with("user_id", user_id);
        self.allow(cx, "identity:list_application_credentials", &owner)?;
        not_by_trust(cx)?;
        let condition = condition.eq("user_id", user_id);
        let found = self.read(move |r| Ok(store::list(r, &condition)?)).await?;
        let mut all = Vec::new();
        for credential in found {
            let roles = self.roles_by_id(credential.role_ids.clone()).await?;
            all.push((credential, roles));
        }
        Ok(all)
    }

    /// Makes one of the caller's own roles on the project of the token. Answers the secret, which
    /// is not kept.
    pub(crate) async fn create_application_credential(
        &self,
        cx: &Ctx,
        user_id: &str,
        fields: ApplicationCredentialFields,
    ) -> Result<(ApplicationCredential, Vec<Role>, String), Error> {
        let owner = Target::new().with("user_id", user_id);
        self.allow(cx, "identity:create_application_credential", &owner)?;
        not_by_trust(cx)?;
        check_unrestricted(cx)?;
        let Scope::Project { id: project, .. } = &cx.caller.scope else {
            return Err(Error::invalid(
                "Invalid application credential: Only project-scoped tokens may create application \
                 credentials.",
            ));
        };
        if fields.expires_at.is_some_and(|at| at <= self.now()) {
            return Err(Error::invalid(
                "The 'expires_at' must not be before now. The server could not comply with the \
                 request since it is either malformed or otherwise incorrect. The client is \
                 assumed to be in error.",
            ));
        }
        let granted = self.roles_to_delegate(cx, fields.roles).await?;
        let random = || URL_SAFE_NO_PAD.encode(rand::random::<[[u8; 32]; 2]>().concat());
        let secret = fields.secret.unwrap_or_else(random);
        let credential = ApplicationCredential {
            id: ids::hex(),
            name: fields.name,
            user_id: user_id.into(),
            project_id: project.clone(),
            description: fields.description,
            secret_hash: self.passwords.hash(&secret).await?,
            expires_at: fields.expires_at,
            unrestricted: fields.unrestricted,
            role_ids: granted.iter().map(|role| role.id.clone()).collect(),
            access_rules: fields.access_rules,
        };
        let kept = self.write(move |tx| insert(tx, credential.clone())).await?;
        Ok((kept, granted, secret))
    }

    pub(crate) async fn delete_application_credential(
        &self,
        cx: &Ctx,
        user_id: &str,
        id: &str,
    ) -> Result<(), Error> {
        const RULE: &str = "identity:delete_application_credential";
        let (found, _) = self.application_credential_for(cx, RULE, user_id, id).await?;
        check_unrestricted(cx)?;
        self.write(move |tx| Ok(store::delete(tx, &found.id).map(drop)?)).await
    }

    /// The roles to hand on: some of those that the caller has here, by default all that were
    /// assigned.
    async fn roles_to_delegate(
        &self,
        cx: &Ctx,
        wanted: Option<Vec<RoleName>>,
    ) -> Result<Vec<Role>, Error> {
        let user_id = cx.caller.user_id.clone();
        let Some(project_id) = cx.project_id().cloned() else {
            return Ok(Vec::new());
        };
        // An application credential hands on no more than it has itself.
        let own: Vec<String> = cx.caller.roles.clone();
        self.read(move |r| {
            let gone = || Error::not_found("project", &project_id);
            let project = projects::get(r, &project_id)?.ok_or_else(gone)?;
            let place = assignments::place(r, &project)?;
            let held = assignments::roles_in(r, &user_id, &place)?;
            let held = held.into_iter().filter(|role| own.contains(&role.name));
            let mut held: Vec<(String, String)> = held.map(|role| (role.id, role.name)).collect();
            if let Some(wanted) = wanted {
                let mut chosen = Vec::new();
                for name in wanted {
                    let is = |(id, text): &&(String, String)| match (&name.id, &name.name) {
                        (Some(wanted), _) => id == wanted,
                        (None, wanted) => Some(text) == wanted.as_ref(),
                    };
                    let found = held.iter().find(is).cloned();
                    chosen.push(found.ok_or_else(|| unassigned(&name))?);
                }
                held = chosen;
            }
            let mut granted = Vec::new();
            for (id, _) in held {
                granted.extend(roles::get(r, &id)?);
            }
            Ok(granted)
        })
        .await
    }

    async fn roles_by_id(&self, ids: Vec<String>) -> Result<Vec<Role>, Error> {
        self.read(move |r| {
            let mut found = Vec::new();
            for id in &ids {
                found.extend(roles::get(r, id)?);
            }
            Ok(found)
        })
        .await
    }

    pub(crate) async fn list_access_rules(
        &self,
        cx: &Ctx,
        user_id: &str,
    ) -> Result<Vec<AccessRule>, Error> {
        let owner = Target::new().with("target.user.id", user_id);
        self.allow(cx, "identity:list_access_rules", &owner)?;
        let user_id = user_id.to_owned();
        self.read(move |r| Ok(store::rules(r, &user_id)?)).await
    }

    /// A user's rule that the caller may touch by `rule`.
    pub(crate) async fn access_rule_for(
        &self,
        cx: &Ctx,
        rule: &str,
        user_id: &str,
        id: &str,
    ) -> Result<AccessRule, Error> {
        self.allow(cx, rule, &Target::new().with("target.user.id", user_id))?;
        let owner = user_id.to_owned();
        let rules = self.read(move |r| Ok(store::rules(r, &owner)?)).await?;
        let found = rules.into_iter().find(|rule| rule.id == id);
        found.ok_or_else(|| Error::not_found("Access Rule", id))
    }

    /// Whether a request is one that the caller's application credential may make. One without
    /// rules may make all; one that is gone, none.
    pub(crate) async fn is_within_rules(
        &self,
        caller: &Caller,
        service: &str,
        verb: &str,
        path: &str,
    ) -> Result<bool, Error> {
        let Some(id) = caller.application_credential_id.clone() else {
            return Ok(true);
        };
        let service = service.to_owned();
        let (found, kinds) = self
            .read(move |r| {
                let mut kinds = Vec::new();
                for known in catalog::services(r, &Where::new())? {
                    if known.extra.get("name").and_then(Value::as_str) == Some(&service) {
                        kinds.push(known.kind);
                    }
                }
                Ok((store::get(r, &id)?, kinds))
            })
            .await?;
        let Some(found) = found else {
            return Ok(false);
        };
        let allows = |rule: &AccessRule| kinds.contains(&rule.service) && rule.covers(verb, path);
        Ok(found.access_rules.is_empty() || found.access_rules.iter().any(allows))
    }

    /// Deletes a rule that no application credential uses.
    pub(crate) async fn delete_access_rule(
        &self,
        cx: &Ctx,
        user_id: &str,
        id: &str,
    ) -> Result<(), Error> {
        const RULE: &str = "identity:delete_access_rule";
        let rule = self.access_rule_for(cx, RULE, user_id, id).await?;
        self.write(move |tx| {
            if store::rule_is_used(tx, &rule.id)? {
                return Err(Error::Forbidden("May not delete access rule in use".to_owned()));
            }
            Ok(store::delete_rule(tx, &rule.id)?)
        })
        .await
    }
}

/// Inserts a credential; a rule that its user has already is used again.
fn insert(
    tx: &mut Tx<'_>,
    mut credential: ApplicationCredential,
) -> Result<ApplicationCredential, Error> {
    let user_id = credential.user_id.clone();
    for rule in &mut credential.access_rules {
        match store::rule_like(tx, &user_id, rule)? {
            Some(known) => *rule = known,
            None => {
                rule.id = ids::hex();
                store::insert_rule(tx, &user_id, rule)?;
            }
        }
    }
    let details = format!("Duplicate entry found with name {}.", credential.name);
    let conflict = Error::duplicate("application_credential", details);
    store::insert(tx, &credential).map_err(conflict)?;
    Ok(credential)
}

/// What a trust's token made would outlive the trust.
fn not_by_trust(cx: &Ctx) -> Result<(), Error> {
    if cx.caller.trust_id.is_none() {
        return Ok(());
    }
    Err(Error::Forbidden(
        "Cannot manage application credentials with a token issued via delegation.".to_owned(),
    ))
}

fn unassigned(name: &RoleName) -> Error {
    let role = name.id.as_deref().or(name.name.as_deref()).unwrap_or_default();
    Error::invalid(format!(
        "Invalid application credential: Could not find role assignment with role: {role}"
    ))
}
