//! Application credentials and trusts.

use serde_json::{Value, json};
use stackup_contracts::Identity;

use super::{Cloud, authenticate, golden, ids, named};

/// The request for a token by application credential.
fn by_credential(id: &Value, secret: &Value) -> Value {
    let credential = json!({"id": id, "secret": secret});
    json!({"auth": {"identity": {
        "methods": ["application_credential"], "application_credential": credential,
    }}})
}

async fn make(cloud: &Cloud, fields: Value) -> Value {
    let user = cloud.id_of("users", "demo").await;
    let demo = cloud.user_on("demo", "demo").await;
    let path = format!("/v3/users/{user}/application_credentials");
    let body = json!({ "application_credential": fields });
    demo.post(&path, &body).await.expect(201).json["application_credential"].clone()
}

#[tokio::test]
async fn an_application_credential_stands_for_some_roles() {
    let cloud = Cloud::new().await;
    let roles = json!([{"name": "reader"}]);
    let made = make(&cloud, json!({"name": "robot", "roles": roles, "secret": "s3cret"})).await;
    golden("application_credential", &made);
    let request = by_credential(&made["id"], &json!("s3cret"));
    let answer = authenticate(&cloud.client, &request).await.expect(201);
    let token = &answer.json["token"];
    assert_eq!(token["roles"].as_array().unwrap().len(), 1);
    assert_eq!(token["roles"][0]["name"], "reader");
    assert_eq!(token["application_credential"]["restricted"], json!(true));
    let robot = cloud.client.with_token(answer.header("x-subject-token").unwrap());
    let user = made["user_id"].as_str().unwrap();
    let path = format!("/v3/users/{user}/application_credentials");
    // A restricted one makes no others, and its token leads nowhere else.
    let another = json!({"application_credential": {"name": "robot2"}});
    robot.post(&path, &another).await.expect(403);
    let elsewhere = json!({"auth": {
        "identity": {"methods": ["token"],
            "token": {"id": answer.header("x-subject-token").unwrap()}},
        "scope": {"project": named("invisible_to_admin")},
    }});
    authenticate(&cloud.client, &elsewhere).await.expect(401);
    authenticate(&cloud.client, &by_credential(&made["id"], &json!("wrong"))).await.expect(401);
    let mut scoped = request.clone();
    scoped["auth"]["scope"] = json!({"project": named("demo")});
    authenticate(&cloud.client, &scoped).await.expect(401);
    let demo = cloud.user_on("demo", "demo").await;
    let again = json!({"application_credential": {"name": "robot"}});
    demo.post(&path, &again).await.expect(409);
    let greedy = json!({"application_credential": {"name": "r3", "roles": [{"name": "admin"}]}});
    demo.post(&path, &greedy).await.expect(400);
    assert_eq!(ids(&demo.get(&path).await.expect(200), "application_credentials").len(), 1);
    demo.delete(&format!("{path}/{}", made["id"].as_str().unwrap())).await.expect(204);
    robot.get("/v3/auth/projects").await.expect(401);
    authenticate(&cloud.client, &request).await.expect(401);
}

#[tokio::test]
async fn one_ends_with_its_time_or_its_role() {
    let cloud = Cloud::new().await;
    let soon = (cloud.now() + std::time::Duration::from_secs(60)).micros();
    let made = make(&cloud, json!({"name": "robot", "expires_at": soon})).await;
    let request = by_credential(&made["id"], &made["secret"]);
    let token = authenticate(&cloud.client, &request).await.expect(201).json;
    let expires = token["token"]["expires_at"].as_str().unwrap();
    assert_eq!(expires.trim_end_matches('Z'), soon);
    cloud.advance(61);
    authenticate(&cloud.client, &request).await.expect(401);

    let made = make(&cloud, json!({"name": "robot2"})).await;
    let request = by_credential(&made["id"], &made["secret"]);
    let answer = authenticate(&cloud.client, &request).await.expect(201);
    let token = answer.header("x-subject-token").unwrap().to_owned();
    let project = made["project_id"].as_str().unwrap();
    let user = made["user_id"].as_str().unwrap();
    let role = cloud.id_of("roles", "member").await;
    let path = format!("/v3/projects/{project}/users/{user}/roles/{role}");
    cloud.admin.delete(&path).await.expect(204);
    assert!(cloud.keystone.authenticate(&token).await.is_err());
}

#[tokio::test]
async fn access_rules_bind_a_token() {
    let cloud = Cloud::new().await;
    let rule = json!({"service": "identity", "method": "GET", "path": "/v3/auth/projects"});
    let made = make(&cloud, json!({"name": "robot", "access_rules": [rule]})).await;
    let request = by_credential(&made["id"], &made["secret"]);
    let answer = authenticate(&cloud.client, &request).await.expect(201);
    let robot = cloud.client.with_token(answer.header("x-subject-token").unwrap());
    robot.get("/v3/auth/projects").await.expect(200);
    robot.get("/v3/auth/domains").await.expect(401);
    let user = made["user_id"].as_str().unwrap();
    let demo = cloud.user_on("demo", "demo").await;
    let path = format!("/v3/users/{user}/access_rules");
    let listed = ids(&demo.get(&path).await.expect(200), "access_rules");
    assert_eq!(listed.len(), 1);
    let one = format!("{path}/{}", listed[0]);
    demo.get(&one).await.expect(200);
    demo.delete(&one).await.expect(403);
    let credential = made["id"].as_str().unwrap();
    demo.delete(&format!("/v3/users/{user}/application_credentials/{credential}"))
        .await
        .expect(204);
    demo.delete(&one).await.expect(204);
    demo.get(&one).await.expect(404);
    let wrong =
        json!({"name": "r", "access_rules": [{"service": "x", "method": "FLY", "path": "/"}]});
    let body = json!({ "application_credential": wrong });
    let path = format!("/v3/users/{user}/application_credentials");
    demo.post(&path, &body).await.expect(400);
}

#[tokio::test]
async fn a_trust_lends_roles() {
    let cloud = Cloud::new().await;
    let (lender, friend) = (cloud.id_of("users", "demo").await, cloud.make_user("ann").await);
    let project = cloud.id_of("projects", "demo").await;
    let demo = cloud.user_on("demo", "demo").await;
    let fields = json!({
        "trustor_user_id": lender, "trustee_user_id": friend, "project_id": project,
        "impersonation": true, "roles": [{"name": "member"}], "remaining_uses": 2,
    });
    let made = demo.post("/v3/OS-TRUST/trusts", &json!({ "trust": fields })).await.expect(201);
    golden("trust", &made.json);
    let id = made.json["trust"]["id"].as_str().unwrap();
    let path = format!("/v3/OS-TRUST/trusts/{id}");
    let scope = json!({"OS-TRUST:trust": {"id": id}});
    let by = |user: &str| super::by_password(user, super::PASSWORD, scope.clone());
    let answer = authenticate(&cloud.client, &by("ann")).await.expect(201);
    let token = &answer.json["token"];
    assert_eq!(token["user"]["id"], json!(lender));
    assert_eq!(token["OS-TRUST:trust"]["trustee_user"]["id"], json!(friend));
    assert_eq!(token["roles"].as_array().unwrap().len(), 2);
    authenticate(&cloud.client, &by("alt_demo")).await.expect(403);
    // A lent token makes no other, and nothing that would outlive it.
    let lent = answer.header("x-subject-token").unwrap();
    let again = json!({"auth": {"identity": {"methods": ["token"], "token": {"id": lent}}}});
    authenticate(&cloud.client, &again).await.expect(403);
    let robot = json!({"application_credential": {"name": "robot"}});
    let borrower = cloud.client.with_token(lent);
    let credentials = format!("/v3/users/{lender}/application_credentials");
    borrower.post(&credentials, &robot).await.expect(403);
    authenticate(&cloud.client, &by("ann")).await.expect(201);
    authenticate(&cloud.client, &by("ann")).await.expect(401);
    assert!(cloud.keystone.authenticate(lent).await.is_ok(), "the last use is good");
    let stranger = cloud.user_on("alt_demo_member", "alt_demo").await;
    stranger.get("/v3/OS-TRUST/trusts").await.expect(403);
    demo.get(&format!("/v3/OS-TRUST/trusts?trustor_user_id={lender}")).await.expect(200);
    let role = cloud.id_of("roles", "member").await;
    let grant = format!("/v3/projects/{project}/users/{lender}/roles/{role}");
    cloud.admin.delete(&grant).await.expect(204);
    assert!(cloud.keystone.authenticate(lent).await.is_err(), "the lender has lost the role");
    cloud.admin.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_trust_of_a_trust_gives_no_more() {
    let cloud = Cloud::new().await;
    let (lender, friend) = (cloud.id_of("users", "demo").await, cloud.make_user("ann").await);
    let third = cloud.make_user("bob").await;
    let project = cloud.id_of("projects", "demo").await;
    let demo = cloud.user_on("demo", "demo").await;
    let trust = |from: &str, to: &str, more: Value| {
        let mut fields = json!({"trustor_user_id": from, "trustee_user_id": to,
            "project_id": project, "impersonation": false, "roles": [{"name": "member"}]});
        for (key, value) in more.as_object().unwrap() {
            fields[key] = value.clone();
        }
        json!({ "trust": fields })
    };
    let path = "/v3/OS-TRUST/trusts";
    let first =
        trust(&lender, &friend, json!({"allow_redelegation": true, "redelegation_count": 1}));
    let first = demo.post(path, &first).await.expect(201).json;
    let scope = json!({"OS-TRUST:trust": {"id": first["trust"]["id"]}});
    let ann = cloud.client_of("ann", scope).await;
    let wide = trust(&friend, &third, json!({"roles": [{"name": "anotherrole"}]}));
    ann.post(path, &wide).await.expect(403);
    let mask = trust(&friend, &third, json!({"impersonation": true}));
    ann.post(path, &mask).await.expect(403);
    let second = ann.post(path, &trust(&friend, &third, json!({}))).await.expect(201).json;
    assert_eq!(second["trust"]["redelegated_trust_id"], first["trust"]["id"]);
    let scope = json!({"OS-TRUST:trust": {"id": second["trust"]["id"]}});
    let bob = cloud.client_of("bob", scope).await;
    bob.get("/v3/auth/projects").await.expect(200);
    demo.delete(&format!("{path}/{}", first["trust"]["id"].as_str().unwrap())).await.expect(204);
    bob.get("/v3/auth/projects").await.expect(401);
    demo.post(path, &trust(&friend, &third, json!({}))).await.expect(403);
    demo.post(path, &trust(&lender, "gone", json!({}))).await.expect(404);
    demo.post(path, &trust(&lender, &third, json!({"roles": []}))).await.expect(403);
    demo.post(path, &trust(&lender, &third, json!({"expires_at": "soon"}))).await.expect(400);
    demo.post(path, &trust(&lender, &third, json!({"remaining_uses": 0}))).await.expect(400);
}
