//! Traits and resource classes: which are known.

use stackup_store::Reader;

use crate::error::Error;
use crate::model::names::{STANDARD_CLASSES, STANDARD_TRAITS};
use crate::store::names::{self, Kind};

pub(crate) fn class_is_known(r: &Reader<'_>, name: &str) -> Result<bool, Error> {
    Ok(STANDARD_CLASSES.contains(&name) || names::has(r, Kind::Class, name)?)
}

pub(crate) fn trait_is_known(r: &Reader<'_>, name: &str) -> Result<bool, Error> {
    Ok(STANDARD_TRAITS.contains(name) || names::has(r, Kind::Trait, name)?)
}
