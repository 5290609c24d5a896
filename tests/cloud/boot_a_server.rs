//! A member boots a server, works with it, and deletes it.

use serde_json::json;
use stackup_tests::Cloud;

#[tokio::test]
async fn from_nothing_to_a_server_and_back() {
    let cloud = Cloud::shared().await;
    let alice = cloud.newcomer("member").await;
    let network = alice.make_network("10.1.0.0/24").await;
    let id = alice.create_server("web", &network).await;
    let server = alice.wait_for_status(&id, "ACTIVE").await;

    // What nova shows is what neutron gave.
    let port = alice.port_of(&id).await;
    assert_eq!((&port["status"], &port["network_id"]), (&json!("ACTIVE"), &json!(network.id)));
    let address = &port["fixed_ips"][0]["ip_address"];
    let shown = server["addresses"].as_object().unwrap().values().next().unwrap();
    assert_eq!(shown[0]["addr"], *address);
    assert_eq!(shown[0]["OS-EXT-IPS-MAC:mac_addr"], port["mac_address"]);
    assert_eq!(server["tenant_id"], alice.project_id());

    // It takes what its flavor says, on one of the hosts.
    let admin = cloud.admin().await.at("placement", "1.39");
    let taken = admin.get("placement", &format!("/allocations/{id}")).await.expect(200);
    let resources = taken.json["allocations"].as_object().unwrap().values().next().unwrap();
    assert_eq!(resources["resources"]["VCPU"], 1);
    assert_eq!(taken.json["project_id"], alice.project_id());

    alice.delete_server(&id).await;
    let left = alice.get("network", &format!("/v2.0/ports?device_id={id}")).await.expect(200);
    assert_eq!(left.json["ports"], json!([]));
    let taken = admin.get("placement", &format!("/allocations/{id}")).await.expect(200);
    assert_eq!(taken.json["allocations"], json!({}));
}

#[tokio::test]
async fn power_and_console() {
    let cloud = Cloud::shared().await;
    let alice = cloud.newcomer("member").await;
    let id = alice.boot_server("box").await;
    let output = json!({"os-getConsoleOutput": {"length": 5}});
    let path = format!("/servers/{id}/action");
    let console = alice.post("compute", &path, &output).await.expect(200);
    assert!(!console.text("/output").is_empty());
    for (action, status) in [
        (json!({"os-stop": null}), "SHUTOFF"),
        (json!({"os-start": null}), "ACTIVE"),
        (json!({"reboot": {"type": "HARD"}}), "ACTIVE"),
        (json!({"pause": null}), "PAUSED"),
        (json!({"unpause": null}), "ACTIVE"),
    ] {
        alice.act(&id, &action).await;
        alice.wait_for_status(&id, status).await;
    }
    // A stopped server cannot be paused.
    alice.act(&id, &json!({"os-stop": null})).await;
    alice.wait_for_status(&id, "SHUTOFF").await;
    alice.post("compute", &path, &json!({"pause": null})).await.expect(409);

    let log = alice.get("compute", &format!("/servers/{id}/os-instance-actions")).await;
    let log = log.expect(200);
    let actions: Vec<&str> = log.json["instanceActions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["action"].as_str().unwrap())
        .collect();
    for action in ["create", "stop", "start", "reboot", "pause", "unpause"] {
        assert!(actions.contains(&action), "{action} of {actions:?}");
    }
    alice.delete_server(&id).await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_leaves_nothing() {
    let cloud = Cloud::shared().await;
    let alice = cloud.newcomer("member").await;
    let network = alice.make_network("10.2.0.0/24").await;
    let (image, flavor) = (alice.make_image("image").await, alice.flavor("m1.nano").await);
    let lost = "11111111-2222-4333-8444-555555555555";
    for (key, value, status) in [
        ("imageRef", json!(lost), 400),
        ("flavorRef", json!("no-such-flavor"), 400),
        ("networks", json!([{"uuid": lost}]), 400),
        ("name", json!(""), 400),
        ("key_name", json!("no-such-key"), 400),
        ("security_groups", json!([{"name": "no-such-group"}]), 400),
        ("colour", json!("red"), 400),
    ] {
        let mut server = json!({
            "name": "x", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network.id}],
        });
        server[key] = value;
        let answer = alice.post("compute", "/servers", &json!({"server": server})).await;
        assert_eq!(answer.status, status, "{key}: {}", answer.json);
    }
    let servers = alice.get("compute", "/servers").await.expect(200);
    assert_eq!(servers.json["servers"], json!([]));
    let ports = format!("/v2.0/ports?network_id={}&device_owner=compute:nova", network.id);
    assert_eq!(alice.get("network", &ports).await.expect(200).json["ports"], json!([]));
}

#[tokio::test]
async fn a_quota_is_a_quota() {
    let cloud = Cloud::shared().await;
    let (admin, alice) = (cloud.admin().await, cloud.newcomer("member").await);
    let path = format!("/os-quota-sets/{}", alice.project_id());
    let body = json!({"quota_set": {"instances": 1}});
    admin.put("compute", &path, &body).await.expect(200);
    let network = alice.make_network("10.3.0.0/24").await;
    let first = alice.create_server("one", &network).await;
    let (image, flavor) = (alice.make_image("image").await, alice.flavor("m1.nano").await);
    let second = json!({"server": {
        "name": "two", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network.id}],
    }});
    alice.post("compute", "/servers", &second).await.expect(403);
    alice.wait_for_status(&first, "ACTIVE").await;
    alice.delete_server(&first).await;
    alice.post("compute", "/servers", &second).await.expect(202);
}
