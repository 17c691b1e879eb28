//! Rates and queues.

use scn_grammar::scenario::topology::{Impairment, Queue, QueueLimit};

use super::{Bench, MS, SECOND, udp};

fn rate(bps: u64, limit: QueueLimit) -> Impairment {
    Impairment { rate_bps: Some(bps), queue: Queue { limit, said: true, codel: None }, ..Impairment::default() }
}

#[test]
fn bits_take_their_time_to_the_nanosecond() {
    for bps in [1_000_000, 3_333_333, 1_000_000_000, 40_000_000_000] {
        let mut bench = Bench::new(rate(bps, QueueLimit::Packets(10_000)));
        (0..1000).for_each(|_| bench.give(0, udp(1000)));
        bench.drain();
        let times = bench.times();
        let expected = |count: u64| u64::try_from(u128::from(count) * 8000 * u128::from(SECOND) / u128::from(bps)).unwrap();
        assert_eq!(times.len(), 1000);
        assert!((0..1000).all(|at| times[at] == expected(at as u64 + 1)), "{bps}: {:?}", &times[..5]);
    }
}

#[test]
fn overhead_counts_for_the_rate() {
    let mut bench = Bench::new(Impairment { overhead_bytes: 24, ..rate(8_000_000, QueueLimit::Packets(10)) });
    bench.give(0, udp(1000));
    bench.give(0, udp(476));
    bench.drain();
    assert_eq!(bench.times(), [1_024_000, 1_524_000]);
}

#[test]
fn an_idle_link_gives_no_credit() {
    let mut bench = Bench::new(rate(8_000_000, QueueLimit::Packets(10)));
    bench.give(0, udp(1000));
    bench.give(10 * MS, udp(1000));
    bench.give(10 * MS, udp(1000));
    bench.drain();
    assert_eq!(bench.times(), [MS, 11 * MS, 12 * MS]);
}

#[test]
fn the_tail_is_dropped_at_the_limit() {
    // One goes out, three wait.
    let mut packets = Bench::new(rate(8_000_000, QueueLimit::Packets(3)));
    (0..6).for_each(|_| packets.give(0, udp(1000)));
    assert_eq!((packets.way.queued(), packets.way.counts().overflowed), (4, 2));
    packets.give(MS, udp(1000));
    packets.give(MS, udp(1000));
    packets.drain();
    assert_eq!((packets.ids(), packets.way.counts().overflowed), (vec![1, 2, 3, 4, 7], 3));

    let mut bytes = Bench::new(rate(8_000_000, QueueLimit::Bytes(2500)));
    (0..5).for_each(|_| bytes.give(0, udp(1000)));
    // A small one still has its place.
    bytes.give(0, udp(400));
    bytes.drain();
    assert_eq!((bytes.ids(), bytes.way.counts().overflowed), (vec![1, 2, 3, 6], 2));
}

#[test]
fn a_late_caller_changes_nothing() {
    let mut bench = Bench::new(rate(8_000_000, QueueLimit::Packets(100)));
    (0..10).for_each(|at| bench.give(at * MS / 2, udp(1000)));
    // Nobody looked for a second.
    let mut late = Bench::new(rate(8_000_000, QueueLimit::Packets(100)));
    for at in 0..10u64 {
        let frame = udp(1000);
        let made = super::Made { id: at as u32 + 1, frame: frame.clone(), finished: false };
        late.way.arrive(at * MS / 2, &frame, false, || made.clone());
    }
    while let Some(leaving) = late.way.leave(SECOND) {
        late.out.push((leaving.due_ns, leaving.packet));
    }
    bench.drain();
    assert_eq!(bench.times(), late.times());
}

#[test]
fn two_flows_share_the_rate_and_keep_their_order() {
    let mut bench = Bench::new(rate(100_000_000, QueueLimit::Packets(1000)));
    for at in 0..2000u64 {
        bench.give(at * 60_000, super::ports(17, 40_000, 5000, 1514));
        bench.give(at * 60_000, super::ports(17, 40_001, 5000, 1514));
    }
    bench.drain();
    assert!(bench.ids().is_sorted());
    let (first, last) = (bench.times()[0], *bench.times().last().unwrap());
    let bits = (bench.out.len() as u64 - 1) * 1514 * 8;
    assert_eq!(u128::from(bits) * u128::from(SECOND) / u128::from(last - first), 100_000_000);
}
