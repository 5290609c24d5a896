//! Types and states of nova. No async, no SQL, no HTTP.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod action;
pub mod aggregate;
pub mod compute_service;
pub mod flavor;
pub mod group;
pub mod keypair;
pub mod metadata;
pub mod migration;
pub mod power;
pub mod server;
pub mod state;
