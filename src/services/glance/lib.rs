//! stackup-glance.
