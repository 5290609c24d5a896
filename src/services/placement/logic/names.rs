//! Traits and resource classes: which are known.

use stackup_store::Reader;

use crate::error::Error;
use crate::model::names::{STANDARD_CLASSES, STANDARD_TRAITS};
use crate::model::request::Group;
use crate::store::names::{self, Kind};

pub(crate) fn class_is_known(r: &Reader<'_>, name: &str) -> Result<bool, Error> {
    Ok(STANDARD_CLASSES.contains(&name) || names::has(r, Kind::Class, name)?)
}

pub(crate) fn trait_is_known(r: &Reader<'_>, name: &str) -> Result<bool, Error> {
    Ok(STANDARD_TRAITS.contains(name) || names::has(r, Kind::Trait, name)?)
}

/// The classes and traits that a group names are known.
pub(crate) fn check_group(r: &Reader<'_>, group: &Group) -> Result<(), Error> {
    for class in group.resources.keys() {
        if !class_is_known(r, class)? {
            return Err(Error::bad(format!(
                "Invalid resource class in resources parameter: No such resource class {class}."
            )));
        }
    }
    check_traits(r, group.required.iter().flatten().chain(&group.forbidden))
}

/// All of the traits are known; the complaint names those that are not.
pub(crate) fn check_traits<'a>(
    r: &Reader<'_>,
    wanted: impl Iterator<Item = &'a String>,
) -> Result<(), Error> {
    let mut unknown: Vec<&str> = Vec::new();
    for name in wanted {
        if !trait_is_known(r, name)? {
            unknown.push(name);
        }
    }
    unknown.sort_unstable();
    unknown.dedup();
    match unknown.as_slice() {
        [] => Ok(()),
        unknown => Err(Error::bad(format!("No such trait(s): {}.", unknown.join(", ")))),
    }
}
