//! Images: create, find, change, delete, deactivate.

use serde_json::{Map, Value};
use stackup_core::{Ctx, Page, ids};
use stackup_store::StoreError;

use crate::model::filter::Filter;
use crate::model::patch::{self, Change, Op};
use crate::model::{Image, Status, Visibility, property};
use crate::{Error, Glance, quota, store};

impl Glance {
    /// Makes a queued image of a request's body.
    pub(crate) async fn create_image(
        &self,
        cx: &Ctx,
        body: &Map<String, Value>,
    ) -> Result<Image, Error> {
        let owner = cx.project_id().map(ToString::to_string);
        let mut image = Image::queued(ids::uuid(), owner, self.clock.now());
        for (name, value) in body {
            property::may_write(name)?;
            if name == "locations" {
                return Err(Error::Forbidden("Attribute 'locations' is reserved.".to_owned()));
            }
            property::set(&mut image, name, value, &self.config)?;
        }
        self.add_image(cx, image).await
    }

    /// Puts a new image into the store, if the rules and quotas allow.
    #[tracing::instrument(skip_all, fields(image = image.id))]
    pub(crate) async fn add_image(&self, cx: &Ctx, image: Image) -> Result<Image, Error> {
        if self.policy.check(cx, "add_image", &image.target()).is_err() {
            let own = image.owner.as_deref() == cx.project_id().map(AsRef::as_ref);
            return Err(Error::Forbidden(match (&image.owner, own) {
                (Some(owner), false) => {
                    format!("You are not permitted to create images owned by '{owner}'")
                }
                _ => "You are not authorized to complete add_image action.".to_owned(),
            }));
        }
        self.may_have(cx, &image, image.visibility)?;
        self.check_sizes(&image)?;
        let limits = self.config.limits.clone();
        let row = image.clone();
        let inserted = self.db.write(move |tx| {
            if let Some(owner) = &row.owner {
                quota::another_image(&limits, &store::usage::of(tx, owner)?)?;
            }
            store::images::insert(tx, &row)?;
            Ok::<_, Error>(())
        });
        match inserted.await {
            Ok(()) => Ok(image),
            Err(Error::Store(StoreError::Unique(_))) => {
                Err(Error::Conflict(format!("Image ID {} already exists!", image.id)))
            }
            Err(error) => Err(error),
        }
    }

    /// An image that the caller may see and, by `rule`, do something with. What it may not see is
    /// not there.
    pub(crate) async fn image_for(&self, cx: &Ctx, id: &str, rule: &str) -> Result<Image, Error> {
        let image = self.visible_image(cx, id).await?;
        self.policy.check(cx, rule, &image.target())?;
        Ok(image)
    }

    /// An image that the caller may see.
    pub(crate) async fn visible_image(&self, cx: &Ctx, id: &str) -> Result<Image, Error> {
        let (reach, key) = (cx.reach(), id.to_owned());
        let found = self.db.read(move |r| store::images::get(r, &reach, &key)).await?;
        let image = found.ok_or_else(|| Error::no_image(id))?;
        let seen = self.policy.check(cx, "get_image", &image.target());
        seen.map_err(|_| Error::no_image(id))?;
        Ok(image)
    }

    /// A page of the caller's list.
    pub(crate) async fn images(
        &self,
        cx: &Ctx,
        filter: Filter,
        page: Page,
    ) -> Result<Vec<Image>, Error> {
        let reach = cx.reach();
        let marker = page.marker.clone().unwrap_or_default();
        let found = self.db.scan(move |r| store::images::list(r, &reach, &filter, &page)).await?;
        let mut images = found.ok_or_else(|| {
            Error::BadRequest(format!("Invalid marker. Image {marker} could not be found."))
        })?;
        images.retain(|image| self.policy.check(cx, "get_image", &image.target()).is_ok());
        Ok(images)
    }

    /// Applies a patch.
    #[tracing::instrument(skip_all, fields(image = id))]
    pub(crate) async fn update_image(
        &self,
        cx: &Ctx,
        id: &str,
        changes: Vec<Change>,
    ) -> Result<Image, Error> {
        let image = self.visible_image(cx, id).await?;
        if changes.is_empty() {
            return Ok(image);
        }
        for change in &changes {
            if change.name == "visibility" && change.op != Op::Remove {
                self.may_have(cx, &image, property::visibility(&change.value)?)?;
            }
        }
        let admin = cx.is_admin();
        let config = self.config.clone();
        let check = move |image: &mut Image| patch::apply(image, &changes, admin, &config);
        self.change_image(cx, id, check).await
    }

    /// Changes an image inside one transaction; the caller must be one who may.
    pub(crate) async fn change_image(
        &self,
        cx: &Ctx,
        id: &str,
        change: impl Fn(&mut Image) -> Result<(), Error> + Send + 'static,
    ) -> Result<Image, Error> {
        self.image_for(cx, id, "modify_image").await?;
        let (reach, key, now) = (cx.reach(), id.to_owned(), self.clock.now());
        let limits = self.config.limits.clone();
        self.db
            .write(move |tx| {
                let found = store::images::get(tx, &reach, &key)?;
                let mut image = found.ok_or_else(|| Error::no_image(&key))?;
                change(&mut image)?;
                quota::on_image("properties", limits.properties, image.properties.len())?;
                quota::on_image("tags", limits.tags, image.tags.len())?;
                image.updated_at = now;
                store::images::update(tx, &image)?;
                Ok(image)
            })
            .await
    }

    /// Deletes an image: first the row, then the data. Whoever reads the data goes on reading.
    #[tracing::instrument(skip_all, fields(image = id))]
    pub(crate) async fn delete_image(&self, cx: &Ctx, id: &str) -> Result<(), Error> {
        let image = self.image_for(cx, id, "delete_image").await?;
        let protected =
            || Error::Forbidden(format!("Image {id} is protected and cannot be deleted."));
        if image.protected {
            return Err(protected());
        }
        let key = id.to_owned();
        let gone = self.db.write(move |tx| store::images::delete(tx, &key)).await?;
        if !gone {
            let still = self.visible_image(cx, id).await;
            return Err(still.err().unwrap_or_else(protected));
        }
        let (files, key) = (self.files.clone(), id.to_owned());
        let removed = crate::drivers::files::blocking(move || files.remove(&key)).await;
        if let Err(error) = removed {
            // The image is gone; the reaper comes for its data.
            tracing::warn!(image = id, %error, "could not remove the data of a deleted image");
            self.reap.give();
        }
        Ok(())
    }

    /// Takes an active image out of use, or back into it. Already so is fine.
    pub(crate) async fn set_active(&self, cx: &Ctx, id: &str, active: bool) -> Result<(), Error> {
        let (rule, verb) = match active {
            true => ("reactivate", "reactivate"),
            false => ("deactivate", "deactivate"),
        };
        let image = self.image_for(cx, id, rule).await?;
        let (from, to) = match active {
            true => (Status::Deactivated, Status::Active),
            false => (Status::Active, Status::Deactivated),
        };
        if image.status == to {
            return Ok(());
        }
        let refused = |status: Status| {
            Error::Forbidden(format!("Not allowed to {verb} image in status '{status}'"))
        };
        if image.status != from {
            return Err(refused(image.status));
        }
        let (key, now) = (id.to_owned(), self.clock.now());
        let done =
            self.db.write(move |tx| store::images::set_status(tx, &key, from, to, now)).await?;
        if done { Ok(()) } else { Err(refused(image.status)) }
    }

    /// Adds a tag; one that is there is fine.
    pub(crate) async fn add_tag(&self, cx: &Ctx, id: &str, tag: &str) -> Result<(), Error> {
        let tag = property::tag(tag)?;
        let add = move |image: &mut Image| {
            image.tags.push(tag.clone());
            image.tags.sort();
            image.tags.dedup();
            Ok(())
        };
        self.change_image(cx, id, add).await.map(drop)
    }

    /// Removes a tag; 404 when it is not there.
    pub(crate) async fn remove_tag(&self, cx: &Ctx, id: &str, tag: &str) -> Result<(), Error> {
        let tag = tag.to_owned();
        let remove = move |image: &mut Image| {
            let before = image.tags.len();
            image.tags.retain(|own| *own != tag);
            match image.tags.len() < before {
                true => Ok(()),
                false => Err(Error::NotFound("The resource could not be found.".to_owned())),
            }
        };
        self.change_image(cx, id, remove).await.map(drop)
    }

    /// Public and community images need a rule of their own.
    fn may_have(&self, cx: &Ctx, image: &Image, visibility: Visibility) -> Result<(), Error> {
        let rule = match visibility {
            Visibility::Public => "publicize_image",
            Visibility::Community => "communitize_image",
            Visibility::Shared | Visibility::Private => return Ok(()),
        };
        Ok(self.policy.check(cx, rule, &image.target())?)
    }

    fn check_sizes(&self, image: &Image) -> Result<(), Error> {
        let limits = &self.config.limits;
        quota::on_image("properties", limits.properties, image.properties.len())?;
        quota::on_image("tags", limits.tags, image.tags.len())
    }
}
