//! stackup-core.
