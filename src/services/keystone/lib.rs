//! stackup-keystone.
