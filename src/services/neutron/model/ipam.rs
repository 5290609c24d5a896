//! Addresses as numbers: ranges, pools, the next one that is free.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Addresses from one to another, both included, of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: IpAddr,
    pub(crate) end: IpAddr,
}

/// How often the cheap search asks before the thorough one reads everything that is taken.
const PROBES: u32 = 32;

impl Range {
    pub(crate) fn new(start: IpAddr, end: IpAddr) -> Self {
        Self { start, end }
    }

    /// Whether it is one: both ends of one family, in order.
    pub(crate) fn is_ordered(&self) -> bool {
        self.start.is_ipv4() == self.end.is_ipv4() && self.start <= self.end
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.start.is_ipv4() && self.start <= address && address <= self.end
    }

    pub(crate) fn overlaps(&self, other: &Range) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// How many addresses it holds; the whole of IPv6 counts as one less.
    pub(crate) fn size(&self) -> u128 {
        number(self.end).saturating_sub(number(self.start)).saturating_add(1)
    }
}

/// The addresses of a block that a port may have: for IPv4 neither the first nor the last, for
/// IPv6 all but the first. Blocks of one or two addresses give all of them.
pub(crate) fn usable(cidr: IpNet) -> Range {
    let (first, last) = (number(cidr.network()), number(cidr.broadcast()));
    let v4 = matches!(cidr, IpNet::V4(_));
    let (start, end) = match last - first {
        0 | 1 => (first, last),
        _ if v4 => (first + 1, last - 1),
        _ => (first + 1, last),
    };
    Range::new(address(start, v4), address(end, v4))
}

/// The address that a subnet's gateway has when nobody says otherwise.
pub(crate) fn default_gateway(cidr: IpNet) -> IpAddr {
    usable(cidr).start
}

/// The pools of a subnet whose user gave none: everything usable but the gateway.
pub(crate) fn default_pools(cidr: IpNet, gateway: Option<IpAddr>) -> Vec<Range> {
    let all = usable(cidr);
    let Some(gateway) = gateway.filter(|gateway| all.contains(*gateway)) else {
        return vec![all];
    };
    let v4 = gateway.is_ipv4();
    let mut pools = Vec::new();
    if gateway > all.start {
        pools.push(Range::new(all.start, address(number(gateway) - 1, v4)));
    }
    if gateway < all.end {
        pools.push(Range::new(address(number(gateway) + 1, v4), all.end));
    }
    pools
}

/// What is known of the addresses already given.
pub(crate) trait Taken {
    type Error;
    fn is_taken(&self, address: IpAddr) -> Result<bool, Self::Error>;
    /// All of them, in any order.
    fn all(&self) -> Result<Vec<IpAddr>, Self::Error>;
}

/// The next free address after `cursor`, round and round through the pools: an address that was
/// given back rests for as long as possible, and no search is long while the pools are not full.
pub(crate) fn next_free<T: Taken>(
    pools: &[Range],
    cursor: Option<IpAddr>,
    taken: &T,
) -> Result<Option<IpAddr>, T::Error> {
    let mut at = cursor.and_then(|cursor| after(pools, cursor)).or(first(pools));
    for _ in 0..PROBES {
        let Some(candidate) = at else {
            return Ok(None);
        };
        if !taken.is_taken(candidate)? {
            return Ok(Some(candidate));
        }
        at = after(pools, candidate).or(first(pools));
    }
    let mut all = taken.all()?;
    all.sort_unstable();
    Ok(pools.iter().find_map(|pool| first_gap(pool, &all)))
}

fn first(pools: &[Range]) -> Option<IpAddr> {
    pools.first().map(|pool| pool.start)
}

/// The address of the pools that follows `cursor`, if one does.
fn after(pools: &[Range], cursor: IpAddr) -> Option<IpAddr> {
    let index = pools.iter().position(|pool| pool.contains(cursor))?;
    let pool = pools.get(index)?;
    if cursor < pool.end {
        Some(address(number(cursor) + 1, cursor.is_ipv4()))
    } else {
        pools.get(index + 1).map(|pool| pool.start)
    }
}

/// The lowest address of the pool that is not among the sorted ones.
fn first_gap(pool: &Range, sorted: &[IpAddr]) -> Option<IpAddr> {
    let mut candidate = number(pool.start);
    for taken in sorted.iter().filter(|taken| pool.contains(**taken)) {
        if number(*taken) > candidate {
            break;
        }
        candidate = number(*taken).checked_add(1)?;
    }
    let candidate = (candidate <= number(pool.end)).then_some(candidate)?;
    Some(address(candidate, pool.start.is_ipv4()))
}

/// The first block of `length` within the prefixes that touches none of the taken ones.
pub(crate) fn next_block(prefixes: &[IpNet], taken: &[IpNet], length: u8) -> Option<IpNet> {
    for prefix in prefixes {
        let v4 = matches!(prefix, IpNet::V4(_));
        let width = if v4 { 32 } else { 128 };
        if length < prefix.prefix_len() || length > width {
            continue;
        }
        let last = number(prefix.broadcast());
        let mut at = number(prefix.network());
        while at <= last {
            let block = IpNet::new(address(at, v4), length).ok()?;
            match taken.iter().filter(|taken| overlap(taken, &block)).max_by_key(|t| t.broadcast())
            {
                None => return Some(block),
                Some(taken) => {
                    // Go on behind whatever is larger, at a multiple of the wanted size.
                    let behind = number(taken.broadcast()).max(number(block.broadcast()));
                    at = behind.checked_add(1)?;
                }
            }
        }
    }
    None
}

/// Whether two blocks share an address.
pub(crate) fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn address(number: u128, v4: bool) -> IpAddr {
    if v4 {
        Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into()
    } else {
        Ipv6Addr::from(number).into()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    struct Given(RefCell<BTreeSet<IpAddr>>);

    impl Taken for Given {
        type Error = Infallible;
        fn is_taken(&self, address: IpAddr) -> Result<bool, Infallible> {
            Ok(self.0.borrow().contains(&address))
        }
        fn all(&self) -> Result<Vec<IpAddr>, Infallible> {
            Ok(self.0.borrow().iter().copied().collect())
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn pools(cidr: &str, gateway: &str) -> Vec<String> {
        let pools = default_pools(cidr.parse().unwrap(), gateway.parse().ok());
        pools.iter().map(|p| format!("{}-{}", p.start, p.end)).collect()
    }

    #[test]
    fn default_pools_leave_the_gateway_out() {
        assert_eq!(pools("10.0.0.0/24", "10.0.0.1"), ["10.0.0.2-10.0.0.254"]);
        assert_eq!(pools("10.0.0.0/24", "10.0.0.254"), ["10.0.0.1-10.0.0.253"]);
        assert_eq!(pools("10.0.0.0/24", "none"), ["10.0.0.1-10.0.0.254"]);
        assert_eq!(
            pools("10.0.0.0/24", "10.0.0.100"),
            ["10.0.0.1-10.0.0.99", "10.0.0.101-10.0.0.254"]
        );
        assert_eq!(
            pools("2001:db8::/64", "2001:db8::1"),
            ["2001:db8::2-2001:db8::ffff:ffff:ffff:ffff"]
        );
        assert_eq!(pools("10.0.0.0/31", "none"), ["10.0.0.0-10.0.0.1"]);
    }

    #[test]
    fn blocks_come_one_after_another() {
        let pool = ["10.0.0.0/22".parse().unwrap()];
        let mut taken: Vec<IpNet> = vec!["10.0.0.64/26".parse().unwrap()];
        let mut next = |length| {
            let block = next_block(&pool, &taken, length);
            taken.extend(block);
            block.map(|block| block.to_string())
        };
        assert_eq!(next(26).as_deref(), Some("10.0.0.0/26"));
        assert_eq!(next(26).as_deref(), Some("10.0.0.128/26"));
        assert_eq!(next(24).as_deref(), Some("10.0.1.0/24"));
        assert_eq!(next(22), None);
    }

    proptest! {
        /// No address is given twice, all are of the pools, and none is refused before all are
        /// given, whatever is given back in between.
        #[test]
        fn addresses_are_given_once(
            last in 2u8..60,
            hole in 0u8..60,
            steps in prop::collection::vec((any::<bool>(), any::<u8>()), 0..200),
        ) {
            let mut pools = vec![Range::new(ip("10.0.0.2"), ip(&format!("10.0.0.{last}")))];
            if hole > 0 {
                pools.push(Range::new(ip("10.0.1.0"), ip(&format!("10.0.1.{hole}"))));
            }
            let size: u128 = pools.iter().map(Range::size).sum();
            let given = Given(RefCell::new(BTreeSet::new()));
            let mut cursor = None;
            for (give_back, pick) in steps {
                let held: Vec<IpAddr> = given.0.borrow().iter().copied().collect();
                if give_back && !held.is_empty() {
                    given.0.borrow_mut().remove(&held[usize::from(pick) % held.len()]);
                    continue;
                }
                match next_free(&pools, cursor, &given).unwrap() {
                    Some(address) => {
                        prop_assert!(pools.iter().any(|pool| pool.contains(address)));
                        prop_assert!(given.0.borrow_mut().insert(address));
                        cursor = Some(address);
                    }
                    None => prop_assert_eq!(held.len() as u128, size),
                }
            }
        }

        /// Blocks never touch, and lie within the pool.
        #[test]
        fn blocks_do_not_overlap(lengths in prop::collection::vec(22u8..30, 1..40)) {
            let pool: IpNet = "10.0.0.0/22".parse().unwrap();
            let mut taken: Vec<IpNet> = Vec::new();
            for length in lengths {
                if let Some(block) = next_block(&[pool], &taken, length) {
                    prop_assert!(pool.contains(&block));
                    prop_assert!(!taken.iter().any(|other| overlap(other, &block)));
                    taken.push(block);
                }
            }
        }
    }
}
