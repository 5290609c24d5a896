//! What must stay true.

pub(crate) mod dataplane;
