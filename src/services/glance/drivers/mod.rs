//! The world outside: the directory of files, the digests, and the web.

pub(crate) mod digest;
pub(crate) mod files;
pub(crate) mod web;
