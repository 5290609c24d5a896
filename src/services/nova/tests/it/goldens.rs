//! Bodies as somebody looked at them, in the oldest and the newest version.

use std::path::PathBuf;

use serde_json::{Value, json};
use stackup_testing::{Answer, Client, golden};

use crate::cloud::{Cloud, at};
use crate::stubs::IMAGE;

const VERSIONS: &[&str] = &["2.1", "2.104"];
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl k1";

fn check(version: &str, name: &str, answer: &Answer) {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden");
    let mut body = answer.json.clone();
    scrub("", &mut body);
    golden(dir.join(version).join(format!("{name}.json")), &body);
}

/// Replaces what is another at every run and is no id or time.
fn scrub(key: &str, value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(at) = text.find("marker=") {
                text.truncate(at + "marker=".len());
            }
            let random = ["request_id", "OS-EXT-SRV-ATTR:reservation_id", "private_key"];
            if random.contains(&key) {
                *text = format!("<{key}>");
            }
        }
        Value::Number(_) if matches!(key, "uptime" | "time" | "cpu0_time") => *value = json!(0),
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(key, item)),
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| scrub(key, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Gets a path, if the version has it.
async fn look(client: &Client, version: &str, name: &str, path: &str) {
    let answer = at(client, version).get(path).await;
    match answer.status {
        200 => check(version, name, &answer),
        404 => {}
        _ => {
            answer.expect(200);
        }
    }
}

#[tokio::test]
async fn servers() {
    let cloud = Cloud::new().await;
    let key = json!({"keypair": {"name": "k1", "public_key": KEY}});
    cloud.member.post("/v2.1/os-keypairs", &key).await.expect(201);
    let id = cloud
        .server_with(
            "vm",
            json!({"key_name": "k1", "metadata": {"a": "b"}, "accessIPv4": "1.2.3.4"}),
        )
        .await;
    cloud.act(&id, json!({"createImage": {"name": "snap"}})).await.expect(202);
    cloud.until(&id, "ACTIVE").await;
    let base = format!("/v2.1/servers/{id}");
    for version in VERSIONS {
        let (admin, member) = (&cloud.admin, &cloud.member);
        look(admin, version, "get_server-admin", &base).await;
        look(member, version, "get_server", &base).await;
        look(member, version, "list_servers", "/v2.1/servers?limit=1").await;
        look(member, version, "list_servers_detail", "/v2.1/servers/detail").await;
        look(member, version, "list_addresses", &format!("{base}/ips")).await;
        look(member, version, "list_addresses_by_network", &format!("{base}/ips/private")).await;
        look(member, version, "list_server_metadata", &format!("{base}/metadata")).await;
        look(member, version, "list_tags", &format!("{base}/tags")).await;
        look(member, version, "list_interfaces", &format!("{base}/os-interface")).await;
        look(member, version, "list_security_groups", &format!("{base}/os-security-groups")).await;
        look(member, version, "list_volume_attachments", &format!("{base}/os-volume_attachments"))
            .await;
        look(admin, version, "show_server_diagnostics", &format!("{base}/diagnostics")).await;
        let list =
            at(member, version).get(&format!("{base}/os-instance-actions")).await.expect(200);
        check(version, "list_instance_actions", &list);
        let request = list.json["instanceActions"][1]["request_id"].as_str().unwrap().to_owned();
        let path = format!("{base}/os-instance-actions/{request}");
        look(admin, version, "show_instance_action", &path).await;
        let body = json!({"server": {"name": "vm"}});
        check(version, "update_server", &at(member, version).put(&base, &body).await.expect(200));
        let body = json!({"rebuild": {"imageRef": IMAGE, "adminPass": "seekr3t"}});
        let answer = at(member, version).post(&format!("{base}/action"), &body).await.expect(202);
        check(version, "rebuild_server_with_admin_pass", &answer);
        cloud.until(&id, "ACTIVE").await;
    }
}

#[tokio::test]
async fn what_projects_have() {
    let cloud = Cloud::new().await;
    let key = json!({"keypair": {"name": "k1", "public_key": KEY}});
    let group = json!({"server_group": {"name": "g", "policy": "affinity"}});
    let group = cloud.member.post("/v2.1/os-server-groups", &group).await.expect(200).json;
    let group = format!("/v2.1/os-server-groups/{}", group["server_group"]["id"].as_str().unwrap());
    for version in VERSIONS {
        let member = &cloud.member;
        let made = at(member, version).post("/v2.1/os-keypairs", &key).await;
        check(version, "create_keypair", &made);
        look(member, version, "get_keypair", "/v2.1/os-keypairs/k1").await;
        look(member, version, "list_keypairs", "/v2.1/os-keypairs").await;
        at(member, version).delete("/v2.1/os-keypairs/k1").await;
        look(member, version, "list_flavors", "/v2.1/flavors?limit=1").await;
        look(member, version, "list_flavors_details", "/v2.1/flavors/detail?limit=1").await;
        look(member, version, "create_update_get_flavor_details", "/v2.1/flavors/42").await;
        look(member, version, "get_limit", "/v2.1/limits").await;
        look(member, version, "get_quota_set", "/v2.1/os-quota-sets/p").await;
        look(member, version, "get_quota_set_details", "/v2.1/os-quota-sets/p/detail").await;
        look(member, version, "create_show_server_group", &group).await;
        look(member, version, "list_server_groups", "/v2.1/os-server-groups").await;
        look(member, version, "list_availability_zone_list", "/v2.1/os-availability-zone").await;
        look(member, version, "list_images_details", "/v2.1/images/detail").await;
        look(member, version, "list_tenant_networks", "/v2.1/os-tenant-networks").await;
    }
}

#[tokio::test]
async fn what_operators_see() {
    let cloud = Cloud::new().await;
    let id = cloud.server("vm").await;
    let body = json!({"aggregate": {"name": "a", "availability_zone": "nova"}});
    cloud.admin.post("/v2.1/os-aggregates", &body).await.expect(200);
    cloud.act(&id, json!({"resize": {"flavorRef": "1"}})).await.expect(202);
    cloud.until(&id, "VERIFY_RESIZE").await;
    for version in VERSIONS {
        let admin = &cloud.admin;
        let list = at(admin, version).get("/v2.1/os-hypervisors?limit=1").await.expect(200);
        let hypervisor = match &list.json["hypervisors"][0]["id"] {
            Value::String(id) => format!("/v2.1/os-hypervisors/{id}"),
            other => format!("/v2.1/os-hypervisors/{other}"),
        };
        check(version, "list_search_hypervisors", &list);
        look(admin, version, "list_hypervisors_detail", "/v2.1/os-hypervisors/detail").await;
        look(admin, version, "get_hypervisor", &hypervisor).await;
        look(admin, version, "get_hypervisor_statistics", "/v2.1/os-hypervisors/statistics").await;
        look(admin, version, "get_hypervisors_servers", "/v2.1/os-hypervisors/fake/servers").await;
        look(admin, version, "list_services", "/v2.1/os-services").await;
        look(admin, version, "list_aggregates", "/v2.1/os-aggregates").await;
        look(admin, version, "get_aggregate", "/v2.1/os-aggregates/1").await;
        look(
            admin,
            version,
            "list_availability_zone_list_detail",
            "/v2.1/os-availability-zone/detail",
        )
        .await;
        look(admin, version, "list_migrations", "/v2.1/os-migrations").await;
        look(admin, version, "get_quota_class_set", "/v2.1/os-quota-class-sets/default").await;
        look(admin, version, "list_hosts", "/v2.1/os-hosts").await;
        look(admin, version, "get_host_detail", "/v2.1/os-hosts/fake-host-1").await;
    }
    for (name, path) in [("list_versions", "/"), ("get_version", "/v2.1/")] {
        check("any", name, &cloud.member.get(path).await.expect(200));
    }
}
