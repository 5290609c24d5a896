//! Tier 5: what needs root and a real kernel. Each test works in network and mount namespaces of its
//! own and puts back what it makes. Run by `scripts/test.sh --host`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod inside;
mod install_then_reset;
mod steps;
