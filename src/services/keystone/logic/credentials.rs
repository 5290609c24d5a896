//! Credentials, encrypted at rest; EC2 keys among them.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stackup_core::{Ctx, ids};
use stackup_policy::Target;

use super::overlay;
use crate::Keystone;
use crate::error::Error;
use crate::model::Extra;
use crate::model::credential::{Credential, EC2};
use crate::store::{Where, credentials, projects};

/// What a request says of a credential.
#[derive(Clone, Default)]
pub(crate) struct CredentialFields {
    pub(crate) user_id: Option<String>,
    pub(crate) project_id: Option<Option<String>>,
    pub(crate) kind: Option<String>,
    pub(crate) blob: Option<String>,
    pub(crate) extra: Extra,
}

fn target(user_id: Option<&str>) -> Target {
    match user_id {
        Some(id) => Target::new().with("target.credential.user_id", id),
        None => Target::new(),
    }
}

/// The id under which an EC2 key is kept.
pub(crate) fn ec2_id(access: &str) -> String {
    let digest = Sha256::digest(access.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Keystone {
    /// Fails only without a key.
    fn encrypt(&self, text: &str) -> Result<String, Error> {
        let sealed = self.credential_keys.seal(text.as_bytes());
        sealed.ok_or_else(|| Error::internal("encrypting a credential", "no key"))
    }

    /// None when the key that encrypted it is gone.
    pub(crate) fn decrypt(&self, text: &str) -> Option<String> {
        String::from_utf8(self.credential_keys.unseal(text)?).ok()
    }

    fn opened(&self, mut credential: Credential) -> Result<Credential, Error> {
        let gone = || Error::internal("decrypting a credential", "its key is gone");
        credential.blob = self.decrypt(&credential.blob).ok_or_else(gone)?;
        Ok(credential)
    }

    pub(crate) async fn find_credential(&self, id: &str) -> Result<Option<Credential>, Error> {
        let id = id.to_owned();
        let found = self.read(move |r| Ok(credentials::get(r, &id)?)).await?;
        found.map(|found| self.opened(found)).transpose()
    }

    /// A credential that the caller may touch by `rule`. A delegated token stays in its project.
    pub(crate) async fn credential_for(
        &self,
        cx: &Ctx,
        rule: &str,
        id: &str,
    ) -> Result<Credential, Error> {
        let found = self.find_credential(id).await?;
        self.allow(cx, rule, &target(found.as_ref().map(|found| &*found.user_id)))?;
        let found = found.ok_or_else(|| Error::not_found("credential", id))?;
        check_delegation(cx, found.project_id.as_deref())?;
        Ok(found)
    }

    /// Those that the caller may see one by one.
    pub(crate) async fn list_credentials(
        &self,
        cx: &Ctx,
        condition: Where,
    ) -> Result<Vec<Credential>, Error> {
        self.allow(cx, "identity:list_credentials", &target(Some(&cx.caller.user_id)))?;
        let found = self.read(move |r| Ok(credentials::list(r, &condition)?)).await?;
        let visible = |credential: &Credential| {
            let target = target(Some(&credential.user_id));
            self.allow(cx, "identity:get_credential", &target).is_ok()
                && check_delegation(cx, credential.project_id.as_deref()).is_ok()
        };
        found.into_iter().filter(visible).map(|credential| self.opened(credential)).collect()
    }

    pub(crate) async fn create_credential(
        &self,
        cx: &Ctx,
        fields: CredentialFields,
    ) -> Result<Credential, Error> {
        let user_id = fields.user_id.clone().unwrap_or_else(|| cx.caller.user_id.to_string());
        self.allow(cx, "identity:create_credential", &target(Some(&user_id)))?;
        let project_id = fields.project_id.flatten();
        check_delegation(cx, project_id.as_deref())?;
        let kind = fields.kind.unwrap_or_default();
        let mut blob = fields.blob.unwrap_or_default();
        let mut id = ids::hex();
        if kind.eq_ignore_ascii_case(EC2) {
            check_unrestricted(cx)?;
            let mut parsed = ec2_blob(&blob)?;
            id = ec2_id(parsed["access"].as_str().unwrap_or_default());
            if project_id.is_none() {
                return Err(Error::Expecting { attribute: "project_id", target: "credential" });
            }
            bind(cx, &mut parsed);
            blob = parsed.to_string();
        }
        let credential = Credential {
            id,
            user_id: user_id.into(),
            project_id: project_id.map(Into::into),
            kind,
            blob,
            extra: fields.extra,
        };
        self.keep(credential, false).await
    }

    /// Encrypts and writes a credential. A duplicate is refused.
    async fn keep(&self, credential: Credential, existing: bool) -> Result<Credential, Error> {
        let sealed = Credential { blob: self.encrypt(&credential.blob)?, ..credential.clone() };
        self.write(move |tx| {
            if existing {
                return Ok(credentials::update(tx, &sealed)?);
            }
            let details = format!("Duplicate ID, {}.", sealed.id);
            credentials::insert(tx, &sealed).map_err(Error::duplicate("credential", details))
        })
        .await?;
        Ok(credential)
    }

    pub(crate) async fn update_credential(
        &self,
        cx: &Ctx,
        id: &str,
        fields: CredentialFields,
    ) -> Result<Credential, Error> {
        const RULE: &str = "identity:update_credential";
        let mut credential = self.credential_for(cx, RULE, id).await?;
        if let Some(blob) = fields.blob {
            check_blob(&credential, &blob)?;
            credential.blob = blob;
        }
        if let Some(user) = fields.user_id {
            credential.user_id = user.into();
        }
        if let Some(project) = fields.project_id {
            credential.project_id = project.map(Into::into);
        }
        if let Some(kind) = fields.kind {
            credential.kind = kind;
        }
        overlay(&mut credential.extra, fields.extra);
        // It must not be handed to somebody for whom the caller could not have made it.
        self.allow(cx, RULE, &target(Some(&credential.user_id)))?;
        check_delegation(cx, credential.project_id.as_deref())?;
        if credential.kind.eq_ignore_ascii_case(EC2) && credential.project_id.is_none() {
            return Err(Error::Expecting { attribute: "project_id", target: "credential" });
        }
        self.keep(credential, true).await
    }

    pub(crate) async fn delete_credential(
        &self,
        cx: &Ctx,
        rule: &str,
        id: &str,
    ) -> Result<(), Error> {
        let credential = self.credential_for(cx, rule, id).await?;
        self.write(move |tx| Ok(credentials::delete(tx, &credential.id).map(drop)?)).await
    }

    /// Makes an EC2 key pair for a user on a project.
    pub(crate) async fn create_ec2(
        &self,
        cx: &Ctx,
        user_id: &str,
        project_id: &str,
    ) -> Result<Credential, Error> {
        self.allow(cx, "identity:ec2_create_credential", &target(Some(user_id)))?;
        self.known_user(user_id).await?;
        let wanted = project_id.to_owned();
        let project = self.read(move |r| Ok(projects::get(r, &wanted)?)).await?;
        project.ok_or_else(|| Error::not_found("project", project_id))?;
        check_delegation(cx, Some(project_id))?;
        check_unrestricted(cx)?;
        let access = ids::hex();
        let mut blob = json!({"access": access, "secret": ids::hex(), "trust_id": null});
        bind(cx, &mut blob);
        let credential = Credential {
            id: ec2_id(&access),
            user_id: user_id.into(),
            project_id: Some(project_id.into()),
            kind: EC2.to_owned(),
            blob: blob.to_string(),
            extra: Extra::new(),
        };
        self.keep(credential, false).await
    }

    pub(crate) async fn list_ec2(&self, cx: &Ctx, user_id: &str) -> Result<Vec<Credential>, Error> {
        let owner = Target::new().with("user_id", user_id);
        self.allow(cx, "identity:ec2_list_credentials", &owner)?;
        self.known_user(user_id).await?;
        let condition = Where::new().eq("user_id", user_id).eq("type", EC2);
        let found = self.read(move |r| Ok(credentials::list(r, &condition)?)).await?;
        let visible = |c: &Credential| check_delegation(cx, c.project_id.as_deref()).is_ok();
        found.into_iter().filter(visible).map(|credential| self.opened(credential)).collect()
    }

    /// A user's EC2 key that the caller may touch by `rule`.
    pub(crate) async fn ec2_for(
        &self,
        cx: &Ctx,
        rule: &str,
        user_id: &str,
        access: &str,
    ) -> Result<Credential, Error> {
        let id = ec2_id(access);
        // upstream: one that is not there is 404 before the rule is asked.
        let found = self.find_credential(&id).await?.filter(|found| found.kind == EC2);
        let found = found.ok_or_else(|| Error::not_found("credential", access))?;
        self.allow(cx, rule, &target(Some(&found.user_id)))?;
        self.known_user(user_id).await?;
        if found.user_id != user_id {
            return Err(Error::not_found("credential", access));
        }
        check_delegation(cx, found.project_id.as_deref())?;
        Ok(found)
    }

    /// Fails with 404 when there is no such user.
    pub(crate) async fn known_user(&self, id: &str) -> Result<(), Error> {
        let wanted = id.to_owned();
        let found = self.read(move |r| Ok(crate::store::users::get(r, &wanted)?)).await?;
        found.map(drop).ok_or_else(|| Error::not_found("user", id))
    }
}

/// A delegated token touches only what is its project's.
fn check_delegation(cx: &Ctx, project_id: Option<&str>) -> Result<(), Error> {
    let own = cx.project_id().map(|id| &**id);
    let delegated = cx.caller.application_credential_id.is_some() || cx.caller.trust_id.is_some();
    if !delegated || project_id == own {
        return Ok(());
    }
    Err(Error::Denied(
        "Credential project does not match the project scope of the delegated token".to_owned(),
    ))
}

/// A restricted application credential makes no others.
pub(crate) fn check_unrestricted(cx: &Ctx) -> Result<(), Error> {
    if cx.caller.unrestricted {
        return Ok(());
    }
    Err(Error::Denied(
        "Using method 'application_credential' is not allowed for managing additional application \
         credentials."
            .to_owned(),
    ))
}

/// What is made with a delegated token is worth no more than it.
fn bind(cx: &Ctx, blob: &mut Value) {
    if let Some(id) = &cx.caller.application_credential_id {
        blob["app_cred_id"] = json!(id);
    }
    if let Some(id) = &cx.caller.trust_id {
        blob["trust_id"] = json!(id);
    }
}

fn ec2_blob(text: &str) -> Result<Value, Error> {
    let parsed: Result<Value, _> = serde_json::from_str(text);
    let parsed = parsed.map_err(|_| Error::invalid("Invalid blob in credential"))?;
    let missing = |attribute| Error::Expecting { attribute, target: "credential" };
    let map = parsed.as_object().filter(|map| !map.is_empty());
    let map = map.ok_or_else(|| missing("blob"))?;
    if map.get("access").and_then(Value::as_str).is_none() {
        return Err(missing("access"));
    }
    Ok(parsed)
}

/// What an EC2 key is bound to cannot be changed in its blob.
fn check_blob(credential: &Credential, blob: &str) -> Result<(), Error> {
    if !credential.kind.eq_ignore_ascii_case(EC2) {
        return Ok(());
    }
    let (old, new) = (ec2_blob(&credential.blob)?, ec2_blob(blob)?);
    for key in ["trust_id", "app_cred_id", "access_token_id", "access_id"] {
        let value = |blob: &Value| blob.get(key).cloned().unwrap_or_default();
        if value(&old) != value(&new) {
            return Err(Error::invalid(format!("{key} can not be updated for credential")));
        }
    }
    Ok(())
}
