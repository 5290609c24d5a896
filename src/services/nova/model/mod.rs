//! Types and states of nova. No async, no SQL, no HTTP.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod metadata;
pub mod power;
