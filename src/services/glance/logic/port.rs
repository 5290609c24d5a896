//! The door for other services.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use stackup_contracts::{CallError, ImageData, ImageInfo, ImageQuery, Images, NewImage};
use stackup_core::{Ctx, ErrorKind, ImageId, Page, Value, ids};

use super::data::Download;
use crate::drivers::digest;
use crate::model::filter::{Condition, Filter};
use crate::model::{Image, MemberStatus, Status, Visibility};
use crate::{Error, Glance, store};

#[async_trait]
impl Images for Glance {
    #[tracing::instrument(skip_all)]
    async fn image(&self, cx: &Ctx, id: &ImageId) -> Result<ImageInfo, CallError> {
        Ok(self.visible_image(cx, id).await?.into())
    }

    #[tracing::instrument(skip_all)]
    async fn images(&self, cx: &Ctx, query: &ImageQuery) -> Result<Vec<ImageInfo>, CallError> {
        let mut filter = Filter {
            member_status: Some(MemberStatus::Accepted),
            properties: query.properties.clone().into_iter().collect(),
            ..Filter::default()
        };
        filter.columns.push(Condition::equal("os_hidden", Value::Int(0)));
        for (column, text) in [("name", &query.name), ("status", &query.status)] {
            if let Some(text) = text {
                filter.columns.push(Condition::equal(column, Value::Text(text.clone())));
            }
        }
        let page = Page {
            limit: query.limit.unwrap_or(usize::MAX).min(self.config.page_max),
            marker: query.marker.as_ref().map(ToString::to_string),
            ..Page::all()
        };
        let images = Glance::images(self, cx, filter, page).await?;
        Ok(images.into_iter().map(ImageInfo::from).collect())
    }

    #[tracing::instrument(skip_all)]
    async fn data(&self, cx: &Ctx, id: &ImageId) -> Result<ImageData, CallError> {
        let image = self.visible_image(cx, id).await?;
        let open: Option<Download> = self.download(cx, id).await?;
        if open.is_none() {
            let message = format!("Image {id} is not active");
            return Err(CallError::new(ErrorKind::Conflict, "ImageNotActive", message));
        }
        let claimed = image.disk_format.unwrap_or_default();
        Ok(ImageData {
            path: self.files.image(&image.id),
            format: image.found_format.unwrap_or(claimed),
        })
    }

    #[tracing::instrument(skip_all)]
    async fn create(&self, cx: &Ctx, new: NewImage) -> Result<ImageInfo, CallError> {
        let owner = cx.project_id().map(ToString::to_string);
        let mut image = Image::queued(ids::uuid(), owner, self.clock.now());
        if let Some(text) = &new.visibility {
            image.visibility = Visibility::parse(text)
                .ok_or_else(|| Error::BadRequest(format!("Invalid visibility value: {text}")))?;
        }
        image.name = Some(new.name);
        image.disk_format = new.disk_format;
        image.container_format = new.container_format;
        image.min_disk = i64::try_from(new.min_disk).unwrap_or(i64::MAX);
        image.min_ram = i64::try_from(new.min_ram).unwrap_or(i64::MAX);
        let properties = new.properties.into_iter();
        image.properties = properties.map(|(name, value)| (name, Some(value))).collect();
        Ok(self.add_image(cx, image).await?.into())
    }

    #[tracing::instrument(skip_all)]
    async fn upload_file(&self, cx: &Ctx, id: &ImageId, file: PathBuf) -> Result<(), CallError> {
        let image = self.image_for(cx, id, "upload_image").await?;
        image.status.allow(Status::Saving)?;
        image.require_formats()?;
        let _busy = self.busy(id);
        let (key, now) = (image.id.clone(), self.clock.now());
        let (from, to) = (image.status, Status::Saving);
        let moved =
            self.db.write(move |tx| store::images::set_status(tx, &key, from, to, now)).await;
        if !moved.map_err(Error::from)? {
            let message = format!("Image {id} is not queued");
            return Err(CallError::new(ErrorKind::Conflict, "ImageNotQueued", message));
        }
        let done = self.take_file(&image, file).await;
        if done.is_err() {
            self.give_back(id, Status::Saving).await;
        }
        Ok(done?)
    }

    #[tracing::instrument(skip_all)]
    async fn set_properties(
        &self,
        cx: &Ctx,
        id: &ImageId,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<ImageInfo, CallError> {
        let change = move |image: &mut Image| {
            for (name, value) in &changes {
                match value {
                    Some(_) => image.properties.insert(name.clone(), value.clone()),
                    None => image.properties.remove(name),
                };
            }
            Ok(())
        };
        Ok(self.change_image(cx, id, change).await?.into())
    }

    #[tracing::instrument(skip_all)]
    async fn delete(&self, cx: &Ctx, id: &ImageId) -> Result<(), CallError> {
        Ok(self.delete_image(cx, id).await?)
    }
}

impl Glance {
    async fn take_file(&self, image: &Image, file: PathBuf) -> Result<(), Error> {
        let cannot = |source| Error::io("take the file", source);
        let part = self.files.adopt(&image.id, file).await.map_err(cannot)?;
        let digests = digest::of_file(part.path()).await.map_err(cannot)?;
        self.take_in(image, Status::Saving, part, digests).await
    }
}

impl From<Image> for ImageInfo {
    fn from(image: Image) -> Self {
        let properties = image.properties.into_iter();
        Self {
            id: image.id.into(),
            name: image.name,
            status: image.status.as_str().to_owned(),
            visibility: image.visibility.as_str().to_owned(),
            owner: image.owner.map(Into::into),
            disk_format: image.disk_format,
            container_format: image.container_format,
            size: image.size,
            virtual_size: image.virtual_size,
            checksum: image.checksum,
            min_disk: u64::try_from(image.min_disk).unwrap_or(0),
            min_ram: u64::try_from(image.min_ram).unwrap_or(0),
            protected: image.protected,
            created_at: image.created_at,
            updated_at: image.updated_at,
            tags: image.tags,
            properties: properties.filter_map(|(name, value)| Some((name, value?))).collect(),
        }
    }
}
