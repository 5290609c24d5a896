//! Domains and projects.

use serde_json::json;

use super::{Cloud, PASSWORD, authenticate, by_password, golden, ids, named};

#[tokio::test]
async fn a_project_from_beginning_to_end() {
    let cloud = Cloud::new().await;
    let body = json!({"project": {"name": "lab", "description": "of physics", "colour": "blue"}});
    let made = cloud.admin.post("/v3/projects", &body).await.expect(201);
    golden("project", &made.json);
    let id = made.json["project"]["id"].as_str().unwrap();
    let path = format!("/v3/projects/{id}");
    assert_eq!(cloud.admin.get(&path).await.expect(200).json, made.json);
    let change = json!({"project": {"name": "lab2", "description": null}});
    let changed = cloud.admin.patch(&path, &change).await.expect(200).json;
    assert_eq!(changed["project"]["colour"], "blue");
    assert!(changed["project"]["description"].is_null());
    cloud.admin.patch(&path, &json!({"project": {"parent_id": "other"}})).await.expect(403);
    cloud.admin.patch(&path, &json!({"project": {"domain_id": "other"}})).await.expect(400);
    cloud.admin.patch(&path, &json!({"project": {"name": "demo"}})).await.expect(409);
    cloud.admin.delete(&path).await.expect(204);
    cloud.admin.get(&path).await.expect(404);
    cloud.admin.delete(&path).await.expect(404);
}

#[tokio::test]
async fn bad_projects() {
    let cloud = Cloud::new().await;
    for (fields, status) in [
        (json!({}), 400),
        (json!({"name": ""}), 400),
        (json!({"name": "x".repeat(65)}), 400),
        (json!({"name": "a", "parent_id": "gone"}), 400),
        (json!({"name": "a", "domain_id": "gone"}), 400),
        (json!({"name": "a", "tags": ["a", "a"]}), 400),
        (json!({"name": "a", "tags": ["a/b"]}), 400),
        (json!({"name": "a", "tags": "a"}), 400),
        (json!({"name": "a", "options": {"immutable": "yes"}}), 400),
        (json!({"name": "demo"}), 409),
    ] {
        cloud.admin.post("/v3/projects", &json!({ "project": fields })).await.expect(status);
    }
}

#[tokio::test]
async fn a_tree_of_projects() {
    let cloud = Cloud::new().await;
    let mut ids = Vec::new();
    let mut parent = "default".to_owned();
    for name in ["one", "two", "three", "four"] {
        let fields = json!({"name": name, "parent_id": parent});
        parent = cloud.make("projects", "project", fields).await;
        ids.push(parent.clone());
    }
    let deep = json!({"project": {"name": "five", "parent_id": parent}});
    cloud.admin.post("/v3/projects", &deep).await.expect(403);
    let path = format!("/v3/projects/{}", ids[1]);
    let shown = cloud.admin.get(&format!("{path}?parents_as_ids&subtree_as_ids")).await.expect(200);
    let project = &shown.json["project"];
    assert_eq!(project["parents"], json!({ids[0].as_str(): null}));
    assert_eq!(project["subtree"], json!({ids[2].as_str(): {ids[3].as_str(): null}}));
    cloud.admin.get(&format!("{path}?parents_as_ids&parents_as_list")).await.expect(400);
    cloud.admin.delete(&path).await.expect(403);
    let off = json!({"project": {"enabled": false}});
    cloud.admin.patch(&path, &off).await.expect(403);
    for id in ids.iter().rev() {
        cloud.admin.patch(&format!("/v3/projects/{id}"), &off).await.expect(200);
    }
    let on = json!({"project": {"enabled": true}});
    cloud.admin.patch(&path, &on).await.expect(403);
    let below = json!({"project": {"name": "new", "parent_id": ids[0]}});
    cloud.admin.post("/v3/projects", &below).await.expect(400);
}

#[tokio::test]
async fn tags() {
    let cloud = Cloud::new().await;
    let id = cloud.make("projects", "project", json!({"name": "lab", "tags": ["red"]})).await;
    let path = format!("/v3/projects/{id}/tags");
    cloud.admin.put(&format!("{path}/blue"), &json!({})).await.expect(201);
    cloud.admin.get(&format!("{path}/blue")).await.expect(204);
    cloud.admin.get(&format!("{path}/green")).await.expect(404);
    let listed = cloud.admin.get(&path).await.expect(200).json;
    assert_eq!(listed["tags"], json!(["blue", "red"]));
    let found = cloud.admin.get("/v3/projects?tags=red,blue").await.expect(200);
    assert_eq!(ids(&found, "projects"), [id.as_str()]);
    cloud.admin.put(&path, &json!({"tags": ["x", "y"]})).await.expect(200);
    cloud.admin.put(&path, &json!({"tags": [1]})).await.expect(400);
    cloud.admin.delete(&format!("{path}/x")).await.expect(204);
    cloud.admin.delete(&format!("{path}/x")).await.expect(404);
    cloud.admin.delete(&path).await.expect(204);
    assert_eq!(cloud.admin.get(&path).await.expect(200).json["tags"], json!([]));
}

#[tokio::test]
async fn a_domain_goes_with_everything_in_it() {
    let cloud = Cloud::new().await;
    let made = cloud.admin.post("/v3/domains", &json!({"domain": {"name": "school"}})).await;
    let made = made.expect(201).json;
    golden("domain", &made);
    let domain = made["domain"]["id"].as_str().unwrap();
    let inside = |name: &str| json!({"name": name, "domain_id": domain});
    let project = cloud.make("projects", "project", inside("class")).await;
    cloud
        .make(
            "projects",
            "project",
            json!({"name": "group", "parent_id": project,
        "domain_id": domain}),
        )
        .await;
    let user = cloud.make("users", "user", inside("pupil")).await;
    cloud.make("groups", "group", inside("pupils")).await;
    cloud.make("roles", "role", inside("monitor")).await;
    cloud.grant(&user, "member", &format!("projects/{project}")).await;
    let path = format!("/v3/domains/{domain}");
    cloud.admin.delete(&path).await.expect(403);
    cloud.admin.patch(&path, &json!({"domain": {"enabled": false}})).await.expect(200);
    cloud.admin.delete(&path).await.expect(204);
    for gone in [path, format!("/v3/projects/{project}"), format!("/v3/users/{user}")] {
        cloud.admin.get(&gone).await.expect(404);
    }
    let again = json!({"domain": {"name": "Default"}});
    cloud.admin.post("/v3/domains", &again).await.expect(409);
}

#[tokio::test]
async fn a_disabled_domain_lets_nobody_in() {
    let cloud = Cloud::new().await;
    let domain = cloud.make("domains", "domain", json!({"name": "school"})).await;
    let user = json!({"name": "pupil", "password": PASSWORD, "domain_id": domain});
    let user = cloud.make("users", "user", user).await;
    let auth = json!({"auth": {"identity": {"methods": ["password"],
        "password": {"user": {"id": user, "password": PASSWORD}}}}});
    authenticate(&cloud.client, &auth).await.expect(201);
    let off = json!({"domain": {"enabled": false}});
    cloud.admin.patch(&format!("/v3/domains/{domain}"), &off).await.expect(200);
    authenticate(&cloud.client, &auth).await.expect(401);
}

#[tokio::test]
async fn what_is_immutable_stays() {
    let cloud = Cloud::new().await;
    let role = cloud.id_of("roles", "member").await;
    cloud.admin.delete(&format!("/v3/roles/{role}")).await.expect(403);
    let rename = json!({"role": {"name": "fellow"}});
    cloud.admin.patch(&format!("/v3/roles/{role}"), &rename).await.expect(403);
    let fields = json!({"name": "lab", "options": {"immutable": true}});
    let id = cloud.make("projects", "project", fields).await;
    let path = format!("/v3/projects/{id}");
    cloud.admin.delete(&path).await.expect(403);
    let free = json!({"project": {"options": {"immutable": null}}});
    cloud.admin.patch(&path, &free).await.expect(200);
    cloud.admin.delete(&path).await.expect(204);
}

#[tokio::test]
async fn members_see_their_project_only() {
    let cloud = Cloud::new().await;
    let demo = cloud.user_on("demo", "demo").await;
    let (own, other) =
        (cloud.id_of("projects", "demo").await, cloud.id_of("projects", "admin").await);
    demo.get(&format!("/v3/projects/{own}")).await.expect(200);
    demo.get(&format!("/v3/projects/{other}")).await.expect(403);
    demo.get("/v3/projects").await.expect(403);
    demo.delete(&format!("/v3/projects/{own}")).await.expect(403);
    demo.get("/v3/domains/default").await.expect(200);
    demo.get("/v3/domains").await.expect(403);
    let user = cloud.id_of("users", "demo").await;
    let projects = demo.get(&format!("/v3/users/{user}/projects")).await.expect(200);
    assert_eq!(ids(&projects, "projects").len(), 2);
    let gone = by_password("demo", PASSWORD, json!({"project": named("admin")}));
    authenticate(&cloud.client, &gone).await.expect(401);
}
