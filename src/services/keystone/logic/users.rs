//! Users: who they are, and how their passwords change.

use std::time::Duration;

use stackup_core::{Ctx, UserId, ids};
use stackup_flow::Event;
use stackup_policy::Target;
use stackup_store::Tx;

use super::{home_domain, merge, overlay};
use crate::Keystone;
use crate::error::Error;
use crate::model::Extra;
use crate::model::assignment::ActorKind;
use crate::model::group::Group;
use crate::model::project::Project;
use crate::model::user::{Password, User};
use crate::store::{Where, assignments, credentials, groups, projects, users};

const DAY: u64 = 24 * 3600;

/// What a request says of a user.
#[derive(Clone, Default)]
pub(crate) struct UserFields {
    pub(crate) name: Option<String>,
    pub(crate) domain_id: Option<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) default_project_id: Option<Option<String>>,
    pub(crate) password: Option<Option<String>>,
    pub(crate) options: Option<Extra>,
    pub(crate) extra: Extra,
}

/// What the rules ask of a user.
pub(crate) fn target(id: &str, user: Option<&User>) -> Target {
    let target = Target::new().with("user_id", id);
    match user {
        None => target,
        Some(user) => {
            target.with("target.user.id", &*user.id).with("target.user.domain_id", &*user.domain_id)
        }
    }
}

impl Keystone {
    /// A user whom the caller may touch by `rule`.
    pub(crate) async fn user_for(&self, cx: &Ctx, rule: &str, id: &str) -> Result<User, Error> {
        let wanted = id.to_owned();
        let found = self.read(move |r| Ok(users::get(r, &wanted)?)).await?;
        self.allow(cx, rule, &target(id, found.as_ref()))?;
        found.ok_or_else(|| Error::not_found("user", id))
    }

    pub(crate) async fn list_users(
        &self,
        cx: &Ctx,
        mut condition: Where,
    ) -> Result<Vec<User>, Error> {
        let own = cx.caller.domain_id().map(ToString::to_string);
        let target = match &own {
            Some(domain) => Target::new().with("target.domain_id", domain),
            None => Target::new(),
        };
        self.allow(cx, "identity:list_users", &target)?;
        if let Some(domain) = own {
            condition = condition.eq("u.domain_id", domain);
        }
        self.scan(move |r| Ok(users::list(r, &condition)?)).await
    }

    pub(crate) async fn create_user(&self, cx: &Ctx, fields: UserFields) -> Result<User, Error> {
        let domain_id = fields.domain_id.clone().unwrap_or_else(|| home_domain(cx));
        let target = Target::new().with("target.user.domain_id", &domain_id);
        self.allow(cx, "identity:create_user", &target)?;
        let password = match fields.password.flatten() {
            Some(text) => Some(self.new_password(&text, false).await?),
            None => None,
        };
        let mut options = Extra::new();
        merge(&mut options, fields.options.unwrap_or_default());
        let user = User {
            id: UserId::random_hex(),
            name: fields.name.unwrap_or_default(),
            domain_id: domain_id.into(),
            enabled: fields.enabled.unwrap_or(true),
            default_project_id: fields.default_project_id.flatten().map(Into::into),
            options,
            extra: fields.extra,
            revoked_before: None,
            failed_count: 0,
            failed_at: None,
            password,
        };
        self.write(move |tx| {
            if projects::domain(tx, &user.domain_id)?.is_none() {
                return Err(Error::not_found("domain", &user.domain_id));
            }
            check_default_project(tx, &user)?;
            users::insert(tx, &user).map_err(conflict(&user))?;
            Ok(user.clone())
        })
        .await
    }

    pub(crate) async fn update_user(
        &self,
        cx: &Ctx,
        id: &str,
        fields: UserFields,
    ) -> Result<User, Error> {
        let user = self.user_for(cx, "identity:update_user", id).await?;
        if fields.domain_id.as_ref().is_some_and(|domain| user.domain_id != domain.as_str()) {
            return Err(Error::invalid("Update of `domain_id` is not allowed."));
        }
        let password = match fields.password.clone().flatten() {
            None => None,
            // upstream: an administrator may set an old one again.
            Some(text) => Some(self.new_password(&text, false).await?),
        };
        let (id, now, keep) = (user.id.clone(), self.now(), self.history_length());
        let changed = self
            .write(move |tx| {
                let mut user = users::get(tx, &id)?.ok_or_else(|| Error::not_found("user", &id))?;
                let was_enabled = user.enabled;
                apply(&mut user, fields.clone());
                check_default_project(tx, &user)?;
                if password.is_some() || (was_enabled && !user.enabled) {
                    user.revoked_before = Some(now);
                }
                users::update(tx, &user).map_err(conflict(&user))?;
                if let Some(password) = &password {
                    users::add_password(tx, &id, password, keep)?;
                    users::clear_failures(tx, &id)?;
                    user.password = Some(password.clone());
                }
                Ok(user)
            })
            .await?;
        self.bus.publish(Event::UserChanged(changed.id.clone()));
        Ok(changed)
    }

    /// A user changes the own password, which the old one allows: no token is asked for.
    pub(crate) async fn change_password(
        &self,
        id: &str,
        original: &str,
        new: &str,
    ) -> Result<(), Error> {
        let wanted = id.to_owned();
        let found = self.read(move |r| Ok(users::get(r, &wanted)?)).await?;
        let user = found.ok_or(Error::Unauthorized("no such user"))?;
        match self.check_password(&user, original).await {
            // An expired password is good enough to be replaced.
            Ok(()) | Err(Error::PasswordExpired(_)) => {}
            Err(error) => return Err(error),
        }
        self.check_self_service(&user)?;
        self.check_history(&user, new).await?;
        let password = self.new_password(new, true).await?;
        let (now, keep) = (self.now(), self.history_length());
        self.write(move |tx| {
            let gone = || Error::not_found("user", &user.id);
            let mut user = users::get(tx, &user.id)?.ok_or_else(gone)?;
            user.revoked_before = Some(now);
            users::update(tx, &user)?;
            Ok(users::add_password(tx, &user.id, &password, keep)?)
        })
        .await
    }

    pub(crate) async fn delete_user(&self, cx: &Ctx, id: &str) -> Result<(), Error> {
        let user = self.user_for(cx, "identity:delete_user", id).await?;
        let user_id = user.id.clone();
        self.write(move |tx| remove(tx, &user.id)).await?;
        self.bus.publish(Event::UserChanged(user_id));
        Ok(())
    }

    pub(crate) async fn groups_of(
        &self,
        cx: &Ctx,
        id: &str,
        mut condition: Where,
    ) -> Result<Vec<Group>, Error> {
        self.user_for(cx, "identity:list_groups_for_user", id).await?;
        if let Some(domain) = cx.caller.domain_id() {
            condition = condition.eq("domain_id", domain);
        }
        let member = "id IN (SELECT group_id FROM memberships WHERE user_id = {})";
        let condition = condition.with(member, id);
        self.read(move |r| Ok(groups::list(r, &condition)?)).await
    }

    /// The projects on which a user has a role.
    pub(crate) async fn projects_of(
        &self,
        cx: &Ctx,
        id: &str,
        condition: Where,
    ) -> Result<Vec<Project>, Error> {
        let user = self.user_for(cx, "identity:list_user_projects", id).await?;
        self.reachable_projects(user.id, condition).await
    }

    /// A password at rest, in force from now on.
    pub(crate) async fn new_password(
        &self,
        text: &str,
        self_service: bool,
    ) -> Result<Password, Error> {
        self.passwords.check_length(text)?;
        let hash = self.passwords.hash(text).await?;
        let now = self.now();
        let days = self.config.compliance.password_expires_days;
        Ok(Password {
            id: ids::hex(),
            hash,
            self_service,
            created_at: now,
            expires_at: (days > 0).then(|| now + Duration::from_secs(days * DAY)),
        })
    }

    fn history_length(&self) -> usize {
        self.config.compliance.unique_last_password_count.max(1)
    }

    async fn check_history(&self, user: &User, new: &str) -> Result<(), Error> {
        let count = self.config.compliance.unique_last_password_count;
        if count == 0 {
            return Ok(());
        }
        let id = user.id.clone();
        let mut hashes = self.read(move |r| Ok(users::history(r, &id)?)).await?;
        hashes.truncate(count);
        if self.passwords.is_among(&hashes, new).await? {
            return Err(Error::invalid(format!(
                "Password validation error: The new password cannot be identical to a previous \
                 password. The total number which includes the new password must be unique is \
                 {count}."
            )));
        }
        Ok(())
    }

    fn check_self_service(&self, user: &User) -> Result<(), Error> {
        if user.option("lock_password") {
            return Err(Error::invalid(
                "You cannot change your password at this time due to password policy disallowing \
                 password changes. Please contact your administrator to reset your password.",
            ));
        }
        let days = self.config.compliance.minimum_password_age_days;
        let Some(password) = user.password.as_ref().filter(|p| p.self_service && days > 0) else {
            return Ok(());
        };
        let until = password.created_at + Duration::from_secs(days * DAY);
        let left = until.since(self.now()).as_secs();
        if left == 0 {
            return Ok(());
        }
        let left = left / DAY;
        Err(Error::invalid(format!(
            "You cannot change your password at this time due to the minimum password age. Once \
             you change your password, it must be used for {days} day(s) before it can be changed. \
             Please try again in {left} day(s) or contact your administrator to reset your \
             password."
        )))
    }
}

/// Deletes a user and what is only there because of them.
pub(crate) fn remove(tx: &mut Tx<'_>, id: &UserId) -> Result<(), Error> {
    assignments::delete_of_actor(tx, ActorKind::User, id)?;
    credentials::delete_of_user(tx, id)?;
    if users::delete(tx, id)? { Ok(()) } else { Err(Error::not_found("user", id)) }
}

fn apply(user: &mut User, fields: UserFields) {
    if let Some(name) = fields.name {
        user.name = name;
    }
    if let Some(enabled) = fields.enabled {
        user.enabled = enabled;
    }
    if let Some(project) = fields.default_project_id {
        user.default_project_id = project.map(Into::into);
    }
    merge(&mut user.options, fields.options.unwrap_or_default());
    overlay(&mut user.extra, fields.extra);
}

/// A domain cannot be a default project; one that is not there is let pass, as upstream does.
fn check_default_project(tx: &Tx<'_>, user: &User) -> Result<(), Error> {
    let Some(id) = &user.default_project_id else {
        return Ok(());
    };
    if projects::get(tx, id)?.is_some_and(|project| project.is_domain) {
        return Err(Error::invalid(format!(
            "User's default project ID cannot be a domain ID: {id}"
        )));
    }
    Ok(())
}

fn conflict(user: &User) -> impl FnOnce(stackup_store::StoreError) -> Error + use<> {
    let details =
        format!("Duplicate entry found with name {} at domain ID {}", user.name, user.domain_id);
    Error::duplicate("user", details)
}
