//! The vocabulary of the stories: an isolated kernel, guests, a small topology.

use std::ffi::OsString;
use std::fs::File;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use ipnet::IpNet;
use nix::sched::{CloneFlags, setns};
use stackup_flow::supervisor::Supervisor;
use stackup_neutron::drivers::linux::{LinuxDataplane, LinuxOptions};
use stackup_neutron::drivers::*;
use stackup_system::Program;
use uuid::Uuid;

const INSIDE: &str = "STACKUP_DATAPLANE_STORY";

/// Runs a story in namespaces of its own, by running this test again inside them.
pub(crate) fn isolated<F: Future<Output = ()>>(name: &str, story: impl FnOnce() -> F) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if std::env::var_os(INSIDE).is_some() {
        runtime.block_on(async {
            sh("mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip link set lo up").await;
            story().await;
        });
        return;
    }
    runtime.block_on(async {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: {name} needs root");
            return;
        }
        if Program::new("unshare").args(["-n", "-m", "true"]).run().await.is_err() {
            println!("skipped: {name} needs a kernel with namespaces");
            return;
        }
        let output = Program::new("unshare")
            .args(["-n", "-m"])
            .arg(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(INSIDE, "1")
            .timeout(Duration::from_secs(120))
            .status()
            .await
            .unwrap();
        println!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, 0, "the story failed inside");
        assert!(output.stdout.contains("1 passed"), "the story did not run");
    });
}

/// Runs a shell line that must succeed.
pub(crate) async fn sh(line: &str) -> String {
    let output = Program::new("sh").args(["-c", line]).status().await.unwrap();
    assert_eq!(output.code, 0, "{line}: {}{}", output.stdout, output.stderr);
    output.stdout
}

pub(crate) fn driver(firewall: Option<Firewall>) -> LinuxDataplane {
    let options = LinuxOptions { manage_external_bridge: true, firewall };
    LinuxDataplane::new(options, Supervisor::default())
}

pub(crate) fn id(number: u128) -> Uuid {
    // The first eleven characters make the names.
    Uuid::from_u128((number << 96) | number)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub(crate) fn mac(last: u8) -> Mac {
    Mac([0xfa, 0x16, 0x3e, 0, 0, last])
}

/// Network `n` with subnet `10.n.0.0/24`, its DHCP server at `.2`.
pub(crate) fn network(n: u8) -> NetworkSpec {
    let number = u128::from(n);
    NetworkSpec {
        id: id(number),
        mtu: 1450,
        admin_state_up: true,
        external_bridge: None,
        subnets: vec![subnet(number + 100, &format!("10.{n}.0.0/24"), &format!("10.{n}.0.1"))],
        dhcp_port: Some(DhcpPortSpec {
            id: id(number + 200),
            mac: mac(200 + n),
            fixed_ips: vec![FixedIp {
                subnet: id(number + 100),
                address: ip(&format!("10.{n}.0.2")),
            }],
        }),
        metadata: true,
        dns_domain: Some("openstacklocal".to_owned()),
    }
}

pub(crate) fn subnet(number: u128, cidr: &str, gateway: &str) -> SubnetSpec {
    SubnetSpec {
        id: id(number),
        cidr: net(cidr),
        gateway: Some(ip(gateway)),
        dhcp: true,
        dns_servers: vec![ip("8.8.8.8")],
        host_routes: Vec::new(),
        ipv6_address_mode: None,
        ipv6_ra_mode: None,
    }
}

/// Guest `g` on network `n` at `10.n.0.g`, in these groups.
pub(crate) fn port(g: u8, n: u8, groups: &[u128]) -> PortSpec {
    PortSpec {
        id: id(0x1000 + u128::from(n) * 0x100 + u128::from(g)),
        network: id(u128::from(n)),
        mac: mac(g),
        fixed_ips: vec![FixedIp {
            subnet: id(u128::from(n) + 100),
            address: ip(&format!("10.{n}.0.{g}")),
        }],
        device_owner: "compute:nova".to_owned(),
        device_id: format!("server-{g}"),
        admin_state_up: true,
        security_groups: groups.iter().map(|&group| id(group)).collect(),
        port_security: true,
        allowed_address_pairs: Vec::new(),
        hostname: Some(format!("guest{g}")),
        extra_dhcp_opts: Vec::new(),
    }
}

/// Group `g` with upstream's default rules: everything out, its own members in.
pub(crate) fn group(g: u128) -> SecurityGroupSpec {
    let rule = |direction, ethertype, remote| RuleSpec {
        direction,
        ethertype,
        protocol: None,
        port_min: None,
        port_max: None,
        remote,
    };
    let both = [EtherType::Ipv4, EtherType::Ipv6];
    let out = both.map(|family| rule(Direction::Egress, family, Remote::Any));
    let within = both.map(|family| rule(Direction::Ingress, family, Remote::Group(id(g))));
    SecurityGroupSpec { id: id(g), stateful: true, rules: [out, within].concat() }
}

pub(crate) fn allow(protocol: &str, ports: Option<(u16, u16)>, remote: Remote) -> RuleSpec {
    RuleSpec {
        direction: Direction::Ingress,
        ethertype: EtherType::Ipv4,
        protocol: protocol_number(protocol, EtherType::Ipv4),
        port_min: ports.map(|(min, _)| min),
        port_max: ports.map(|(_, max)| max),
        remote,
    }
}

/// A namespace that plays a guest: one interface, `eth0`, whose other end is the port's device.
pub(crate) struct Guest {
    pub(crate) namespace: String,
    pub(crate) address: IpAddr,
}

impl Guest {
    /// Boots it: the device appears, the driver plugs it, the address is set by hand.
    pub(crate) async fn boot(dataplane: &dyn Dataplane, port: &PortSpec, gateway: &str) -> Self {
        let namespace = format!("guest-{}", port.device_id);
        let tap = names::tap(port.id);
        let address = port.fixed_ips[0].address;
        sh(&format!(
            "ip netns add {namespace} && \
             ip link add {tap} type veth peer name eth0 address {} netns {namespace}",
            port.mac
        ))
        .await;
        dataplane.plug(port.id).await.unwrap();
        sh(&format!(
            "ip -n {namespace} link set lo up && ip -n {namespace} link set eth0 mtu 1450 up && \
             ip -n {namespace} addr add {address}/24 dev eth0 && \
             ip -n {namespace} route add default via {gateway}"
        ))
        .await;
        Self { namespace, address }
    }

    pub(crate) async fn sh(&self, line: &str) -> String {
        sh(&format!("ip netns exec {} sh -c '{line}'", self.namespace)).await
    }

    /// Runs blocking code on a thread inside the guest.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let path = format!("/run/netns/{}", self.namespace);
        let thread = move || {
            std::thread::spawn(move || {
                setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                work()
            })
            .join()
            .unwrap()
        };
        tokio::task::spawn_blocking(thread).await.unwrap()
    }

    /// Whether an echo of `size` bytes comes back.
    pub(crate) async fn pings(&self, to: IpAddr, size: usize) -> bool {
        let line = format!("ping -c 1 -W 1 -s {size} {to}");
        let program =
            Program::new("ip").args(["netns", "exec", &self.namespace, "sh", "-c", &line]);
        program.status().await.unwrap().code == 0
    }

    /// Listens on TCP and answers each connection with the address it comes from.
    pub(crate) async fn listens(&self, port: u16) {
        let listener = self.run(move || TcpListener::bind(("0.0.0.0", port)).unwrap()).await;
        answer_with_peer(listener);
    }

    /// Listens on TCP and says everything back.
    pub(crate) async fn echoes(&self, port: u16) {
        let listener = self.run(move || TcpListener::bind(("0.0.0.0", port)).unwrap()).await;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
    }

    /// Connects, and reads whom the other side takes us for.
    pub(crate) async fn connects(&self, to: IpAddr, port: u16) -> Option<IpAddr> {
        self.run(move || ask_peer((to, port).into())).await
    }

    /// Whether a datagram with this source reaches `to`.
    pub(crate) async fn reaches(&self, from: IpAddr, to: &Guest) -> bool {
        let receiver = to.run(|| UdpSocket::bind(("0.0.0.0", 4000)).unwrap()).await;
        receiver.set_read_timeout(Some(Duration::from_millis(800))).unwrap();
        let address = to.address;
        self.run(move || {
            let socket = UdpSocket::bind((from, 0)).unwrap();
            for _ in 0..3 {
                socket.send_to(b"x", (address, 4000)).ok();
                std::thread::sleep(Duration::from_millis(50));
            }
        })
        .await;
        tokio::task::spawn_blocking(move || receiver.recv_from(&mut [0; 16]).is_ok()).await.unwrap()
    }
}

pub(crate) fn answer_with_peer(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let peer = stream.peer_addr().unwrap().ip().to_string();
            io::Write::write_all(&mut &stream, peer.as_bytes()).ok();
        }
    });
}

pub(crate) fn ask_peer(to: SocketAddr) -> Option<IpAddr> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_millis(1500)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut text = String::new();
    io::Read::read_to_string(&mut stream, &mut text).ok()?;
    text.parse().ok()
}

/// Whether something said on this connection comes back.
pub(crate) fn still_echoes(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(800))).unwrap();
    let said = io::Write::write_all(&mut stream, b"x").is_ok();
    said && io::Read::read_exact(&mut stream, &mut [0]).is_ok()
}

/// A DHCP client's socket on `eth0`.
pub(crate) fn dhcp_client() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 68)).unwrap();
    let device = OsString::from("eth0");
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::BindToDevice, &device)
        .unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket
}
