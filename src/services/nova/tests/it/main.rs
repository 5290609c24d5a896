//! Nova through HTTP: real SQLite, the fake driver, stubs for the other services.

mod cloud;
mod operators;
mod projects;
mod servers;
mod stubs;
mod survival;
