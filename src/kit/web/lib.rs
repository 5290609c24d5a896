//! HTTP: what every service's `api/` is made of, and nothing of any one service.
//!
//! A request passes these, from outside in:
//!
//! 1. [`api`]: request id, span, the URL the caller sees, the panic net; on the way out the fault's
//!    body in the service's dialect, the microversion headers, the log line.
//! 2. [`microversion`]: which version is asked for.
//! 3. [`routes`]: the table. The path, the verb, the version window and, for actions, the key of
//!    the body choose one row; an unknown one is 404, 405 or 400 as upstream has it.
//! 4. [`context`]: the token becomes a caller, the row's rule is checked.
//! 5. The handler, at most 25 lines: reads the request, calls `logic`, shows a view.
//!
//! Handlers return `Result<_, E>` where `E` turns into a [`Fault`]; bodies of errors are written
//! in one place, by the service's [`FaultShape`].

pub mod api;
pub mod body;
pub mod context;
pub mod dialects;
pub mod fault;
pub mod microversion;
pub mod page;
pub mod query;
pub mod routes;
pub mod service;
pub mod trace;
pub mod versions;

pub use api::{Api, Mount};
pub use body::{Json, answer};
pub use context::{Access, Cx};
pub use fault::{Fault, FaultShape};
pub use microversion::Microversions;
pub use query::Query;
pub use routes::{Route, RouteInfo, action, delete, get, head, patch, post, put};
pub use service::{BootError, Depth, Service, Task};
