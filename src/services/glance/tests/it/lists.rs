//! Lists: whose, in which order, in pages.

use serde_json::{Value, json};

use crate::*;

fn names(list: &Value) -> Vec<&str> {
    let images = list["images"].as_array().unwrap().iter();
    images.map(|image| image["name"].as_str().unwrap()).collect()
}

async fn made(client: &Client, name: &str, more: Value) -> String {
    let mut body = json!({"name": name, "disk_format": "raw", "container_format": "bare"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    id(&client.post("/v2/images", &body).await.expect(201).json)
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    let list = client.get(&format!("/v2/images?{query}")).await.expect(200).json;
    names(&list).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn visibility_decides_who_lists_what() {
    let cloud = cloud().await;
    let (admin, p, q) = (cloud.admin(), cloud.member(), cloud.as_("member@q"));
    made(&admin, "public", json!({"visibility": "public"})).await;
    made(&p, "private", json!({"visibility": "private"})).await;
    let community = made(&p, "community", json!({"visibility": "community"})).await;
    made(&p, "shared", json!({})).await;
    made(&p, "hidden", json!({"os_hidden": true})).await;
    let all = "sort=name:asc";
    assert_eq!(listed(&p, all).await, ["community", "private", "public", "shared"]);
    assert_eq!(listed(&q, all).await, ["public"]);
    assert_eq!(listed(&admin, all).await, ["private", "public", "shared"]);
    assert_eq!(listed(&q, "visibility=community").await, ["community"]);
    assert_eq!(listed(&q, "visibility=all&sort=name:asc").await, ["community", "public"]);
    assert_eq!(listed(&p, "visibility=private").await, ["private"]);
    assert_eq!(listed(&p, "os_hidden=true").await, ["hidden"]);
    q.get(&format!("/v2/images/{community}")).await.expect(200);
}

#[tokio::test]
async fn filters() {
    let cloud = cloud().await;
    let p = cloud.member();
    let before = "2001-01-01T00:00:00Z";
    made(&p, "a", json!({"tags": ["x", "y"], "colour": "red", "min_ram": 5})).await;
    made(&p, "b", json!({"tags": ["x"], "disk_format": "iso", "protected": true})).await;
    let c = made(&p, "c,d", json!({})).await;
    upload(&p, &c, b"12345").await.expect(204);
    for (query, expected) in [
        ("name=a", vec!["a"]),
        ("name=in:a,b", vec!["a", "b"]),
        ("name=in:%22c,d%22", vec!["c,d"]),
        ("tag=x", vec!["a", "b"]),
        ("tag=x&tag=y", vec!["a"]),
        ("colour=red", vec!["a"]),
        ("colour=blue", vec![]),
        ("status=active", vec!["c,d"]),
        ("status=in:queued,active", vec!["a", "b", "c,d"]),
        ("disk_format=iso", vec!["b"]),
        ("protected=true", vec!["b"]),
        ("min_ram=5", vec!["a"]),
        ("size_min=5&size_max=5", vec!["c,d"]),
        ("size=gt:4", vec!["c,d"]),
        ("owner=q", vec![]),
        ("id=nothing", vec![]),
    ] {
        assert_eq!(listed(&p, &format!("{query}&sort=name:asc")).await, expected, "{query}");
    }
    assert_eq!(listed(&p, &format!("created_at=gt:{before}")).await.len(), 3);
    assert!(listed(&p, &format!("updated_at=lt:{before}")).await.is_empty());
    let checksum = show(&p, &c).await["checksum"].as_str().unwrap().to_owned();
    assert_eq!(listed(&p, &format!("checksum={checksum}")).await, ["c,d"]);
    for wrong in ["name=like:a", "visibility=x", "limit=x", "sort=colour", "marker=absent"] {
        p.get(&format!("/v2/images?{wrong}")).await.expect(400);
    }
}

#[tokio::test]
async fn pages_join_to_the_whole() {
    let cloud = cloud().await;
    let p = cloud.member();
    for name in ["e", "b", "d", "a", "c"] {
        made(&p, name, json!({})).await;
    }
    assert_eq!(listed(&p, "").await, ["c", "a", "d", "b", "e"], "newest first");
    for (order, expected) in [
        ("sort=name:asc", ["a", "b", "c", "d", "e"]),
        ("sort_key=name&sort_dir=desc", ["e", "d", "c", "b", "a"]),
        ("sort=size:asc,name:asc", ["a", "b", "c", "d", "e"]),
    ] {
        let mut seen = Vec::new();
        let mut next = format!("/v2/images?limit=2&{order}");
        loop {
            let page = p.get(&next).await.expect(200).json;
            assert_eq!(page["schema"], "/v2/schemas/images");
            assert!(page["first"].as_str().unwrap().starts_with("/v2/images?limit=2"));
            seen.extend(names(&page).into_iter().map(str::to_owned));
            match page["next"].as_str() {
                Some(link) => next = link.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{order}");
    }
    assert!(listed(&p, "limit=0").await.is_empty());
}
