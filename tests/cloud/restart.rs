//! The daemon is killed, and started again on the same state.

use std::net::TcpListener;

use serde_json::{Value, json};
use stackup_tests::{Cloud, Session};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What of a server must not change.
fn identity(server: &Value) -> Value {
    let keys = ["id", "name", "created", "addresses", "image", "flavor", "hostId", "key_name"];
    keys.iter().map(|key| ((*key).to_owned(), server[*key].clone())).collect()
}

#[tokio::test]
async fn everything_is_still_there_after_kill_9() {
    let (state, port) = (tempfile::tempdir().unwrap(), free_port());
    let (cloud, process) = Cloud::on(state.path(), port).await;
    let alice = cloud.newcomer("member").await;
    let running = alice.boot_server("running").await;
    let stopped = alice.boot_server("stopped").await;
    alice.act(&stopped, &json!({"os-stop": null})).await;
    alice.wait_for_status(&stopped, "SHUTOFF").await;
    let image = alice.make_image("kept").await;
    let before = identity(&alice.server(&running).await);
    let admin = cloud.admin().await.at("placement", "1.39");
    let allocations = format!("/allocations/{running}");
    let taken = admin.get("placement", &allocations).await.expect(200).json;

    process.kill();
    let (cloud, _process) = Cloud::on(state.path(), port).await;

    // The keys stay too: tokens of before are good.
    alice.get("compute", "/servers").await.expect(200);
    alice.wait_for_status(&running, "ACTIVE").await;
    alice.wait_for_status(&stopped, "SHUTOFF").await;
    assert_eq!(identity(&alice.server(&running).await), before);
    alice.get("image", &format!("/v2/images/{image}/file")).await.expect(200);
    let admin = cloud.admin().await.at("placement", "1.39");
    assert_eq!(admin.get("placement", &allocations).await.expect(200).json, taken);
    // And it can be worked with.
    alice.act(&stopped, &json!({"os-start": null})).await;
    alice.wait_for_status(&stopped, "ACTIVE").await;
    alice.delete_server(&running).await;
}

#[tokio::test]
async fn a_second_start_seeds_nothing_twice() {
    let (state, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut counts = Vec::new();
    for _ in 0..2 {
        let (cloud, process) = Cloud::on(state.path(), port).await;
        let admin = cloud.admin().await;
        counts.push(inventory(&admin).await);
        process.kill();
    }
    assert_eq!(counts[0], counts[1]);
}

/// How many of each kind there are.
async fn inventory(admin: &Session) -> Vec<(&'static str, usize)> {
    let mut counts = Vec::new();
    for (service, path, key) in [
        ("identity", "/v3/users", "users"),
        ("identity", "/v3/projects", "projects"),
        ("identity", "/v3/roles", "roles"),
        ("identity", "/v3/endpoints", "endpoints"),
        ("network", "/v2.0/networks", "networks"),
        ("network", "/v2.0/security-groups", "security_groups"),
        ("compute", "/flavors", "flavors"),
        ("compute", "/os-hypervisors", "hypervisors"),
        ("compute", "/os-services", "services"),
        ("placement", "/resource_providers", "resource_providers"),
    ] {
        let answer = admin.get(service, path).await.expect(200);
        counts.push((key, answer.json[key].as_array().unwrap().len()));
    }
    counts
}

#[tokio::test]
async fn servers_that_were_being_built_do_not_hang() {
    let (state, port) = (tempfile::tempdir().unwrap(), free_port());
    let (cloud, process) = Cloud::on(state.path(), port).await;
    let alice = cloud.newcomer("member").await;
    let network = alice.make_network("10.10.0.0/24").await;
    let mut servers = Vec::new();
    for number in 0..4 {
        servers.push(alice.create_server(&format!("server{number}"), &network).await);
    }
    process.kill();
    let (_cloud, _process) = Cloud::on(state.path(), port).await;
    for id in &servers {
        let settled = || async {
            let server = alice.server(id).await;
            let done = server["status"] == "ACTIVE" || server["status"] == "ERROR";
            (done && server["OS-EXT-STS:task_state"].is_null()).then_some(server)
        };
        stackup_tests::wait_for("an interrupted create to settle", 30, settled).await;
        alice.delete_server(id).await;
    }
    let ports = format!("/v2.0/ports?network_id={}&device_owner=compute:nova", network.id);
    assert_eq!(alice.get("network", &ports).await.expect(200).json["ports"], json!([]));
}
