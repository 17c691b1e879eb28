//! Delay and order.

use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::topology::{Delay, Impairment, Reorder, ReorderBy};

use super::super::transit::HOLD_MOST_NS;
use super::super::{Trace, Traces};
use super::{Bench, MS, assert_share, nature, ports, stream, udp};

fn delaying(by: Varying, keep_order: bool) -> Impairment {
    Impairment { delay: Delay::Drawn(by), keep_order, ..Impairment::default() }
}

fn reordering(ratio_nano: u64, by: ReorderBy) -> Impairment {
    Impairment { reorder: Some(Reorder { ratio_nano, by }), ..Impairment::delaying(MS) }
}

/// Packets that came after a later one.
fn overtaken(ids: &[u32]) -> u64 {
    let mut latest = 0;
    let late = |id: &&u32| {
        let late = **id < latest;
        latest = latest.max(**id);
        late
    };
    ids.iter().filter(late).count() as u64
}

#[test]
fn a_fixed_delay_is_exact() {
    let mut bench = Bench::new(Impairment::delaying(20 * MS));
    stream(&mut bench, 1000);
    assert!(bench.out.iter().all(|(due, made)| *due == u64::from(made.id - 1) * 100_000 + 20 * MS));
}

#[test]
fn delays_have_their_mean_and_their_bounds() {
    let mean = |by: Varying| {
        let mut bench = Bench::new(delaying(by, false));
        stream(&mut bench, 40_000);
        let delays: Vec<u64> = bench.out.iter().map(|(due, made)| due - u64::from(made.id - 1) * 100_000).collect();
        let mean = delays.iter().sum::<u64>() as f64 / delays.len() as f64;
        (mean, *delays.iter().min().unwrap(), *delays.iter().max().unwrap())
    };
    // Five standard errors of 40,000 draws are 2.5 % of a standard deviation.
    let ms = MS as f64;
    let (uniform, least, most) = mean(Varying::Uniform(10 * MS, 20 * MS));
    assert!((uniform - 15.0 * ms).abs() < 0.025 * 10.0 / 12f64.sqrt() * ms, "{uniform}");
    assert!(least >= 10 * MS && most <= 20 * MS);
    let (normal, ..) = mean(Varying::Normal(20 * MS, 2 * MS));
    assert!((normal - 20.0 * ms).abs() < 0.025 * 2.0 * ms, "{normal}");
    let (exponential, ..) = mean(Varying::Exponential(5 * MS));
    assert!((exponential - 5.0 * ms).abs() < 0.025 * 5.0 * ms, "{exponential}");
    // Shape 3: mean 1.5, variance 0.75.
    let (pareto, least, _) = mean(Varying::Pareto(10 * MS, 3_000_000_000));
    assert!((pareto - 15.0 * ms).abs() < 0.025 * 0.75f64.sqrt() * 10.0 * ms * 2.0, "{pareto}");
    assert!(least >= 10 * MS);
    let (choice, ..) = mean(Varying::Choice(vec![MS, 3 * MS]));
    assert!((choice - 2.0 * ms).abs() < 0.025 * ms, "{choice}");
}

#[test]
fn a_trace_gives_each_packet_the_next_delay() {
    let mut traces = Traces::default();
    traces.insert("delays.txt".into(), Trace::delays("1ms\n2ms\n5ms").unwrap());
    let does = Impairment { delay: Delay::Trace("delays.txt".into()), ..Impairment::default() };
    let mut bench = Bench::of(nature(1, traces), does);
    (0..4).for_each(|at| bench.give(at * 10 * MS, udp(100)));
    bench.drain();
    assert_eq!(bench.times(), [MS, 12 * MS, 25 * MS, 31 * MS]);
}

#[test]
fn jitter_keeps_the_order_unless_told_not_to() {
    for (keep_order, flows) in [(true, 1), (true, 2), (false, 1)] {
        let mut bench = Bench::new(delaying(Varying::Uniform(0, 10 * MS), keep_order));
        (0..5000).for_each(|at| bench.give(at * 100_000, ports(17, 40_000 + (at % flows) as u16, 5000, 100)));
        bench.drain();
        assert_eq!(bench.out.len(), 5000);
        assert_eq!(overtaken(&bench.ids()) == 0, keep_order);
        assert!(bench.times().is_sorted());
    }
}

#[test]
fn a_share_lets_later_ones_pass() {
    for count in [1, 3] {
        let mut bench = Bench::new(reordering(50_000_000, ReorderBy::Packets(count)));
        stream(&mut bench, 20_000);
        let ids = bench.ids();
        assert_eq!(ids.len(), 20_000);
        assert_share(bench.way.counts().reordered, 20_000, 0.05);
        // Who is held back lets exactly so many others pass, those not counted that are held back themselves.
        let late: Vec<usize> =
            (1..ids.len()).filter(|at| ids[*at] < ids[*at - 1] || ids[..*at].iter().rev().take(8).any(|id| id > &ids[*at])).collect();
        assert!(late.len() > 800, "{}", late.len());
        for at in late.into_iter().filter(|at| *at + 10 < ids.len()) {
            let passed = ids[at.saturating_sub(40)..at].iter().filter(|id| **id > ids[at]).count() as u64;
            assert!(passed >= count && passed < count + 8, "{} was passed by {passed}", ids[at]);
        }
    }
    let mut none = Bench::new(reordering(0, ReorderBy::Packets(3)));
    stream(&mut none, 1000);
    assert_eq!(overtaken(&none.ids()), 0);
}

#[test]
fn held_back_for_a_time() {
    let mut bench = Bench::new(reordering(100_000_000, ReorderBy::Time(350_000)));
    stream(&mut bench, 10_000);
    let late = bench.out.iter().filter(|(due, made)| *due == u64::from(made.id - 1) * 100_000 + MS + 350_000).count() as u64;
    assert_eq!(late, bench.way.counts().reordered);
    assert_share(late, 10_000, 0.1);
    assert!(overtaken(&bench.ids()) > 0);
}

#[test]
fn the_last_one_does_not_wait_for_ever() {
    let mut bench = Bench::new(reordering(1_000_000_000, ReorderBy::Packets(1)));
    bench.give(0, udp(100));
    bench.drain();
    assert_eq!(bench.times(), [MS + HOLD_MOST_NS]);
}
