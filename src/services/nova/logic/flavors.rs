//! Flavors.

use std::collections::BTreeMap;

use stackup_core::Ctx;
use stackup_store::StoreError;

use crate::model::flavor::Flavor;
use crate::store::flavors;
use crate::{Error, Nova};

fn missing(id: &str) -> Error {
    Error::FlavorNotFound(id.to_owned())
}

/// A flavor that the caller may see: any for an administrator, else public or given to his project.
pub(crate) async fn usable(nova: &Nova, cx: &Ctx, id: &str) -> Result<Flavor, Error> {
    let (wanted, admin) = (id.to_owned(), cx.is_admin());
    let project = cx.project_id().map(ToString::to_string).unwrap_or_default();
    nova.db
        .read(move |r| {
            let Some(flavor) = flavors::get(r, &wanted)? else {
                return Err(missing(&wanted));
            };
            if flavor.public || admin || flavors::access(r, &wanted)?.contains(&project) {
                return Ok(flavor);
            }
            Err(missing(&wanted))
        })
        .await
}

pub(crate) async fn list(
    nova: &Nova,
    cx: &Ctx,
    public: Option<bool>,
) -> Result<Vec<Flavor>, Error> {
    let project = cx.project_id().map(ToString::to_string).unwrap_or_default();
    let filter = match cx.is_admin() {
        true => flavors::Filter { public, usable_by: None },
        false => flavors::Filter { public: None, usable_by: Some(project) },
    };
    nova.db.read(move |r| flavors::list(r, &filter).map_err(Error::from)).await
}

/// Fails with 409 when the id or the name is taken.
pub(crate) async fn create(nova: &Nova, flavor: Flavor) -> Result<Flavor, Error> {
    nova.db
        .write(move |tx| {
            if flavors::get(tx, &flavor.size.id)?.is_some() {
                let id = &flavor.size.id;
                return Err(Error::Conflict(format!("Flavor with ID {id} already exists.")));
            }
            if flavors::by_name(tx, &flavor.size.name)?.is_some() {
                let name = &flavor.size.name;
                return Err(Error::Conflict(format!("Flavor with name {name} already exists.")));
            }
            Ok(flavors::insert(tx, &flavor)?)
        })
        .await
}

pub(crate) async fn describe(
    nova: &Nova,
    id: &str,
    description: Option<String>,
) -> Result<Flavor, Error> {
    let (id, now) = (id.to_owned(), nova.now());
    nova.db
        .write(move |tx| {
            flavors::describe(tx, &id, description.as_deref(), now)?;
            flavors::get(tx, &id)?.ok_or_else(|| missing(&id))
        })
        .await
}

pub(crate) async fn delete(nova: &Nova, id: &str) -> Result<(), Error> {
    let id = id.to_owned();
    nova.db
        .write(move |tx| match flavors::delete(tx, &id)? {
            0 => Err(missing(&id)),
            _ => Ok(()),
        })
        .await
}

/// Changes the extra specs by `change`, which may refuse.
pub(crate) async fn change_specs<F>(nova: &Nova, id: &str, change: F) -> Result<Flavor, Error>
where
    F: Fn(&mut BTreeMap<String, String>) -> Result<(), Error> + Send + 'static,
{
    let (id, now) = (id.to_owned(), nova.now());
    nova.db
        .write(move |tx| {
            let mut flavor = flavors::get(tx, &id)?.ok_or_else(|| missing(&id))?;
            change(&mut flavor.size.extra_specs)?;
            flavors::set_specs(tx, &id, &flavor.size.extra_specs, now)?;
            Ok(flavor)
        })
        .await
}

/// The projects that were given a flavor that is not public.
pub(crate) async fn access(nova: &Nova, id: &str) -> Result<Vec<String>, Error> {
    let id = id.to_owned();
    nova.db
        .read(move |r| {
            let flavor = flavors::get(r, &id)?.ok_or_else(|| missing(&id))?;
            if flavor.public {
                return Err(Error::NotFound(
                    "Access list not available for public flavors.".to_owned(),
                ));
            }
            Ok(flavors::access(r, &id)?)
        })
        .await
}

/// Gives, or takes, a project's access, and lists who has it then.
pub(crate) async fn set_access(
    nova: &Nova,
    cx: &Ctx,
    id: &str,
    project: &str,
    give: bool,
) -> Result<Vec<String>, Error> {
    if give && nova.hub.identity()?.project(&project.into()).await?.is_none() {
        return Err(Error::invalid(format!("Project ID {project} is not a valid project.")));
    }
    let (id, project, strict) =
        (id.to_owned(), project.to_owned(), cx.since(crate::api::ACCESS_CHECK));
    nova.db
        .write(move |tx| {
            let flavor = flavors::get(tx, &id)?.ok_or_else(|| missing(&id))?;
            if flavor.public && strict && give {
                return Err(Error::Conflict("Can not add access to a public flavor.".to_owned()));
            }
            if give {
                grant(tx, &id, &project)?;
            } else if flavors::revoke(tx, &id, &project)? == 0 {
                return Err(Error::NotFound(format!(
                    "Flavor access not found for {id} / {project} combination."
                )));
            }
            Ok(flavors::access(tx, &id)?)
        })
        .await
}

fn grant(tx: &mut stackup_store::Tx<'_>, id: &str, project: &str) -> Result<(), Error> {
    flavors::grant(tx, id, project).map_err(|error| match error {
        StoreError::Unique(_) => Error::Conflict(format!(
            "Flavor access already exists for flavor {id} and project {project} combination."
        )),
        other => other.into(),
    })
}
