//! The gate through which all data comes: looked into, put in its place, and only then known.

use std::sync::PoisonError;

use stackup_contracts::CallError;
use stackup_core::ErrorKind;

use crate::drivers::digest::{Digests, ReceiveError};
use crate::drivers::files::{self, Part};
use crate::model::inspect::{Format, Refusal};
use crate::model::{Image, Status};
use crate::store::images::Data;
use crate::{Error, Glance, store};

/// Containers whose content is the disk itself, so that its format can be told.
const TRANSPARENT: &[&str] = &["bare", "ami", "aki", "ari"];

/// While it lives, the files of an image are left alone by the reaper.
pub(crate) struct Busy<'a> {
    glance: &'a Glance,
    id: String,
}

impl Glance {
    /// Marks an image as being worked on by this process.
    pub(crate) fn busy(&self, id: &str) -> Busy<'_> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.insert(id.to_owned());
        Busy { glance: self, id: id.to_owned() }
    }

    pub(crate) fn is_busy(&self, id: &str) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Takes data for an image that is in state `from`, which then is active.
    ///
    /// Fails when the data is not what the image claims, or points outside itself; with `Gone` when
    /// the image was deleted meanwhile. Then the data is gone too, and the image's state is left to
    /// the caller.
    #[tracing::instrument(skip_all, fields(image = image.id, size = digests.size))]
    pub(crate) async fn take_in(
        &self,
        image: &Image,
        from: Status,
        part: Part,
        digests: Digests,
    ) -> Result<(), Error> {
        let (found_format, virtual_size) = self.judge(image, &part).await?;
        let data = Data {
            size: digests.size,
            virtual_size,
            checksum: digests.md5,
            sha512: digests.sha512,
            found_format: found_format.as_str().to_owned(),
        };
        let place = self.files.image(&image.id);
        files::blocking(move || part.keep(&place))
            .await
            .map_err(|source| Error::io("put the data in its place", source))?;
        let (id, now) = (image.id.clone(), self.clock.now());
        let active =
            self.db.write(move |tx| store::images::activate(tx, &id, from, &data, now)).await;
        if !matches!(active, Ok(true)) {
            let (files, id) = (self.files.clone(), image.id.clone());
            drop(files::blocking(move || files.remove(&id)).await);
        }
        match active? {
            true => Ok(()),
            false => Err(gone(&image.id)),
        }
    }

    /// Puts an image back into its queue, after data did not come in.
    pub(crate) async fn give_back(&self, id: &str, from: Status) {
        let (key, now) = (id.to_owned(), self.clock.now());
        let back = self.db.write(move |tx| store::images::requeue(tx, &key, from, now)).await;
        if let Err(error) = back {
            tracing::error!(image = id, %error, "could not put an image back into its queue");
        }
    }

    /// What the data really is, and how large the disk in it.
    async fn judge(&self, image: &Image, part: &Part) -> Result<(Format, Option<u64>), Error> {
        let found = files::look(part.path()).await.map_err(refused)?;
        let container = image.container_format.as_deref().unwrap_or_default();
        let claimed = image.disk_format.as_deref().unwrap_or_default();
        if !TRANSPARENT.contains(&container) {
            return Ok((found.format, None));
        }
        match found.as_claimed(claimed) {
            Ok(virtual_size) => Ok((found.format, virtual_size)),
            Err(_) if !self.config.require_format_match => Ok((found.format, None)),
            Err(refusal) => Err(refused(refusal)),
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut busy = self.glance.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.id);
    }
}

/// The failure of a transfer, in upstream's words.
pub(crate) fn transfer(error: ReceiveError) -> Error {
    match error {
        ReceiveError::TooLarge(limit) => Error::TooLarge(format!(
            "The incoming image is too large: The provided image is larger than {limit} bytes."
        )),
        ReceiveError::Broken(why) => {
            Error::BadRequest(format!("The image data ended early: {why}"))
        }
        ReceiveError::Write(source) => Error::io("write the data", source),
    }
}

/// The image was deleted while its data came in.
pub(crate) fn gone(id: &str) -> Error {
    Error::Gone(format!(
        "Image {id} could not be found after upload. The image may have been deleted during the \
         upload, cleaning up the chunks uploaded."
    ))
}

/// The task that did the work ended without an answer: the process is ending.
pub(crate) fn interrupted() -> Error {
    let message = "The service is ending";
    Error::Call(CallError::new(ErrorKind::Unavailable, "", message))
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Unreadable(source) => Error::io("look into the data", source),
        Refusal::Unsafe(_) | Refusal::Mismatch { .. } => Error::InvalidData(refusal.to_string()),
    }
}
