//! What must hold of the tables as wholes.

use std::collections::BTreeSet;

use http::Method;
use serde_json::json;
use stackup_core::Value;
use stackup_store::{Migration, Row, StoreError, testing};
use stackup_web::{Access, Service};

use crate::Fixture;

const SCHEMA: &str = include_str!("../../schema.sql");
const MIGRATIONS: &[Migration] =
    &[Migration { name: "0001_init", sql: include_str!("../../migrations/0001_init.sql") }];
const STORE: &[&str] = &[
    include_str!("../../store/allocations.rs"),
    include_str!("../../store/inventories.rs"),
    include_str!("../../store/mod.rs"),
    include_str!("../../store/names.rs"),
    include_str!("../../store/providers.rs"),
    include_str!("../../store/snapshot.rs"),
];

/// The rules that are checked in `logic`, where the target is known.
const IN_LOGIC: &[&str] = &["placement:usages"];

#[tokio::test]
async fn every_route_has_a_rule_and_every_rule_a_route() {
    let fixture = Fixture::new().await;
    let known: BTreeSet<&str> = fixture.placement.rules().iter().map(|rule| rule.name).collect();
    let mut used: BTreeSet<&str> = IN_LOGIC.iter().copied().collect();
    for route in fixture.placement.routes() {
        match route.access {
            Access::Rule(rule) => {
                assert!(known.contains(rule), "{} {}: {rule}", route.verb, route.path);
                used.insert(rule);
            }
            Access::Open => assert_eq!(route.path, "/"),
            Access::Token => assert_eq!(route.path, "/usages"),
        }
    }
    let unused: Vec<&str> = known
        .iter()
        .copied()
        .filter(|rule| rule.starts_with("placement:") && !used.contains(rule))
        .collect();
    assert_eq!(unused, Vec::<&str>::new());
}

#[tokio::test]
async fn every_route_refuses_who_has_no_token_and_who_has_no_role() {
    let fixture = Fixture::new().await;
    let anyone = fixture.client.with_header("openstack-api-version", "placement 1.39");
    let member = anyone.with_token("member@p");
    for route in fixture.placement.routes() {
        let path = route.path.replace("{uuid}", "x").replace("{class}", "VCPU");
        let path = path.replace("{name}", "VCPU").replace("{consumer}", "x");
        if route.until.is_some() || route.access == Access::Open {
            continue;
        }
        let body = json!({});
        let send = |client: stackup_testing::Client, verb: Method| {
            let (path, body) = (path.clone(), body.clone());
            async move { client.send_json(verb, &path, &body).await }
        };
        send(anyone.clone(), route.verb.clone()).await.expect(401);
        if let Access::Rule(_) = route.access {
            send(member.clone(), route.verb).await.expect(403);
        }
    }
}

#[tokio::test]
async fn a_missing_provider_is_404_whatever_is_asked_of_it() {
    let fixture = Fixture::new().await;
    let client = fixture.latest();
    for tail in ["", "/inventories", "/traits", "/aggregates", "/usages", "/allocations"] {
        let path = format!("/resource_providers/{}{tail}", stackup_core::ids::uuid());
        let answer = client.get(&path).await.expect(404);
        assert_eq!(answer.json["errors"][0]["title"], "Not Found");
        client.get(&format!("/resource_providers/no-uuid{tail}")).await.expect(404);
    }
}

#[tokio::test]
async fn the_migrations_end_in_the_schema() {
    const WHOLE: &[Migration] = &[Migration { name: "schema", sql: SCHEMA }];
    let mut found = Vec::new();
    for migrations in [MIGRATIONS, WHOLE] {
        let state = tempfile::tempdir().unwrap();
        let db = testing::sqlite(state.path(), migrations).await.unwrap();
        let sql =
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name";
        let rows: Vec<(String, Option<String>)> =
            db.read(move |r| r.query(sql, &[])).await.map_err(|e: StoreError| e).unwrap();
        found.push(rows);
    }
    assert_eq!(found[0], found[1]);
}

#[tokio::test]
async fn every_statement_prepares() {
    let state = tempfile::tempdir().unwrap();
    let db = testing::sqlite(state.path(), MIGRATIONS).await.unwrap();
    let mut count = 0;
    for statement in STORE.iter().flat_map(|source| statements(source)) {
        count += 1;
        let sql = format!("EXPLAIN {statement}");
        let params = (1..10).filter(|n| statement.contains(&format!("${n}")));
        let params: Vec<Value> = params.map(|_| Value::Null).collect();
        let prepared: Result<Vec<Row>, StoreError> = db.read(move |r| r.query(&sql, &params)).await;
        assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
    }
    assert!(count > 25, "{count} statements found");
}

/// The string constants that are whole statements.
fn statements(source: &str) -> Vec<String> {
    let texts = source.split('"').skip(1).step_by(2).map(str::trim);
    let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "];
    let whole = texts.filter(|text| verbs.iter().any(|verb| text.starts_with(verb)));
    whole.filter(|text| !text.contains('{')).map(str::to_owned).collect()
}
