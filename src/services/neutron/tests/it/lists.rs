//! Filters, order, pages, fields, tags: the same for every resource.

use serde_json::{Value, json};
use stackup_testing::Client;

use crate::{Cloud, Refusal, address, id, make, network, port, subnet};

async fn names(client: &Client, path: &str) -> Vec<String> {
    let answer = client.get(&format!("/v2.0/{path}")).await.expect(200).json;
    let (_, list) = answer.as_object().unwrap().iter().next().unwrap();
    let list = list.as_array().unwrap();
    list.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn filters() {
    let cloud = Cloud::new().await;
    let (a, b) = (network(&cloud.demo, "a").await, network(&cloud.demo, "b").await);
    network(&cloud.other(), "c").await;
    assert_eq!(names(&cloud.demo, "networks?name=a").await, ["a"]);
    let mut both = names(&cloud.demo, &format!("networks?id={}&id={}", id(&a), id(&b))).await;
    both.sort();
    assert_eq!(both, ["a", "b"]);
    assert_eq!(names(&cloud.admin, "networks?tenant_id=other").await, ["c"]);
    assert_eq!(names(&cloud.demo, "networks?admin_state_up=False").await, [""; 0]);
    assert_eq!(names(&cloud.demo, "networks?shared=true").await, [""; 0]);
    assert_eq!(names(&cloud.demo, "networks?unknown=1&name=b").await, ["b"]);
    assert_eq!(names(&cloud.demo, "networks?mtu=1500&name=b&router:external=False").await, ["b"]);
    cloud.demo.get("/v2.0/networks?shared=maybe").await.refused(400, "InvalidInput");
}

#[tokio::test]
async fn ports_by_address() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    let sub = subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let held = port(&cloud.demo, &net).await;
    for filter in [
        format!("fixed_ips=ip_address={}", address(&held)),
        format!("fixed_ips=ip_address%3D{}&fixed_ips=subnet_id%3D{}", address(&held), id(&sub)),
        format!("device_id=&network_id={}", id(&net)),
        format!("security_groups={}", held["security_groups"][0].as_str().unwrap()),
        format!("mac_address={}", held["mac_address"].as_str().unwrap().to_uppercase()),
    ] {
        let all = cloud.demo.get(&format!("/v2.0/ports?{filter}")).await.expect(200).json;
        assert_eq!(all["ports"], json!([held]), "{filter}");
    }
    let all = cloud.demo.get("/v2.0/ports?fixed_ips=ip_address_substr=10.0.0").await.json;
    assert_eq!(all["ports"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn pages_there_and_back() {
    let cloud = Cloud::new().await;
    for name in ["e", "b", "d", "a", "c"] {
        network(&cloud.demo, name).await;
    }
    assert_eq!(
        names(&cloud.demo, "networks?sort_key=name&sort_dir=desc").await,
        ["e", "d", "c", "b", "a"]
    );
    let mut path = "/v2.0/networks?sort_key=name&sort_dir=asc&limit=2".to_owned();
    let mut seen = Vec::new();
    let mut before = String::new();
    while !path.is_empty() {
        let page = cloud.demo.get(&path).await.expect(200).json;
        let list = page["networks"].as_array().unwrap();
        seen.extend(list.iter().map(|net| net["name"].as_str().unwrap().to_owned()));
        path = link(&page, "next").unwrap_or_default();
        before = link(&page, "previous").unwrap_or(before);
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    let page = cloud.demo.get(&before).await.expect(200).json;
    let list: Vec<&Value> =
        page["networks"].as_array().unwrap().iter().map(|n| &n["name"]).collect();
    assert_eq!(list, ["c", "d"]);
    cloud.demo.get("/v2.0/networks?limit=x").await.refused(400, "HTTPBadRequest");
    cloud.demo.get("/v2.0/networks?sort_key=nothing").await.refused(400, "HTTPBadRequest");
    let lost = "/v2.0/networks?limit=1&marker=5b0b6a3c-0000-4000-8000-000000000000";
    cloud.demo.get(lost).await.refused(404, "NetworkNotFound");
}

fn link(page: &Value, rel: &str) -> Option<String> {
    let links = page["networks_links"].as_array()?;
    let href = links.iter().find(|link| link["rel"] == rel)?["href"].as_str()?;
    href.strip_prefix("http://cloud.test").map(str::to_owned)
}

#[tokio::test]
async fn fields() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    let all = cloud.demo.get("/v2.0/networks?fields=id&fields=name").await.expect(200).json;
    assert_eq!(all["networks"], json!([{"id": net["id"], "name": "n"}]));
    let one = cloud.demo.get(&format!("/v2.0/networks/{}?fields=mtu", id(&net))).await.json;
    assert_eq!(one["network"], json!({"mtu": 1500}));
}

#[tokio::test]
async fn tags() {
    let cloud = Cloud::new().await;
    let (a, b) = (network(&cloud.demo, "a").await, network(&cloud.demo, "b").await);
    let path = |net: &Value| format!("/v2.0/networks/{}/tags", id(net));
    let red = json!({"tags": ["red", "blue"]});
    let set = cloud.demo.put(&path(&a), &red).await.expect(200).json;
    assert_eq!(set["tags"], json!(["blue", "red"]));
    cloud.demo.put(&format!("{}/green", path(&b)), &json!(null)).await.expect(201);
    cloud.demo.get(&format!("{}/green", path(&b))).await.expect(204);
    cloud.demo.get(&format!("{}/red", path(&b))).await.refused(404, "TagNotFound");
    assert_eq!(names(&cloud.demo, "networks?tags=red,blue").await, ["a"]);
    assert_eq!(names(&cloud.demo, "networks?tags=red,green").await, [""; 0]);
    assert_eq!(names(&cloud.demo, "networks?tags-any=green,x").await, ["b"]);
    assert_eq!(names(&cloud.demo, "networks?not-tags=red,blue").await, ["b"]);
    assert_eq!(names(&cloud.demo, "networks?not-tags-any=green").await, ["a"]);
    cloud.demo.delete(&format!("{}/red", path(&a))).await.expect(204);
    cloud.demo.delete(&format!("{}/red", path(&a))).await.refused(404, "TagNotFound");
    cloud.demo.delete(&path(&a)).await.expect(204);
    assert_eq!(cloud.demo.get(&path(&a)).await.expect(200).json["tags"], json!([]));
    cloud.other().get(&path(&a)).await.refused(404, "NetworkNotFound");
    cloud.demo.put(&path(&a), &json!({"tags": [5]})).await.refused(400, "HTTPBadRequest");
}

#[tokio::test]
async fn only_a_known_revision() {
    let cloud = Cloud::new().await;
    let net = make(&cloud.demo, "networks", "network", json!({"name": "n"})).await;
    let path = format!("/v2.0/networks/{}", id(&net));
    let old = cloud.demo.with_header("if-match", "revision_number=7");
    let body = json!({"network": {"name": "m"}});
    old.put(&path, &body).await.refused(412, "RevisionNumberConstraintFailed");
    let current = cloud.demo.with_header("if-match", "revision_number=1");
    current.put(&path, &body).await.expect(200);
    current.delete(&path).await.refused(412, "RevisionNumberConstraintFailed");
}
