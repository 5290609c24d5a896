//! stackup.
