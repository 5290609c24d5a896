//! Users, groups, and passwords.

use serde_json::{Value, json};

use super::{Cloud, PASSWORD, authenticate, by_password, config, golden, ids};

#[tokio::test]
async fn a_user_from_beginning_to_end() {
    let cloud = Cloud::new().await;
    let body = json!({"user": {
        "name": "ann", "password": PASSWORD, "email": "ann@example.com", "description": "of the lab",
        "options": {"ignore_password_expiry": true},
    }});
    let made = cloud.admin.post("/v3/users", &body).await.expect(201);
    golden("user", &made.json);
    let id = made.json["user"]["id"].as_str().unwrap();
    let path = format!("/v3/users/{id}");
    let shown = cloud.admin.get(&path).await.expect(200);
    assert_eq!(shown.json, made.json);
    let change = json!({"user": {"name": "anna", "email": "a@example.com", "shoe": 39,
        "options": {"ignore_password_expiry": null, "lock_password": true}}});
    let changed = cloud.admin.patch(&path, &change).await.expect(200).json;
    assert_eq!(changed["user"]["shoe"], 39);
    assert_eq!(changed["user"]["description"], "of the lab");
    assert_eq!(changed["user"]["options"], json!({"lock_password": true}));
    cloud.admin.delete(&path).await.expect(204);
    let error = cloud.admin.get(&path).await.expect(404).json;
    assert_eq!(error["error"]["message"], json!(format!("Could not find user: {id}.")));
}

#[tokio::test]
async fn what_is_wrong_with_a_user_is_said() {
    let cloud = Cloud::new().await;
    let post = |fields: Value| {
        let (admin, body) = (cloud.admin.clone(), json!({ "user": fields }));
        async move { admin.post("/v3/users", &body).await }
    };
    let missing = post(json!({})).await.expect(400).json;
    assert_eq!(missing["error"]["message"], "'name' is a required property");
    for fields in [
        json!({"name": ""}),
        json!({"name": "x".repeat(256)}),
        json!({"name": 1}),
        json!({"name": "a", "enabled": "yes"}),
        json!({"name": "a", "options": {"fly": true}}),
        json!({"name": "a", "options": {"multi_factor_auth_rules": ["password"]}}),
        json!({"name": "a", "domain_id": "no such id!"}),
        json!({"name": "a", "default_project_id": "default"}),
    ] {
        post(fields.clone()).await.expect(400);
    }
    post(json!({"name": "demo"})).await.expect(409);
    post(json!({"name": "a", "domain_id": "gone"})).await.expect(404);
}

#[tokio::test]
async fn lists_are_filtered_and_cut() {
    let cloud = Cloud::new().await;
    let count = |path: &str| {
        let (admin, path) = (cloud.admin.clone(), format!("/v3/users{path}"));
        async move { ids(&admin.get(&path).await.expect(200), "users").len() }
    };
    let all = count("").await;
    assert_eq!(count("?name=demo").await, 1);
    assert_eq!(count("?name__contains=demo").await, 5);
    assert_eq!(count("?name__istartswith=ALT_").await, 3);
    assert_eq!(count("?name__endswith=_reader").await, 3);
    assert_eq!(count("?enabled=false").await, 0);
    assert_eq!(count("?domain_id=default").await, all);
    assert_eq!(count("?domain_id=other").await, 0);
    assert_eq!(count("?shoe=39").await, all);
    let first = cloud.admin.get("/v3/users?limit=5").await.expect(200);
    assert_eq!(first.json["truncated"], json!(true));
    let next = first.json["links"]["next"].as_str().unwrap();
    let path = next.strip_prefix("http://cloud.test").unwrap();
    let second = cloud.admin.get(path).await.expect(200);
    let (first, second) = (ids(&first, "users"), ids(&second, "users"));
    assert!(first.iter().all(|id| !second.contains(id)) && second.len() == 5);
    cloud.admin.get("/v3/users?limit=many").await.expect(400);
}

#[tokio::test]
async fn who_may_see_whom() {
    let cloud = Cloud::new().await;
    let (demo, id) = (cloud.user_on("demo", "demo").await, cloud.id_of("users", "demo").await);
    let other = cloud.id_of("users", "alt_demo").await;
    cloud.client.get("/v3/users").await.expect(401);
    let denied = demo.get("/v3/users").await.expect(403).json;
    assert_eq!(
        denied["error"]["message"],
        "You are not authorized to perform the requested action: identity:list_users."
    );
    demo.get(&format!("/v3/users/{id}")).await.expect(200);
    demo.get(&format!("/v3/users/{other}")).await.expect(403);
    // Nobody learns from the answer whether the user is there.
    demo.get("/v3/users/gone").await.expect(403);
    demo.delete(&format!("/v3/users/{id}")).await.expect(403);
    let reader = cloud.client_of("system_reader", json!({"system": {"all": true}})).await;
    reader.get("/v3/users").await.expect(200);
    reader.delete(&format!("/v3/users/{id}")).await.expect(403);
}

#[tokio::test]
async fn a_domains_manager_stays_in_the_domain() {
    let cloud = Cloud::new().await;
    let domain = cloud.make("domains", "domain", json!({"name": "school"})).await;
    let user = json!({"name": "head", "password": PASSWORD, "domain_id": domain});
    let head = cloud.make("users", "user", user).await;
    cloud.grant(&head, "manager", &format!("domains/{domain}")).await;
    let auth = json!({"auth": {
        "identity": {"methods": ["password"],
            "password": {"user": {"id": head, "password": PASSWORD}}},
        "scope": {"domain": {"id": domain}},
    }});
    let answer = authenticate(&cloud.client, &auth).await.expect(201);
    let head = cloud.client.with_token(answer.header("x-subject-token").unwrap());
    let made = head.post("/v3/users", &json!({"user": {"name": "pupil"}})).await.expect(201).json;
    assert_eq!(made["user"]["domain_id"], json!(domain));
    let outside = json!({"user": {"name": "spy", "domain_id": "default"}});
    head.post("/v3/users", &outside).await.expect(403);
    let seen = head.get("/v3/users").await.expect(200);
    assert_eq!(ids(&seen, "users").len(), 2);
    let stranger = cloud.id_of("users", "demo").await;
    head.get(&format!("/v3/users/{stranger}")).await.expect(403);
    let project = json!({"project": {"name": "class", "domain_id": domain}});
    let project = head.post("/v3/projects", &project).await.expect(201).json;
    let (pupil, project) = (&made["user"]["id"], &project["project"]["id"]);
    let (pupil, project) = (pupil.as_str().unwrap(), project.as_str().unwrap());
    for (role, status) in [("member", 204), ("admin", 403)] {
        let role = cloud.id_of("roles", role).await;
        let path = format!("/v3/projects/{project}/users/{pupil}/roles/{role}");
        head.put(&path, &json!({})).await.expect(status);
    }
}

#[tokio::test]
async fn users_change_their_own_passwords() {
    let cloud = Cloud::new().await;
    let user = cloud.make_user("ann").await;
    let change = |old: &str, new: &str| {
        let body = json!({"user": {"original_password": old, "password": new}});
        let (client, path) = (cloud.client.clone(), format!("/v3/users/{user}/password"));
        async move { client.post(&path, &body).await }
    };
    cloud.advance(1);
    change("wrong", "second").await.expect(401);
    change(PASSWORD, PASSWORD).await.expect(400);
    change(PASSWORD, "second").await.expect(204);
    cloud.advance(1);
    let log_in = |password: &str| {
        let (client, body) = (cloud.client.clone(), by_password("ann", password, Value::Null));
        async move { authenticate(&client, &body).await }
    };
    log_in("second").await.expect(201);
    log_in(PASSWORD).await.expect(401);
    // The last two must differ; the third may come back.
    change("second", PASSWORD).await.expect(400);
    change("second", "third").await.expect(204);
    cloud.advance(1);
    change("third", PASSWORD).await.expect(204);
}

#[tokio::test]
async fn wrong_passwords_lock_the_account_for_a_while() {
    let cloud = Cloud::new().await;
    let user = cloud.make_user("ann").await;
    let try_with = |password: &str| {
        let (client, body) = (cloud.client.clone(), by_password("ann", password, Value::Null));
        async move { authenticate(&client, &body).await }
    };
    try_with("wrong").await.expect(401);
    try_with(PASSWORD).await.expect(201);
    try_with("wrong").await.expect(401);
    try_with("wrong").await.expect(401);
    let locked = try_with(PASSWORD).await.expect(401).json;
    let message = format!("The account is locked for user: {user}.");
    assert_eq!(locked["error"]["message"], json!(message));
    cloud.advance(6);
    try_with(PASSWORD).await.expect(201);
    try_with("wrong").await.expect(401);
    try_with(PASSWORD).await.expect(201);
}

#[tokio::test]
async fn passwords_expire_where_that_is_set() {
    let mut config = config();
    config.compliance.password_expires_days = 1;
    let cloud = Cloud::with(config).await;
    let user = cloud.make_user("ann").await;
    let spared = json!({"name": "bob", "password": PASSWORD,
        "options": {"ignore_password_expiry": true}});
    cloud.make("users", "user", spared).await;
    cloud.advance(24 * 3600 + 1);
    let log_in = |user: &str, password: &str| {
        let (client, body) = (cloud.client.clone(), by_password(user, password, Value::Null));
        async move { authenticate(&client, &body).await }
    };
    let expired = log_in("ann", PASSWORD).await.expect(401).json;
    let text = format!("The password is expired and needs to be changed for user: {user}.");
    assert_eq!(expired["error"]["message"], json!(text));
    log_in("bob", PASSWORD).await.expect(201);
    let body = json!({"user": {"original_password": PASSWORD, "password": "fresh"}});
    cloud.client.post(&format!("/v3/users/{user}/password"), &body).await.expect(204);
    cloud.advance(1);
    log_in("ann", "fresh").await.expect(201);
}

#[tokio::test]
async fn several_methods_where_rules_ask_for_them() {
    let cloud = Cloud::new().await;
    let rules = json!([["password", "totp"]]);
    let fields = json!({"name": "ann", "password": PASSWORD,
        "options": {"multi_factor_auth_enabled": true, "multi_factor_auth_rules": rules}});
    let user = cloud.make("users", "user", fields).await;
    // The secret of RFC 6238; its code at 1 800 000 000 is computed below by the test's own hands.
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let credential = json!({"user_id": user, "type": "totp", "blob": secret});
    cloud.make("credentials", "credential", credential).await;
    let password = by_password("ann", PASSWORD, Value::Null);
    authenticate(&cloud.client, &password).await.expect(401);
    let totp = totp_rs::Builder::new()
        .with_secret(totp_rs::Secret::try_from_base32(secret).unwrap())
        .build_noncompliant();
    let code = totp.generate(u64::try_from(cloud.now().unix()).unwrap()).to_string();
    let mut both = password.clone();
    both["auth"]["identity"]["methods"] = json!(["password", "totp"]);
    both["auth"]["identity"]["totp"] = json!({"user": {"id": user, "passcode": code}});
    let token = authenticate(&cloud.client, &both).await.expect(201).json;
    assert_eq!(token["token"]["methods"], json!(["password", "totp"]));
    both["auth"]["identity"]["totp"]["user"]["passcode"] = json!("000000");
    authenticate(&cloud.client, &both).await.expect(401);
}

#[tokio::test]
async fn groups_and_their_members() {
    let cloud = Cloud::new().await;
    let group = json!({"group": {"name": "lab", "description": "all of us"}});
    let made = cloud.admin.post("/v3/groups", &group).await.expect(201);
    golden("group", &made.json);
    let id = made.json["group"]["id"].as_str().unwrap();
    let user = cloud.make_user("ann").await;
    let member = format!("/v3/groups/{id}/users/{user}");
    cloud.admin.get(&member).await.expect(404);
    cloud.admin.put(&member, &json!({})).await.expect(204);
    cloud.admin.put(&member, &json!({})).await.expect(204);
    cloud.admin.get(&member).await.expect(204);
    let members = cloud.admin.get(&format!("/v3/groups/{id}/users")).await.expect(200);
    assert_eq!(ids(&members, "users"), [user.as_str()]);
    let groups = cloud.admin.get(&format!("/v3/users/{user}/groups")).await.expect(200);
    assert_eq!(ids(&groups, "groups"), [id]);
    cloud.admin.delete(&member).await.expect(204);
    cloud.admin.delete(&member).await.expect(404);
    cloud.admin.put(&format!("/v3/groups/{id}/users/gone"), &json!({})).await.expect(404);
    cloud.admin.post("/v3/groups", &group).await.expect(409);
    cloud.admin.delete(&format!("/v3/groups/{id}")).await.expect(204);
    cloud.admin.get(&format!("/v3/groups/{id}")).await.expect(404);
}
