//! The dataplane on real namespaces: guests are namespaces, the kernel is this one.
//!
//! Every story runs as root in a network and mount namespace of its own, so the host's bridges,
//! rules and `/run/netns` are never touched. Without root, or on a kernel that gives no
//! namespaces, a story says so and is skipped.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod groups;
mod lab;
mod lifecycle;
mod metadata;
mod routing;
