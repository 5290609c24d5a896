//! Groups and their members.

use stackup_core::{Ctx, ids};
use stackup_policy::Target;

use super::{home_domain, overlay};
use crate::Keystone;
use crate::error::Error;
use crate::model::Extra;
use crate::model::assignment::ActorKind;
use crate::model::group::Group;
use crate::model::user::User;
use crate::store::{Where, assignments, groups, projects, users};

/// What a request says of a group.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupFields {
    pub(crate) name: Option<String>,
    pub(crate) domain_id: Option<String>,
    pub(crate) description: Option<Option<String>>,
    pub(crate) extra: Extra,
}

fn target(group: Option<&Group>) -> Target {
    match group {
        None => Target::new(),
        Some(group) => Target::new()
            .with("target.group.id", &group.id)
            .with("target.group.domain_id", &*group.domain_id),
    }
}

impl Keystone {
    /// A group that the caller may touch by `rule`.
    pub(crate) async fn group_for(&self, cx: &Ctx, rule: &str, id: &str) -> Result<Group, Error> {
        let wanted = id.to_owned();
        let found = self.read(move |r| Ok(groups::get(r, &wanted)?)).await?;
        self.allow(cx, rule, &target(found.as_ref()))?;
        found.ok_or_else(|| Error::not_found("group", id))
    }

    pub(crate) async fn list_groups(
        &self,
        cx: &Ctx,
        mut condition: Where,
    ) -> Result<Vec<Group>, Error> {
        let own = cx.caller.domain_id().map(ToString::to_string);
        let target = match &own {
            Some(domain) => Target::new().with("target.group.domain_id", domain),
            None => Target::new(),
        };
        self.allow(cx, "identity:list_groups", &target)?;
        if let Some(domain) = own {
            condition = condition.eq("domain_id", domain);
        }
        self.read(move |r| Ok(groups::list(r, &condition)?)).await
    }

    pub(crate) async fn create_group(&self, cx: &Ctx, fields: GroupFields) -> Result<Group, Error> {
        let domain_id = fields.domain_id.unwrap_or_else(|| home_domain(cx));
        let target = Target::new().with("target.group.domain_id", &domain_id);
        self.allow(cx, "identity:create_group", &target)?;
        let group = Group {
            id: ids::hex(),
            name: fields.name.unwrap_or_default(),
            domain_id: domain_id.into(),
            description: fields.description.unwrap_or_else(|| Some(String::new())),
            extra: fields.extra,
        };
        self.write(move |tx| {
            if projects::domain(tx, &group.domain_id)?.is_none() {
                return Err(Error::not_found("domain", &group.domain_id));
            }
            groups::insert(tx, &group).map_err(conflict(&group))?;
            Ok(group.clone())
        })
        .await
    }

    pub(crate) async fn update_group(
        &self,
        cx: &Ctx,
        id: &str,
        fields: GroupFields,
    ) -> Result<Group, Error> {
        let mut group = self.group_for(cx, "identity:update_group", id).await?;
        if fields.domain_id.is_some_and(|domain| group.domain_id != domain.as_str()) {
            return Err(Error::invalid("Update of `domain_id` is not allowed."));
        }
        if let Some(name) = fields.name {
            group.name = name;
        }
        if let Some(description) = fields.description {
            group.description = description;
        }
        overlay(&mut group.extra, fields.extra);
        self.write(move |tx| {
            groups::update(tx, &group).map_err(conflict(&group))?;
            Ok(group.clone())
        })
        .await
    }

    pub(crate) async fn delete_group(&self, cx: &Ctx, id: &str) -> Result<(), Error> {
        let group = self.group_for(cx, "identity:delete_group", id).await?;
        self.write(move |tx| {
            assignments::delete_of_actor(tx, ActorKind::Group, &group.id)?;
            groups::delete(tx, &group.id)?;
            Ok(())
        })
        .await
    }

    pub(crate) async fn members_of(
        &self,
        cx: &Ctx,
        id: &str,
        mut condition: Where,
    ) -> Result<Vec<User>, Error> {
        let group = self.group_for(cx, "identity:list_users_in_group", id).await?;
        if let Some(domain) = cx.caller.domain_id() {
            condition = condition.eq("u.domain_id", domain);
        }
        let member = "u.id IN (SELECT user_id FROM memberships WHERE group_id = {})";
        let condition = condition.with(member, group.id);
        self.read(move |r| Ok(users::list(r, &condition)?)).await
    }

    /// A group and a user, both of whom the caller may bring together by `rule`.
    async fn pair(&self, cx: &Ctx, rule: &str, id: &str, user_id: &str) -> Result<(), Error> {
        let (group_id, wanted) = (id.to_owned(), user_id.to_owned());
        let (group, user) =
            self.read(move |r| Ok((groups::get(r, &group_id)?, users::get(r, &wanted)?))).await?;
        let mut both = target(group.as_ref()).with("user_id", user_id);
        if let Some(user) = &user {
            both = both.with("target.user.domain_id", &*user.domain_id);
        }
        self.allow(cx, rule, &both)?;
        group.ok_or_else(|| Error::not_found("group", id))?;
        user.ok_or_else(|| Error::not_found("user", user_id))?;
        Ok(())
    }

    pub(crate) async fn add_member(&self, cx: &Ctx, id: &str, user: &str) -> Result<(), Error> {
        self.pair(cx, "identity:add_user_to_group", id, user).await?;
        let (id, user) = (id.to_owned(), user.to_owned());
        self.write(move |tx| Ok(groups::add_member(tx, &id, &user)?)).await
    }

    pub(crate) async fn remove_member(&self, cx: &Ctx, id: &str, user: &str) -> Result<(), Error> {
        self.pair(cx, "identity:remove_user_from_group", id, user).await?;
        let (id, user) = (id.to_owned(), user.to_owned());
        self.write(move |tx| {
            if groups::remove_member(tx, &id, &user)? {
                return Ok(());
            }
            Err(not_in(&id, &user))
        })
        .await
    }

    pub(crate) async fn check_member(&self, cx: &Ctx, id: &str, user: &str) -> Result<(), Error> {
        self.pair(cx, "identity:check_user_in_group", id, user).await?;
        let (id, user) = (id.to_owned(), user.to_owned());
        self.read(move |r| {
            if groups::is_member(r, &id, &user)? {
                return Ok(());
            }
            Err(not_in(&id, &user))
        })
        .await
    }
}

fn not_in(id: &str, user: &str) -> Error {
    Error::Missing(format!("User '{user}' not found in group '{id}'"))
}

fn conflict(group: &Group) -> impl FnOnce(stackup_store::StoreError) -> Error + use<> {
    let details =
        format!("Duplicate entry found with name {} at domain ID {}", group.name, group.domain_id);
    Error::duplicate("group", details)
}
