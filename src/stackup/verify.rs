//! The proof at the end of install: a server is booted, pinged on a floating IP, and deleted.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stackup_system::Program;

use crate::client::{Client, ClientError};

const NAME: &str = "stackup-verify";

/// Why the proof failed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the cloud has no {0}")]
    Missing(&'static str),
    #[error("server {id} went to ERROR: {why}")]
    Server { id: String, why: String },
    #[error(
        "{address} did not answer ping within {seconds} s; the guest's console ends:\n{console}"
    )]
    NoPing { address: String, seconds: u64, console: String },
}

/// What was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    pub address: String,
    pub active: Duration,
    pub answered: Duration,
}

/// Boots a server of the smallest flavor, pings it, and deletes all it made, whatever happened.
pub async fn server(client: &Client, image: &str, seconds: u64) -> Result<Seen, VerifyError> {
    let mut made = Made::default();
    let result = boot_and_ping(client, image, seconds, &mut made).await;
    let cleaned = made.clean(client).await;
    let seen = result?;
    cleaned?;
    Ok(seen)
}

/// Whether there is anything to boot: an installed image of the name.
pub async fn image(client: &Client, name: &str) -> Result<Option<String>, VerifyError> {
    let images = client.get("image", &format!("/v2/images?name={name}&status=active")).await?;
    Ok(images["images"][0]["id"].as_str().map(str::to_owned))
}

#[derive(Default)]
struct Made {
    server: Option<String>,
    floating: Option<String>,
    group: Option<String>,
}

impl Made {
    async fn clean(&self, client: &Client) -> Result<(), VerifyError> {
        if let Some(id) = &self.floating {
            client.delete("network", &format!("/v2.0/floatingips/{id}")).await?;
        }
        if let Some(id) = &self.server {
            let path = format!("/servers/{id}");
            client.delete("compute", &path).await?;
            let begun = Instant::now();
            while client.get("compute", &path).await.is_ok() {
                if begun.elapsed() > Duration::from_secs(60) {
                    let what = "the deletion of the server".to_owned();
                    let detail = String::new();
                    return Err(ClientError::Timeout { what, seconds: 60, detail }.into());
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
        if let Some(id) = &self.group {
            client.delete("network", &format!("/v2.0/security-groups/{id}")).await?;
        }
        Ok(())
    }
}

async fn boot_and_ping(
    client: &Client,
    image: &str,
    seconds: u64,
    made: &mut Made,
) -> Result<Seen, VerifyError> {
    let begun = Instant::now();
    let private = one(client, "/v2.0/networks?name=private", "networks", "network private").await?;
    let public =
        one(client, "/v2.0/networks?router:external=True", "networks", "external network").await?;
    let flavors = client.get("compute", "/flavors?sort_key=memory_mb").await?;
    let flavor = flavors["flavors"].as_array().into_iter().flatten().find(|flavor| {
        flavor["name"].as_str().is_some_and(|name| name == "m1.nano" || name == "m1.micro")
    });
    let flavor = flavor.and_then(|flavor| flavor["id"].as_str());
    let flavor = flavor.ok_or(VerifyError::Missing("flavor m1.nano"))?;

    let group = json!({"security_group": {"name": NAME, "description": "lets ping in"}});
    let group = client.post("network", "/v2.0/security-groups", group).await?;
    let group = text(&group["security_group"]["id"]);
    made.group = Some(group.clone());
    let rule = json!({"security_group_rule": {
        "security_group_id": group, "direction": "ingress", "protocol": "icmp",
    }});
    client.post("network", "/v2.0/security-group-rules", rule).await?;

    let server = json!({"server": {
        "name": NAME, "imageRef": image, "flavorRef": flavor,
        "networks": [{"uuid": private}], "security_groups": [{"name": group}],
    }});
    let server = text(&client.post("compute", "/servers", server).await?["server"]["id"]);
    made.server = Some(server.clone());
    wait_active(client, &server, seconds).await?;
    let active = begun.elapsed();

    let ports = client.get("network", &format!("/v2.0/ports?device_id={server}")).await?;
    let floating = json!({"floatingip": {
        "floating_network_id": public, "port_id": text(&ports["ports"][0]["id"]),
    }});
    let floating = client.post("network", "/v2.0/floatingips", floating).await?;
    made.floating = Some(text(&floating["floatingip"]["id"]));
    let address = text(&floating["floatingip"]["floating_ip_address"]);
    ping(client, &server, &address, seconds).await?;
    Ok(Seen { address, active, answered: begun.elapsed() })
}

async fn wait_active(client: &Client, id: &str, seconds: u64) -> Result<(), VerifyError> {
    let path = format!("/servers/{id}");
    let status = client
        .wait(("compute", &path), "the server's start", seconds, |body| {
            let server = &body["server"];
            match server["status"].as_str() {
                Some("ACTIVE") => Some(Ok(())),
                Some("ERROR") => Some(Err(text(&server["fault"]["message"]))),
                _ => None,
            }
        })
        .await?;
    status.map_err(|why| VerifyError::Server { id: id.to_owned(), why })
}

async fn ping(
    client: &Client,
    server: &str,
    address: &str,
    seconds: u64,
) -> Result<(), VerifyError> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        let ping = Program::new("ping").args(["-c", "1", "-W", "1", address]);
        if ping.status().await.is_ok_and(|output| output.code == 0) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let action = json!({"os-getConsoleOutput": {"length": 15}});
    let console = client.post("compute", &format!("/servers/{server}/action"), action).await;
    let console = console.map(|body| text(&body["output"])).unwrap_or_default();
    Err(VerifyError::NoPing { address: address.to_owned(), seconds, console })
}

async fn one(
    client: &Client,
    path: &str,
    list: &str,
    what: &'static str,
) -> Result<String, VerifyError> {
    let body = client.get("network", path).await?;
    let id = body[list][0]["id"].as_str().map(str::to_owned);
    id.ok_or(VerifyError::Missing(what))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
