//! Partitions by addresses.

use std::collections::BTreeSet;
use std::sync::Arc;

use scn_grammar::scenario::topology::{Impairment, Prefix};

use super::super::{Barrier, Owners, Side};
use super::{Bench, MS, ethernet, udp};

/// Node 1 has 10.0.0.1 and a MAC that ends in 1, node 2 has 10.0.0.2 and one in 2, node 3 is a router.
fn owners() -> Owners {
    let mac = |last| [2, 0, 0, 0, 0, last];
    Owners {
        addresses: [("10.0.0.1", 1), ("10.0.0.2", 2), ("10.9.0.1", 3)].map(|(address, node)| (address.parse().unwrap(), node)).into(),
        ranges: vec![(Prefix { address: "10.77.0.0".parse().unwrap(), length: 16 }, 1)],
        macs: [(mac(1), 1), (mac(2), 2), (mac(3), 3)].into(),
    }
}

fn barrier(here: usize, side: Side) -> Barrier {
    Barrier { here, side, pairs: Arc::new(BTreeSet::from([(1, 2)])), owners: Arc::new(owners()) }
}

/// From and to these MACs' last bytes and addresses.
fn frame(macs: [u8; 2], addresses: [[u8; 4]; 2]) -> Vec<u8> {
    let mut frame = udp(100);
    (frame[11], frame[5]) = (macs[0], macs[1]);
    frame[26..30].copy_from_slice(&addresses[0]);
    frame[30..34].copy_from_slice(&addresses[1]);
    frame
}

fn is_taken(barrier: Barrier, frame: Vec<u8>) -> bool {
    let mut bench = Bench::new(Impairment::default());
    bench.way.set_barriers(vec![barrier]);
    bench.give(0, frame);
    bench.drain();
    assert!(bench.way.counts().closes(0));
    bench.way.counts().cut == 1
}

const ONE: [u8; 4] = [10, 0, 0, 1];
const TWO: [u8; 4] = [10, 0, 0, 2];
const OTHER: [u8; 4] = [192, 0, 2, 1];

#[test]
fn neighbours_are_kept_apart_one_way() {
    let there = || frame([1, 2], [ONE, TWO]);
    assert!(is_taken(barrier(1, Side::Leaving), there()) && is_taken(barrier(2, Side::Arriving), there()));
    let back = || frame([2, 1], [TWO, ONE]);
    assert!(!is_taken(barrier(1, Side::Leaving), back()) && !is_taken(barrier(2, Side::Arriving), back()));
}

#[test]
fn so_are_nodes_behind_routers() {
    let there = || frame([1, 3], [ONE, TWO]);
    assert!(is_taken(barrier(1, Side::Leaving), there()));
    assert!(is_taken(barrier(2, Side::Arriving), frame([3, 2], [ONE, TWO])));
    // A range that the first node sends from, and an address that nobody is known to have.
    assert!(is_taken(barrier(2, Side::Arriving), frame([3, 2], [[10, 77, 1, 2], TWO])));
    assert!(is_taken(barrier(1, Side::Leaving), frame([1, 3], [OTHER, TWO])));
    assert!(is_taken(barrier(2, Side::Arriving), frame([3, 2], [ONE, OTHER])));
    assert!(!is_taken(barrier(2, Side::Arriving), frame([3, 2], [OTHER, TWO])));
    // The router speaks for itself.
    assert!(!is_taken(barrier(2, Side::Arriving), frame([3, 2], [[10, 9, 0, 1], TWO])));
}

#[test]
fn what_is_for_all_is_taken_where_it_arrives() {
    let mut question = ethernet(0x0806, &[0; 28]);
    question[..6].fill(0xff);
    assert!(!is_taken(barrier(1, Side::Leaving), question.clone()));
    assert!(is_taken(barrier(2, Side::Arriving), question));
}

#[test]
fn what_is_on_the_way_is_taken_and_the_rest_goes_on() {
    let mut bench = Bench::new(Impairment::delaying(10 * MS));
    bench.give(0, frame([1, 2], [ONE, TWO]));
    bench.give(0, frame([3, 2], [[10, 9, 0, 1], TWO]));
    bench.way.set_barriers(vec![barrier(2, Side::Arriving)]);
    bench.drain();
    assert_eq!((bench.ids(), bench.way.counts().cut), (vec![2], 1));
    bench.way.set_barriers(Vec::new());
    bench.give(20 * MS, frame([1, 2], [ONE, TWO]));
    bench.drain();
    assert_eq!(bench.ids(), [2, 3]);
}
