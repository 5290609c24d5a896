//! RBAC policies: what of one project another may use.

use super::attribute::{Attr, Kind, OWN, OWNED, Resource};
use super::shape::Shape;

pub(crate) const AS_SHARED: &str = "access_as_shared";
pub(crate) const AS_EXTERNAL: &str = "access_as_external";
/// Everybody.
pub(crate) const ANYONE: &str = "*";

pub(crate) static RBAC_POLICY: Resource = Resource {
    kind: Kind::RbacPolicy,
    name: "rbac_policy",
    plural: "rbac_policies",
    table: "rbac_policies",
    visible: OWN,
    service_sees: false,
    quota: Some("rbac_policy"),
    attrs: &[OWNED, ATTRS],
};

const ATTRS: &[Attr] = &[
    Attr::stored(
        "object_type",
        Shape::Word(&["network", "security_group", "subnetpool", "address_scope"]),
    )
    .required(),
    Attr::stored("object_id", Shape::Uuid).required(),
    Attr::stored("action", Shape::Word(&[AS_SHARED, AS_EXTERNAL])).required(),
    Attr::stored("target_tenant", Shape::NotEmpty(255)).required().put(),
];
