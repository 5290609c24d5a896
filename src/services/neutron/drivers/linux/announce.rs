//! Gratuitous ARP: an address that has just arrived here is told to those who remember it
//! elsewhere.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, sendto, socket};

use super::super::Mac;

/// An address that an interface has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) device: String,
    pub(super) mac: Mac,
    pub(super) address: Ipv4Addr,
}

/// Sends the announcements; to be called inside the namespace.
pub(super) fn announce(arrivals: &[Arrival]) -> io::Result<()> {
    let raw = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
    let devices: Vec<_> = getifaddrs()?.collect();
    for arrival in arrivals {
        let device = devices.iter().find_map(|device| {
            let address = device.address.as_ref()?;
            (device.interface_name == arrival.device).then_some(address.as_link_addr()?)
        });
        if let Some(device) = device {
            sendto(raw.as_raw_fd(), &frame(arrival), device, MsgFlags::empty())?;
        }
    }
    Ok(())
}

/// An ARP request by the address for itself (RFC 5227 §3), to everybody.
fn frame(Arrival { mac, address, .. }: &Arrival) -> Vec<u8> {
    let mut bytes = vec![0xff; 6];
    bytes.extend(mac.0);
    bytes.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    bytes.extend(mac.0);
    bytes.extend(address.octets());
    bytes.extend([0; 6]);
    bytes.extend(address.octets());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_an_arp_request_for_itself() {
        let arrival = Arrival {
            device: "qg-1".to_owned(),
            mac: Mac([0xfa, 0x16, 0x3e, 0, 0, 1]),
            address: Ipv4Addr::new(172, 24, 4, 20),
        };
        let bytes = frame(&arrival);
        assert_eq!(bytes.len(), 42);
        assert_eq!(bytes[28..32], bytes[38..42]);
    }
}
