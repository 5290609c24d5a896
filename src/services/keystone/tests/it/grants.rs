//! Roles, implied roles, grants and lists of assignments.

use serde_json::{Value, json};

use super::{Cloud, PASSWORD, authenticate, by_password, golden, ids, named};

#[tokio::test]
async fn a_role_and_what_it_implies() {
    let cloud = Cloud::new().await;
    let made = cloud.admin.post("/v3/roles", &json!({"role": {"name": "cook"}})).await.expect(201);
    golden("role", &made.json);
    let cook = made.json["role"]["id"].as_str().unwrap();
    let eater = cloud.make("roles", "role", json!({"name": "eater"})).await;
    let path = format!("/v3/roles/{cook}/implies/{eater}");
    cloud.admin.get(&path).await.expect(404);
    let put = cloud.admin.put(&path, &json!({})).await.expect(201);
    golden("role_inference", &put.json);
    cloud.admin.get(&path).await.expect(200);
    let head = cloud.admin.send(http::Method::HEAD, &path, axum::body::Body::empty()).await;
    head.expect(204);
    let all = cloud.admin.get("/v3/role_inferences").await.expect(200);
    assert_eq!(all.json["role_inferences"].as_array().unwrap().len(), 4);
    let admin = cloud.id_of("roles", "admin").await;
    let up = format!("/v3/roles/{cook}/implies/{admin}");
    cloud.admin.put(&up, &json!({})).await.expect(403);
    cloud.admin.delete(&path).await.expect(204);
    cloud.admin.delete(&path).await.expect(404);
    cloud.admin.post("/v3/roles", &json!({"role": {"name": "cook"}})).await.expect(409);
    let demo = cloud.user_on("demo", "demo").await;
    demo.get("/v3/roles").await.expect(403);
}

#[tokio::test]
async fn grants_on_every_kind_of_target() {
    let cloud = Cloud::new().await;
    let (user, group) = (cloud.make_user("ann").await, cloud.id_of("groups", "admins").await);
    let project = cloud.id_of("projects", "demo").await;
    let role = cloud.make("roles", "role", json!({"name": "cook"})).await;
    for list in [
        format!("/v3/projects/{project}/users/{user}/roles"),
        format!("/v3/projects/{project}/groups/{group}/roles"),
        format!("/v3/domains/default/users/{user}/roles"),
        format!("/v3/domains/default/groups/{group}/roles"),
        format!("/v3/system/users/{user}/roles"),
        format!("/v3/system/groups/{group}/roles"),
    ] {
        let one = format!("{list}/{role}");
        cloud.admin.get(&one).await.expect(404);
        cloud.admin.put(&one, &json!({})).await.expect(204);
        cloud.admin.put(&one, &json!({})).await.expect(204);
        cloud.admin.get(&one).await.expect(204);
        let listed = cloud.admin.get(&list).await.expect(200);
        assert_eq!(ids(&listed, "roles"), [role.as_str()]);
        cloud.admin.delete(&one).await.expect(204);
        cloud.admin.delete(&one).await.expect(404);
        cloud.admin.put(&format!("{list}/gone"), &json!({})).await.expect(404);
    }
    let gone = format!("/v3/projects/{project}/users/gone/roles/{role}");
    cloud.admin.put(&gone, &json!({})).await.expect(404);
    let demo = cloud.user_on("demo", "demo").await;
    let path = format!("/v3/projects/{project}/users/{user}/roles/{role}");
    demo.put(&path, &json!({})).await.expect(403);
    demo.get(&format!("/v3/projects/{project}/users/{user}/roles")).await.expect(403);
}

#[tokio::test]
async fn inherited_roles_reach_the_projects_below() {
    let cloud = Cloud::new().await;
    let user = cloud.make_user("ann").await;
    let parent = cloud.make("projects", "project", json!({"name": "above"})).await;
    let child = json!({"name": "below", "parent_id": parent});
    let child = cloud.make("projects", "project", child).await;
    let role = cloud.id_of("roles", "member").await;
    let path =
        format!("/v3/OS-INHERIT/projects/{parent}/users/{user}/roles/{role}/inherited_to_projects");
    cloud.admin.put(&path, &json!({})).await.expect(204);
    cloud.admin.get(&path).await.expect(204);
    let on = |project: &str| by_password("ann", PASSWORD, json!({"project": named(project)}));
    authenticate(&cloud.client, &on("above")).await.expect(401);
    authenticate(&cloud.client, &on("below")).await.expect(201);
    let query = format!("/v3/role_assignments?effective&user.id={user}&role.id={role}");
    let listed = cloud.admin.get(&query).await.expect(200);
    let all = listed.json["role_assignments"].as_array().unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["scope"]["project"]["id"], json!(child));
    assert!(all[0]["links"]["assignment"].as_str().unwrap().contains("OS-INHERIT"));
    let stored = cloud.admin.get(&format!("/v3/role_assignments?user.id={user}")).await.expect(200);
    let scope = &stored.json["role_assignments"][0]["scope"];
    assert_eq!(scope["OS-INHERIT:inherited_to"], "projects");
    cloud.admin.delete(&path).await.expect(204);
    let domain =
        format!("/v3/OS-INHERIT/domains/default/users/{user}/roles/{role}/inherited_to_projects");
    cloud.admin.put(&domain, &json!({})).await.expect(204);
    authenticate(&cloud.client, &on("above")).await.expect(201);
    let scope = json!({"domain": {"id": "default"}});
    authenticate(&cloud.client, &by_password("ann", PASSWORD, scope)).await.expect(401);
}

#[tokio::test]
async fn groups_hand_on_their_roles() {
    let cloud = Cloud::new().await;
    let (user, group) = (cloud.make_user("ann").await, cloud.id_of("groups", "nonadmins").await);
    let on = by_password("ann", PASSWORD, json!({"project": named("demo")}));
    authenticate(&cloud.client, &on).await.expect(401);
    let member = format!("/v3/groups/{group}/users/{user}");
    cloud.admin.put(&member, &json!({})).await.expect(204);
    let token = authenticate(&cloud.client, &on).await.expect(201).json;
    let roles: Vec<&str> = token["token"]["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["name"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["anotherrole", "member", "reader"]);
    cloud.admin.delete(&member).await.expect(204);
    authenticate(&cloud.client, &on).await.expect(401);
}

#[tokio::test]
async fn lists_of_assignments() {
    let cloud = Cloud::new().await;
    let list = |query: &str| {
        let (admin, path) = (cloud.admin.clone(), format!("/v3/role_assignments{query}"));
        async move { admin.get(&path).await }
    };
    let size = |answer: &stackup_testing::Answer| {
        answer.json["role_assignments"].as_array().unwrap().len()
    };
    let admin = cloud.id_of("users", "admin").await;
    let own = list(&format!("?user.id={admin}&include_names")).await.expect(200);
    assert_eq!(size(&own), 4);
    let mut sorted = own.json.clone();
    sorted["role_assignments"].as_array_mut().unwrap().sort_by_key(Value::to_string);
    golden("role_assignments", &sorted);
    let effective = list(&format!("?user.id={admin}&effective")).await.expect(200);
    assert_eq!(size(&effective), 16);
    assert_eq!(size(&list("?scope.system=all").await.expect(200)), 3);
    let project = cloud.id_of("projects", "demo").await;
    let on_demo = list(&format!("?scope.project.id={project}")).await.expect(200);
    assert_eq!(size(&on_demo), 6);
    for wrong in [
        "?user.id=a&group.id=b",
        "?scope.project.id=a&scope.domain.id=b",
        "?scope.system=all&scope.domain.id=b",
        "?effective&group.id=b",
        "?include_subtree",
    ] {
        list(wrong).await.expect(400);
    }
    let demo = cloud.user_on("demo", "demo").await;
    demo.get("/v3/role_assignments").await.expect(403);
}

#[tokio::test]
async fn a_domains_role_stays_at_home() {
    let cloud = Cloud::new().await;
    let domain = cloud.make("domains", "domain", json!({"name": "school"})).await;
    let role = json!({"name": "monitor", "domain_id": domain});
    let role = cloud.make("roles", "role", role).await;
    let member = cloud.id_of("roles", "member").await;
    let user = cloud.make_user("ann").await;
    let project = json!({"name": "class", "domain_id": domain});
    let project = cloud.make("projects", "project", project).await;
    let outside = cloud.id_of("projects", "demo").await;
    let grant = |project: &str| format!("/v3/projects/{project}/users/{user}/roles/{role}");
    cloud.admin.put(&grant(&outside), &json!({})).await.expect(403);
    cloud.admin.put(&grant(&project), &json!({})).await.expect(204);
    let system = format!("/v3/system/users/{user}/roles/{role}");
    cloud.admin.put(&system, &json!({})).await.expect(400);
    // It reaches tokens only by what it implies.
    let scope = json!({"project": {"id": project}});
    authenticate(&cloud.client, &by_password("ann", PASSWORD, scope.clone())).await.expect(401);
    let implies = format!("/v3/roles/{role}/implies/{member}");
    cloud.admin.put(&implies, &json!({})).await.expect(201);
    authenticate(&cloud.client, &by_password("ann", PASSWORD, scope)).await.expect(201);
    let listed = cloud.admin.get(&format!("/v3/roles?domain_id={domain}")).await.expect(200);
    assert_eq!(ids(&listed, "roles"), [role.as_str()]);
    let global = cloud.admin.get("/v3/roles").await.expect(200);
    assert!(!ids(&global, "roles").contains(&role));
}
