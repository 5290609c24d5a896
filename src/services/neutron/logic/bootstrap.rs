//! Day one: the networks that textbooks begin with.

use serde_json::json;
use stackup_core::Ctx;

use super::{Work, networks, routers, subnet_pools, subnets};
use crate::Neutron;
use crate::config::Initial;
use crate::error::Result;
use crate::model::{Fields, NETWORK, ROUTER, SUBNET, SUBNET_POOL};
use crate::store::quotas::seed;

/// Whom the first things belong to.
#[derive(Debug, Clone)]
struct Owners {
    admin: String,
    /// Absent in a cloud without the project.
    user: Option<String>,
}

impl Neutron {
    /// Makes the first networks, once.
    pub(crate) async fn make_initial(&self) -> Result<()> {
        let Some(initial) = self.config.initial.clone() else {
            return Ok(());
        };
        let identity = self.hub.identity()?;
        let Some(admin) = identity.project_named("admin").await? else {
            return Ok(());
        };
        let user = identity.project_named(&initial.project).await?;
        let owners = Owners {
            admin: admin.id.to_string(),
            user: user.map(|project| project.id.to_string()),
        };
        let cx = Ctx::task("neutron", self.clock.now());
        self.work(&cx, move |w| {
            if seed(w.tx, "networks")? {
                make(w, &initial, &owners)?;
            }
            Ok(())
        })
        .await
    }
}

fn make(w: &mut Work<'_, '_>, initial: &Initial, owners: &Owners) -> Result<()> {
    let public = public(w, initial, &owners.admin)?;
    let pool = json!({
        "name": initial.pool,
        "project_id": owners.admin,
        "prefixes": [initial.pool_cidr.to_string()],
        "default_prefixlen": initial.pool_prefix_length,
        "shared": true,
        "is_default": true,
    });
    let pool = subnet_pools::create(w, Fields::create(&SUBNET_POOL, pool)?)?;
    if let Some(user) = &owners.user {
        private(w, initial, user, &pool, &public)?;
    }
    Ok(())
}

fn public(w: &mut Work<'_, '_>, initial: &Initial, owner: &str) -> Result<String> {
    let network = json!({
        "name": initial.public_network,
        "project_id": owner,
        "router:external": true,
        "is_default": true,
        "provider:network_type": "flat",
        "provider:physical_network": initial.physical_network,
    });
    let id = networks::create(w, Fields::create(&NETWORK, network)?)?;
    let (start, end) = initial.public_pool;
    let subnet = json!({
        "name": initial.public_subnet,
        "project_id": owner,
        "network_id": id,
        "ip_version": 4,
        "cidr": initial.public_cidr.to_string(),
        "gateway_ip": initial.public_gateway.to_string(),
        "enable_dhcp": false,
        "allocation_pools": [{"start": start.to_string(), "end": end.to_string()}],
    });
    subnets::create(w, Fields::create(&SUBNET, subnet)?)?;
    Ok(id)
}

fn private(
    w: &mut Work<'_, '_>,
    initial: &Initial,
    owner: &str,
    pool: &str,
    public: &str,
) -> Result<()> {
    let network = json!({"name": initial.private_network, "project_id": owner});
    let network = networks::create(w, Fields::create(&NETWORK, network)?)?;
    let subnet = json!({
        "name": initial.private_subnet,
        "project_id": owner,
        "network_id": network,
        "ip_version": 4,
        "subnetpool_id": pool,
    });
    let subnet = subnets::create(w, Fields::create(&SUBNET, subnet)?)?;
    let router = json!({
        "name": initial.router,
        "project_id": owner,
        "external_gateway_info": {"network_id": public},
    });
    let router = routers::create(w, Fields::create(&ROUTER, router)?)?;
    let router = w.any(&ROUTER, &router)?;
    routers::add_interface(w, &router, &routers::interface_of_subnet(&subnet))?;
    Ok(())
}
