//! Credentials: secrets that users keep here, EC2 keys among them.

use stackup_core::{ProjectId, UserId};

use super::Extra;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Credential {
    pub(crate) id: String,
    pub(crate) user_id: UserId,
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) kind: String,
    /// In the clear here, encrypted in the store.
    pub(crate) blob: String,
    pub(crate) extra: Extra,
}

/// The type of an EC2 key pair.
pub(crate) const EC2: &str = "ec2";
/// The type of a TOTP secret.
pub(crate) const TOTP: &str = "totp";
