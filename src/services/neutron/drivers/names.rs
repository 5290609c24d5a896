//! Names of kernel objects, from ids alone. Neutron's own, for `ip netns` and `ip link` to show
//! what a book says they show.

use uuid::Uuid;

/// The link alias of everything we make, so that what is ours is known without the database.
pub const OWNER: &str = "stackup";

/// The bridge of a network.
pub fn bridge(network: Uuid) -> String {
    short("brq", network)
}

/// The device of a port on the host: the tap of a guest, or our end of a pair.
pub fn tap(port: Uuid) -> String {
    short("tap", port)
}

/// The DHCP server's interface in its namespace.
pub fn dhcp_interface(port: Uuid) -> String {
    short("ns-", port)
}

/// A router's inner interface.
pub fn router_interface(port: Uuid) -> String {
    short("qr-", port)
}

/// A router's outer interface.
pub fn gateway_interface(port: Uuid) -> String {
    short("qg-", port)
}

/// The namespace of a network's DHCP server.
pub fn dhcp_namespace(network: Uuid) -> String {
    format!("qdhcp-{network}")
}

/// The namespace of a router.
pub fn router_namespace(router: Uuid) -> String {
    format!("qrouter-{router}")
}

/// The counter of a metering label, in the namespaces of routers.
pub fn counter(label: Uuid) -> String {
    format!("label-{label}")
}

/// The kernel allows 15 characters; neutron takes 11 of the id.
fn short(prefix: &str, id: Uuid) -> String {
    let mut name = format!("{prefix}{id}");
    name.truncate(prefix.len() + 11);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_neutrons() {
        let id: Uuid = "1b4e28ba-2fa1-11d2-883f-0016d3cca427".parse().unwrap();
        assert_eq!(bridge(id), "brq1b4e28ba-2f");
        assert_eq!(tap(id), "tap1b4e28ba-2f");
        assert_eq!(router_interface(id), "qr-1b4e28ba-2f");
        assert_eq!(router_namespace(id), "qrouter-1b4e28ba-2fa1-11d2-883f-0016d3cca427");
        assert!(bridge(id).len() < 16);
    }
}
