//! Tier 4: all services composed in the real program; only the host is pretended.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is a failed test"
)]

mod boot_a_server;
mod floating_ip;
mod images;
mod restart;
mod roles_and_tokens;
mod two_projects;
