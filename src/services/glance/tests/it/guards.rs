//! The table of routes and the table of rules, against one another.

use std::collections::BTreeSet;

use stackup_web::Access;

use crate::*;

/// Rules that only others are built on.
const BASE: &[&str] = &["default", "context_is_admin", "service_api"];

/// Rules that are checked where the thing is known.
const IN_LOGIC: &[&str] = &[
    "add_image",
    "publicize_image",
    "communitize_image",
    "delete_image_location",
    "get_image_location",
    "fetch_image_location",
    "add_image_location",
    "add_member",
    "delete_member",
    "get_member",
    "get_members",
    "modify_member",
];

#[tokio::test]
async fn every_route_has_a_rule_and_every_rule_a_use() {
    let cloud = cloud().await;
    let rules: BTreeSet<&str> = cloud.glance.rules().iter().map(|rule| rule.name).collect();
    let routed: BTreeSet<&str> = cloud
        .glance
        .routes()
        .iter()
        .filter_map(|route| match route.access {
            Access::Rule(rule) => Some(rule),
            Access::Open | Access::Token => None,
        })
        .collect();
    let missing: Vec<_> = routed.difference(&rules).collect();
    assert!(missing.is_empty(), "no rule: {missing:?}");
    let used: BTreeSet<&str> =
        routed.into_iter().chain(IN_LOGIC.iter().copied()).chain(BASE.iter().copied()).collect();
    let idle: Vec<_> = rules.difference(&used).collect();
    assert!(idle.is_empty(), "no use: {idle:?}");
}

#[tokio::test]
async fn every_route_but_the_versions_wants_a_token() {
    let cloud = cloud().await;
    for route in cloud.glance.routes() {
        let path = route.path.replace(['{', '}'], "x");
        let answer = cloud.nobody.send(route.verb.clone(), &path, Body::empty()).await;
        let open = route.access == Access::Open;
        assert_eq!(answer.status == 401, !open, "{} {path}: {}", route.verb, answer.status);
    }
}
