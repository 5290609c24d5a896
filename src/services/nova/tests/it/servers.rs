//! A server's life.

use serde_json::{Value, json};
use stackup_testing::wait_for;

use crate::cloud::{Cloud, at};
use crate::stubs::{IMAGE, NETWORK};

#[tokio::test]
async fn a_server_is_built_shown_listed_and_deleted() {
    let cloud = Cloud::new().await;
    let answer =
        cloud.ask(&cloud.member, "vm1", json!({"metadata": {"role": "web"}})).await.expect(202);
    let made = &answer.json["server"];
    assert_eq!(made["adminPass"].as_str().unwrap().len(), 12);
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location").unwrap(), format!("http://cloud.test/v2.1/servers/{id}"));
    let view = cloud.until(&id, "ACTIVE").await;
    assert_eq!(view["OS-EXT-STS:power_state"], 1);
    assert_eq!(view["metadata"]["role"], "web");
    assert_eq!(view["addresses"]["private"][0]["OS-EXT-IPS:type"], "fixed");
    assert_eq!(view["flavor"]["original_name"], "m1.nano");
    assert_eq!(view["security_groups"], json!([{"name": "default"}]));
    assert_eq!(view["OS-EXT-SRV-ATTR:instance_name"], "instance-00000001");
    assert_eq!(cloud.networks.of(&id), 1);
    assert!(cloud.placement.allocations.lock().unwrap().contains_key(&id));

    let list = cloud.member.get("/v2.1/servers").await.expect(200).json;
    assert_eq!(list["servers"][0]["name"], "vm1");
    let list = cloud.member.get("/v2.1/servers/detail").await.expect(200).json;
    assert_eq!(list["servers"][0]["status"], "ACTIVE");
    assert!(list["servers"][0].get("OS-EXT-SRV-ATTR:host").is_none());

    cloud.member.delete(&format!("/v2.1/servers/{id}")).await.expect(204);
    cloud.gone(&id).await;
    assert_eq!(cloud.networks.of(&id), 0);
    assert!(cloud.placement.allocations.lock().unwrap().is_empty());
    let list = cloud.member.get("/v2.1/servers").await.expect(200).json;
    assert_eq!(list["servers"], json!([]));
    let deleted = cloud.admin.get("/v2.1/servers/detail?deleted=True").await.expect(200).json;
    assert_eq!(deleted["servers"][0]["status"], "DELETED");
    let log =
        cloud.member.get(&format!("/v2.1/servers/{id}/os-instance-actions")).await.expect(200).json;
    let actions: Vec<&Value> =
        log["instanceActions"].as_array().unwrap().iter().map(|a| &a["action"]).collect();
    assert_eq!(actions, ["delete", "create"]);
}

#[tokio::test]
async fn a_build_is_quick() {
    let cloud = Cloud::new().await;
    cloud.server("warm").await;
    let begun = std::time::Instant::now();
    cloud.server("vm").await;
    assert!(begun.elapsed() < std::time::Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn power_verbs_move_it_through_its_states() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    for (body, status) in [
        (json!({"os-stop": null}), "SHUTOFF"),
        (json!({"os-start": null}), "ACTIVE"),
        (json!({"pause": null}), "PAUSED"),
        (json!({"unpause": null}), "ACTIVE"),
        (json!({"suspend": null}), "SUSPENDED"),
        (json!({"resume": null}), "ACTIVE"),
        (json!({"reboot": {"type": "SOFT"}}), "ACTIVE"),
        (json!({"reboot": {"type": "HARD"}}), "ACTIVE"),
        (json!({"rescue": {"adminPass": "x"}}), "RESCUE"),
        (json!({"unrescue": null}), "ACTIVE"),
    ] {
        let expected = if body.get("rescue").is_some() { 200 } else { 202 };
        cloud.act(&id, body).await.expect(expected);
        cloud.until(&id, status).await;
    }
    let refused = cloud.act(&id, json!({"os-start": null})).await.expect(409);
    assert_eq!(
        refused.json["conflictingRequest"]["message"],
        format!("Cannot 'start' instance {id} while it is in vm_state active")
    );
    cloud.act(&id, json!({"dance": null})).await.expect(400);
    cloud.act(&id, json!({"reboot": {"type": "LOUD"}})).await.expect(400);
}

#[tokio::test]
async fn a_resize_is_confirmed_or_taken_back() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    for (back, flavor) in [("revertResize", "m1.nano"), ("confirmResize", "m1.tiny")] {
        cloud.act(&id, json!({"resize": {"flavorRef": "1"}})).await.expect(202);
        let view = cloud.until(&id, "VERIFY_RESIZE").await;
        assert_eq!(view["flavor"]["original_name"], "m1.tiny");
        assert_eq!(cloud.placement.allocations.lock().unwrap().len(), 2);
        let expected = if back == "confirmResize" { 204 } else { 202 };
        cloud.act(&id, json!({back: null})).await.expect(expected);
        let view = cloud.until(&id, "ACTIVE").await;
        assert_eq!(view["flavor"]["original_name"], flavor);
        let allocations = cloud.placement.allocations.lock().unwrap();
        assert_eq!(allocations.len(), 1);
        assert_eq!(
            allocations[&id][0].resources["MEMORY_MB"],
            view["flavor"]["ram"].as_u64().unwrap()
        );
    }
    cloud.act(&id, json!({"resize": {"flavorRef": "1"}})).await.expect(400);
    cloud.act(&id, json!({"resize": {"flavorRef": "nonsense"}})).await.expect(400);
    let list = cloud.admin.get("/v2.1/os-migrations").await.expect(200).json;
    assert_eq!(list["migrations"].as_array().unwrap().len(), 2);
    assert_eq!(list["migrations"][0]["status"], "confirmed");
}

#[tokio::test]
async fn a_cold_migration_changes_the_host() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let from = cloud.show(&id).await["OS-EXT-SRV-ATTR:host"].clone();
    cloud
        .admin
        .post(&format!("/v2.1/servers/{id}/action"), &json!({"migrate": null}))
        .await
        .expect(202);
    let view = cloud.until(&id, "VERIFY_RESIZE").await;
    assert_ne!(view["OS-EXT-SRV-ATTR:host"], from);
    cloud.act(&id, json!({"revertResize": null})).await.expect(202);
    assert_eq!(cloud.until(&id, "ACTIVE").await["OS-EXT-SRV-ATTR:host"], from);
    cloud.act(&id, json!({"migrate": null})).await.expect(403);
}

#[tokio::test]
async fn snapshot_rebuild_and_shelve() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let answer = cloud
        .act(&id, json!({"createImage": {"name": "snap", "metadata": {"a": "b"}}}))
        .await
        .expect(202);
    let image = answer.json["image_id"].as_str().unwrap().to_owned();
    cloud.until(&id, "ACTIVE").await;
    let snap = cloud.images.images.lock().unwrap()[&image].clone();
    assert_eq!((snap.status.as_str(), snap.properties["a"].as_str()), ("active", "b"));
    assert_eq!(snap.properties["base_image_ref"], IMAGE);

    let answer = cloud
        .act(&id, json!({"rebuild": {"imageRef": image, "name": "again", "key_name": null}}))
        .await
        .expect(202);
    assert_eq!(answer.json["server"]["name"], "again");
    assert_eq!(answer.json["server"]["status"], "REBUILD");
    assert!(answer.json["server"]["adminPass"].is_string());
    let view = cloud.until(&id, "ACTIVE").await;
    assert_eq!(view["image"]["id"], image);

    cloud.act(&id, json!({"shelve": null})).await.expect(202);
    let view = cloud.until(&id, "SHELVED_OFFLOADED").await;
    assert!(view["OS-EXT-SRV-ATTR:host"].is_null());
    assert_eq!(cloud.networks.of(&id), 1);
    cloud.act(&id, json!({"unshelve": null})).await.expect(202);
    let view = cloud.until(&id, "ACTIVE").await;
    assert!(view["OS-EXT-SRV-ATTR:host"].is_string());
    assert_eq!(cloud.images.images.lock().unwrap().len(), 2, "the shelf is empty again");
}

#[tokio::test]
async fn a_locked_server_is_its_administrators() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    cloud.act(&id, json!({"lock": {"locked_reason": "mine"}})).await.expect(202);
    let view = cloud.show(&id).await;
    assert_eq!((&view["locked"], &view["locked_reason"]), (&json!(true), &json!("mine")));
    cloud.act(&id, json!({"os-stop": null})).await.expect(409);
    cloud.member.delete(&format!("/v2.1/servers/{id}")).await.expect(409);
    cloud.act(&id, json!({"unlock": null})).await.expect(202);
    cloud.act(&id, json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;
}

#[tokio::test]
async fn other_projects_see_nothing() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let other = cloud.member.with_token("member@q");
    other.get(&format!("/v2.1/servers/{id}")).await.expect(404);
    other.delete(&format!("/v2.1/servers/{id}")).await.expect(404);
    other.put(&format!("/v2.1/servers/{id}"), &json!({"server": {"name": "x"}})).await.expect(404);
    other.post(&format!("/v2.1/servers/{id}/action"), &json!({"os-stop": null})).await.expect(404);
    for path in
        ["metadata", "ips", "os-interface", "tags", "os-instance-actions", "os-security-groups"]
    {
        other.get(&format!("/v2.1/servers/{id}/{path}")).await.expect(404);
    }
    assert_eq!(other.get("/v2.1/servers").await.expect(200).json["servers"], json!([]));
    other.get("/v2.1/servers?all_tenants=1").await.expect(403);
    let all =
        cloud.admin.with_token("admin@q").get("/v2.1/servers?all_tenants=1").await.expect(200);
    assert_eq!(all.json["servers"].as_array().unwrap().len(), 1);
    cloud.member.with_token("nonsense").get("/v2.1/servers").await.expect(401);
    let reader = cloud.member.with_token("reader@p");
    reader.get(&format!("/v2.1/servers/{id}")).await.expect(200);
    reader.delete(&format!("/v2.1/servers/{id}")).await.expect(403);
    cloud.ask(&reader, "x", json!({})).await.expect(403);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let cloud = Cloud::new().await;
    for (more, word) in [
        (json!({"name": ""}), "too short"),
        (json!({"name": "a".repeat(256)}), "too long"),
        (json!({"flavorRef": "none"}), "Flavor none could not be found"),
        (json!({"imageRef": "11111111-1111-4111-8111-111111111111"}), "requested image"),
        (json!({"imageRef": "x"}), "imageRef"),
        (json!({"networks": [{"uuid": "11111111-1111-4111-8111-111111111111"}]}), "Network"),
        (json!({"networks": [{"uuid": "x"}]}), "uuid"),
        (json!({"networks": [{"uuid": NETWORK, "fixed_ip": "192.168.0.1"}]}), "not a valid IP"),
        (json!({"key_name": "none"}), "Invalid key_name"),
        (json!({"security_groups": [{"name": "none"}]}), "Security group none"),
        (json!({"user_data": "***"}), "base64"),
        (json!({"min_count": 3, "max_count": 2}), "min_count"),
        (json!({"metadata": {"": "x"}}), "metadata"),
        (json!({"availability_zone": "moon"}), "availability zone"),
        (json!({"colour": "red"}), "colour"),
        (json!({"accessIPv4": "x"}), "accessIPv4"),
        (
            json!({"block_device_mapping_v2": [{"source_type": "volume", "destination_type": "volume", "boot_index": 0, "uuid": IMAGE}]}),
            "volume",
        ),
    ] {
        let answer = cloud.ask(&cloud.member, "vm", more.clone()).await.expect(400);
        let message = answer.json["badRequest"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(word), "{more}: {message}");
    }
    let refused = cloud.ask(&cloud.member, "vm", json!({"min_count": 11})).await.expect(403);
    assert_eq!(
        refused.json["forbidden"]["message"],
        "Quota exceeded for instances: Requested 11, but already used 0 of 10 instances"
    );
    cloud.networks.add_other();
    cloud.ask(&cloud.member, "vm", json!({"networks": "auto"})).await.expect(409);
    cloud.member.post("/v2.1/servers", &json!({"nonsense": {}})).await.expect(400);
    assert_eq!(cloud.member.get("/v2.1/servers").await.json["servers"], json!([]));
}

#[tokio::test]
async fn several_at_once_are_numbered() {
    let cloud = Cloud::new().await;
    let answer = cloud
        .ask(
            &cloud.member,
            "vm",
            json!({"min_count": 2, "max_count": 3, "return_reservation_id": true}),
        )
        .await
        .expect(202);
    let reservation = answer.json["reservation_id"].as_str().unwrap().to_owned();
    let path =
        format!("/v2.1/servers?reservation_id={reservation}&sort_key=display_name&sort_dir=asc");
    let list = cloud.member.get(&path).await.expect(200).json;
    let names: Vec<&Value> =
        list["servers"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(names, ["vm-1", "vm-2", "vm-3"]);
    for server in list["servers"].as_array().unwrap() {
        cloud.until(server["id"].as_str().unwrap(), "ACTIVE").await;
    }
}

#[tokio::test]
async fn a_users_port_outlives_the_server() {
    let cloud = Cloud::new().await;
    let port = cloud.networks.user_port();
    let id = cloud.server_with("vm", json!({"networks": [{"port": port, "tag": "t"}]})).await;
    cloud.ask(&cloud.member, "other", json!({"networks": [{"port": port}]})).await.expect(409);
    let cards =
        cloud.member.get(&format!("/v2.1/servers/{id}/os-interface")).await.expect(200).json;
    assert_eq!(cards["interfaceAttachments"][0]["tag"], "t");
    cloud.member.delete(&format!("/v2.1/servers/{id}")).await.expect(204);
    cloud.gone(&id).await;
    let ports = cloud.networks.ports.lock().unwrap();
    assert_eq!(ports[port.as_str()].device_id, "");
}

#[tokio::test]
async fn cards_come_and_go() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let base = format!("/v2.1/servers/{id}/os-interface");
    let answer = cloud
        .member
        .post(&base, &json!({"interfaceAttachment": {"net_id": NETWORK, "fixed_ips": [{"ip_address": "10.0.7.7"}]}}))
        .await
        .expect(200);
    let card = &answer.json["interfaceAttachment"];
    assert_eq!(card["fixed_ips"][0]["ip_address"], "10.0.7.7");
    let port = card["port_id"].as_str().unwrap();
    cloud.member.get(&format!("{base}/{port}")).await.expect(200);
    cloud.member.delete(&format!("{base}/{port}")).await.expect(202);
    wait_for("the card to go", 5, || async { (cloud.networks.of(&id) == 1).then_some(()) }).await;
    cloud.member.get(&format!("{base}/{port}")).await.expect(404);
    cloud.member.delete(&format!("{base}/{port}")).await.expect(404);
    cloud
        .member
        .post(&base, &json!({"interfaceAttachment": {"net_id": NETWORK, "port_id": port}}))
        .await
        .expect(400);
}

#[tokio::test]
async fn groups_metadata_tags_and_console() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    cloud.act(&id, json!({"addSecurityGroup": {"name": "web"}})).await.expect(202);
    let groups =
        cloud.member.get(&format!("/v2.1/servers/{id}/os-security-groups")).await.expect(200).json;
    assert_eq!(groups["security_groups"].as_array().unwrap().len(), 2);
    cloud.act(&id, json!({"removeSecurityGroup": {"name": "web"}})).await.expect(202);
    cloud.act(&id, json!({"removeSecurityGroup": {"name": "web"}})).await.expect(404);
    cloud.act(&id, json!({"addSecurityGroup": {"name": "none"}})).await.expect(404);

    let base = format!("/v2.1/servers/{id}/metadata");
    let all =
        cloud.member.post(&base, &json!({"metadata": {"a": "1", "b": "2"}})).await.expect(200).json;
    assert_eq!(all["metadata"], json!({"a": "1", "b": "2"}));
    cloud.member.put(&format!("{base}/a"), &json!({"meta": {"a": "9"}})).await.expect(200);
    cloud.member.put(&format!("{base}/a"), &json!({"meta": {"b": "9"}})).await.expect(400);
    cloud.member.delete(&format!("{base}/b")).await.expect(204);
    cloud.member.get(&format!("{base}/b")).await.expect(404);
    let all = cloud.member.put(&base, &json!({"metadata": {"c": "3"}})).await.expect(200).json;
    assert_eq!(all["metadata"], json!({"c": "3"}));

    let base = format!("/v2.1/servers/{id}/tags");
    cloud.member.put(&base, &json!({"tags": ["a", "b"]})).await.expect(200);
    cloud.member.put(&format!("{base}/c"), &json!({})).await.expect(201);
    cloud.member.put(&format!("{base}/c"), &json!({})).await.expect(204);
    cloud.member.get(&format!("{base}/b")).await.expect(204);
    cloud.member.delete(&format!("{base}/b")).await.expect(204);
    cloud.member.delete(&format!("{base}/b")).await.expect(404);
    let found = cloud.member.get("/v2.1/servers?tags=a,c&not-tags=x").await.expect(200).json;
    assert_eq!(found["servers"].as_array().unwrap().len(), 1);
    assert_eq!(cloud.member.get("/v2.1/servers?tags-any=b").await.json["servers"], json!([]));

    let console = cloud.act(&id, json!({"os-getConsoleOutput": {"length": 5}})).await.expect(200);
    assert!(console.json["output"].is_string());
    let diagnostics = cloud.admin.get(&format!("/v2.1/servers/{id}/diagnostics")).await.expect(200);
    assert_eq!(diagnostics.json["state"], "running");
    let ips = cloud.member.get(&format!("/v2.1/servers/{id}/ips/private")).await.expect(200);
    assert_eq!(ips.json["private"][0]["version"], 4);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let cloud = Cloud::new().await;
    for name in ["web-1", "web-2", "db-1"] {
        cloud.server(name).await;
    }
    let count = |path: String| {
        let client = cloud.member.clone();
        async move { client.get(&path).await.expect(200).json["servers"].as_array().unwrap().len() }
    };
    assert_eq!(count("/v2.1/servers?name=web".into()).await, 2);
    assert_eq!(count("/v2.1/servers?name=%5Eweb-1%24".into()).await, 1);
    assert_eq!(count("/v2.1/servers?status=ACTIVE".into()).await, 3);
    assert_eq!(count("/v2.1/servers?status=SHUTOFF".into()).await, 0);
    assert_eq!(count("/v2.1/servers?limit=0".into()).await, 0);
    assert_eq!(count("/v2.1/servers?ip=10.0.0".into()).await, 3);
    assert_eq!(count("/v2.1/servers?flavor=42".into()).await, 3);
    assert_eq!(count(format!("/v2.1/servers?image={IMAGE}")).await, 3);
    assert_eq!(count("/v2.1/servers?changes-since=2100-01-01T00:00:00Z".into()).await, 0);
    let page = cloud
        .member
        .get("/v2.1/servers?limit=2&sort_key=display_name&sort_dir=desc")
        .await
        .expect(200)
        .json;
    assert_eq!(page["servers"][0]["name"], "web-2");
    let next = page["servers_links"][0]["href"].as_str().unwrap();
    let path = next.strip_prefix("http://cloud.test").unwrap();
    let page = cloud.member.get(path).await.expect(200).json;
    assert_eq!(page["servers"][0]["name"], "db-1");
    assert!(page.get("servers_links").is_none());
    for wrong in [
        "marker=none",
        "limit=x",
        "limit=-1",
        "sort_key=none",
        "status=none",
        "colour=red",
        "changes-since=x",
    ] {
        cloud.member.get(&format!("/v2.1/servers?{wrong}")).await.expect(400);
    }
    let old = at(&cloud.member, "2.1");
    assert_eq!(
        old.get("/v2.1/servers?status=none&colour=red").await.expect(200).json["servers"],
        json!([])
    );
}

#[tokio::test]
async fn old_versions_see_what_they_know() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let old = at(&cloud.member, "2.1").get(&format!("/v2.1/servers/{id}")).await.expect(200);
    let view = &old.json["server"];
    for absent in [
        "description",
        "locked",
        "tags",
        "OS-EXT-SRV-ATTR:hostname",
        "scheduler_hints",
        "server_groups",
    ] {
        assert!(view.get(absent).is_none(), "{absent}");
    }
    assert_eq!(view["flavor"]["id"], "42");
    assert_eq!(old.header("x-openstack-nova-api-version"), Some("2.1"));
    at(&cloud.member, "2.25").get(&format!("/v2.1/servers/{id}/tags")).await.expect(404);
    at(&cloud.member, "2.999").get("/v2.1/servers").await.expect(406);
    let project = "0123456789abcdef0123456789abcdef";
    cloud.member.get(&format!("/v2.1/{project}/servers/{id}")).await.expect(200);
    cloud.member.get(&format!("/v2/{project}/servers?limit=1")).await.expect(200);
    let root = cloud.member.get("/").await.expect(200).json;
    assert_eq!(root["versions"][1]["version"], "2.104");
    cloud.member.get("/v2.1").await.expect(200);
}
