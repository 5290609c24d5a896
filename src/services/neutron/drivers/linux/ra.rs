//! Router advertisements: how guests on an IPv6 subnet learn their prefix and router.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use ipnet::{IpNet, Ipv6Net};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket as new_socket, sockopt,
};

use super::super::{InterfaceSpec, Ipv6Mode, Mac, NetworkSpec};

const PERIOD: Duration = Duration::from_secs(30);
const ROUTER_LIFETIME: u16 = 300;
const PREFIX_LIFETIME: u32 = 86_400;
const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;

/// What one interface advertises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaConfig {
    pub interface: String,
    pub mac: Mac,
    pub mtu: u16,
    /// Prefixes, and whether guests may make addresses of them.
    pub prefixes: Vec<(Ipv6Net, bool)>,
    pub managed: bool,
    pub other: bool,
    pub dns: Vec<Ipv6Addr>,
}

/// What an interface of a router advertises; `None` without an IPv6 subnet that says so.
pub(super) fn config(
    network: &NetworkSpec,
    interface: &InterfaceSpec,
    inside: &str,
) -> Option<RaConfig> {
    let mut config = RaConfig {
        interface: inside.to_owned(),
        mac: interface.mac,
        mtu: network.mtu,
        prefixes: Vec::new(),
        managed: false,
        other: false,
        dns: Vec::new(),
    };
    for subnet in &network.subnets {
        let on_it = interface.fixed_ips.iter().any(|ip| ip.subnet == subnet.id);
        let (IpNet::V6(cidr), Some(mode), true) = (subnet.cidr, subnet.ipv6_ra_mode, on_it) else {
            continue;
        };
        config.prefixes.push((cidr.trunc(), mode != Ipv6Mode::DhcpStateful));
        config.managed |= mode == Ipv6Mode::DhcpStateful;
        config.other |= mode == Ipv6Mode::DhcpStateless;
        config.dns.extend(subnet.dns_servers.iter().filter_map(|dns| match dns {
            std::net::IpAddr::V6(dns) => Some(*dns),
            std::net::IpAddr::V4(_) => None,
        }));
    }
    (!config.prefixes.is_empty()).then_some(config)
}

/// The message (RFC 4861 §4.2); the kernel fills in the checksum.
fn message(config: &RaConfig) -> Vec<u8> {
    let flags = (u8::from(config.managed) << 7) | (u8::from(config.other) << 6);
    let mut bytes = vec![ADVERTISEMENT, 0, 0, 0, 64, flags];
    bytes.extend(ROUTER_LIFETIME.to_be_bytes());
    bytes.extend([0; 8]);
    bytes.extend([1, 1]);
    bytes.extend(config.mac.0);
    bytes.extend([5, 1, 0, 0]);
    bytes.extend(u32::from(config.mtu).to_be_bytes());
    for (prefix, autonomous) in &config.prefixes {
        bytes.extend([3, 4, prefix.prefix_len(), 0x80 | (u8::from(*autonomous) << 6)]);
        bytes.extend(PREFIX_LIFETIME.to_be_bytes());
        bytes.extend(PREFIX_LIFETIME.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(prefix.addr().octets());
    }
    if !config.dns.is_empty() {
        // RDNSS (RFC 8106): at most 126 addresses fit its length.
        let dns = &config.dns[..config.dns.len().min(126)];
        bytes.extend([25, (1 + 2 * dns.len()) as u8, 0, 0]);
        bytes.extend(u32::from(ROUTER_LIFETIME).to_be_bytes());
        dns.iter().for_each(|dns| bytes.extend(dns.octets()));
    }
    bytes
}

/// Makes the socket; to be called inside the namespace.
pub(super) fn socket(interface: &str) -> io::Result<UdpSocket> {
    let fd = new_socket(
        AddressFamily::Inet6,
        SockType::Raw,
        SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        SockProtocol::IcmpV6,
    )?;
    setsockopt(&fd, sockopt::BindToDevice, &std::ffi::OsString::from(interface))?;
    setsockopt(&fd, sockopt::Ipv6MulticastHops, &255)?;
    // Not UDP, but the same calls: messages with an address.
    Ok(UdpSocket::from(fd))
}

/// Advertises on a period and when asked, until it is dropped.
pub(super) async fn serve(socket: tokio::net::UdpSocket, config: RaConfig) {
    let message = message(&config);
    let everyone = SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 0, 0, 0);
    loop {
        if let Err(error) = socket.send_to(&message, SocketAddr::from(everyone)).await {
            tracing::debug!(%error, interface = config.interface, "router advertisement not sent");
        }
        // Nothing here may answer faster than that, however often it is asked (RFC 4861 §6.2.6).
        tokio::time::sleep(Duration::from_millis(500)).await;
        // Past the period it advertises unasked.
        drop(tokio::time::timeout(PERIOD, solicited(&socket)).await);
    }
}

async fn solicited(socket: &tokio::net::UdpSocket) {
    let mut buffer = [0; 1500];
    while let Ok(length) = socket.recv(&mut buffer).await {
        if length > 0 && buffer[0] == SOLICITATION {
            return;
        }
    }
    tokio::time::sleep(PERIOD).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_its_options() {
        let config = RaConfig {
            interface: "qr-1".to_owned(),
            mac: Mac([0xfa, 0x16, 0x3e, 0, 0, 1]),
            mtu: 1450,
            prefixes: vec![("fd00:1::/64".parse().unwrap(), true)],
            managed: false,
            other: true,
            dns: vec!["fd00::53".parse().unwrap()],
        };
        let bytes = message(&config);
        assert_eq!(bytes.len(), 16 + 8 + 8 + 32 + 24);
        assert_eq!((bytes[0], bytes[5]), (134, 0x40));
        assert_eq!(bytes[32..36], [3, 4, 64, 0xc0]);
    }
}
