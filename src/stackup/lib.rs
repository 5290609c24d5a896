//! The program: command line, composition, listener. The only crate that names concrete services.

pub mod admin;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod compose;
pub mod credentials;
pub mod drivers;
pub mod images;
pub mod listen;
pub mod profiles;
pub mod shutdown;
pub mod ui;
pub mod verify;
pub mod wipe;
