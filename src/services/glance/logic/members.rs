//! Sharing.

use stackup_core::Ctx;
use stackup_store::StoreError;

use crate::model::{Image, Member, MemberStatus, Visibility};
use crate::{Error, Glance, quota, store};

impl Glance {
    /// Shares an image with a project.
    pub(crate) async fn add_member(
        &self,
        cx: &Ctx,
        id: &str,
        project: &str,
    ) -> Result<Member, Error> {
        let forbidden =
            || Error::Forbidden(format!("Not allowed to create members for image {id}."));
        let image = self.shared_image(cx, id, forbidden).await?;
        let allowed = self.policy.check(cx, "add_member", &image.target());
        allowed.map_err(|_| forbidden())?;
        let now = self.clock.now();
        let member = Member {
            image_id: image.id,
            member_id: project.to_owned(),
            status: MemberStatus::Pending,
            created_at: now,
            updated_at: now,
        };
        let (row, limit) = (member.clone(), self.config.limits.members);
        let inserted = self.db.write(move |tx| {
            let count = store::members::count(tx, &row.image_id)?;
            quota::on_image("members", limit, usize::try_from(count).unwrap_or(0) + 1)?;
            store::members::insert(tx, &row)?;
            Ok::<_, Error>(())
        });
        match inserted.await {
            Ok(()) => Ok(member),
            Err(Error::Store(StoreError::Unique(_))) => {
                Err(Error::Conflict(format!("Member {project} is duplicated for image {id}")))
            }
            Err(Error::Store(StoreError::Reference(_))) => Err(missing_image(id)),
            Err(error) => Err(error),
        }
    }

    /// The members that the caller may know of.
    pub(crate) async fn members(&self, cx: &Ctx, id: &str) -> Result<Vec<Member>, Error> {
        let forbidden = || {
            Error::Forbidden(format!(
                "Not allowed to list members for image {id}: Only shared images have members."
            ))
        };
        let image = self.shared_image(cx, id, forbidden).await?;
        self.policy.check(cx, "get_members", &image.target())?;
        self.listed_members(cx, id).await
    }

    /// One member. Whoever may not know of it hears that it is not there.
    pub(crate) async fn member(&self, cx: &Ctx, id: &str, project: &str) -> Result<Member, Error> {
        let hidden = || Error::NotFound("Only shared images have members.".to_owned());
        let image = self.shared_image(cx, id, hidden).await?;
        let allowed = self.policy.check(cx, "get_member", &image.target());
        allowed.map_err(|_| missing(id, project))?;
        self.listed_member(cx, id, project).await
    }

    /// Accepts or rejects what is shared: the member does, not the owner.
    pub(crate) async fn set_member_status(
        &self,
        cx: &Ctx,
        id: &str,
        project: &str,
        status: &str,
    ) -> Result<Member, Error> {
        let forbidden =
            || Error::Forbidden(format!("Not allowed to update members for image {id}."));
        let image = self.shared_image(cx, id, forbidden).await?;
        let known = self.policy.check(cx, "get_member", &image.target());
        known.map_err(|_| forbidden())?;
        let mut member = self.listed_member(cx, id, project).await?;
        let allowed = self.policy.check(cx, "modify_member", &image.target());
        allowed.map_err(|_| forbidden())?;
        let status = MemberStatus::parse(status).ok_or_else(|| {
            Error::BadRequest(
                "Incorrect request: Status must be \"pending\", \"accepted\" or \"rejected\"."
                    .to_owned(),
            )
        })?;
        member.status = status;
        member.updated_at = self.clock.now();
        let row = member.clone();
        let set = self.db.write(move |tx| {
            let (image, member) = (&row.image_id, &row.member_id);
            store::members::set_status(tx, image, member, row.status, row.updated_at)
        });
        match set.await? {
            true => Ok(member),
            false => Err(missing(id, project)),
        }
    }

    /// Stops sharing an image with a project.
    pub(crate) async fn remove_member(
        &self,
        cx: &Ctx,
        id: &str,
        project: &str,
    ) -> Result<(), Error> {
        let forbidden =
            || Error::Forbidden(format!("Not allowed to delete members for image {id}."));
        let image = self.shared_image(cx, id, forbidden).await?;
        let known = self.policy.check(cx, "get_member", &image.target());
        known.map_err(|_| forbidden())?;
        self.listed_member(cx, id, project).await?;
        let allowed = self.policy.check(cx, "delete_member", &image.target());
        allowed.map_err(|_| forbidden())?;
        let (image, member) = (image.id, project.to_owned());
        let gone = self.db.write(move |tx| store::members::delete(tx, &image, &member)).await?;
        if gone { Ok(()) } else { Err(missing(id, project)) }
    }

    /// A visible image that can have members; `refused` says why another one has none.
    async fn shared_image(
        &self,
        cx: &Ctx,
        id: &str,
        refused: impl Fn() -> Error,
    ) -> Result<Image, Error> {
        let image = match self.visible_image(cx, id).await {
            Err(Error::NotFound(_)) => return Err(missing_image(id)),
            other => other?,
        };
        if image.visibility == Visibility::Shared { Ok(image) } else { Err(refused()) }
    }

    async fn listed_members(&self, cx: &Ctx, id: &str) -> Result<Vec<Member>, Error> {
        let (reach, id) = (cx.reach(), id.to_owned());
        Ok(self.db.read(move |r| store::members::list(r, &reach, &id)).await?)
    }

    async fn listed_member(&self, cx: &Ctx, id: &str, project: &str) -> Result<Member, Error> {
        let members = self.listed_members(cx, id).await?;
        let found = members.into_iter().find(|member| member.member_id == project);
        found.ok_or_else(|| missing(id, project))
    }
}

fn missing_image(id: &str) -> Error {
    Error::NotFound(format!("Image {id} not found."))
}

fn missing(id: &str, project: &str) -> Error {
    Error::NotFound(format!("{project} not found in the member list of the image {id}."))
}
