//! The program: command line, composition, listener. The only crate that names concrete services.

pub mod admin;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod compose;
pub mod credentials;
mod drivers;
mod images;
pub mod listen;
mod profiles;
mod shutdown;
pub mod ui;
mod verify;
mod wipe;
