//! Groups.

use stackup_core::DomainId;

use super::Extra;

/// A group of users.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domain_id: DomainId,
    pub(crate) description: Option<String>,
    pub(crate) extra: Extra,
}
