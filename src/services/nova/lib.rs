//! stackup-nova.
