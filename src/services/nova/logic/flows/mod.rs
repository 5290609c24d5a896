//! Work of several steps over several services, with what undoes it.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod rebuild;
pub(crate) mod rescue;
pub(crate) mod resize;
pub(crate) mod shelve;
pub(crate) mod snapshot;
