//! What placement does.

pub(crate) mod allocations;
pub(crate) mod inventories;
pub(crate) mod names;
mod port;
pub(crate) mod providers;
