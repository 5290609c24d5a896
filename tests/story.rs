//! What people do with a cloud, in one call each.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::{Session, wait_for};

/// A network with its subnet.
#[derive(Debug, Clone)]
pub struct Network {
    pub id: String,
    pub subnet_id: String,
}

/// A name that no other story uses.
pub fn fresh(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{count}", std::process::id())
}

/// Identity.
impl Session {
    pub async fn make_user(&self, name: &str, password: &str) -> String {
        let body = json!({"user": {"name": name, "password": password}});
        self.post("identity", "/v3/users", &body).await.expect(201).text("/user/id")
    }

    pub async fn make_project(&self, name: &str) -> String {
        let body = json!({"project": {"name": name}});
        self.post("identity", "/v3/projects", &body).await.expect(201).text("/project/id")
    }

    pub async fn grant(&self, user: &str, project: &str, role: &str) {
        let path = self.assignment(user, project, role).await;
        self.put("identity", &path, &Value::Null).await.expect(204);
    }

    pub async fn revoke(&self, user: &str, project: &str, role: &str) {
        let path = self.assignment(user, project, role).await;
        self.delete("identity", &path).await.expect(204);
    }

    async fn assignment(&self, user: &str, project: &str, role: &str) -> String {
        let found = self.get("identity", &format!("/v3/roles?name={role}")).await.expect(200);
        let role = found.text("/roles/0/id");
        format!("/v3/projects/{project}/users/{user}/roles/{role}")
    }

    /// Waits until the token is no longer good anywhere.
    pub async fn wait_until_refused(&self, seconds: u64) {
        let refused =
            || async { (self.get("compute", "/servers").await.status == 401).then_some(()) };
        wait_for("the token to be refused", seconds, refused).await;
    }
}

/// Images.
impl Session {
    /// An image with data, ready to boot from.
    pub async fn make_image(&self, name: &str) -> String {
        let body = json!({"name": name, "disk_format": "raw", "container_format": "bare"});
        let id = self.post("image", "/v2/images", &body).await.expect(201).text("/id");
        let path = format!("/v2/images/{id}/file");
        self.upload("image", &path, b"a disk, as far as a pretended guest can tell".to_vec())
            .await
            .expect(204);
        id
    }
}

/// Networks.
impl Session {
    pub async fn make_network(&self, cidr: &str) -> Network {
        let body = json!({"network": {"name": fresh("network")}});
        let made = self.post("network", "/v2.0/networks", &body).await.expect(201);
        let id = made.text("/network/id");
        let body = json!({"subnet": {"network_id": id, "cidr": cidr, "ip_version": 4}});
        let made = self.post("network", "/v2.0/subnets", &body).await.expect(201);
        Network { id, subnet_id: made.text("/subnet/id") }
    }

    /// The network from which floating IPs come.
    pub async fn public_network(&self) -> String {
        let path = "/v2.0/networks?router:external=true";
        self.get("network", path).await.expect(200).text("/networks/0/id")
    }

    /// A router between a network and the outside.
    pub async fn make_router(&self, inside: &Network) -> String {
        let outside = self.public_network().await;
        let gateway = json!({"network_id": outside});
        let body = json!({"router": {"name": fresh("router"), "external_gateway_info": gateway}});
        let made = self.post("network", "/v2.0/routers", &body).await.expect(201);
        let id = made.text("/router/id");
        let path = format!("/v2.0/routers/{id}/add_router_interface");
        let body = json!({"subnet_id": inside.subnet_id});
        self.put("network", &path, &body).await.expect(200);
        id
    }

    /// The port of a server.
    pub async fn port_of(&self, server: &str) -> Value {
        let path = format!("/v2.0/ports?device_id={server}");
        let found = self.get("network", &path).await.expect(200);
        let ports = found.json["ports"].as_array().cloned().unwrap_or_default();
        assert_eq!(ports.len(), 1, "{}", found.json);
        ports[0].clone()
    }
}

/// Servers.
impl Session {
    pub async fn flavor(&self, name: &str) -> String {
        let found = self.get("compute", "/flavors").await.expect(200);
        let flavors = found.json["flavors"].as_array().cloned().unwrap_or_default();
        let flavor = flavors.iter().find(|flavor| flavor["name"] == name);
        flavor.and_then(|flavor| flavor["id"].as_str()).expect("the flavor").to_owned()
    }

    /// A server on a network of its own, ACTIVE.
    pub async fn boot_server(&self, name: &str) -> String {
        let network = self.make_network("10.9.0.0/24").await;
        let id = self.create_server(name, &network).await;
        self.wait_for_status(&id, "ACTIVE").await;
        id
    }

    /// A server that is asked for; it need not be there yet.
    pub async fn create_server(&self, name: &str, network: &Network) -> String {
        let (image, flavor) = (self.make_image(name).await, self.flavor("m1.nano").await);
        let body = json!({"server": {
            "name": name, "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network.id}],
        }});
        self.post("compute", "/servers", &body).await.expect(202).text("/server/id")
    }

    pub async fn server(&self, id: &str) -> Value {
        self.get("compute", &format!("/servers/{id}")).await.expect(200).json["server"].clone()
    }

    pub async fn act(&self, server: &str, action: &Value) {
        self.post("compute", &format!("/servers/{server}/action"), action).await.expect(202);
    }

    pub async fn wait_for_status(&self, server: &str, status: &str) -> Value {
        let reached = || async {
            let found = self.server(server).await;
            assert!(found["status"] != "ERROR" || status == "ERROR", "{found}");
            (found["status"] == status && found["OS-EXT-STS:task_state"].is_null()).then_some(found)
        };
        wait_for(&format!("the server to be {status}"), 30, reached).await
    }

    pub async fn delete_server(&self, server: &str) {
        let path = format!("/servers/{server}");
        self.delete("compute", &path).await.expect(204);
        let gone = || async { (self.get("compute", &path).await.status == 404).then_some(()) };
        wait_for("the server to go", 30, gone).await;
    }
}
