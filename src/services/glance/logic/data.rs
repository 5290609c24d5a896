//! Data in and out: upload, stage, download.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use stackup_core::Ctx;
use tokio::sync::oneshot;
use tracing::Instrument;

use super::intake;
use crate::drivers::{digest, files};
use crate::model::{Image, Status};
use crate::{Error, Glance, quota, store};

/// Data that a client sends.
pub(crate) struct Incoming<S> {
    pub(crate) stream: S,
    /// Bytes, as the client says before.
    pub(crate) announced: Option<u64>,
}

/// An open download.
pub(crate) struct Download {
    pub(crate) file: File,
    pub(crate) size: u64,
    pub(crate) checksum: Option<String>,
}

impl Glance {
    /// Takes the data of a queued image. The work is a task of its own, so that the image is put
    /// back into the queue even when the client goes away and the request with it.
    pub(crate) async fn upload<S, E>(
        self: &Arc<Self>,
        cx: &Ctx,
        id: &str,
        incoming: Incoming<S>,
    ) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: std::fmt::Display + Send + 'static,
    {
        let image = self.image_for(cx, id, "upload_image").await?;
        let limits = self.config.limits.clone();
        let announced = incoming.announced;
        let fits = move |usage: &_| {
            quota::another_upload(&limits, usage)?;
            quota::more_data(&limits, usage, announced.unwrap_or(0))
        };
        let room = self.begin(&image, Status::Saving, announced, fits).await?;
        let glance = Arc::clone(self);
        self.outlive("glance.upload", async move {
            let _busy = glance.busy(&image.id);
            let done = glance.receive(&image, incoming, room).await;
            if done.is_err() {
                glance.give_back(&image.id, Status::Saving).await;
            }
            done
        })
        .await
    }

    /// Keeps data beside a queued image until it is imported.
    pub(crate) async fn stage<S, E>(
        self: &Arc<Self>,
        cx: &Ctx,
        id: &str,
        incoming: Incoming<S>,
    ) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: std::fmt::Display + Send + 'static,
    {
        let image = self.image_for(cx, id, "modify_image").await?;
        let limits = self.config.limits.clone();
        let announced = incoming.announced;
        let fits = move |usage: &_| {
            quota::another_upload(&limits, usage)?;
            quota::more_staged(&limits, usage, announced.unwrap_or(0))
        };
        let room = self.begin(&image, Status::Uploading, announced, fits).await?;
        let glance = Arc::clone(self);
        self.outlive("glance.stage", async move {
            let _busy = glance.busy(&image.id);
            let done = glance.keep_staged(&image, incoming, room).await;
            if done.is_err() {
                glance.give_back(&image.id, Status::Uploading).await;
            }
            done
        })
        .await
    }

    /// Opens the data of an image; `None` when it has none yet.
    pub(crate) async fn download(&self, cx: &Ctx, id: &str) -> Result<Option<Download>, Error> {
        let image = self.visible_image(cx, id).await?;
        if image.status == Status::Deactivated && !cx.is_admin() {
            return Err(Error::Forbidden(
                "The requested image has been deactivated. Image data download is forbidden."
                    .to_owned(),
            ));
        }
        self.policy.check(cx, "download_image", &image.target())?;
        if !image.status.has_data() {
            return Ok(None);
        }
        let path = self.files.image(&image.id);
        let opened = files::blocking(move || {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            Ok((file, size))
        });
        match opened.await {
            Ok((file, size)) => Ok(Some(Download { file, size, checksum: image.checksum })),
            // Deleted since, or lost: the row tells which.
            Err(error) => {
                self.visible_image(cx, id).await?;
                Err(Error::io("open the data", error))
            }
        }
    }

    /// Moves an image out of its queue, if its state, its formats and the quotas allow. Gives the
    /// bytes that may come.
    async fn begin(
        &self,
        image: &Image,
        to: Status,
        announced: Option<u64>,
        fits: impl Fn(&store::usage::Usage) -> Result<u64, Error> + Send + 'static,
    ) -> Result<u64, Error> {
        image.status.allow(to)?;
        if to == Status::Saving {
            image.require_formats()?;
        }
        if announced.is_some_and(|size| size > self.config.size_cap) {
            return Err(intake::transfer(digest::ReceiveError::TooLarge(self.config.size_cap)));
        }
        let (id, owner, now) = (image.id.clone(), image.owner.clone(), self.clock.now());
        let from = image.status;
        let cap = self.config.size_cap;
        let moved = self.db.write(move |tx| {
            let room = match &owner {
                Some(owner) => fits(&store::usage::of(tx, owner)?)?,
                None => cap,
            };
            let moved = store::images::set_status(tx, &id, from, to, now)?;
            Ok::<_, Error>(moved.then_some(room.min(cap)))
        });
        if let Some(room) = moved.await? {
            return Ok(room);
        }
        Err(Error::Conflict(format!("Image status transition from {from} to {to} is not allowed")))
    }

    async fn receive<S, E>(
        &self,
        image: &Image,
        incoming: Incoming<S>,
        room: u64,
    ) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: std::fmt::Display,
    {
        let part = self.files.part(&image.id);
        let path = part.path().to_owned();
        let digests =
            digest::receive(path, incoming.stream, room).await.map_err(intake::transfer)?;
        complete(incoming.announced, digests.size)?;
        self.take_in(image, Status::Saving, part, digests).await
    }

    async fn keep_staged<S, E>(
        &self,
        image: &Image,
        incoming: Incoming<S>,
        room: u64,
    ) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: std::fmt::Display,
    {
        let part = self.files.staging_part(&image.id);
        let path = part.path().to_owned();
        let digests =
            digest::receive(path, incoming.stream, room).await.map_err(intake::transfer)?;
        complete(incoming.announced, digests.size)?;
        let place = self.files.staged(&image.id);
        files::blocking(move || part.keep(&place))
            .await
            .map_err(|source| Error::io("stage the data", source))?;
        let (id, now) = (image.id.clone(), self.clock.now());
        self.db.write(move |tx| store::images::set_size(tx, &id, digests.size, now)).await?;
        // An image that was deleted meanwhile leaves its staged data to the reaper.
        Ok(())
    }

    /// Runs work that must come to its own end, and waits for it as long as the caller does.
    pub(crate) async fn outlive<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let work = async move {
            // Nobody waits any more: then nobody needs the answer.
            drop(answer.send(work.await));
        };
        self.supervisor.spawn(name, work.instrument(tracing::Span::current()));
        answered.await.unwrap_or_else(|_| Err(intake::interrupted()))
    }
}

/// Data of another size than announced did not come in whole.
fn complete(announced: Option<u64>, size: u64) -> Result<(), Error> {
    match announced {
        Some(announced) if announced != size => Err(Error::BadRequest(format!(
            "The image data has {size} bytes, where {announced} were announced."
        ))),
        _ => Ok(()),
    }
}
