//! The machine below the services: programs, files, kernel objects.
//!
//! The only crate of the kit that touches the operating system. `host` uses it, and the `drivers/`
//! of a service; model, logic and api of a service never do.
//!
//! - [`exec`]: run a program with a timeout, captured output, and secrets kept out of the log.
//! - [`files`]: atomic writes, modes, durable renames.
//! - [`process`]: processes that outlive their parent, told apart from later ones of their number.
//! - [`kernel`]: modules and settings.
//! - [`mounts`], [`sockets`]: what is mounted, how much room there is, which ports are taken.

pub mod exec;
pub mod files;
pub mod kernel;
pub mod mounts;
pub mod process;
pub mod sockets;

pub use exec::{ExecError, Output, Program};
pub use process::ProcessId;
