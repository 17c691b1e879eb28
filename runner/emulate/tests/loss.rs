//! Which packets are lost.

use scn_grammar::scenario::topology::{Impairment, Loss, LossSpan};

use super::super::{Trace, Traces};
use super::{Bench, SECOND, assert_share, nature, ports, stream, udp};

fn losing(loss: Loss) -> Impairment {
    Impairment { loss, ..Impairment::default() }
}

/// Numbers that did not come, of so many from 1.
fn missing(bench: &Bench, count: u32) -> Vec<u32> {
    let came = bench.ids();
    (1..=count).filter(|id| !came.contains(id)).collect()
}

#[test]
fn a_share_is_lost() {
    for (nano, chance) in [(10_000_000, 0.01), (300_000_000, 0.3), (999_000_000, 0.999)] {
        let mut bench = Bench::new(losing(Loss::Random { ratio_nano: nano }));
        stream(&mut bench, 200_000);
        assert_share(bench.way.counts().lost, 200_000, chance);
        assert!(bench.way.counts().closes(0));
    }
    let mut all = Bench::new(losing(Loss::Random { ratio_nano: 1_000_000_000 }));
    stream(&mut all, 1000);
    assert_eq!((all.way.counts().lost, all.out.len()), (1000, 0));
}

#[test]
fn losses_of_a_share_do_not_hang_together() {
    let mut bench = Bench::new(losing(Loss::Random { ratio_nano: 100_000_000 }));
    stream(&mut bench, 50_000);
    let lost = missing_flags(&bench, 50_000);
    let pairs = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
    assert_share(pairs as u64, 49_999, 0.01);
}

fn missing_flags(bench: &Bench, count: usize) -> Vec<bool> {
    let mut lost = vec![true; count];
    bench.ids().into_iter().for_each(|id| lost[id as usize - 1] = false);
    lost
}

#[test]
fn every_nth_and_lists_and_traces_are_exact() {
    let mut every = Bench::new(losing(Loss::Every { n: 4 }));
    stream(&mut every, 12);
    assert_eq!(missing(&every, 12), [4, 8, 12]);

    let spans = vec![LossSpan::Packets(2, 2), LossSpan::Packets(5, 7), LossSpan::Packets(9, 9)];
    let mut list = Bench::new(losing(Loss::List(spans)));
    stream(&mut list, 12);
    assert_eq!(missing(&list, 12), [2, 5, 6, 7, 9]);

    let mut times = Bench::new(losing(Loss::List(vec![LossSpan::Time(300_000, 500_000)])));
    stream(&mut times, 8);
    // At 0.3 and 0.4 ms; the one at 0.5 ms passes.
    assert_eq!(missing(&times, 8), [4, 5]);

    let mut traces = Traces::default();
    traces.insert("drops.txt".into(), Trace::losses("# first\n0 1\n1").unwrap());
    let mut trace = Bench::of(nature(1, traces), losing(Loss::Trace("drops.txt".into())));
    stream(&mut trace, 7);
    assert_eq!(missing(&trace, 7), [2, 3, 5, 6]);
}

#[test]
fn what_is_counted_is_counted_from_the_start_and_from_each_setting() {
    let list = || losing(Loss::List(vec![LossSpan::Packets(2, 2)]));
    let mut bench = Bench::new(list());
    bench.give(0, udp(100));
    bench.way.begin(1);
    bench.give(2, udp(100));
    bench.give(3, udp(100));
    assert_eq!(bench.way.counts().lost, 1);
    bench.way.set(list(), 0, 4);
    bench.give(5, udp(100));
    bench.give(6, udp(100));
    bench.drain();
    assert_eq!((bench.way.counts().lost, bench.ids()), (2, vec![1, 2, 4]));
}

/// Lengths of runs of the same.
fn runs(lost: &[bool], of: bool) -> Vec<f64> {
    lost.chunk_by(|a, b| a == b).filter(|run| run[0] == of).map(|run| run.len() as f64).collect()
}

/// The mean of geometric lengths is 1/p within five standard errors.
fn assert_geometric(lengths: &[f64], p: f64) {
    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
    let error = ((1.0 - p) / (p * p) / lengths.len() as f64).sqrt();
    assert!(
        (mean - 1.0 / p).abs() < 5.0 * error,
        "mean {mean:.2} of {} runs, expected {:.2} +- {:.2}",
        lengths.len(),
        1.0 / p,
        5.0 * error
    );
}

#[test]
fn bursts_of_two_flows_are_as_long_as_their_chances_say() {
    let two_states = Loss::GilbertElliott { p_nano: 20_000_000, r_nano: 250_000_000, good_nano: 0, bad_nano: 1_000_000_000 };
    let mut bench = Bench::new(losing(two_states));
    const EACH: u64 = 100_000;
    for at in 0..EACH {
        // The second flow sends in bursts of its own.
        bench.give(at * 1000, udp(100));
        if at % 3 == 0 {
            (0..3).for_each(|more| bench.give(at * 1000 + more, ports(6, 40_001, 80, 200)));
        }
    }
    bench.drain();
    let lost = missing_flags(&bench, bench.given as usize);
    // The first of each round is the first flow's.
    let is_first = |id: usize| matches!(id % 6, 0 | 4 | 5);
    let of =
        |first: bool| -> Vec<bool> { lost.iter().enumerate().filter(|(id, _)| is_first(*id) == first).map(|(_, lost)| *lost).collect() };
    for flow in [of(true), of(false)] {
        assert!(flow.len() as u64 >= EACH - 1);
        assert_geometric(&runs(&flow, true), 0.25);
        assert_geometric(&runs(&flow, false), 0.02);
    }
}

#[test]
fn states_may_lose_a_part() {
    let both = Loss::GilbertElliott { p_nano: 500_000_000, r_nano: 500_000_000, good_nano: 100_000_000, bad_nano: 300_000_000 };
    let mut bench = Bench::new(losing(both));
    stream(&mut bench, 100_000);
    // Each state has half of the packets, and no packet's state hangs on the one before.
    assert_share(bench.way.counts().lost, 100_000, 0.2);
}

#[test]
fn traces_say_which_line_is_wrong() {
    assert_eq!(Trace::losses("0\n0x1").unwrap_err().to_string(), "line 2 has `x` where a `0` or a `1` is expected");
    assert_eq!(Trace::losses(" # nothing\n").unwrap_err().to_string(), "it says nothing of any packet");
    assert_eq!(Trace::delays("1ms\n\n20").unwrap_err().to_string(), "line 3 is `20`; a duration such as `20ms` is expected");
    let Trace::Delays(delays) = Trace::delays("1ms # slow\n 250us\n").unwrap() else { panic!("delays") };
    assert_eq!(delays[..], [SECOND / 1000, 250_000]);
}
