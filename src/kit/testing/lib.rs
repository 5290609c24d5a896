//! stackup-testing.
