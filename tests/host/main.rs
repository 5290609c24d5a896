//! Tier 5.
