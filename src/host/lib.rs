//! stackup-host.
