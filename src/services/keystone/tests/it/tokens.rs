//! Tokens: how they are had, what they say, and when they end.

use serde_json::{Value, json};
use stackup_contracts::Identity;

use super::{Cloud, PASSWORD, authenticate, by_password, config, golden, log_in, named};

#[tokio::test]
async fn versions_are_shown_to_anybody() {
    let cloud = Cloud::new().await;
    let all = cloud.client.get("/").await.expect(300);
    golden("versions", &all.json);
    let one = cloud.client.get("/v3/").await.expect(200);
    assert_eq!(one.json["version"], all.json["versions"]["values"][0]);
}

#[tokio::test]
async fn a_project_token_says_everything() {
    let cloud = Cloud::new().await;
    let request = by_password("demo", PASSWORD, json!({"project": named("demo")}));
    let answer = authenticate(&cloud.client, &request).await.expect(201);
    assert_eq!(answer.header("vary"), Some("X-Auth-Token"));
    let mut body = answer.json.clone();
    assert_eq!(body["token"]["audit_ids"].as_array().unwrap().len(), 1);
    body["token"]["audit_ids"] = json!(["<audit>"]);
    golden("token_project", &body);
    let token = answer.header("x-subject-token").unwrap();
    let seen = cloud.admin.with_header("x-subject-token", token).get("/v3/auth/tokens").await;
    assert_eq!(seen.expect(200).json, answer.json);
}

#[tokio::test]
async fn every_scope_is_given_to_those_who_have_it() {
    let cloud = Cloud::new().await;
    for (user, scope, key) in [
        ("admin", json!({"domain": {"id": "default"}}), "domain"),
        ("admin", json!({"domain": {"name": "Default"}}), "domain"),
        ("system_reader", json!({"system": {"all": true}}), "system"),
        ("demo", json!({"project": named("demo")}), "project"),
    ] {
        let request = by_password(user, PASSWORD, scope);
        let answer = authenticate(&cloud.client, &request).await.expect(201);
        assert!(answer.json["token"][key].is_object(), "{key}");
        assert!(answer.json["token"]["catalog"].is_array());
    }
    let unscoped = by_password("demo", PASSWORD, json!({"unscoped": {}}));
    let answer = authenticate(&cloud.client, &unscoped).await.expect(201);
    assert!(answer.json["token"].get("catalog").is_none());
    for scope in [
        json!({"system": {"all": true}}),
        json!({"domain": {"id": "default"}}),
        json!({"project": named("admin")}),
        json!({"project": named("gone")}),
        json!({"project": {"id": "default"}}),
    ] {
        let request = by_password("demo", PASSWORD, scope);
        authenticate(&cloud.client, &request).await.expect(401);
    }
}

#[tokio::test]
async fn bad_requests_are_the_requests_fault() {
    let cloud = Cloud::new().await;
    let post = |body: Value| {
        let client = cloud.client.clone();
        async move { client.post("/v3/auth/tokens", &body).await }
    };
    let error = post(json!({})).await.expect(400).json;
    assert_eq!(error["error"]["code"], 400);
    assert_eq!(error["error"]["title"], "Bad Request");
    for body in [
        json!([]),
        json!({"auth": 1}),
        json!({"auth": {"identity": {}}}),
        json!({"auth": {"identity": {"methods": "password"}}}),
        json!({"auth": {"identity": {"methods": ["password"]}}}),
        json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {}}}}}),
        json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": 1}}}}}),
        by_password("demo", PASSWORD, json!({"project": {"name": "demo"}})),
        by_password("demo", PASSWORD, json!({"project": {}, "domain": {}})),
        by_password("demo", PASSWORD, json!({"planet": {}})),
    ] {
        post(body.clone()).await.expect(400);
    }
    let raw = cloud.client.send(http::Method::POST, "/v3/auth/tokens", "{".into()).await;
    raw.expect(400);
    let unknown = json!({"auth": {"identity": {"methods": ["palm"], "palm": {}}}});
    post(unknown).await.expect(401);
    post(by_password("demo", "wrong", Value::Null)).await.expect(401);
    post(by_password("nobody", PASSWORD, Value::Null)).await.expect(401);
}

#[tokio::test]
async fn a_token_makes_another_that_lives_no_longer() {
    let cloud = Cloud::new().await;
    let first = by_password("demo", PASSWORD, json!({"unscoped": {}}));
    let first = authenticate(&cloud.client, &first).await.expect(201);
    let token = first.header("x-subject-token").unwrap();
    cloud.advance(60);
    let rescope = json!({"auth": {
        "identity": {"methods": ["token"], "token": {"id": token}},
        "scope": {"project": named("demo")},
    }});
    let second = authenticate(&cloud.client, &rescope).await.expect(201).json;
    assert_eq!(second["token"]["expires_at"], first.json["token"]["expires_at"]);
    assert_eq!(second["token"]["methods"], json!(["token", "password"]));
    assert_eq!(second["token"]["audit_ids"][1], first.json["token"]["audit_ids"][0]);
    let forged = json!({"auth": {"identity": {"methods": ["token"], "token": {"id": "gAAAAB"}}}});
    authenticate(&cloud.client, &forged).await.expect(404);
}

#[tokio::test]
async fn the_default_project_is_the_scope_of_those_who_ask_for_none() {
    let cloud = Cloud::new().await;
    let project = cloud.id_of("projects", "demo").await;
    let user = cloud.id_of("users", "demo").await;
    let body = json!({"user": {"default_project_id": project}});
    cloud.admin.patch(&format!("/v3/users/{user}"), &body).await.expect(200);
    let asked = by_password("demo", PASSWORD, Value::Null);
    let token = authenticate(&cloud.client, &asked).await.expect(201).json;
    assert_eq!(token["token"]["project"]["id"], json!(project));
    let asked = by_password("demo", PASSWORD, json!({"unscoped": {}}));
    let token = authenticate(&cloud.client, &asked).await.expect(201).json;
    assert!(token["token"].get("project").is_none());
}

#[tokio::test]
async fn what_ends_a_token_ends_it_at_once() {
    let cloud = Cloud::new().await;
    let user = cloud.make_user("ann").await;
    let project = cloud.make("projects", "project", json!({"name": "lab"})).await;
    let place = format!("projects/{project}");
    cloud.grant(&user, "member", &place).await;
    let member = cloud.id_of("roles", "member").await;
    let user_path = format!("/v3/users/{user}");
    let project_path = format!("/v3/projects/{project}");
    let grant_path = format!("/v3/projects/{project}/users/{user}/roles/{member}");
    let enable = |key: &str, on: bool| json!({ key: {"enabled": on} });
    for end in ["grant", "project", "user", "password", "revoke"] {
        cloud.advance(1);
        let scope = json!({"project": named("lab")});
        let token = log_in(&cloud.client, "ann", scope).await;
        assert!(cloud.keystone.authenticate(&token).await.is_ok(), "before {end}");
        cloud.advance(1);
        match end {
            "grant" => drop(cloud.admin.delete(&grant_path).await.expect(204)),
            "project" => {
                let body = enable("project", false);
                cloud.admin.patch(&project_path, &body).await.expect(200);
            }
            "user" => {
                cloud.admin.patch(&user_path, &enable("user", false)).await.expect(200);
            }
            "password" => {
                let body = json!({"user": {"password": PASSWORD}});
                cloud.admin.patch(&user_path, &body).await.expect(200);
            }
            _ => {
                let client = cloud.admin.with_header("x-subject-token", &token);
                client.delete("/v3/auth/tokens").await.expect(204);
                client.get("/v3/auth/tokens").await.expect(404);
            }
        }
        assert!(cloud.keystone.authenticate(&token).await.is_err(), "after {end}");
        cloud.admin.patch(&project_path, &enable("project", true)).await.expect(200);
        cloud.admin.patch(&user_path, &enable("user", true)).await.expect(200);
        cloud.admin.put(&grant_path, &json!({})).await.expect(204);
        let alive = cloud.keystone.authenticate(&token).await.is_ok();
        // Only the role is what it was before; the others do not bring a token back.
        assert_eq!(alive, end == "grant", "{end}");
    }
}

#[tokio::test]
async fn a_token_expires() {
    let cloud = Cloud::new().await;
    let demo = cloud.user_on("demo", "demo").await;
    demo.get("/v3/auth/projects").await.expect(200);
    cloud.advance(3601);
    demo.get("/v3/auth/projects").await.expect(401);
}

#[tokio::test]
async fn only_some_may_look_at_others_tokens() {
    let cloud = Cloud::new().await;
    let own = log_in(&cloud.client, "demo", json!({"project": named("demo")})).await;
    let demo = cloud.client.with_token(&own);
    demo.with_header("x-subject-token", &own).get("/v3/auth/tokens").await.expect(200);
    let other =
        log_in(&cloud.client, "alt_demo_member", json!({"project": named("alt_demo")})).await;
    demo.with_header("x-subject-token", &other).get("/v3/auth/tokens").await.expect(403);
    let admin = cloud.admin.with_header("x-subject-token", &other);
    let head = admin.send(http::Method::HEAD, "/v3/auth/tokens", axum::body::Body::empty()).await;
    assert_eq!(head.expect(200).header("x-subject-token"), Some(other.as_str()));
    cloud.admin.get("/v3/auth/tokens").await.expect(404);
    let nonsense = cloud.admin.with_header("x-subject-token", "nonsense");
    nonsense.get("/v3/auth/tokens").await.expect(404);
}

#[tokio::test]
async fn a_second_start_keeps_tokens_and_users() {
    let cloud = Cloud::new().await;
    let token = log_in(&cloud.client, "demo", json!({"project": named("demo")})).await;
    let body = json!({"user": {"password": "another"}});
    let user = cloud.id_of("users", "alt_demo").await;
    cloud.admin.patch(&format!("/v3/users/{user}"), &body).await.expect(200);
    let Cloud { dir, clock, .. } = cloud;
    let again = Cloud::open(config(), dir, clock).await;
    assert!(again.keystone.authenticate(&token).await.is_ok());
    let old = by_password("alt_demo", PASSWORD, Value::Null);
    authenticate(&again.client, &old).await.expect(401);
    let list = again.admin.get("/v3/users").await.expect(200);
    assert_eq!(super::ids(&list, "users").len(), 14);
}

#[tokio::test]
async fn what_the_holder_can_reach() {
    let cloud = Cloud::new().await;
    let admin = &cloud.admin;
    let names = |answer: &stackup_testing::Answer, key: &str| -> Vec<String> {
        let all = answer.json[key].as_array().unwrap().iter();
        let mut names: Vec<String> =
            all.map(|item| item["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let projects = admin.get("/v3/auth/projects").await.expect(200);
    assert_eq!(names(&projects, "projects"), ["admin", "demo"]);
    let domains = admin.get("/v3/auth/domains").await.expect(200);
    assert_eq!(names(&domains, "domains"), ["Default"]);
    let system = admin.get("/v3/auth/system").await.expect(200);
    assert_eq!(system.json["system"], json!([{"all": true}]));
    let demo = cloud.client_of("demo", json!({"unscoped": {}})).await;
    let projects = demo.get("/v3/auth/projects").await.expect(200);
    assert_eq!(names(&projects, "projects"), ["demo", "invisible_to_admin"]);
    let system = demo.get("/v3/auth/system").await.expect(200);
    assert_eq!(system.json["system"], json!([]));
    demo.get("/v3/auth/catalog").await.expect(403);
}
