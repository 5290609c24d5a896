//! What touches the host: the keys on its disk.

pub(crate) mod keys;
