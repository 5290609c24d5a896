//! How many addresses networks have, and how many are given.

use ipnet::IpNet;
use serde_json::{Value as Json, json};

use crate::Neutron;
use crate::error::{Error, Result};
use crate::model::ipam::{Range, usable};
use crate::model::subnet::Block;
use crate::model::{NETWORK, Record, SUBNET};
use crate::store::records::{self, equals};
use crate::store::{Filter, Listing, Scope, addresses};
use stackup_store::Reader;

impl Neutron {
    /// Of every network that passes.
    pub(crate) async fn availabilities(&self, filters: Vec<Filter>) -> Result<Vec<Json>> {
        self.db
            .scan(move |r| {
                let everything = Scope::everything();
                let networks = records::list(r, &NETWORK, &everything, &Listing::of(filters))?;
                networks.iter().map(|network| of_network(r, network)).collect()
            })
            .await
    }

    /// Of one network.
    pub(crate) async fn availability(&self, id: &str) -> Result<Json> {
        let found = self.availabilities(vec![equals("t.id", id)]).await?.pop();
        found.ok_or_else(|| Error::NetworkNotFound(id.to_owned()))
    }
}

fn of_network(r: &Reader<'_>, network: &Record) -> Result<Json> {
    let of = vec![equals("t.network_id", network.id())];
    let subnets = records::list(r, &SUBNET, &Scope::everything(), &Listing::of(of))?;
    let mut sum = Counts::default();
    let mut views = Vec::new();
    for subnet in &subnets {
        let Some(block) = Block::of(subnet) else {
            continue;
        };
        let counts = Counts::of(r, &block)?;
        views.push(json!({
            "subnet_id": subnet.id(),
            "subnet_name": subnet.text("name"),
            "cidr": subnet.text("cidr"),
            "ip_version": subnet.int("ip_version"),
            "total_ips": number(counts.pool),
            "used_ips": counts.used,
            "ip_availability_details": counts.view(),
        }));
        sum.add(&counts);
    }
    Ok(json!({
        "network_id": network.id(),
        "network_name": network.text("name"),
        "project_id": network.project_id(),
        "tenant_id": network.project_id(),
        "total_ips": number(sum.pool),
        "used_ips": sum.used,
        "ip_availability_details": sum.view(),
        "subnet_ip_availability": views,
    }))
}

#[derive(Debug, Default)]
struct Counts {
    pool: u128,
    block: u128,
    used: u64,
    used_of_pool: u64,
}

impl Counts {
    fn of(r: &Reader<'_>, block: &Block) -> Result<Self> {
        let given = addresses::of_subnet(r, &block.id)?;
        let pooled = |ip| block.pools.iter().any(|pool| pool.contains(ip));
        let used_of_pool = given.iter().filter(|(ip, _)| pooled(*ip)).count();
        let pools = block.pools.iter().map(Range::size);
        Ok(Self {
            pool: pools.fold(0, u128::saturating_add),
            block: size(block.cidr),
            used: u64::try_from(given.len()).unwrap_or(u64::MAX),
            used_of_pool: u64::try_from(used_of_pool).unwrap_or(u64::MAX),
        })
    }

    fn add(&mut self, other: &Counts) {
        self.pool = self.pool.saturating_add(other.pool);
        self.block = self.block.saturating_add(other.block);
        self.used += other.used;
        self.used_of_pool += other.used_of_pool;
    }

    fn view(&self) -> Json {
        json!({
            "total_ips_in_subnet": number(self.block),
            "total_ips_in_allocation_pool": number(self.pool),
            "used_ips_in_subnet": self.used,
            "used_ips_in_allocation_pool": self.used_of_pool,
        })
    }
}

fn size(cidr: IpNet) -> u128 {
    usable(cidr).size()
}

/// Whole as far as a JSON number is, then rounded.
fn number(count: u128) -> Json {
    u64::try_from(count).map_or_else(|_| json!(count as f64), |count| json!(count))
}
