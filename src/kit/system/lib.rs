//! The machine below the services: programs, files, kernel objects.
//!
//! The only crate of the kit that touches the operating system. `host` uses it, and the `drivers/`
//! of a service; model, logic and api of a service never do.
//!
//! - [`exec`]: run a program with a timeout, captured output, and secrets kept out of the log.
//! - [`files`]: atomic writes, modes, durable renames.

pub mod exec;
pub mod files;

pub use exec::{ExecError, Output, Program};
