//! Subnet pools and address scopes: where the addresses of subnets come from.

use super::attribute::{
    Attr, Kind, Literal, NAMED, OWN_OR_SHARED, OWNED, Resource, SHARED, STANDARD,
};
use super::shape::Shape;

pub(crate) static SUBNET_POOL: Resource = Resource {
    kind: Kind::SubnetPool,
    name: "subnetpool",
    plural: "subnetpools",
    table: "subnet_pools",
    visible: OWN_OR_SHARED,
    service_sees: false,
    quota: Some("subnetpool"),
    attrs: &[
        OWNED,
        &[
            Attr::stored("name", Shape::NotEmpty(255)).required().put(),
            Attr::stored("prefixes", Shape::Cidrs).required().put(),
            Attr::stored("ip_version", Shape::IpVersion),
            Attr::stored("default_prefixlen", Shape::Int(0, 128)).open().put(),
            Attr::stored("min_prefixlen", Shape::Int(0, 128)).open().put(),
            Attr::stored("max_prefixlen", Shape::Int(0, 128)).open().put(),
            Attr::stored("default_quota", Shape::IntOrNull(0, i64::MAX)).or(Literal::Null).put(),
            Attr::stored("address_scope_id", Shape::UuidOrNull).or(Literal::Null).put(),
            Attr::sql("shared", SHARED, Shape::Flag).or(Literal::Flag(false)),
            Attr::stored("is_default", Shape::Flag).or(Literal::Flag(false)).put(),
        ],
        STANDARD,
    ],
};

pub(crate) static ADDRESS_SCOPE: Resource = Resource {
    kind: Kind::AddressScope,
    name: "address_scope",
    plural: "address_scopes",
    table: "address_scopes",
    visible: OWN_OR_SHARED,
    service_sees: false,
    quota: None,
    attrs: &[
        OWNED,
        NAMED,
        &[
            Attr::stored("ip_version", Shape::IpVersion).required(),
            Attr::sql("shared", SHARED, Shape::Flag).or(Literal::Flag(false)).put(),
        ],
    ],
};
