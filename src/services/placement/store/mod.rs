//! SQL, and nothing else.

pub(crate) mod allocations;
pub(crate) mod inventories;
pub(crate) mod names;
pub(crate) mod providers;
pub(crate) mod snapshot;
