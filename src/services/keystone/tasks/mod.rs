//! What must stay true while the process runs.

pub(crate) mod purge_tokens;
pub(crate) mod rotate_keys;
