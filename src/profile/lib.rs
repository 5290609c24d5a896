//! stackup-profile.
