//! Staging, imports and tasks.

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use serde_json::{Value, json};
use stackup_testing::wait_for;

use crate::*;

/// A web server on loopback with some images, to be served.
async fn web() -> (u16, tokio::net::TcpListener, Router) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new()
        .route("/raw", get(|| async { "some raw data" }))
        .route("/qcow2", get(|| async { qcow2(0) }))
        .route("/evil", get(|| async { qcow2(512) }))
        .route("/away", get(|| async { Redirect::temporary("http://169.254.169.254/secret") }))
        .route("/hop", get(|| async { Redirect::temporary("/raw") }));
    (port, listener, router)
}

/// A cloud that may fetch from the web server.
async fn with_web() -> (Cloud, String) {
    let (port, listener, router) = web().await;
    let cloud = cloud_with(|config, _| config.web_download.allowed_ports = vec![port]).await;
    cloud.supervisor.spawn("web", async move {
        axum::serve(listener, router).await.unwrap();
    });
    (cloud, format!("http://127.0.0.1:{port}"))
}

async fn import(client: &Client, id: &str, method: Value) -> Answer {
    client.post(&format!("/v2/images/{id}/import"), &json!({"method": method})).await
}

async fn settled(client: &Client, id: &str) -> Value {
    wait_for("the import to end", 10, || async {
        let view = show(client, id).await;
        (view["status"] != "importing" && view.get("os_glance_import_task").is_none())
            .then_some(view)
    })
    .await
}

async fn task_of(client: &Client, id: &str) -> Value {
    let tasks = client.get(&format!("/v2/images/{id}/tasks")).await.expect(200).json;
    tasks["tasks"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn staged_data_is_imported() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    import(&member, &id, json!({"name": "glance-direct"})).await.expect(409);
    let stage = format!("/v2/images/{id}/stage");
    put_bytes(&member, &stage, b"staged").await.expect(204);
    let view = show(&member, &id).await;
    assert_eq!((&view["status"], &view["size"]), (&json!("uploading"), &json!(6)));
    assert_eq!(view["checksum"], json!(null));
    put_bytes(&member, &stage, b"again").await.expect(409);
    upload(&member, &id, b"x").await.expect(409);
    member.get(&format!("/v2/images/{id}/file")).await.expect(204);
    import(&member, &id, json!({"name": "glance-direct"})).await.expect(202);
    let view = settled(&member, &id).await;
    assert_eq!((&view["status"], &view["size"]), (&json!("active"), &json!(6)));
    assert_eq!(view["os_glance_failed_import"], "");
    assert_eq!(member.get(&format!("/v2/images/{id}/file")).await.bytes, b"staged");
    assert!(cloud.files("staging").is_empty());
    let task = task_of(&member, &id).await;
    assert_eq!((&task["status"], &task["type"]), (&json!("success"), &json!("api_image_import")));
    import(&member, &id, json!({"name": "glance-direct"})).await.expect(409);
}

#[tokio::test]
async fn staged_data_that_is_a_lie_goes_and_the_image_is_queued_again() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    put_bytes(&member, &format!("/v2/images/{id}/stage"), &qcow2(0)).await.expect(204);
    import(&member, &id, json!({"name": "glance-direct"})).await.expect(202);
    let view = settled(&member, &id).await;
    assert_eq!((&view["status"], &view["size"]), (&json!("queued"), &json!(null)));
    assert_eq!(view["os_glance_failed_import"], "file");
    let task = task_of(&member, &id).await;
    assert_eq!(task["status"], "failure");
    assert!(task["message"].as_str().unwrap().contains("does not match"), "{task}");
    assert!(cloud.files("staging").is_empty() && cloud.files("images").is_empty());
}

#[tokio::test]
async fn a_staged_image_that_is_deleted_takes_its_data_along() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    put_bytes(&member, &format!("/v2/images/{id}/stage"), b"staged").await.expect(204);
    member.delete(&format!("/v2/images/{id}")).await.expect(204);
    assert!(cloud.files("staging").is_empty());
}

#[tokio::test]
async fn the_web_is_downloaded() {
    let (cloud, web) = with_web().await;
    let member = cloud.member();
    for path in ["raw", "hop"] {
        let id = queued(&member).await;
        let method = json!({"name": "web-download", "uri": format!("{web}/{path}")});
        import(&member, &id, method).await.expect(202);
        let view = settled(&member, &id).await;
        assert_eq!(view["status"], "active", "{}", task_of(&member, &id).await);
        let data = member.get(&format!("/v2/images/{id}/file")).await.expect(200);
        assert_eq!(data.bytes, b"some raw data");
    }
    for (path, why) in [
        ("absent", "404"),
        ("qcow2", "does not match"),
        ("evil", "backing file"),
        ("away", "filtering"),
    ] {
        let id = queued(&member).await;
        let method = json!({"name": "web-download", "uri": format!("{web}/{path}")});
        import(&member, &id, method).await.expect(202);
        assert_eq!(settled(&member, &id).await["status"], "queued", "{path}");
        let task = task_of(&member, &id).await;
        assert_eq!(task["status"], "failure");
        assert!(task["message"].as_str().unwrap().contains(why), "{path}: {task}");
    }
}

#[tokio::test]
async fn wrong_imports_are_refused_at_once() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    let path = format!("/v2/images/{id}/import");
    for body in [
        json!({}),
        json!({"method": {}}),
        json!({"method": "web-download"}),
        json!({"method": {"name": "copy-image"}}),
        json!({"method": {"name": "web-download"}}),
        json!({"method": {"name": "web-download", "uri": "file:///etc/passwd"}}),
        json!({"method": {"name": "web-download", "uri": "http://169.254.169.254/"}}),
        json!({"method": {"name": "web-download", "uri": "http://h:22/"}}),
        json!({"method": {"name": "glance-direct"}, "all_stores": "yes"}),
        json!({"method": {"name": "glance-direct"}, "stores": "file"}),
    ] {
        let answer = member.post(&path, &body).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    let other = json!({"method": {"name": "glance-direct"}, "stores": ["other"]});
    member.post(&path, &other).await.expect(409);
    let bare = crate::id(&member.post("/v2/images", &json!({})).await.expect(201).json);
    import(&member, &bare, json!({"name": "web-download", "uri": "http://h/"})).await.expect(409);
    let direct = json!({"name": "glance-direct"});
    import(&cloud.as_("member@q"), &id, direct.clone()).await.expect(404);
    import(&cloud.as_("reader@p"), &id, direct).await.expect(403);
    assert_eq!(show(&member, &id).await["status"], "queued");
}

#[tokio::test]
async fn https_is_told_to_be_missing() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    let method = json!({"name": "web-download", "uri": "https://127.0.0.1/x"});
    import(&member, &id, method).await.expect(202);
    settled(&member, &id).await;
    let task = task_of(&member, &id).await;
    assert!(task["message"].as_str().unwrap().contains("https is not supported"), "{task}");
}

#[tokio::test]
async fn administrators_import_by_task() {
    let (cloud, web) = with_web().await;
    let admin = cloud.admin();
    let input = |uri: String| {
        json!({"type": "import", "input": {
            "import_from": uri,
            "import_from_format": "raw",
            "image_properties": {"name": "t", "disk_format": "raw", "container_format": "bare"},
        }})
    };
    cloud.member().get("/v2/tasks").await.expect(403);
    for body in [
        json!({}),
        json!({"type": "import"}),
        json!({"type": "export", "input": {}}),
        json!({"type": "import", "input": {}}),
        input("file:///etc/passwd".into()),
    ] {
        admin.post("/v2/tasks", &body).await.expect(400);
    }
    let made = admin.post("/v2/tasks", &input(format!("{web}/raw"))).await.expect(201);
    let path = format!("/v2/tasks/{}", id(&made.json));
    let end = |path: String| {
        let admin = admin.clone();
        async move {
            wait_for("the task to end", 10, || async {
                let task = admin.get(&path).await.expect(200).json;
                task["expires_at"].is_string().then_some(task)
            })
            .await
        }
    };
    let task = end(path.clone()).await;
    assert_eq!(task["status"], "success", "{task}");
    let image = task["result"]["image_id"].as_str().unwrap();
    assert_eq!(show(&admin, image).await["status"], "active");
    let failing = admin.post("/v2/tasks", &input(format!("{web}/absent"))).await.expect(201);
    let failed = end(format!("/v2/tasks/{}", id(&failing.json))).await;
    assert_eq!(failed["status"], "failure");
    assert_eq!(admin.get("/v2/images").await.json["images"].as_array().unwrap().len(), 1);
    let page = admin.get("/v2/tasks?limit=1&status=success").await.expect(200).json;
    assert_eq!(page["tasks"][0]["id"], task["id"]);
    assert!(page["next"].is_string());
    admin.get("/v2/tasks?status=odd").await.expect(400);
    admin.delete(&path).await.expect(405);
    admin.get("/v2/tasks/absent").await.expect(404);
}
