//! DHCP and metadata: what a guest learns when it boots.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};
use stackup_neutron::drivers::*;

use crate::lab::{Guest, dhcp_client, driver, group, id, isolated, network, port};

/// Answers with what it was told.
pub(crate) struct Echo;

#[async_trait]
impl MetadataHandler for Echo {
    async fn serve(
        &self,
        origin: MetadataOrigin,
        source: IpAddr,
        request: http::Request<Bytes>,
    ) -> http::Response<Bytes> {
        let text = format!("{origin:?} {source} {} {}", request.uri(), request.body().len());
        http::Response::new(Bytes::from(text))
    }
}

/// A GET by hand, from inside a guest.
pub(crate) async fn get(guest: &Guest, path: &str) -> Option<String> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: 169.254.169.254\r\n\r\n");
    guest
        .run(move || {
            use std::io::{Read, Write};
            let to = (Ipv4Addr::new(169, 254, 169, 254), 80).into();
            let patience = std::time::Duration::from_secs(2);
            let mut stream = std::net::TcpStream::connect_timeout(&to, patience).ok()?;
            stream.set_read_timeout(Some(patience)).ok()?;
            stream.write_all(request.as_bytes()).ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            Some(text)
        })
        .await
}

fn topology() -> Topology {
    Topology {
        networks: vec![network(1)],
        ports: vec![port(11, 1, &[901])],
        routers: Vec::new(),
        security_groups: vec![group(901)],
    }
}

fn ask(kind: MessageType, mac: Mac, options: &[DhcpOption]) -> Option<Message> {
    let socket = dhcp_client();
    let mut message = Message::default();
    message.set_chaddr(&mac.0).opts_mut().insert(DhcpOption::MessageType(kind));
    for option in options {
        message.opts_mut().insert(option.clone());
    }
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    socket.send_to(&bytes, (Ipv4Addr::BROADCAST, 67)).unwrap();
    let mut buffer = [0; 1500];
    let length = socket.recv(&mut buffer).ok()?;
    Message::decode(&mut Decoder::new(&buffer[..length])).ok()
}

#[test]
fn a_guest_gets_its_address_and_nobody_elses() {
    isolated("metadata::a_guest_gets_its_address_and_nobody_elses", || async {
        let dataplane = driver(None);
        let mut topology = topology();
        dataplane.apply(&topology).await.unwrap();
        let guest = Guest::boot(&dataplane, &topology.ports[0], "10.1.0.1").await;
        guest.sh("ip addr flush dev eth0").await;
        let mac = topology.ports[0].mac;
        let offer = guest.run(move || ask(MessageType::Discover, mac, &[])).await.unwrap();
        assert_eq!(offer.yiaddr(), Ipv4Addr::new(10, 1, 0, 11));
        let routes = offer.opts().get(OptionCode::ClasslessStaticRoute);
        assert!(
            matches!(routes, Some(DhcpOption::ClasslessStaticRoute(routes))
                if routes.contains(&("169.254.169.254/32".parse().unwrap(), Ipv4Addr::new(10, 1, 0, 2)))),
            "{routes:?}"
        );
        let wanted = DhcpOption::RequestedIpAddress(Ipv4Addr::new(10, 1, 0, 11));
        let ack = guest.run(move || ask(MessageType::Request, mac, &[wanted])).await.unwrap();
        assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
        let wanted = DhcpOption::RequestedIpAddress(Ipv4Addr::new(10, 1, 0, 12));
        let nak = guest.run(move || ask(MessageType::Request, mac, &[wanted])).await.unwrap();
        assert_eq!(nak.opts().msg_type(), Some(MessageType::Nak));

        // A change of the port is known at once, without another socket.
        topology.ports[0].hostname = Some("renamed".to_owned());
        dataplane.apply(&topology).await.unwrap();
        let offer = guest.run(move || ask(MessageType::Discover, mac, &[])).await.unwrap();
        assert_eq!(
            offer.opts().get(OptionCode::Hostname),
            Some(&DhcpOption::Hostname("renamed".to_owned()))
        );

        // A MAC that is no port's: even unguarded it hears nothing.
        topology.ports[0].port_security = false;
        dataplane.apply(&topology).await.unwrap();
        let stranger = Mac([0xfa, 0x16, 0x3e, 9, 9, 9]);
        assert!(guest.run(move || ask(MessageType::Discover, stranger, &[])).await.is_none());
    });
}

#[test]
fn an_isolated_guest_reaches_metadata_through_the_dhcp_namespace() {
    isolated("metadata::an_isolated_guest_reaches_metadata_through_the_dhcp_namespace", || async {
        let dataplane = driver(None);
        let topology = topology();
        dataplane.apply(&topology).await.unwrap();
        let guest = Guest::boot(&dataplane, &topology.ports[0], "10.1.0.1").await;
        guest.sh("ip route add 169.254.169.254 via 10.1.0.2").await;
        let early = get(&guest, "/").await.unwrap();
        assert!(early.starts_with("HTTP/1.0 503"), "{early}");
        dataplane.serve_metadata(Arc::new(Echo));
        let answer = get(&guest, "/latest/meta-data/").await.unwrap();
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        let expected = format!("Network({}) 10.1.0.11 /latest/meta-data/ 0", id(1));
        assert!(answer.ends_with(&expected), "{answer}");
    });
}
