//! What must be true after failures, kills and boots of the host.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use stackup_nova::drivers::fake::{FakeConfig, FakeDriver, Verb};
use stackup_testing::wait_for;

use crate::cloud::Cloud;
use crate::stubs::{IMAGE, NETWORK};

fn config() -> FakeConfig {
    FakeConfig::of(2, 64, 64 * 1024, 1000)
}

#[tokio::test]
async fn a_failed_build_holds_nothing_and_says_why() {
    let cloud =
        Cloud::with(FakeConfig { failures: vec![(Verb::Spawn, "bad".to_owned())], ..config() })
            .await;
    let answer = cloud.ask(&cloud.member, "bad", json!({})).await.expect(202);
    let id = answer.json["server"]["id"].as_str().unwrap();
    let view = cloud.until(id, "ERROR").await;
    assert_eq!(view["fault"]["code"], 500);
    assert_eq!(view["fault"]["message"], "spawn failed");
    assert!(view["fault"]["details"].is_string(), "an administrator sees details");
    let own = cloud.member.get(&format!("/v2.1/servers/{id}")).await.expect(200);
    assert!(own.json["server"]["fault"].get("details").is_none());
    assert_eq!(cloud.networks.of(id), 0);
    assert!(cloud.placement.allocations.lock().unwrap().is_empty());
    let log = cloud.member.get(&format!("/v2.1/servers/{id}/os-instance-actions")).await.json;
    assert_eq!(log["instanceActions"][0]["message"], "Error");
    cloud.member.delete(&format!("/v2.1/servers/{id}")).await.expect(204);
    cloud.gone(id).await;
}

#[tokio::test]
async fn without_room_there_is_no_host() {
    let cloud = Cloud::with(FakeConfig::of(1, 1, 1024, 10)).await;
    let answer = cloud.ask(&cloud.member, "big", json!({"flavorRef": "2"})).await.expect(202);
    let id = answer.json["server"]["id"].as_str().unwrap();
    let view = cloud.until(id, "ERROR").await;
    assert_eq!(
        view["fault"]["message"],
        "No valid host was found. There are not enough hosts available."
    );
    assert_eq!(view["fault"]["code"], 500);
}

#[tokio::test]
async fn a_delete_breaks_a_build_off() {
    let cloud =
        Cloud::with(FakeConfig { delays_ms: [(Verb::Spawn, 60_000)].into(), ..config() }).await;
    let answer = cloud.ask(&cloud.member, "slow", json!({})).await.expect(202);
    let id = answer.json["server"]["id"].as_str().unwrap().to_owned();
    wait_for("spawning", 5, || async {
        (cloud.show(&id).await["OS-EXT-STS:task_state"] == "spawning").then_some(())
    })
    .await;
    cloud.member.delete(&format!("/v2.1/servers/{id}")).await.expect(204);
    cloud.gone(&id).await;
    assert_eq!(cloud.networks.of(&id), 0);
    assert!(cloud.placement.allocations.lock().unwrap().is_empty());
}

#[tokio::test]
async fn guests_outlive_the_process() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let driver = cloud.driver.clone();
    let cloud = Cloud::start(cloud.kill().await, driver, "boot-1").await;
    cloud.run_tasks();
    let view = cloud.until(&id, "ACTIVE").await;
    assert_eq!(view["OS-EXT-STS:power_state"], 1);
    cloud.act(&id, json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;
}

#[tokio::test]
async fn a_boot_of_the_host_brings_active_servers_back() {
    let cloud = Cloud::new().await;
    cloud.run_tasks();
    let (on, off) = (cloud.server("on").await, cloud.server("off").await);
    cloud.act(&off, json!({"os-stop": null})).await.expect(202);
    cloud.until(&off, "SHUTOFF").await;
    wait_for("the boot to be noted", 5, || async {
        let status = cloud.supervisor.status();
        (status.get("nova.power_sync").is_some_and(|task| task.runs > 1)).then_some(())
    })
    .await;
    // The host went down: the hypervisor knows its guests, and none runs.
    let driver = cloud.driver.clone();
    driver.crash(&on);
    let around = cloud.kill().await;
    let cloud = Cloud::start(around, driver, "boot-2").await;
    cloud.run_tasks();
    wait_for("the guest to run", 5, || async {
        let view = cloud.show(&on).await;
        (view["status"] == "ACTIVE" && view["OS-EXT-STS:power_state"] == 1).then_some(())
    })
    .await;
    wait_for("a start in the log", 5, || async {
        let log = cloud.admin.get(&format!("/v2.1/servers/{on}/os-instance-actions")).await.json;
        (log["instanceActions"][0]["action"] == "start").then_some(())
    })
    .await;
    assert_eq!(cloud.show(&off).await["status"], "SHUTOFF");
}

#[tokio::test]
async fn a_guest_that_dies_makes_its_server_shutoff() {
    let cloud = Cloud::new().await;
    cloud.run_tasks();
    let id = cloud.server("vm").await;
    cloud.driver.crash(&id);
    let view = cloud.until(&id, "SHUTOFF").await;
    assert_eq!(view["OS-EXT-STS:power_state"], 6);
}

#[tokio::test]
async fn a_kill_leaves_nothing_half_done() {
    let cloud = Cloud::with(FakeConfig {
        delays_ms: [(Verb::Spawn, 60_000), (Verb::PowerOff, 60_000), (Verb::Destroy, 60_000)]
            .into(),
        ..config()
    })
    .await;
    let ask = |name: &'static str| async {
        let answer = cloud.ask(&cloud.member, name, json!({})).await.expect(202);
        answer.json["server"]["id"].as_str().unwrap().to_owned()
    };
    let building = ask("building").await;
    wait_for("spawning", 5, || async {
        (cloud.show(&building).await["OS-EXT-STS:task_state"] == "spawning").then_some(())
    })
    .await;
    let deleting = ask("deleting").await;
    cloud.member.delete(&format!("/v2.1/servers/{deleting}")).await.expect(204);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let around = cloud.kill().await;
    let cloud = Cloud::start(around, Arc::new(FakeDriver::new(config())), "boot-1").await;
    cloud.run_tasks();
    cloud.until(&building, "ACTIVE").await;
    cloud.gone(&deleting).await;
    assert_eq!(cloud.networks.of(&building), 1);
    assert_eq!(cloud.placement.allocations.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once() {
    let cloud = Cloud::with(FakeConfig::of(4, 256, 256 * 1024, 10_000)).await;
    let quota = json!({"quota_set": {"instances": -1, "cores": -1, "ram": -1}});
    cloud.admin.put("/v2.1/os-quota-sets/p", &quota).await.expect(200);
    let begun = Instant::now();
    let asks = (0..200).map(|n| {
        let client = cloud.member.clone();
        let body = json!({"server": {
            "name": format!("vm-{n}"), "flavorRef": "42", "imageRef": IMAGE,
            "networks": [{"uuid": NETWORK}],
        }});
        async move { client.post("/v2.1/servers", &body).await.expect(202) }
    });
    futures::future::join_all(asks).await;
    wait_for("200 ACTIVE", 30, || async {
        let list = cloud.member.get("/v2.1/servers?status=ACTIVE").await.json;
        (list["servers"].as_array().unwrap().len() == 200).then_some(())
    })
    .await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(15), "200 servers took {took:?}");
    println!("200 servers: {took:?}");
}
