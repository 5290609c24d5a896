//! Who listens on what.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address and port that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Socket {
    pub address: IpAddr,
    pub port: u16,
    inode: u64,
}

/// Every listening TCP socket of this network namespace.
pub fn listening() -> Vec<Socket> {
    read("tcp", "0A").into_iter().chain(read("tcp6", "0A")).collect()
}

/// Every bound and unconnected UDP socket of this network namespace.
pub fn bound_udp() -> Vec<Socket> {
    read("udp", "07").into_iter().chain(read("udp6", "07")).collect()
}

impl Socket {
    /// The name and number of a process that has this socket. Needs root for those of others.
    pub fn owner(&self) -> Option<(String, i32)> {
        let wanted = format!("socket:[{}]", self.inode);
        for entry in fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok())
            else {
                continue;
            };
            let Ok(files) = fs::read_dir(entry.path().join("fd")) else {
                continue;
            };
            let has = files
                .filter_map(Result::ok)
                .filter_map(|file| fs::read_link(file.path()).ok())
                .any(|target| target.to_str() == Some(&wanted));
            if has {
                let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                return Some((name.trim().to_owned(), pid));
            }
        }
        None
    }
}

fn read(table: &str, state: &str) -> Vec<Socket> {
    let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    text.lines().skip(1).filter_map(|line| parse(line, state)).collect()
}

/// `0: 0100007F:0050 00000000:0000 0A … uid timeout inode`, words in the host's byte order.
fn parse(line: &str, state: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if fields.get(3) != Some(&state) {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    let words: Vec<u8> = (0..address.len() / 8)
        .map(|i| u32::from_str_radix(&address[i * 8..i * 8 + 8], 16).map(u32::to_ne_bytes))
        .collect::<Result<Vec<_>, _>>()
        .ok()?
        .concat();
    let address = match <[u8; 4]>::try_from(words.as_slice()) {
        Ok(v4) => IpAddr::V4(Ipv4Addr::from(v4)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words.as_slice()).ok()?)),
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Socket { address, port, inode: fields.get(9)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_seen_with_its_owner() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let wanted = listener.local_addr().unwrap();
        let found = listening()
            .into_iter()
            .find(|socket| socket.port == wanted.port() && socket.address == wanted.ip())
            .unwrap();
        assert_eq!(found.owner().unwrap().1, i32::try_from(std::process::id()).unwrap());
        drop(listener);
        assert!(!listening().iter().any(|socket| socket.inode == found.inode));
    }
}
