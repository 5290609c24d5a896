//! The table and the rules agree.

use std::collections::BTreeSet;

use stackup_web::{Access, Service};

use crate::Cloud;

#[tokio::test]
async fn every_rule_of_a_route_is_there_and_every_rule_is_of_use() {
    let cloud = Cloud::new().await;
    let rules: BTreeSet<&str> = cloud.neutron.rules().iter().map(|rule| rule.name).collect();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for route in cloud.neutron.routes() {
        if let Access::Rule(rule) = route.access {
            assert!(rules.contains(rule), "{} {} asks {rule}", route.verb, route.path);
            used.insert(rule);
        }
    }
    let checks: String = cloud.neutron.rules().iter().map(|rule| rule.check).collect();
    for rule in rules {
        // Rules on attributes and on children of a parent are asked by logic/access.rs.
        let in_logic =
            ["create_", "update_", "delete_", "get_"].iter().any(|v| rule.starts_with(v));
        let built_on = checks.contains(&format!("rule:{rule}"));
        assert!(used.contains(rule) || in_logic || built_on, "{rule} is of no use");
    }
}

#[tokio::test]
async fn nothing_answers_without_a_token() {
    let cloud = Cloud::new().await;
    let nobody = cloud.demo.with_token("invalid");
    for route in cloud.neutron.routes() {
        if route.access == Access::Open {
            continue;
        }
        let path = route
            .path
            .replace("{id}", "x")
            .replace("{tag}", "t")
            .replace("{network}", "n")
            .replace("{alias}", "a");
        let answer = nobody.send(route.verb.clone(), &path, "{}".into()).await;
        assert_eq!(answer.status, 401, "{} {path}", route.verb);
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_whoever_asks() {
    let cloud = Cloud::new().await;
    let missing = "5b0b6a3c-0000-4000-8000-000000000000";
    for route in cloud.neutron.routes() {
        let item = route.path.ends_with("/{id}") && !route.path.contains("quotas");
        if !item || !matches!(route.verb.as_str(), "GET" | "DELETE") {
            continue;
        }
        let path = route.path.replace("{id}", missing);
        let answer = cloud.admin.send(route.verb.clone(), &path, "".into()).await;
        assert_eq!(answer.status, 404, "{} {path}", route.verb);
        assert!(answer.json["NeutronError"]["type"].is_string());
    }
}
