//! Nova through HTTP: real SQLite, the fake driver, stubs for the other services.

mod cloud;
mod servers;
mod stubs;
