//! Security groups, their rules, and the rules that new groups begin with.

use super::attribute::{
    Attr, Kind, Literal, NAMED, OWN_OR_SHARED, OWNED, Resource, SHARED, STANDARD,
};
use super::shape::Shape;

pub(crate) static SECURITY_GROUP: Resource = Resource {
    kind: Kind::SecurityGroup,
    name: "security_group",
    plural: "security_groups",
    table: "security_groups",
    visible: OWN_OR_SHARED,
    service_sees: false,
    quota: Some("security_group"),
    attrs: &[
        OWNED,
        NAMED,
        &[
            Attr::stored("stateful", Shape::Flag).or(Literal::Flag(true)).put(),
            Attr::sql("shared", SHARED, Shape::Flag),
            Attr::parts("security_group_rules", Shape::Shown),
            Attr::hidden("default_of", Shape::TextOrNull(64)),
        ],
        STANDARD,
    ],
};

pub(crate) static SECURITY_GROUP_RULE: Resource = Resource {
    kind: Kind::SecurityGroupRule,
    name: "security_group_rule",
    plural: "security_group_rules",
    table: "security_group_rules",
    visible: "(t.project_id = {me} OR t.security_group_id IN (
    SELECT g.id FROM security_groups g WHERE g.project_id = {me}) OR t.security_group_id IN (
    SELECT p.object_id FROM rbac_policies p WHERE p.target_tenant IN ('*', {me})))",
    service_sees: false,
    quota: Some("security_group_rule"),
    attrs: &[
        OWNED,
        &[Attr::stored("security_group_id", Shape::Uuid).required()],
        RULE,
        &[
            Attr::stored("normalized_cidr", Shape::CidrOrNull),
            Attr::sql(
                "belongs_to_default_sg",
                "(SELECT CASE WHEN g.default_of IS NULL THEN 0 ELSE 1 END
    FROM security_groups g WHERE g.id = t.security_group_id)",
                Shape::Flag,
            ),
        ],
        STANDARD,
    ],
};

/// The rules that every new group begins with.
pub(crate) static DEFAULT_RULE: Resource = Resource {
    kind: Kind::DefaultRule,
    name: "default_security_group_rule",
    plural: "default_security_group_rules",
    table: "default_rules",
    visible: "1 = 1",
    service_sees: true,
    quota: None,
    attrs: &[
        &[Attr::stored("id", Shape::Uuid)],
        RULE,
        &[
            Attr::stored("used_in_default_sg", Shape::Flag).or(Literal::Flag(false)),
            Attr::stored("used_in_non_default_sg", Shape::Flag).or(Literal::Flag(true)),
        ],
        &[Attr::stored("description", Shape::Text(255)).or(Literal::Text(""))],
    ],
};

const RULE: &[Attr] = &[
    Attr::stored("direction", Shape::Word(&["ingress", "egress"])).required(),
    Attr::stored("ethertype", Shape::Word(&["IPv4", "IPv6"])).or(Literal::Text("IPv4")),
    Attr::stored("protocol", Shape::Protocol).or(Literal::Null),
    Attr::stored("port_range_min", Shape::IntOrNull(i64::MIN, i64::MAX)).or(Literal::Null),
    Attr::stored("port_range_max", Shape::IntOrNull(i64::MIN, i64::MAX)).or(Literal::Null),
    Attr::stored("remote_ip_prefix", Shape::TextOrNull(64)).or(Literal::Null),
    Attr::stored("remote_group_id", Shape::TextOrNull(36)).or(Literal::Null),
];

/// The name of the group that every project has.
pub(crate) const DEFAULT_NAME: &str = "default";
/// In a default rule: the group that the rule will be part of.
pub(crate) const PARENT: &str = "PARENT";
