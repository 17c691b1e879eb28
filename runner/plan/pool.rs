//! The run's own addresses, for links whose file says none. In: networks to avoid. Out: subnets just large enough, in order.
//! Knows no nodes.

use super::network::{Family, Network};

/// IPv4 pools, in the order in which they are used up.
const POOLS_V4: [(u32, u8); 3] = [(0x0a80_0000, 9), (0xac10_0000, 12), (0x6440_0000, 10)];

/// The IPv6 pool: fd00:5c::/32.
const POOL_V6: (u128, u8) = (0xfd00_005c << 96, 32);

/// Each IPv6 subnet is a /64.
const SUBNET_V6: u8 = 64;

/// The smallest IPv4 subnet given: two hosts.
const SMALLEST_V4: u64 = 4;

/// What is left.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Sorted, disjoint ranges of numbers that are not given, by family.
    avoided: [Vec<(u128, u128)>; 2],
    /// By family: which pool, and the next number in it.
    next: [(usize, u128); 2],
}

impl Pool {
    /// A full pool, but for these.
    pub(crate) fn new(networks: Vec<Network>) -> Pool {
        let mut avoided = [Vec::new(), Vec::new()];
        for network in networks {
            avoided[network.family.index()].push((network.bits, network.last()));
        }
        for ranges in &mut avoided {
            ranges.sort_unstable();
            ranges.dedup_by(|later, earlier| {
                let inside = later.0 <= earlier.1;
                earlier.1 = if inside { earlier.1.max(later.1) } else { earlier.1 };
                inside
            });
        }
        let first = |family| pools(family).first().map_or(0, |network: &Network| network.bits);
        // The first /64 looks like the pool itself: start with the second.
        Pool { avoided, next: [(0, first(Family::V4)), (0, first(Family::V6) + (1 << 64))] }
    }

    /// A subnet of each family for so many hosts, or the pool that has none left.
    pub(crate) fn take(&mut self, hosts: u64) -> Result<[Network; 2], String> {
        let size = (hosts + 2).next_power_of_two().max(SMALLEST_V4);
        let v4 = self.carve(Family::V4, 32 - u8::try_from(size.ilog2()).unwrap_or(32).min(32));
        let v6 = self.carve(Family::V6, SUBNET_V6);
        Ok([v4.ok_or_else(|| pool_words(Family::V4))?, v6.ok_or_else(|| pool_words(Family::V6))?])
    }

    /// The next aligned network of this length that avoids what is to be avoided.
    fn carve(&mut self, family: Family, length: u8) -> Option<Network> {
        let pools = pools(family);
        let step = 1u128 << (family.bits() - length);
        let (mut which, mut from) = self.next[family.index()];
        loop {
            let pool = pools.get(which)?;
            let bits = from.div_ceil(step) * step;
            if bits < pool.bits || bits + (step - 1) > pool.last() {
                which += 1;
                from = pools.get(which)?.bits;
                continue;
            }
            let last = bits + (step - 1);
            let ranges = &self.avoided[family.index()];
            let after = ranges.partition_point(|range| range.1 < bits);
            match ranges.get(after) {
                Some(range) if range.0 <= last => from = range.1 + 1,
                _ => {
                    self.next[family.index()] = (which, last + 1);
                    return Some(Network { family, bits, length });
                }
            }
        }
    }
}

/// The pools of a family.
fn pools(family: Family) -> Vec<Network> {
    match family {
        Family::V4 => POOLS_V4.iter().map(|(bits, length)| Network { family, bits: u128::from(*bits), length: *length }).collect(),
        Family::V6 => vec![Network { family, bits: POOL_V6.0, length: POOL_V6.1 }],
    }
}

/// The pools of a family for people.
fn pool_words(family: Family) -> String {
    pools(family).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A network lies inside one of the pools.
pub(crate) fn lies_inside(network: Network) -> bool {
    pools(network.family).iter().any(|pool| pool.length < network.length && pool.overlaps(network))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        let (address, length) = text.split_once('/').unwrap();
        Network::new(address.parse().unwrap(), length.parse().unwrap())
    }

    #[test]
    fn carves_just_large_enough() {
        let mut pool = Pool::new(Vec::new());
        let mut take = |hosts| pool.take(hosts).unwrap().map(|network| network.to_string());
        assert_eq!(take(2), ["10.128.0.0/30", "fd00:5c:0:1::/64"]);
        assert_eq!(take(3), ["10.128.0.8/29", "fd00:5c:0:2::/64"]);
        assert_eq!(take(254), ["10.128.1.0/24", "fd00:5c:0:3::/64"]);
        assert_eq!(take(2), ["10.128.2.0/30", "fd00:5c:0:4::/64"]);
    }

    #[test]
    fn steps_over_what_the_file_uses() {
        let mut pool = Pool::new(vec![network("10.128.0.6/32"), network("10.128.0.0/30"), network("fd00:5c:0:1::/64")]);
        assert_eq!(pool.take(2).unwrap().map(|network| network.to_string()), ["10.128.0.8/30", "fd00:5c:0:2::/64"]);
    }

    #[test]
    fn goes_on_to_the_next_pool_and_ends() {
        let mut pool = Pool::new(vec![network("10.0.0.0/8")]);
        assert_eq!(pool.take(2).unwrap()[0].to_string(), "172.16.0.0/30");
        let mut pool = Pool::new(vec![network("10.0.0.0/8"), network("172.16.0.0/12"), network("100.64.0.0/10")]);
        assert!(pool.take(2).is_err());
        assert!(Pool::new(Vec::new()).take(1 << 40).is_err());
    }
}
