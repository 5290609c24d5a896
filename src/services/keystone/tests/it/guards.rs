//! What must hold between the tables, the schema and the files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use stackup_web::Service;
use stackup_web::context::Access;

use super::Cloud;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &str) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(root().join(dir)).unwrap() {
        text.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    text
}

#[tokio::test]
async fn every_route_has_a_rule_and_every_rule_a_use() {
    let cloud = Cloud::new().await;
    let rules: BTreeSet<&str> = cloud.keystone.rules().iter().map(|rule| rule.name).collect();
    let mut used = BTreeSet::new();
    for route in cloud.keystone.routes() {
        if let Access::Rule(rule) = route.access {
            assert!(rules.contains(rule), "{} names {rule}, which is not there", route.path);
            used.insert(rule);
        }
    }
    // Rules that ask about the thing itself are named where it is known.
    let code = sources("logic") + &sources("api");
    for rule in rules.iter().filter(|rule| rule.starts_with("identity:")) {
        let named = used.contains(rule) || code.contains(&format!("\"{rule}\""));
        assert!(named, "{rule} is checked nowhere");
    }
    for quoted in code.split('"').filter(|text| text.starts_with("identity:")) {
        assert!(rules.contains(quoted), "{quoted} is checked, and is not in the table");
    }
}

#[tokio::test]
async fn only_these_are_open() {
    let cloud = Cloud::new().await;
    let routes = cloud.keystone.routes();
    let open = routes.iter().filter(|route| route.access == Access::Open);
    let mut open: Vec<String> =
        open.map(|route| format!("{} {}", route.verb, route.path)).collect();
    open.sort();
    assert_eq!(open, ["GET /", "GET /v3", "POST /v3/auth/tokens", "POST /v3/users/{id}/password"]);
    for route in routes.iter().filter(|route| route.access != Access::Open) {
        let path = route.path.replace(['{', '}'], "x");
        let answer = cloud.client.send(route.verb.clone(), &path, axum::body::Body::empty()).await;
        assert_eq!(answer.status, 401, "{} {}", route.verb, route.path);
    }
}

#[tokio::test]
async fn nothing_breaks_on_ids_that_are_not_there() {
    let cloud = Cloud::new().await;
    for route in cloud.keystone.routes() {
        let path = route.path.replace(['{', '}'], "x");
        for body in ["", "{}", "[]", "{\"user\": 1}", "{\"tags\": {}}", "nonsense"] {
            let answer = cloud.admin.send(route.verb.clone(), &path, body.into()).await;
            assert!(answer.status < 500, "{} {path} {body}: {}", route.verb, answer.status);
        }
    }
}

#[test]
fn the_schema_is_the_sum_of_its_migrations() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let sum: String = files.iter().map(|path| read(path)).collect();
    assert_eq!(read(&root().join("schema.sql")), sum);
}

#[test]
fn no_test_file_is_forgotten() {
    let main = std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests/it")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(main.contains(&format!("mod {module};")), "{name}");
        }
    }
}
