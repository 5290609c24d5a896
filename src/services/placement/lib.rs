//! stackup-placement.
