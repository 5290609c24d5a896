//! What a person sees: text on stderr, data on stdout.

pub mod error;
pub mod printer;
pub mod progress;

pub use error::{Exit, Problem};
pub use printer::{Format, Printer};
