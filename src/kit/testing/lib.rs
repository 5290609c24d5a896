//! What tests of services share: callers, a client, contracts that answer, goldens, waiting.
//!
//! A dev-dependency only.

#![allow(clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod client;
mod golden;
mod identity;

pub use client::{Answer, Client};
pub use golden::golden;
pub use identity::{StubIdentity, caller};

use std::future::Future;
use std::time::{Duration, Instant};

/// Polls until `probe` gives a value. Panics past `seconds`, naming what was waited for.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(
    what: &str,
    seconds: u64,
    mut probe: impl FnMut() -> F,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(begun.elapsed() < Duration::from_secs(seconds), "waited {seconds} s for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
