//! The dataplane of a Linux host: bridges, namespaces, nftables, DHCP and metadata.
