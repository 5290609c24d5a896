//! What operators see and set: hosts, services, aggregates, usage, old proxies.

use serde_json::{Value, json};

use crate::cloud::{Cloud, at};
use crate::stubs::{IMAGE, NETWORK};

#[tokio::test]
async fn hypervisors_tell_what_they_hold() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let host = cloud.show(&id).await["OS-EXT-SRV-ATTR:host"].as_str().unwrap().to_owned();
    cloud.member.get("/v2.1/os-hypervisors").await.expect(403);
    let list =
        cloud.admin.get("/v2.1/os-hypervisors/detail?with_servers=true").await.expect(200).json;
    let all = list["hypervisors"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    let one = all.iter().find(|h| h["hypervisor_hostname"] == *host).unwrap();
    assert_eq!(one["servers"], json!([{"uuid": id, "name": "vm"}]));
    assert_eq!((&one["state"], &one["status"]), (&json!("up"), &json!("enabled")));
    let uuid = one["id"].as_str().unwrap();
    cloud.admin.get(&format!("/v2.1/os-hypervisors/{uuid}")).await.expect(200);
    cloud.admin.get("/v2.1/os-hypervisors/1").await.expect(400);
    let old = at(&cloud.admin, "2.1");
    let stats = old.get("/v2.1/os-hypervisors/statistics").await.expect(200).json;
    assert_eq!(stats["hypervisor_statistics"]["memory_mb_used"], 192);
    assert_eq!(stats["hypervisor_statistics"]["count"], 2);
    let detail = old.get("/v2.1/os-hypervisors/1").await.expect(200).json;
    assert!(detail["hypervisor"]["cpu_info"].is_string());
    old.get("/v2.1/os-hypervisors/fake/search").await.expect(200);
    old.get("/v2.1/os-hypervisors/none/search").await.expect(404);
    cloud.admin.get("/v2.1/os-hypervisors/statistics").await.expect(404);
    let page = cloud.admin.get("/v2.1/os-hypervisors?limit=1").await.expect(200).json;
    assert!(page["hypervisors_links"][0]["href"].is_string());
}

#[tokio::test]
async fn a_disabled_service_gets_no_servers() {
    let cloud = Cloud::new().await;
    let list = cloud.admin.get("/v2.1/os-services?binary=nova-compute").await.expect(200).json;
    let services = list["services"].as_array().unwrap().clone();
    assert_eq!(services.len(), 2);
    let binaries = cloud.admin.get("/v2.1/os-services").await.json;
    assert_eq!(binaries["services"].as_array().unwrap().len(), 4);
    for service in &services {
        let path = format!("/v2.1/os-services/{}", service["id"].as_str().unwrap());
        let body = json!({"status": "disabled", "disabled_reason": "work"});
        let view = cloud.admin.put(&path, &body).await.expect(200).json;
        assert_eq!(view["service"]["disabled_reason"], "work");
        cloud.admin.put(&path, &json!({})).await.expect(400);
    }
    let answer = cloud.ask(&cloud.member, "vm", json!({})).await.expect(202);
    cloud.until(answer.json["server"]["id"].as_str().unwrap(), "ERROR").await;
    let zones = cloud.member.get("/v2.1/os-availability-zone").await.expect(200).json;
    assert_eq!(zones["availabilityZoneInfo"][0]["zoneState"]["available"], false);
    let old = at(&cloud.admin, "2.11");
    let host = services[0]["host"].as_str().unwrap();
    let body = json!({"host": host, "binary": "nova-compute"});
    let view = old.put("/v2.1/os-services/enable", &body).await.expect(200).json;
    assert_eq!(view["service"]["status"], "enabled");
    let body = json!({"host": host, "binary": "nova-compute", "forced_down": true});
    old.put("/v2.1/os-services/force-down", &body).await.expect(200);
    old.put("/v2.1/os-services/dance", &body).await.expect(404);
    let detail = cloud.admin.get("/v2.1/os-availability-zone/detail").await.expect(200).json;
    assert_eq!(detail["availabilityZoneInfo"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_aggregate_can_be_a_zone() {
    let cloud = Cloud::new().await;
    let body = json!({"aggregate": {"name": "west", "availability_zone": "west"}});
    cloud.member.post("/v2.1/os-aggregates", &body).await.expect(403);
    let made =
        cloud.admin.post("/v2.1/os-aggregates", &body).await.expect(200).json["aggregate"].clone();
    assert!(made["uuid"].is_string() && made.get("hosts").is_none());
    cloud.admin.post("/v2.1/os-aggregates", &body).await.expect(409);
    let action = format!("/v2.1/os-aggregates/{}/action", made["id"]);
    cloud.admin.post(&action, &json!({"add_host": {"host": "fake-host-2"}})).await.expect(200);
    cloud.admin.post(&action, &json!({"add_host": {"host": "fake-host-2"}})).await.expect(409);
    cloud.admin.post(&action, &json!({"add_host": {"host": "none"}})).await.expect(404);
    let id = cloud.server_with("vm", json!({"availability_zone": "west"})).await;
    let view = cloud.show(&id).await;
    assert_eq!(view["OS-EXT-SRV-ATTR:host"], "fake-host-2");
    assert_eq!(view["OS-EXT-AZ:availability_zone"], "west");
    assert_eq!(view["pinned_availability_zone"], "west");
    let set = json!({"set_metadata": {"metadata": {"ssd": "true"}}});
    let view = cloud.admin.post(&action, &set).await.expect(200).json;
    assert_eq!(view["aggregate"]["metadata"]["ssd"], "true");
    let path = format!("/v2.1/os-aggregates/{}", made["id"]);
    cloud.admin.delete(&path).await.expect(400);
    cloud.admin.post(&action, &json!({"remove_host": {"host": "fake-host-2"}})).await.expect(200);
    cloud.admin.delete(&path).await.expect(200);
    cloud.admin.get(&path).await.expect(404);
    let forced =
        cloud.ask(&cloud.member, "x", json!({"availability_zone": "nova:fake-host-1"})).await;
    forced.expect(403);
}

#[tokio::test]
async fn usage_counts_hours() {
    let cloud = Cloud::new().await;
    cloud.server("vm").await;
    let path = "/v2.1/os-simple-tenant-usage/p?start=2000-01-01T00:00:00&end=2100-01-01T00:00:00";
    let usage = cloud.member.get(path).await.expect(200).json["tenant_usage"].clone();
    assert_eq!(usage["server_usages"][0]["name"], "vm");
    assert_eq!(usage["server_usages"][0]["state"], "active");
    cloud.member.get("/v2.1/os-simple-tenant-usage").await.expect(403);
    let all = cloud
        .admin
        .get("/v2.1/os-simple-tenant-usage?detailed=1&start=2000-01-01T00:00:00")
        .await
        .expect(200);
    assert_eq!(all.json["tenant_usages"][0]["tenant_id"], "p");
    cloud.admin.get("/v2.1/os-simple-tenant-usage?start=x").await.expect(400);
}

#[tokio::test]
async fn states_can_be_set_and_events_told() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let action = format!("/v2.1/servers/{id}/action");
    cloud.act(&id, json!({"os-resetState": {"state": "error"}})).await.expect(403);
    cloud.admin.post(&action, &json!({"os-resetState": {"state": "error"}})).await.expect(202);
    assert_eq!(cloud.show(&id).await["status"], "ERROR");
    cloud.admin.post(&action, &json!({"os-resetState": {"state": "odd"}})).await.expect(400);
    cloud.admin.post(&action, &json!({"os-resetState": {"state": "active"}})).await.expect(202);
    let event =
        |server: &str| json!({"events": [{"name": "network-changed", "server_uuid": server}]});
    let told = cloud.admin.post("/v2.1/os-server-external-events", &event(&id)).await.expect(200);
    assert_eq!(told.json["events"][0]["code"], 200);
    cloud.admin.post("/v2.1/os-server-external-events", &event(IMAGE)).await.expect(404);
    cloud.member.post("/v2.1/os-server-external-events", &event(&id)).await.expect(403);
    let log = cloud.admin.get(&format!("/v2.1/servers/{id}/os-instance-actions")).await.json;
    let request = log["instanceActions"].as_array().unwrap().last().unwrap()["request_id"].clone();
    let path = format!("/v2.1/servers/{id}/os-instance-actions/{}", request.as_str().unwrap());
    let shown = cloud.admin.get(&path).await.expect(200).json["instanceAction"].clone();
    assert_eq!(shown["events"][0]["event"], "compute__do_build_and_run_instance");
    assert_eq!(shown["events"][0]["result"], "Success");
    assert!(shown["events"][0]["host"].is_string());
    let own = cloud.member.get(&path).await.expect(200).json["instanceAction"].clone();
    assert!(own["events"][0].get("host").is_none() && own["events"][0]["hostId"].is_string());
    cloud.member.get(&format!("/v2.1/servers/{id}/os-instance-actions/req-none")).await.expect(404);
}

#[tokio::test]
async fn old_clients_find_the_proxies() {
    let cloud = Cloud::new().await;
    let old = at(&cloud.member, "2.1");
    let images = old.get("/v2.1/images/detail").await.expect(200).json;
    assert_eq!(images["images"][0]["status"], "ACTIVE");
    old.get(&format!("/v2.1/images/{IMAGE}")).await.expect(200);
    old.post(&format!("/v2.1/images/{IMAGE}/metadata"), &json!({"metadata": {"a": "b"}}))
        .await
        .expect(200);
    old.delete(&format!("/v2.1/images/{IMAGE}/metadata/a")).await.expect(204);
    old.get(&format!("/v2.1/images/{IMAGE}/metadata/a")).await.expect(404);
    let networks = old.get("/v2.1/os-tenant-networks").await.expect(200).json;
    assert_eq!(networks["networks"][0]["id"], NETWORK);
    old.get(&format!("/v2.1/os-networks/{NETWORK}")).await.expect(200);
    let extensions = old.get("/v2.1/extensions").await.expect(200).json;
    let aliases: Vec<&Value> =
        extensions["extensions"].as_array().unwrap().iter().map(|e| &e["alias"]).collect();
    assert!(aliases.contains(&&json!("os-keypairs")));
    old.get("/v2.1/extensions/os-keypairs").await.expect(200);
    let admin = at(&cloud.admin, "2.1");
    admin.get("/v2.1/os-hosts").await.expect(200);
    admin.get("/v2.1/os-hosts/fake-host-1").await.expect(200);
    admin.get("/v2.1/os-hosts/fake-host-1/reboot").await.expect(501);
    admin.put("/v2.1/os-hosts/none", &json!({"status": "enable"})).await.expect(404);
    admin.put("/v2.1/os-hosts/fake-host-1", &json!({})).await.expect(400);
    old.get("/v2.1/os-hosts/fake-host-1/reboot").await.expect(403);
    admin.get("/v2.1/os-instance_usage_audit_log").await.expect(200);
    for path in ["/v2.1/images", "/v2.1/os-networks", "/v2.1/os-hosts"] {
        cloud.admin.get(path).await.expect(404);
    }
}

#[tokio::test]
async fn volumes_are_said_not_to_be_there() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let base = format!("/v2.1/servers/{id}/os-volume_attachments");
    assert_eq!(cloud.member.get(&base).await.expect(200).json, json!({"volumeAttachments": []}));
    let body = json!({"volumeAttachment": {"volumeId": IMAGE}});
    cloud.member.post(&base, &body).await.expect(404);
    cloud.member.get(&format!("{base}/{IMAGE}")).await.expect(404);
    cloud.member.get("/v2.1/os-assisted-volume-snapshots").await.expect(404);
}

#[tokio::test]
async fn security_groups_by_the_old_paths() {
    const GROUPS: &str = "/v2.1/os-security-groups";
    const RULES: &str = "/v2.1/os-security-group-rules";
    let cloud = Cloud::new().await;
    let old = at(&cloud.member, "2.1");
    let body = |name: &str| json!({"security_group": {"name": name, "description": "d"}});
    let made = old.post(GROUPS, &body("sg")).await.expect(200).json["security_group"].clone();
    let id = made["id"].as_str().unwrap();
    let whole = json!({"id": id, "name": "sg", "description": "d", "tenant_id": "p", "rules": []});
    assert_eq!(made, whole);
    old.post(GROUPS, &body("default")).await.expect(400);
    old.post(GROUPS, &json!({"security_group": {"name": "x"}})).await.expect(400);
    let rule = |more: Value| {
        let mut rule = json!({"parent_group_id": id, "ip_protocol": "tcp", "from_port": 22,
            "to_port": "22", "cidr": "10.0.0.0/24"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"security_group_rule": rule})
    };
    let view =
        old.post(RULES, &rule(json!({}))).await.expect(200).json["security_group_rule"].clone();
    let expected = json!({"id": view["id"], "parent_group_id": id, "ip_protocol": "tcp",
        "from_port": 22, "to_port": 22, "group": {}, "ip_range": {"cidr": "10.0.0.0/24"}});
    assert_eq!(view, expected);
    for bad in [
        json!({"parent_group_id": "x"}),
        json!({"ip_protocol": "bad"}),
        json!({"from_port": 70000}),
        json!({"from_port": 23}),
        json!({"to_port": null}),
        json!({"cidr": "nonsense"}),
        json!({"cidr": "10.0.0.0/0"}),
    ] {
        old.post(RULES, &rule(bad)).await.expect(400);
    }
    old.post(RULES, &rule(json!({"parent_group_id": IMAGE}))).await.expect(404);
    let list = old.get(GROUPS).await.expect(200).json;
    assert_eq!(list["security_groups"][0]["rules"], json!([expected]));
    let one = format!("{GROUPS}/{id}");
    let renamed = old.put(&one, &body("new")).await.expect(200).json;
    assert_eq!(renamed["security_group"]["name"], "new");
    let path = format!("{RULES}/{}", view["id"].as_str().unwrap());
    old.delete(&path).await.expect(202);
    old.delete(&path).await.expect(404);
    old.delete(&one).await.expect(202);
    old.get(&one).await.expect(404);
    old.get(&format!("{GROUPS}/x")).await.expect(400);
    at(&cloud.member, "2.36").get(GROUPS).await.expect(404);
}
