//! stackup-web.
