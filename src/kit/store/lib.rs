//! stackup-store.
