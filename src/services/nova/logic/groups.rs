//! Server groups.

use stackup_core::Ctx;

use super::quotas;
use crate::model::group::ServerGroup;
use crate::store::groups;
use crate::{Error, Nova};

pub(crate) async fn create(nova: &Nova, group: ServerGroup) -> Result<ServerGroup, Error> {
    let configured = nova.config.quota.clone();
    nova.db
        .write(move |tx| {
            let most = quotas::limits(tx, &configured, &group.project_id)?["server_groups"];
            if quotas::exceeds(most, groups::count(tx, &group.project_id)? + 1) {
                return Err(Error::OverQuota("Quota exceeded, too many server groups.".to_owned()));
            }
            groups::insert(tx, &group)?;
            Ok(group.clone())
        })
        .await
}

pub(crate) async fn get(nova: &Nova, cx: &Ctx, id: &str) -> Result<ServerGroup, Error> {
    let (reach, wanted) = (cx.reach(), id.to_owned());
    nova.db
        .read(move |r| groups::get(r, reach.project(), &wanted).map_err(Error::from))
        .await?
        .ok_or_else(|| missing(id))
}

pub(crate) async fn list(
    nova: &Nova,
    cx: &Ctx,
    everybody: bool,
    limit: usize,
    offset: usize,
) -> Result<Vec<ServerGroup>, Error> {
    let project = match everybody {
        true => None,
        false => Some(cx.project_id().map(ToString::to_string).unwrap_or_default()),
    };
    nova.db
        .read(move |r| groups::list(r, project.as_deref(), limit, offset).map_err(Error::from))
        .await
}

pub(crate) async fn delete(nova: &Nova, cx: &Ctx, id: &str) -> Result<(), Error> {
    let group = get(nova, cx, id).await?;
    nova.db
        .write(move |tx| match groups::delete(tx, &group.id)? {
            0 => Err(missing(&group.id)),
            _ => Ok(()),
        })
        .await
}

fn missing(id: &str) -> Error {
    Error::NotFound(format!("Instance group {id} could not be found."))
}
