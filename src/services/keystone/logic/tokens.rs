//! Tokens: issued, validated, revoked.
//!
//! A token that was validated is remembered by its digest, with the generation of the state it was
//! validated against. Every write that may matter raises the generation, so the next request
//! validates again: a revocation is seen at once, and a quiet cloud pays a digest and a look-up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use stackup_core::{Caller, Ctx, Time};
use stackup_policy::Target;
use stackup_store::Reader;

use super::{scope, trusts};
use crate::Keystone;
use crate::error::Error;
use crate::model::token::{ApplicationCredentialRef, Payload, ScopeIds, Token};
use crate::store::{application_credentials, assignments, projects, tokens, users};

/// Tokens remembered.
const REMEMBERED: u64 = 20_000;

/// The tokens that were validated.
pub(crate) struct TokenCache(Cache<[u8; 32], Arc<Validated>>);

impl Default for TokenCache {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

/// A good token, and what it was good against.
pub(crate) struct Validated {
    pub(crate) token: Token,
    pub(crate) caller: Arc<Caller>,
    generation: u64,
}

/// A fresh audit id.
pub(crate) fn audit_id() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

impl Keystone {
    /// The token behind the text. None when it is malformed, expired, revoked, or of somebody or
    /// something that is gone or disabled.
    pub(crate) async fn validate(&self, text: &str) -> Result<Option<Arc<Validated>>, Error> {
        let now = self.now();
        // Read before the state is: a write in between makes the entry old at once.
        let generation = self.generation.load(Ordering::SeqCst);
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if let Some(known) = self.tokens.0.get(&digest)
            && known.generation == generation
        {
            return Ok((known.token.payload.expires_at > now).then_some(known));
        }
        let payload = self.token_keys.unseal(text);
        let Some(payload) = payload.and_then(|bytes| Payload::unpack(&bytes)) else {
            return Ok(None);
        };
        if payload.expires_at <= now {
            return Ok(None);
        }
        let Some(token) = self.read(move |r| load(r, payload, now)).await? else {
            self.tokens.0.invalidate(&digest);
            return Ok(None);
        };
        let validated = Arc::new(Validated { caller: token.shared_caller(), token, generation });
        self.tokens.0.insert(digest, Arc::clone(&validated));
        Ok(Some(validated))
    }

    /// Signs a token. Fails with a refusal when its user has no roles in its scope.
    pub(crate) async fn issue(&self, payload: Payload) -> Result<(String, Token), Error> {
        let now = self.now();
        let failed = |what| Error::internal(what, "no key");
        let bytes = payload.pack().map_err(|error| Error::internal("packing a token", error))?;
        let text = self.token_keys.seal(&bytes).ok_or_else(|| failed("signing a token"))?;
        let token = self.read(move |r| load(r, payload, now)).await?;
        let token = token.ok_or(Error::Unauthorized("no access in the scope asked for"))?;
        Ok((text, token))
    }

    /// The token in `X-Subject-Token`, if the caller may see it.
    pub(crate) async fn subject(
        &self,
        cx: &Ctx,
        rule: &str,
        text: Option<&str>,
    ) -> Result<Arc<Validated>, Error> {
        let missing = || Error::Missing("No token in the request".to_owned());
        // upstream: a token that is not good is 404 before the rule is asked.
        let found = self.validate(text.ok_or_else(missing)?).await?.ok_or_else(invalid)?;
        let target = Target::new().with("target.token.user_id", &*found.token.user.id);
        self.allow(cx, rule, &target)?;
        Ok(found)
    }

    /// Ends one token; others of its user live on.
    pub(crate) async fn revoke_token(&self, cx: &Ctx, text: Option<&str>) -> Result<(), Error> {
        let subject = self.subject(cx, "identity:revoke_token", text).await?;
        let payload = &subject.token.payload;
        let audit_id = payload.audit_ids.first().cloned().unwrap_or_default();
        let expires_at = payload.expires_at;
        self.write(move |tx| Ok(tokens::revoke(tx, &audit_id, expires_at)?)).await
    }
}

/// A token that is not good. It is not shown: it must not reach a log.
pub(crate) fn invalid() -> Error {
    Error::Missing("Failed to validate token".to_owned())
}

/// What a payload stands for now.
fn load(r: &Reader<'_>, payload: Payload, now: Time) -> Result<Option<Token>, Error> {
    let issued_at = payload.issued_at;
    let Some(user) = users::get(r, &payload.user_id)? else {
        return Ok(None);
    };
    let Some(domain) = projects::domain(r, &user.domain_id)? else {
        return Ok(None);
    };
    let revoked = [user.revoked_before, domain.revoked_before];
    let revoked = revoked.into_iter().flatten().any(|at| issued_at <= at);
    if !user.enabled || !domain.enabled || revoked {
        return Ok(None);
    }
    if let Some(own) = payload.audit_ids.first()
        && tokens::is_revoked(r, own)?
    {
        return Ok(None);
    }
    let opened = match &payload.trust_id {
        None => scope::open(r, &user.id, &payload.scope, issued_at)?,
        Some(_) => scope::look(r, &payload.scope, issued_at)?.map(|(scope, _)| (scope, Vec::new())),
    };
    let Some((scope, mut roles)) = opened else {
        return Ok(None);
    };
    let mut trust = None;
    if let Some(id) = &payload.trust_id {
        let Some((found, lent)) = trusts::lent(r, id, now)? else {
            return Ok(None);
        };
        let own = match &payload.scope {
            ScopeIds::Project(project) => found.project_id.as_ref() == Some(project),
            ScopeIds::Unscoped => found.project_id.is_none(),
            ScopeIds::Domain(_) | ScopeIds::System => false,
        };
        if !own || *found.token_user() != user.id {
            return Ok(None);
        }
        roles = lent;
        trust = Some(found);
    }
    let mut credential = None;
    if let Some(id) = payload.application_credential_id.clone() {
        let Some((found, allowed)) = delegated(r, &id, &payload, now)? else {
            return Ok(None);
        };
        roles.retain(|role| allowed.contains(&role.id));
        if roles.is_empty() {
            return Ok(None);
        }
        credential = Some(found);
    }
    Ok(Some(Token {
        payload,
        user_domain: domain.as_domain(),
        user,
        scope,
        roles,
        application_credential: credential,
        trust,
    }))
}

/// The application credential of a token and the roles that it hands on.
fn delegated(
    r: &Reader<'_>,
    id: &str,
    payload: &Payload,
    now: Time,
) -> Result<Option<(ApplicationCredentialRef, BTreeSet<String>)>, Error> {
    let Some(found) = application_credentials::get(r, id)? else {
        return Ok(None);
    };
    let expired = found.expires_at.is_some_and(|at| at <= now);
    let own = payload.scope == ScopeIds::Project(found.project_id.clone());
    if expired || !own || found.user_id != payload.user_id.as_str() {
        return Ok(None);
    }
    let roles = assignments::expand(r, found.role_ids.into_iter().collect())?;
    let reference = ApplicationCredentialRef {
        id: found.id,
        name: found.name,
        unrestricted: found.unrestricted,
        project_id: found.project_id,
        expires_at: found.expires_at,
    };
    Ok(Some((reference, roles.into_iter().map(|role| role.id).collect())))
}
