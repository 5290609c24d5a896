//! Which addresses a port gets.

use std::net::IpAddr;

use serde_json::Value as Json;

use super::Work;
use crate::drivers::Mac;
use crate::error::{Error, Result};
use crate::model::SUBNET;
use crate::model::ipam::{next_free, usable};
use crate::model::port::{ROUTER_GATEWAY, ROUTER_INTERFACE};
use crate::model::subnet::Block;
use crate::store::addresses::{self, Given};
use crate::store::records::equals;

/// The port that wants addresses.
pub(crate) struct Seeker<'a> {
    pub(crate) port: &'a str,
    pub(crate) network: &'a str,
    pub(crate) mac: &'a str,
    pub(crate) device_owner: &'a str,
}

/// The subnets of a network, oldest first.
pub(crate) fn blocks(w: &Work<'_, '_>, network: &str) -> Result<Vec<Block>> {
    let subnets = w.all(&SUBNET, vec![equals("t.network_id", network)])?;
    Ok(subnets.iter().filter_map(Block::of).collect())
}

/// The next free address of a subnet.
pub(crate) fn pick(w: &mut Work<'_, '_>, block: &Block) -> Result<Option<IpAddr>> {
    let given = Given { r: w.reader(), subnet: &block.id };
    let address = next_free(&block.pools, block.cursor, &given)?;
    if let Some(address) = address {
        addresses::set_cursor(w.tx, &block.id, address)?;
    }
    Ok(address)
}

/// Gives a port its addresses: those it asks for, or one of each family, and the automatic ones.
/// `before` are the addresses that it had and may keep.
pub(crate) fn assign(
    w: &mut Work<'_, '_>,
    seeker: &Seeker<'_>,
    wanted: Option<&[Json]>,
    before: &[(String, IpAddr)],
) -> Result<()> {
    let blocks = blocks(w, seeker.network)?;
    let mut given = Addresses { seeker, count: 0, subnets: Vec::new() };
    match wanted {
        Some(wanted) => {
            for ip in wanted {
                given.one(w, &blocks, ip, before)?;
            }
        }
        None => given.one_of_each(w, &blocks)?,
    }
    let router = matches!(seeker.device_owner, ROUTER_INTERFACE | ROUTER_GATEWAY);
    for block in blocks.iter().filter(|block| block.automatic && !router) {
        if !given.subnets.contains(&block.id) {
            given.automatic(w, block)?;
        }
    }
    Ok(())
}

/// The addresses that a port is being given.
struct Addresses<'a> {
    seeker: &'a Seeker<'a>,
    count: usize,
    subnets: Vec<String>,
}

impl Addresses<'_> {
    fn give(&mut self, w: &mut Work<'_, '_>, block: &Block, address: IpAddr) -> Result<()> {
        if addresses::holder(w.reader(), &block.id, address)?.is_some() {
            return Err(Error::IpAddressAlreadyAllocated {
                address: address.to_string(),
                subnet: block.id.clone(),
            });
        }
        addresses::give(w.tx, &block.id, address, self.seeker.port, self.count)?;
        self.count += 1;
        self.subnets.push(block.id.clone());
        Ok(())
    }

    /// The address that the MAC makes.
    fn automatic(&mut self, w: &mut Work<'_, '_>, block: &Block) -> Result<()> {
        match eui64(block, self.seeker.mac) {
            Some(address) => self.give(w, block, address),
            None => Ok(()),
        }
    }

    fn one_of_each(&mut self, w: &mut Work<'_, '_>, blocks: &[Block]) -> Result<()> {
        let mut open: Vec<&Block> = blocks.iter().filter(|block| !block.automatic).collect();
        if open.is_empty() {
            return Ok(());
        }
        open.retain(|block| block.serves(self.seeker.device_owner));
        if open.is_empty() {
            return Err(self.exhausted());
        }
        for v4 in [true, false] {
            let family = open.iter().filter(|block| block.cidr.addr().is_ipv4() == v4);
            let mut any = false;
            let mut found = None;
            for block in family {
                any = true;
                if let Some(address) = pick(w, block)? {
                    found = Some((*block, address));
                    break;
                }
            }
            match found {
                Some((block, address)) => self.give(w, block, address)?,
                None if any => return Err(self.exhausted()),
                None => {}
            }
        }
        Ok(())
    }

    fn one(
        &mut self,
        w: &mut Work<'_, '_>,
        blocks: &[Block],
        ip: &Json,
        before: &[(String, IpAddr)],
    ) -> Result<()> {
        let text = |key: &str| ip.get(key).and_then(Json::as_str);
        let address: Option<IpAddr> = text("ip_address").and_then(|text| text.parse().ok());
        let block = match (text("subnet_id"), address) {
            (Some(subnet), _) => {
                let block = blocks.iter().find(|block| block.id == subnet);
                block.ok_or_else(|| self.foreign(subnet))?
            }
            (None, Some(address)) => {
                let block = blocks.iter().find(|block| block.cidr.contains(&address));
                block.ok_or_else(|| Error::InvalidIpForNetwork(address.to_string()))?
            }
            (None, None) => return Ok(()),
        };
        let Some(address) = address else {
            return self.any_of(w, block, before);
        };
        if !block.cidr.contains(&address) || !usable(block.cidr).contains(address) {
            return Err(Error::InvalidIpForSubnet(address.to_string()));
        }
        self.give(w, block, address)
    }

    /// An address of the subnet: the one the port had, the automatic one, the next free one.
    fn any_of(
        &mut self,
        w: &mut Work<'_, '_>,
        block: &Block,
        before: &[(String, IpAddr)],
    ) -> Result<()> {
        let had = before.iter().find(|(subnet, _)| *subnet == block.id);
        if let Some((_, address)) = had
            && !self.subnets.contains(&block.id)
        {
            return self.give(w, block, *address);
        }
        if block.automatic && self.seeker.device_owner != ROUTER_INTERFACE {
            return self.automatic(w, block);
        }
        match pick(w, block)? {
            Some(address) => self.give(w, block, address),
            None => Err(self.exhausted()),
        }
    }

    fn exhausted(&self) -> Error {
        Error::IpAddressGenerationFailure(self.seeker.network.to_owned())
    }

    fn foreign(&self, subnet: &str) -> Error {
        Error::InvalidInput(format!(
            "Failed to create port on network {}, because fixed_ips included invalid subnet {subnet}",
            self.seeker.network
        ))
    }
}

/// The address of a MAC under the subnet's prefix.
pub(crate) fn eui64(block: &Block, mac: &str) -> Option<IpAddr> {
    let mac: Mac = mac.parse().ok()?;
    match block.cidr.network() {
        IpAddr::V6(prefix) => Some(mac.eui64(prefix).into()),
        IpAddr::V4(_) => None,
    }
}
