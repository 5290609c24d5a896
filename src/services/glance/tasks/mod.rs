//! What must stay true while the process runs.

pub(crate) mod reap;
