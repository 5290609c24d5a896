//! DHCP for IPv4, served in process: only the addresses that the database gave out.
//!
//! The socket is made inside the network's namespace and bound to its interface, so a request can
//! only come from that network. Nothing is remembered: the answer to a client is a function of the
//! ports. A client that asks for an address that is not its own gets a NAK; a MAC that is no
//! port's gets silence.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode, UnknownOption};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};
use ipnet::{IpNet, Ipv4Net};
use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::super::{DhcpPortSpec, ExtraDhcpOpt, FixedIp, Mac, NetworkSpec, PortSpec, SubnetSpec};
use super::desired::METADATA_ADDRESS;

/// Neutron's own.
const LEASE_SECONDS: u32 = 86_400;
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;

/// What one network's server hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpConfig {
    pub interface: String,
    pub leases: BTreeMap<Mac, Lease>,
}

/// What one client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub address: Ipv4Addr,
    pub subnet: Ipv4Net,
    pub server: Ipv4Addr,
    pub router: Option<Ipv4Addr>,
    pub dns: Vec<Ipv4Addr>,
    pub routes: Vec<(Ipv4Net, Ipv4Addr)>,
    pub mtu: u16,
    pub hostname: String,
    pub domain: Option<String>,
    /// Extra options by number, encoded; they replace ours.
    pub extra: BTreeMap<u8, Vec<u8>>,
    /// The next server and file of a network boot.
    pub boot: Boot,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    pub server: Option<Ipv4Addr>,
    pub file: Option<String>,
}

/// The server of a network; `None` when no IPv4 subnet of it has DHCP.
pub(super) fn config(
    network: &NetworkSpec,
    port: &DhcpPortSpec,
    guests: &[&PortSpec],
    interface: &str,
) -> Option<DhcpConfig> {
    let served: Vec<(&SubnetSpec, Ipv4Net, Ipv4Addr)> = network
        .subnets
        .iter()
        .filter(|subnet| subnet.dhcp)
        .filter_map(|subnet| match subnet.cidr {
            IpNet::V4(cidr) => Some((subnet, cidr, v4_in(&port.fixed_ips, subnet)?)),
            IpNet::V6(_) => None,
        })
        .collect();
    if served.is_empty() {
        return None;
    }
    let mut leases = BTreeMap::new();
    for guest in guests {
        let own = served.iter().find_map(|&(subnet, cidr, server)| {
            Some((subnet, cidr, server, v4_in(&guest.fixed_ips, subnet)?))
        });
        if let Some((subnet, cidr, server, address)) = own {
            leases.insert(guest.mac, lease(network, subnet, cidr, server, address, guest));
        }
    }
    Some(DhcpConfig { interface: interface.to_owned(), leases })
}

fn lease(
    network: &NetworkSpec,
    subnet: &SubnetSpec,
    cidr: Ipv4Net,
    server: Ipv4Addr,
    address: Ipv4Addr,
    guest: &PortSpec,
) -> Lease {
    let router = subnet.gateway.and_then(v4);
    let mut routes: Vec<(Ipv4Net, Ipv4Addr)> = subnet
        .host_routes
        .iter()
        .filter_map(|route| match (route.destination, route.nexthop) {
            (IpNet::V4(destination), IpAddr::V4(nexthop)) => Some((destination, nexthop)),
            _ => None,
        })
        .collect();
    let metadata = Ipv4Net::from(METADATA_ADDRESS);
    if network.metadata && !routes.iter().any(|(destination, _)| *destination == metadata) {
        routes.push((metadata, server));
    }
    // A client that reads option 121 ignores the router option (RFC 3442).
    if let Some(router) = router.filter(|_| !routes.is_empty())
        && !routes.iter().any(|(destination, _)| destination.prefix_len() == 0)
    {
        routes.push((Ipv4Net::default(), router));
    }
    let (extra, boot) = extra_options(&guest.extra_dhcp_opts);
    Lease {
        address,
        subnet: cidr,
        server,
        router,
        dns: subnet.dns_servers.iter().filter_map(|&ip| v4(ip)).collect(),
        routes,
        mtu: network.mtu,
        hostname: guest.hostname.clone().unwrap_or_else(|| default_hostname(address)),
        domain: network.dns_domain.clone(),
        extra,
        boot,
    }
}

fn default_hostname(address: Ipv4Addr) -> String {
    format!("host-{}", address.to_string().replace('.', "-"))
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn v4_in(fixed: &[FixedIp], subnet: &SubnetSpec) -> Option<Ipv4Addr> {
    fixed.iter().filter(|ip| ip.subnet == subnet.id).find_map(|ip| v4(ip.address))
}

/// The options that a port's owner adds, by dnsmasq's names or by number. Unknown names are
/// left out, as dnsmasq refuses them.
fn extra_options(options: &[ExtraDhcpOpt]) -> (BTreeMap<u8, Vec<u8>>, Boot) {
    let mut extra = BTreeMap::new();
    let mut boot = Boot::default();
    for option in options.iter().filter(|option| option.ip_version == 4) {
        let name = option.name.strip_prefix("option:").unwrap_or(&option.name);
        if name == "server-ip-address" {
            boot.server = option.value.parse().ok();
            continue;
        }
        if name == "bootfile-name" {
            boot.file = Some(option.value.clone());
        }
        let Some(code) = option_code(name) else {
            tracing::debug!(option = name, "unknown DHCP option left out");
            continue;
        };
        let bytes = option_bytes(code, &option.value);
        // Codes 0 and 255 frame the list, 51 to 54 are the protocol itself.
        if !matches!(code, 0 | 51..=54 | 255) && (1..=255).contains(&bytes.len()) {
            extra.insert(code, bytes);
        }
    }
    (extra, boot)
}

fn option_code(name: &str) -> Option<u8> {
    let code = match name {
        "netmask" => 1,
        "router" => 3,
        "dns-server" => 6,
        "log-server" => 7,
        "lpr-server" => 9,
        "hostname" => 12,
        "boot-file-size" => 13,
        "domain-name" => 15,
        "swap-server" => 16,
        "root-path" => 17,
        "extension-path" => 18,
        "default-ttl" => 23,
        "mtu" => 26,
        "broadcast" => 28,
        "static-route" => 33,
        "nis-domain" => 40,
        "nis-server" => 41,
        "ntp-server" => 42,
        "netbios-ns" => 44,
        "vendor-class" => 60,
        "tftp-server" => 66,
        "bootfile-name" => 67,
        "smtp-server" => 69,
        "domain-search" => 119,
        "classless-static-route" => 121,
        "tftp-server-address" => 150,
        number => number.parse().ok()?,
    };
    Some(code)
}

/// Encodes by what the option holds: addresses, a number, or text.
fn option_bytes(code: u8, value: &str) -> Vec<u8> {
    if let Ok(addresses) =
        value.split(',').map(|part| part.trim().parse::<Ipv4Addr>()).collect::<Result<Vec<_>, _>>()
        && code != 66
    {
        return addresses.iter().flat_map(|address| address.octets()).collect();
    }
    match (code, value.parse::<u16>()) {
        (13 | 26, Ok(number)) => number.to_be_bytes().to_vec(),
        (23, Ok(number)) => vec![number.min(255) as u8],
        _ => value.as_bytes().to_vec(),
    }
}

/// The answer to a client, or silence.
pub(super) fn answer(config: &DhcpConfig, request: &Message) -> Option<Message> {
    if request.opcode() != Opcode::BootRequest || request.hlen() != 6 {
        return None;
    }
    let mac = Mac(request.chaddr().try_into().ok()?);
    let lease = config.leases.get(&mac)?;
    match request.opts().msg_type()? {
        MessageType::Discover => Some(reply(request, lease, MessageType::Offer)),
        MessageType::Request => answer_request(request, lease),
        MessageType::Inform => {
            let mut ack = reply(request, lease, MessageType::Ack);
            ack.set_yiaddr(Ipv4Addr::UNSPECIFIED);
            ack.opts_mut().remove(OptionCode::AddressLeaseTime);
            Some(ack)
        }
        // The address stays the port's whatever the client does with it.
        _ => None,
    }
}

fn answer_request(request: &Message, lease: &Lease) -> Option<Message> {
    if let Some(DhcpOption::ServerIdentifier(server)) =
        request.opts().get(OptionCode::ServerIdentifier)
        && *server != lease.server
    {
        // It took another server's offer.
        return None;
    }
    let wanted = match request.opts().get(OptionCode::RequestedIpAddress) {
        Some(DhcpOption::RequestedIpAddress(address)) => *address,
        _ => request.ciaddr(),
    };
    if wanted == lease.address {
        return Some(reply(request, lease, MessageType::Ack));
    }
    let mut nak = empty_reply(request);
    nak.opts_mut().insert(DhcpOption::MessageType(MessageType::Nak));
    nak.opts_mut().insert(DhcpOption::ServerIdentifier(lease.server));
    nak.set_flags(Flags::default().set_broadcast());
    Some(nak)
}

fn empty_reply(request: &Message) -> Message {
    let mut reply = Message::default();
    reply
        .set_opcode(Opcode::BootReply)
        .set_xid(request.xid())
        .set_flags(request.flags())
        .set_giaddr(request.giaddr())
        .set_chaddr(request.chaddr());
    reply
}

fn reply(request: &Message, lease: &Lease, kind: MessageType) -> Message {
    let mut reply = empty_reply(request);
    reply.set_yiaddr(lease.address).set_siaddr(lease.boot.server.unwrap_or(lease.server));
    if let Some(file) = lease.boot.file.as_ref().filter(|file| file.len() < 128) {
        reply.set_fname_str(file);
    }
    if kind == MessageType::Ack {
        reply.set_ciaddr(request.ciaddr());
    }
    let options = reply.opts_mut();
    let mut add = |option: DhcpOption| {
        options.insert(option);
    };
    add(DhcpOption::MessageType(kind));
    add(DhcpOption::ServerIdentifier(lease.server));
    add(DhcpOption::AddressLeaseTime(LEASE_SECONDS));
    add(DhcpOption::SubnetMask(lease.subnet.netmask()));
    add(DhcpOption::BroadcastAddr(lease.subnet.broadcast()));
    add(DhcpOption::InterfaceMtu(lease.mtu));
    add(DhcpOption::Hostname(lease.hostname.clone()));
    if let Some(router) = lease.router {
        add(DhcpOption::Router(vec![router]));
    }
    if !lease.dns.is_empty() {
        add(DhcpOption::DomainNameServer(lease.dns.clone()));
    }
    if let Some(domain) = &lease.domain {
        add(DhcpOption::DomainName(domain.clone()));
    }
    if !lease.routes.is_empty() {
        add(DhcpOption::ClasslessStaticRoute(lease.routes.clone()));
    }
    for (&code, bytes) in &lease.extra {
        options.remove(OptionCode::from(code));
        options
            .insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(code), bytes.clone())));
    }
    reply
}

/// Where an answer goes: to the client's address when it has one, else to everybody.
fn destination(answer: &Message) -> SocketAddr {
    let nak = answer.opts().has_msg_type(MessageType::Nak);
    let (address, port) = if !answer.giaddr().is_unspecified() {
        (answer.giaddr(), SERVER_PORT)
    } else if !answer.ciaddr().is_unspecified() && !nak {
        (answer.ciaddr(), CLIENT_PORT)
    } else {
        (Ipv4Addr::BROADCAST, CLIENT_PORT)
    };
    SocketAddrV4::new(address, port).into()
}

/// Makes the server's socket; to be called inside the namespace.
pub(super) fn socket(interface: &str) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SERVER_PORT))?;
    nix::sys::socket::setsockopt(
        &socket,
        nix::sys::socket::sockopt::BindToDevice,
        &std::ffi::OsString::from(interface),
    )?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Serves until it is dropped; the configuration may change under it.
pub(super) async fn serve(socket: UdpSocket, config: watch::Receiver<DhcpConfig>) {
    let mut buffer = vec![0; 2048];
    loop {
        let length = match socket.recv_from(&mut buffer).await {
            Ok((length, _)) => length,
            Err(error) => {
                tracing::debug!(%error, "DHCP socket");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(request) = Message::decode(&mut Decoder::new(&buffer[..length])) else { continue };
        let reply = answer(&config.borrow(), &request);
        if let Some(reply) = reply {
            send(&socket, &reply).await;
        }
    }
}

async fn send(socket: &UdpSocket, reply: &Message) {
    let mut bytes = Vec::with_capacity(576);
    if let Err(error) = reply.encode(&mut Encoder::new(&mut bytes)) {
        tracing::warn!(%error, "DHCP answer cannot be encoded");
        return;
    }
    // Old clients drop what is shorter than a BOOTP frame.
    bytes.resize(bytes.len().max(300), 0);
    if let Err(error) = socket.send_to(&bytes, destination(reply)).await {
        tracing::debug!(%error, "DHCP answer not sent");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0xfa, 0x16, 0x3e, 0, 0, 5]);

    fn config() -> DhcpConfig {
        let lease = Lease {
            address: "10.0.0.5".parse().unwrap(),
            subnet: "10.0.0.0/26".parse().unwrap(),
            server: "10.0.0.2".parse().unwrap(),
            router: Some("10.0.0.1".parse().unwrap()),
            dns: vec!["8.8.8.8".parse().unwrap()],
            routes: vec![("169.254.169.254/32".parse().unwrap(), "10.0.0.2".parse().unwrap())],
            mtu: 1450,
            hostname: "vm1".to_owned(),
            domain: Some("openstacklocal".to_owned()),
            extra: BTreeMap::from([(42, vec![10, 0, 0, 9])]),
            boot: Boot::default(),
        };
        DhcpConfig { interface: "ns-1".to_owned(), leases: BTreeMap::from([(MAC, lease)]) }
    }

    fn request(kind: MessageType, options: &[DhcpOption]) -> Message {
        let mut message = Message::default();
        message.set_chaddr(&MAC.0).set_xid(7).opts_mut().insert(DhcpOption::MessageType(kind));
        for option in options {
            message.opts_mut().insert(option.clone());
        }
        message
    }

    fn kind(message: Option<&Message>) -> Option<MessageType> {
        message.and_then(|message| message.opts().msg_type())
    }

    #[test]
    fn an_offer_says_everything_and_survives_the_wire() {
        let offer = answer(&config(), &request(MessageType::Discover, &[])).unwrap();
        let mut bytes = Vec::new();
        offer.encode(&mut Encoder::new(&mut bytes)).unwrap();
        let offer = Message::decode(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(kind(Some(&offer)), Some(MessageType::Offer));
        assert_eq!((offer.xid(), offer.yiaddr()), (7, "10.0.0.5".parse().unwrap()));
        let options = offer.opts();
        assert_eq!(options.get(OptionCode::InterfaceMtu), Some(&DhcpOption::InterfaceMtu(1450)));
        assert_eq!(
            options.get(OptionCode::SubnetMask),
            Some(&DhcpOption::SubnetMask("255.255.255.192".parse().unwrap()))
        );
        assert!(matches!(
            options.get(OptionCode::ClasslessStaticRoute),
            Some(DhcpOption::ClasslessStaticRoute(routes)) if routes.len() == 1
        ));
        assert_eq!(
            options.get(OptionCode::NtpServers),
            Some(&DhcpOption::NtpServers(vec!["10.0.0.9".parse().unwrap()]))
        );
    }

    #[test]
    fn requests_are_granted_only_as_recorded() {
        let config = config();
        let asked = |address: &str| DhcpOption::RequestedIpAddress(address.parse().unwrap());
        let server = |address: &str| DhcpOption::ServerIdentifier(address.parse().unwrap());
        let cases = [
            (vec![asked("10.0.0.5"), server("10.0.0.2")], Some(MessageType::Ack)),
            (vec![asked("10.0.0.5")], Some(MessageType::Ack)),
            (vec![asked("10.0.0.6")], Some(MessageType::Nak)),
            (vec![asked("10.0.0.5"), server("10.0.0.99")], None),
            (vec![], Some(MessageType::Nak)),
        ];
        for (options, expected) in cases {
            let reply = answer(&config, &request(MessageType::Request, &options));
            assert_eq!(kind(reply.as_ref()), expected, "{options:?}");
        }
        let mut renewal = request(MessageType::Request, &[]);
        renewal.set_ciaddr("10.0.0.5".parse::<Ipv4Addr>().unwrap());
        let reply = answer(&config, &renewal).unwrap();
        assert_eq!(kind(Some(&reply)), Some(MessageType::Ack));
        assert_eq!(destination(&reply).to_string(), "10.0.0.5:68");
    }

    #[test]
    fn strangers_releases_and_replies_get_silence() {
        let config = config();
        let mut stranger = request(MessageType::Discover, &[]);
        stranger.set_chaddr(&[2; 6]);
        assert!(answer(&config, &stranger).is_none());
        assert!(answer(&config, &request(MessageType::Release, &[])).is_none());
        let mut reply = request(MessageType::Discover, &[]);
        reply.set_opcode(Opcode::BootReply);
        assert!(answer(&config, &reply).is_none());
        let mut bare = Message::default();
        bare.set_chaddr(&MAC.0);
        assert!(answer(&config, &bare).is_none());
    }

    #[test]
    fn extra_options_by_name_and_number() {
        let option = |name: &str, value: &str, ip_version| ExtraDhcpOpt {
            name: name.to_owned(),
            value: value.to_owned(),
            ip_version,
        };
        let (extra, boot) = extra_options(&[
            option("bootfile-name", "pxelinux.0", 4),
            option("server-ip-address", "10.0.0.9", 4),
            option("tftp-server", "10.0.0.9", 4),
            option("150", "10.0.0.9,10.0.0.8", 4),
            option("mtu", "1400", 4),
            option("53", "x", 4),
            option("no-such", "x", 4),
            option("42", "10.0.0.1", 6),
        ]);
        assert_eq!(boot.file.as_deref(), Some("pxelinux.0"));
        assert_eq!(boot.server, "10.0.0.9".parse().ok());
        assert_eq!(extra[&150], [10, 0, 0, 9, 10, 0, 0, 8]);
        assert_eq!(extra[&66], b"10.0.0.9");
        assert_eq!(extra[&26], [5, 120]);
        assert_eq!(extra.keys().copied().collect::<Vec<_>>(), [26, 66, 67, 150]);
    }
}
