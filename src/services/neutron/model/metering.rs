//! Metering: labels, and the rules that say which traffic of a router counts for them.

use ipnet::IpNet;

use super::attribute::{Attr, Kind, Literal, NAMED_ONCE, OWN, OWNED, Resource};
use super::body::Fields;
use super::record::Record;
use super::shape::Shape;
use crate::error::{Error, Result};

pub(crate) static METERING_LABEL: Resource = Resource {
    kind: Kind::MeteringLabel,
    name: "metering_label",
    plural: "metering_labels",
    table: "metering_labels",
    visible: OWN,
    service_sees: false,
    quota: None,
    attrs: &[
        OWNED,
        NAMED_ONCE,
        &[
            Attr::stored("description", Shape::Text(1024)).or(Literal::Text("")),
            Attr::stored("shared", Shape::Flag).or(Literal::Flag(false)),
        ],
    ],
};

/// A rule is its label's: it has no project of its own to show, but takes one.
pub(crate) static METERING_LABEL_RULE: Resource = Resource {
    kind: Kind::MeteringLabelRule,
    name: "metering_label_rule",
    plural: "metering_label_rules",
    table: "metering_label_rules",
    visible: "t.metering_label_id IN (
    SELECT l.id FROM metering_labels l WHERE l.project_id = {me})",
    service_sees: false,
    quota: None,
    attrs: &[&[
        Attr::stored("id", Shape::Uuid),
        Attr::request("project_id", Shape::Text(255)).open(),
        Attr::stored("metering_label_id", Shape::Uuid).required(),
        Attr::stored("direction", Shape::Word(&["ingress", "egress"])).required(),
        Attr::stored("excluded", Shape::Flag).or(Literal::Flag(false)),
        Attr::stored("remote_ip_prefix", Shape::CidrOrNull).or(Literal::Null),
        Attr::stored("source_ip_prefix", Shape::CidrOrNull).or(Literal::Null),
        Attr::stored("destination_ip_prefix", Shape::CidrOrNull).or(Literal::Null),
    ]],
};

/// A rule names the remote side, or source and destination.
pub(crate) fn check(rule: &Fields) -> Result<()> {
    let (source, destination) = (rule.text("source_ip_prefix"), rule.text("destination_ip_prefix"));
    if let (Some(source), Some(destination)) = (source, destination)
        && source.contains(':') != destination.contains(':')
    {
        return Err(Error::Invalid(format!(
            "{source} and {destination} are not of the same IP version."
        )));
    }
    let ends = source.or(destination);
    match (rule.text("remote_ip_prefix"), ends) {
        (Some(_), Some(_)) => Err(Error::Invalid(
            "Cannot use 'remote-ip-prefix' in conjunction with 'source-ip-prefix' or \
             'destination-ip-prefix'."
                .to_owned(),
        )),
        (None, None) => Err(Error::Invalid(
            "You must define at least one of the following parameters 'remote_ip_prefix', or \
             'source_ip_prefix' or 'destination_ip_prefix'."
                .to_owned(),
        )),
        (Some(_), None) | (None, Some(_)) => Ok(()),
    }
}

/// Whether a new rule would count, or leave out, what another one of its label does already.
pub(crate) fn overlaps(rule: &Fields, other: &Record) -> bool {
    let net = |text: Option<&str>| text.and_then(|text| text.parse::<IpNet>().ok());
    let alike = rule.text("direction") == other.some_text("direction")
        && rule.flag("excluded") == Some(other.flag("excluded"));
    let nets = (net(rule.text("remote_ip_prefix")), net(other.some_text("remote_ip_prefix")));
    alike && matches!(nets, (Some(one), Some(other)) if super::ipam::overlap(&one, &other))
}
