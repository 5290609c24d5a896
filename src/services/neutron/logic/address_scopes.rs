//! Address scopes.

use super::Work;
use crate::error::{Error, Result};
use crate::model::rbac_policy::AS_SHARED;
use crate::model::{ADDRESS_SCOPE, Fields, Record, SUBNET_POOL};
use crate::store::links::{self, Share};
use crate::store::records::equals;

pub(crate) fn create(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    let id = w.insert(&ADDRESS_SCOPE, &mut fields)?;
    if fields.flag("shared") == Some(true) {
        let project = fields.text("project_id").unwrap_or_default().to_owned();
        share(w, &project, &id)?;
    }
    Ok(id)
}

pub(crate) fn update(w: &mut Work<'_, '_>, before: &Record, fields: &Fields) -> Result<()> {
    match fields.flag("shared") {
        Some(true) => share(w, before.project_id(), before.id())?,
        Some(false) if before.flag("shared") => {
            return Err(Error::BadRequest {
                resource: "address_scope",
                message: "Shared address scope can't be unshared".to_owned(),
            });
        }
        Some(false) | None => {}
    }
    w.update(&ADDRESS_SCOPE, before.id(), fields)
}

pub(crate) fn delete(w: &mut Work<'_, '_>, scope: &Record) -> Result<()> {
    let pools = w.all(&SUBNET_POOL, vec![equals("t.address_scope_id", scope.id())])?;
    if !pools.is_empty() {
        return Err(Error::AddressScopeInUse(scope.id().to_owned()));
    }
    w.delete(&ADDRESS_SCOPE, scope.id())
}

fn share(w: &mut Work<'_, '_>, project: &str, id: &str) -> Result<()> {
    let share = Share { project, object_type: "address_scope", object: id, action: AS_SHARED };
    Ok(links::share(w.tx, &share)?)
}
