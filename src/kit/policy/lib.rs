//! stackup-policy.
