//! Authentication: from what somebody sends to a token.

use std::time::Duration;

use stackup_core::Time;
use stackup_store::Reader;

use super::scope::{self, DomainName, ScopeRequest};
use super::tokens::audit_id;
use crate::Keystone;
use crate::error::Error;
use crate::model::application_credential::ApplicationCredential;
use crate::model::credential::TOTP;
use crate::model::token::{Method, Payload, ScopeIds, Token};
use crate::model::user::User;
use crate::store::{Where, application_credentials, credentials, projects, trusts, users};

/// A user, by id, or by name and domain.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct UserName {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) domain: Option<DomainName>,
}

/// One way to prove who one is, with the proof.
#[derive(Clone)]
pub(crate) enum Proof {
    Password {
        user: UserName,
        password: String,
    },
    Totp {
        user: UserName,
        passcode: String,
    },
    Token(String),
    ApplicationCredential {
        id: Option<String>,
        name: Option<String>,
        user: Option<UserName>,
        secret: String,
    },
}

/// What is known of somebody who has proved it.
struct Proved {
    user: User,
    methods: Vec<Method>,
    /// Of the token or the credential shown: a new token lives no longer.
    expires_at: Option<Time>,
    parent_audit_id: Option<String>,
    /// With the only project its tokens can have.
    application_credential: Option<ApplicationCredential>,
    /// The scope of the token shown, which an application credential's must keep.
    fixed_scope: Option<ScopeIds>,
}

impl Proved {
    fn by(user: User, method: Method) -> Self {
        Self {
            user,
            methods: vec![method],
            expires_at: None,
            parent_audit_id: None,
            application_credential: None,
            fixed_scope: None,
        }
    }
}

impl Keystone {
    /// Checks every proof, then issues a token for the scope.
    pub(crate) async fn authenticate(
        &self,
        proofs: Vec<Proof>,
        scope: Option<ScopeRequest>,
    ) -> Result<(String, Token), Error> {
        let credential = proofs.iter().any(|p| matches!(p, Proof::ApplicationCredential { .. }));
        if credential && scope.is_some() {
            return Err(Error::ApplicationCredentialAuth(
                "Application credentials cannot request a scope.",
            ));
        }
        let mut proved: Option<Proved> = None;
        for proof in proofs {
            let next = self.prove(proof).await?;
            proved = Some(match proved {
                None => next,
                Some(before) => join(before, next)?,
            });
        }
        let proved = proved.ok_or(Error::Unauthorized("no method was given"))?;
        require_methods(&proved)?;
        if let Some(ScopeRequest::Trust(id)) = scope {
            return self.issue_by_trust(proved, &id).await;
        }
        let scope = self.scope_for(&proved, scope).await?;
        self.issue(self.payload(proved, scope)).await
    }

    /// A token of what a trust lends to its trustee.
    async fn issue_by_trust(&self, proved: Proved, id: &str) -> Result<(String, Token), Error> {
        if proved.application_credential.is_some() {
            return Err(Error::Unauthorized("an application credential uses no trusts"));
        }
        let (wanted, now) = (id.to_owned(), self.now());
        let trust = self.read(move |r| Ok(trusts::get(r, &wanted)?)).await?;
        let trust = trust.filter(|trust| trust.is_open(now));
        let trust = trust.ok_or(Error::Unauthorized("no such trust"))?;
        if trust.trustee_user_id != proved.user.id {
            return Err(Error::Forbidden("User is not a trustee.".to_owned()));
        }
        let scope = trust.project_id.clone().map_or(ScopeIds::Unscoped, ScopeIds::Project);
        let mut payload = self.payload(proved, scope);
        payload.user_id = trust.token_user().to_string();
        payload.trust_id = Some(trust.id.clone());
        if let Some(at) = trust.expires_at {
            payload.expires_at = payload.expires_at.min(at);
        }
        let issued = self.issue(payload).await?;
        self.use_trust(&trust).await?;
        Ok(issued)
    }

    async fn prove(&self, proof: Proof) -> Result<Proved, Error> {
        match proof {
            Proof::Password { user, password } => {
                let user = self.find_user(user).await?;
                self.check_password(&user, &password).await?;
                Ok(Proved::by(user, Method::Password))
            }
            Proof::Totp { user, passcode } => {
                let user = self.find_user(user).await?;
                self.check_passcode(&user, &passcode).await?;
                Ok(Proved::by(user, Method::Totp))
            }
            Proof::Token(text) => self.check_token(&text).await,
            Proof::ApplicationCredential { id, name, user, secret } => {
                let found = self.find_application_credential(id, name, user).await?;
                self.check_application_credential(found, &secret).await
            }
        }
    }

    async fn find_user(&self, name: UserName) -> Result<User, Error> {
        let found = self.read(move |r| find_user(r, &name)).await?;
        found.ok_or(Error::Unauthorized("no such user"))
    }

    /// Checks a password and counts the wrong ones. A locked account is locked for the right
    /// password too.
    pub(crate) async fn check_password(&self, user: &User, password: &str) -> Result<(), Error> {
        self.check_lock(user)?;
        let wrong = Error::Unauthorized("wrong user or password");
        let Some(kept) = &user.password else {
            return Err(wrong);
        };
        let id = user.id.clone();
        let now = self.now();
        if !self.passwords.verify(&kept.id, &kept.hash, password).await? {
            let restart = user.failed_count >= self.config.compliance.lockout_failure_attempts;
            let count = move |tx: &mut stackup_store::Tx<'_>| -> Result<(), Error> {
                if restart {
                    users::clear_failures(tx, &id)?;
                }
                Ok(users::add_failure(tx, &id, now)?)
            };
            self.db.write(count).await?;
            return Err(wrong);
        }
        if !user.enabled {
            return Err(Error::UserDisabled(user.id.to_string()));
        }
        if user.password_expires_at().is_some_and(|at| at <= now) {
            return Err(Error::PasswordExpired(user.id.to_string()));
        }
        if user.failed_count > 0 {
            let clear = move |tx: &mut stackup_store::Tx<'_>| -> Result<(), Error> {
                Ok(users::clear_failures(tx, &id)?)
            };
            self.db.write(clear).await?;
        }
        Ok(())
    }

    fn check_lock(&self, user: &User) -> Result<(), Error> {
        let rules = &self.config.compliance;
        let most = rules.lockout_failure_attempts;
        let exempt = user.option("ignore_lockout_failure_attempts");
        if most == 0 || user.failed_count < most || exempt {
            return Ok(());
        }
        let duration = Duration::from_secs(rules.lockout_duration);
        let until = user.failed_at.map(|at| at + duration);
        if rules.lockout_duration == 0 || until.is_some_and(|until| until > self.now()) {
            return Err(Error::AccountLocked(user.id.to_string()));
        }
        Ok(())
    }

    async fn check_passcode(&self, user: &User, passcode: &str) -> Result<(), Error> {
        let condition = Where::new().eq("user_id", &user.id).eq("type", TOTP);
        let kept = self.read(move |r| Ok(credentials::list(r, &condition)?)).await?;
        let now = u64::try_from(self.now().unix()).unwrap_or(0);
        for credential in kept {
            let Some(secret) = self.decrypt(&credential.blob) else {
                continue;
            };
            if passcode_is_right(&secret, passcode, now) {
                return Ok(());
            }
        }
        Err(Error::Unauthorized("wrong user or passcode"))
    }

    async fn check_token(&self, text: &str) -> Result<Proved, Error> {
        let found = self.validate(text).await?.ok_or_else(super::tokens::invalid)?;
        let token = &found.token;
        if token.trust.is_some() {
            return Err(Error::Denied(
                "Using trust-scoped token to create another token. Create a new trust-scoped token \
                 instead"
                    .to_owned(),
            ));
        }
        let mut proved = Proved::by(token.user.clone(), Method::Token);
        proved.methods.extend(token.payload.methods.iter().filter(|m| **m != Method::Token));
        proved.expires_at = Some(token.payload.expires_at);
        proved.parent_audit_id = token.payload.audit_ids.last().cloned();
        if let Some(id) = token.payload.application_credential_id.clone() {
            let found = self.read(move |r| Ok(application_credentials::get(r, &id)?)).await?;
            proved.application_credential = found;
            proved.fixed_scope = Some(token.payload.scope.clone());
        }
        Ok(proved)
    }

    async fn find_application_credential(
        &self,
        id: Option<String>,
        name: Option<String>,
        user: Option<UserName>,
    ) -> Result<ApplicationCredential, Error> {
        let found = self
            .read(move |r| {
                let condition = match (id, name) {
                    (Some(id), _) => Where::new().eq("id", id),
                    (None, Some(name)) => {
                        let missing = Error::Expecting {
                            attribute: "user",
                            target: "application credential",
                        };
                        let user = find_user(r, &user.ok_or(missing)?)?;
                        let user = user.ok_or(Error::Unauthorized("no such user"))?;
                        Where::new().eq("name", name).eq("user_id", user.id)
                    }
                    (None, None) => {
                        return Err(Error::Expecting {
                            attribute: "name or ID",
                            target: "application credential",
                        });
                    }
                };
                Ok(application_credentials::list(r, &condition)?.pop())
            })
            .await?;
        found.ok_or(Error::Unauthorized("no such application credential"))
    }

    async fn check_application_credential(
        &self,
        found: ApplicationCredential,
        secret: &str,
    ) -> Result<Proved, Error> {
        let good = self.passwords.verify(&found.id, &found.secret_hash, secret).await?;
        if !good || found.expires_at.is_some_and(|at| at <= self.now()) {
            return Err(Error::Unauthorized("wrong or expired application credential"));
        }
        let id = found.user_id.clone();
        let user = self.read(move |r| Ok(users::get(r, &id)?)).await?;
        let user = user.ok_or(Error::Unauthorized("no such user"))?;
        let mut proved = Proved::by(user, Method::ApplicationCredential);
        proved.expires_at = found.expires_at;
        proved.fixed_scope = Some(ScopeIds::Project(found.project_id.clone()));
        proved.application_credential = Some(found);
        Ok(proved)
    }

    /// The scope asked for; without one, the user's default project where that works.
    async fn scope_for(
        &self,
        proved: &Proved,
        scope: Option<ScopeRequest>,
    ) -> Result<ScopeIds, Error> {
        let (user_id, default) = (proved.user.id.clone(), proved.user.default_project_id.clone());
        let (fixed, now) = (proved.fixed_scope.clone(), self.now());
        self.read(move |r| {
            let asked = scope.map(|scope| scope::resolve(r, &scope)).transpose()?;
            match (fixed, asked, default) {
                (Some(fixed), Some(asked), _) if asked != fixed => Err(Error::Unauthorized(
                    "an application credential's token cannot be for another scope",
                )),
                (Some(fixed), _, _) => Ok(fixed),
                (None, Some(asked), _) => Ok(asked),
                (None, None, None) => Ok(ScopeIds::Unscoped),
                (None, None, Some(default)) => {
                    let default = ScopeIds::Project(default);
                    let usable = scope::open(r, &user_id, &default, now)?.is_some();
                    Ok(if usable { default } else { ScopeIds::Unscoped })
                }
            }
        })
        .await
    }

    fn payload(&self, proved: Proved, scope: ScopeIds) -> Payload {
        let now = self.now();
        let full = now + Duration::from_secs(self.config.token_expiration);
        let mut audit_ids = vec![audit_id()];
        audit_ids.extend(proved.parent_audit_id);
        Payload {
            user_id: proved.user.id.to_string(),
            methods: proved.methods,
            scope,
            issued_at: now,
            expires_at: proved.expires_at.map_or(full, |at| at.min(full)),
            audit_ids,
            application_credential_id: proved.application_credential.map(|found| found.id),
            trust_id: None,
        }
    }
}

fn find_user(r: &Reader<'_>, name: &UserName) -> Result<Option<User>, Error> {
    let found = match (&name.id, &name.name) {
        (Some(id), _) => users::get(r, id)?,
        (None, Some(text)) => {
            let missing = Error::Expecting { attribute: "domain", target: "user" };
            let domain = scope::domain(r, name.domain.as_ref().ok_or(missing)?)?;
            users::named(r, &domain.id, text)?
        }
        (None, None) => {
            return Err(Error::Expecting { attribute: "id or name", target: "user" });
        }
    };
    let Some(user) = found else { return Ok(None) };
    let domain = projects::domain(r, &user.domain_id)?;
    if domain.is_none_or(|domain| !domain.enabled) {
        return Err(Error::Unauthorized("the user's domain is disabled"));
    }
    Ok(Some(user))
}

/// Several proofs must be of one user.
fn join(before: Proved, next: Proved) -> Result<Proved, Error> {
    if before.user.id != next.user.id {
        return Err(Error::Unauthorized("the methods are of different users"));
    }
    let mut methods = before.methods;
    methods.extend(next.methods);
    methods.sort_unstable();
    methods.dedup();
    let expires_at = match (before.expires_at, next.expires_at) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    Ok(Proved {
        user: before.user,
        methods,
        expires_at,
        parent_audit_id: before.parent_audit_id.or(next.parent_audit_id),
        application_credential: before.application_credential.or(next.application_credential),
        fixed_scope: before.fixed_scope.or(next.fixed_scope),
    })
}

/// The user's rules say which methods are enough together.
fn require_methods(proved: &Proved) -> Result<(), Error> {
    if !proved.user.enabled {
        return Err(Error::UserDisabled(proved.user.id.to_string()));
    }
    let rules = proved.user.required_methods();
    // upstream: a token or an application credential stands for methods shown before.
    let delegated = proved.application_credential.is_some();
    let shown = |name: &String| proved.methods.iter().any(|method| method.as_str() == name);
    let enough = rules.iter().any(|rule| !rule.is_empty() && rule.iter().all(shown));
    if rules.is_empty() || delegated || enough {
        return Ok(());
    }
    Err(Error::Unauthorized("more methods are needed"))
}

/// Whether a passcode is right for a base32 secret, now or one step ago.
fn passcode_is_right(secret: &str, passcode: &str, now: u64) -> bool {
    let Ok(secret) = totp_rs::Secret::try_from_base32(secret.trim_end_matches('=')) else {
        return false;
    };
    let totp = totp_rs::Builder::new().with_secret(secret).with_skew(0).build_noncompliant();
    let moments = [now, now.saturating_sub(totp.step())];
    moments.into_iter().any(|at| totp.check(passcode, at).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passcodes_of_rfc_6238() {
        // The RFC's secret, "12345678901234567890"; its codes have eight digits, ours the last six.
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert!(passcode_is_right(secret, "287082", 59));
        assert!(passcode_is_right(secret, "287082", 59 + 30));
        assert!(!passcode_is_right(secret, "287082", 59 + 60));
        assert!(!passcode_is_right(secret, "28708", 59));
        assert!(!passcode_is_right("no base32!", "287082", 59));
    }
}
