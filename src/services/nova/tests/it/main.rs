//! Nova through HTTP: real SQLite, the fake driver, stubs for the other services.
#![allow(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod cloud;
mod goldens;
mod operators;
mod projects;
mod servers;
mod stubs;
mod survival;
