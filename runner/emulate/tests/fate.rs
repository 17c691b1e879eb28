//! The same packets of a flow meet the same fate, whatever else happens.

use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::topology::{Delay, Impairment, Loss};

use super::{Bench, MS, assert_share, ports, stream, udp};

fn rough() -> Impairment {
    Impairment {
        loss: Loss::Random { ratio_nano: 100_000_000 },
        corrupt_nano: 50_000_000,
        duplicate_nano: 50_000_000,
        delay: Delay::Drawn(Varying::Uniform(MS, 5 * MS)),
        keep_order: false,
        ..Impairment::default()
    }
}

/// What became of the packets of one flow (by its source port): for each copy that came, its place in the flow, its delay, its bytes.
fn fates(seed: u64, does: Impairment, others: &[u16], client: u16) -> Vec<(usize, u64, Vec<u8>)> {
    let mut bench = Bench::seeded(seed, does);
    let mut mine = Vec::new();
    for at in 0..2000u64 {
        for (nth, other) in others.iter().enumerate() {
            if at % (nth as u64 + 2) == 0 {
                bench.give(at * MS, ports(17, *other, 5000, 300));
            }
        }
        mine.push((bench.given + 1, at * MS));
        bench.give(at * MS, ports(17, client, 5000, 100));
    }
    bench.drain();
    let place = |id: u32| mine.iter().position(|(mine, _)| *mine == id);
    let mut fates: Vec<_> =
        bench.out.iter().filter_map(|(due, made)| place(made.id).map(|at| (at, due - mine[at].1, made.frame[38..].to_vec()))).collect();
    fates.sort();
    fates
}

#[test]
fn other_flows_change_nothing() {
    // The others come first, so that they are not taken for this one.
    let alone = fates(3, rough(), &[], 80);
    assert!(alone.len() > 1500);
    assert_eq!(alone, fates(3, rough(), &[40_001, 40_002, 5000], 80));
    assert_eq!(alone, fates(3, rough(), &[40_002], 80));
}

#[test]
fn another_seed_is_another_fate() {
    assert_ne!(fates(3, rough(), &[], 80), fates(4, rough(), &[], 80));
    // And so is another flow of the same seed.
    assert_ne!(fates(3, rough(), &[], 80), fates(3, rough(), &[], 81));
}

#[test]
fn a_port_that_the_kernel_chose_counts_by_its_order() {
    let first = fates(3, rough(), &[], 40_000);
    assert_eq!(first, fates(3, rough(), &[], 51_234));
    // The second of two alike is another.
    assert_ne!(first, fates(3, rough(), &[40_001], 40_000));
    assert_eq!(fates(3, rough(), &[40_001], 40_000), fates(3, rough(), &[60_000], 50_000));
}

#[test]
fn echoes_hang_on_no_identifier() {
    let lost = |identifier: [u8; 2]| {
        let mut bench = Bench::new(Impairment { loss: Loss::Random { ratio_nano: 300_000_000 }, ..Impairment::default() });
        for number in 0..500u16 {
            let [a, b] = number.to_be_bytes();
            let echo = super::ipv4(1, &[8, 0, 0, 0, identifier[0], identifier[1], a, b]);
            bench.give(u64::from(number) * MS, echo);
        }
        bench.drain();
        bench.ids()
    };
    assert_eq!(lost([0, 7]), lost([200, 1]));
}

#[test]
fn a_change_and_its_end_leave_later_packets_their_fate() {
    let loss = || Impairment { loss: Loss::Random { ratio_nano: 200_000_000 }, ..Impairment::default() };
    let run = |change: bool| {
        let mut bench = Bench::new(loss());
        for at in 0..3000u64 {
            if change && at == 1000 {
                bench.way.set(Impairment::delaying(MS), 0, at * MS);
            }
            if change && at == 2000 {
                bench.way.set(loss(), 0, at * MS);
            }
            bench.give(at * MS, udp(100));
        }
        bench.drain();
        bench.ids()
    };
    let (plain, changed) = (run(false), run(true));
    let outside = |ids: Vec<u32>| -> Vec<u32> { ids.into_iter().filter(|id| !(1001..=2000).contains(id)).collect() };
    assert_eq!(outside(plain.clone()), outside(changed.clone()));
    assert_eq!(changed.iter().filter(|id| (1001..=2000).contains(*id)).count(), 1000);
}

#[test]
fn one_bit_behind_the_ethernet_header_is_flipped() {
    let mut bench = Bench::new(Impairment { corrupt_nano: 200_000_000, ..Impairment::default() });
    stream(&mut bench, 20_000);
    let sent = udp(100);
    let mut places = std::collections::BTreeSet::new();
    let mut corrupt = 0;
    for (_, made) in &bench.out {
        let bits: u32 = made.frame.iter().zip(&sent).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(made.frame[..14], sent[..14]);
        assert_eq!((bits, made.finished), (u32::from(made.finished), made.finished));
        corrupt += u64::from(bits);
        places.extend(made.frame.iter().zip(&sent).position(|(a, b)| a != b));
    }
    assert_eq!(corrupt, bench.way.counts().corrupted);
    assert_share(corrupt, 20_000, 0.2);
    assert_eq!(places, (14..100).collect());
}

#[test]
fn a_share_passes_twice() {
    let mut bench = Bench::new(Impairment { duplicate_nano: 100_000_000, ..Impairment::default() });
    stream(&mut bench, 20_000);
    let counts = bench.way.counts();
    assert_eq!(bench.out.len() as u64, 20_000 + counts.duplicated);
    assert_share(counts.duplicated, 20_000, 0.1);
    assert!(counts.closes(0));
}
