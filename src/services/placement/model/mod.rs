//! Types and rules, without SQL or HTTP.

#![warn(clippy::wildcard_enum_match_arm)]

pub(crate) mod allocation;
pub(crate) mod candidates;
pub(crate) mod inventory;
pub(crate) mod names;
pub(crate) mod provider;
pub(crate) mod request;
