//! What the image proxies of old versions need of glance.

use std::collections::BTreeMap;

use stackup_contracts::{ImageInfo, ImageQuery};
use stackup_core::{Ctx, ErrorKind, ImageId};

use crate::{Error, Nova};

pub(crate) async fn get(nova: &Nova, cx: &Ctx, id: &str) -> Result<ImageInfo, Error> {
    let found = nova.hub.images()?.image(cx, &ImageId::from(id)).await;
    found.map_err(|error| match error.kind {
        ErrorKind::NotFound => Error::NotFound("Image not found.".to_owned()),
        _ => error.into(),
    })
}

pub(crate) async fn list(
    nova: &Nova,
    cx: &Ctx,
    query: &ImageQuery,
) -> Result<Vec<ImageInfo>, Error> {
    Ok(nova.hub.images()?.images(cx, query).await?)
}

pub(crate) async fn delete(nova: &Nova, cx: &Ctx, id: &str) -> Result<(), Error> {
    get(nova, cx, id).await?;
    Ok(nova.hub.images()?.delete(cx, &ImageId::from(id)).await?)
}

/// Changes properties: a null removes one.
pub(crate) async fn set(
    nova: &Nova,
    cx: &Ctx,
    id: &str,
    changes: BTreeMap<String, Option<String>>,
) -> Result<ImageInfo, Error> {
    get(nova, cx, id).await?;
    Ok(nova.hub.images()?.set_properties(cx, &ImageId::from(id), changes).await?)
}
