//! What a way does changes while packets are on it: none is lost.

use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::topology::{Codel, Delay, Impairment, Loss, Queue, QueueLimit};

use super::{Bench, MS, SECOND, stream, udp};

fn rate(bps: u64, limit: u64) -> Impairment {
    Impairment { rate_bps: Some(bps), queue: Queue { limit: QueueLimit::Packets(limit), said: true, codel: None }, ..Impairment::default() }
}

#[test]
fn a_change_drops_nothing_that_waits() {
    let codel = Some(Codel { target_ns: 5 * MS, interval_ns: 100 * MS, ecn: false });
    let smaller = [
        Impairment::default(),
        rate(1_000_000, 1),
        rate(100_000_000, 1000),
        Impairment { loss: Loss::Every { n: 1 }, ..rate(8_000_000, 1) },
        Impairment { queue: Queue { codel, ..Queue::default() }, ..rate(800_000_000, 5) },
        Impairment::delaying(0),
    ];
    for does in smaller {
        let mut bench = Bench::new(Impairment { delay: Delay::Drawn(Varying::Fixed(50 * MS)), ..rate(8_000_000, 100) });
        (0..80).for_each(|_| bench.give(0, udp(1000)));
        bench.until(20 * MS);
        bench.way.set(does.clone(), 0, 20 * MS);
        bench.drain();
        assert_eq!(bench.ids(), (1..=80).collect::<Vec<_>>(), "{does:?}");
        assert!(bench.way.counts().closes(0));
    }
}

#[test]
fn the_rest_of_a_packet_goes_at_the_new_rate() {
    let mut bench = Bench::new(rate(8_000, 10));
    bench.give(0, udp(1000));
    bench.give(0, udp(1000));
    // Half of the first second is over: 4000 bits are left, and then 8000 more.
    bench.way.set(rate(8_000_000, 10), 0, SECOND / 2);
    bench.drain();
    assert_eq!(bench.times(), [SECOND / 2 + MS / 2, SECOND / 2 + 3 * MS / 2]);
    let mut open = Bench::new(rate(8_000, 10));
    (0..3).for_each(|_| open.give(0, udp(1000)));
    open.way.set(Impairment::default(), 0, SECOND / 4);
    open.drain();
    assert_eq!(open.times(), [SECOND / 4; 3]);
}

#[test]
fn a_shorter_delay_lets_nobody_overtake() {
    let mut bench = Bench::new(Impairment::delaying(50 * MS));
    bench.give(0, udp(100));
    bench.way.set(Impairment::delaying(MS), 0, MS);
    bench.give(2 * MS, udp(100));
    bench.give(60 * MS, udp(100));
    bench.drain();
    assert_eq!((bench.ids(), bench.times()), (vec![1, 2, 3], vec![50 * MS, 50 * MS, 61 * MS]));
}

#[test]
fn numbers_change_evenly_over_a_ramp() {
    let mut bench = Bench::new(Impairment::delaying(10 * MS));
    bench.way.set(Impairment::delaying(110 * MS), SECOND, 0);
    for at in 0..12u64 {
        bench.give(at * SECOND / 10, udp(100));
    }
    bench.drain();
    let delays: Vec<u64> = bench.times().into_iter().zip(0..12u64).map(|(due, at)| (due - at * SECOND / 10) / MS).collect();
    assert_eq!(delays, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 110]);
}

#[test]
fn a_rate_that_falls_takes_hold_of_what_waits() {
    let mut bench = Bench::new(rate(8_000_000, 10_000));
    // One packet of 1000 B a ms; 1000 wait. From 8 to 4 Mbit/s over a second: the mean of it is 6.
    (0..1000).for_each(|_| bench.give(0, udp(1000)));
    bench.way.set(rate(4_000_000, 10_000), SECOND, 0);
    bench.until(SECOND);
    let sent = bench.out.len();
    // The rate is changed each ms, one packet is 1 to 2 ms: an error of two packets.
    assert!((748..=752).contains(&sent), "{sent}");
    bench.drain();
    assert_eq!(bench.out.len(), 1000);
    assert!(bench.times().windows(2).all(|pair| pair[1] - pair[0] >= MS));
}

#[test]
fn a_ramp_of_loss_counts_once() {
    let losing = |nano| Impairment { loss: Loss::Random { ratio_nano: nano }, ..Impairment::default() };
    let mut bench = Bench::new(Impairment::default());
    bench.way.set(losing(1_000_000_000), SECOND, 0);
    (0..10_000u64).for_each(|at| bench.give(at * 100_000, udp(100)));
    // Half of them on the mean; the variance of many different chances is no more than that of one half.
    super::assert_share(bench.way.counts().lost, 10_000, 0.5);
    bench.way.set(Impairment::default(), SECOND, SECOND);
    bench.give(3 * SECOND, udp(100));
    bench.drain();
    assert_eq!(bench.ids().last(), Some(&10_001));
}

#[test]
fn a_cut_takes_what_is_on_the_way() {
    let mut bench = Bench::new(Impairment { delay: Delay::Drawn(Varying::Fixed(50 * MS)), ..rate(8_000_000, 100) });
    (0..40).for_each(|_| bench.give(0, udp(1000)));
    bench.until(20 * MS);
    bench.way.set_cut(true);
    assert_eq!((bench.way.queued(), bench.way.counts().cut), (0, 40));
    bench.give(21 * MS, udp(1000));
    bench.way.set_cut(false);
    bench.give(22 * MS, udp(1000));
    bench.drain();
    assert_eq!((bench.ids(), bench.way.counts().cut), (vec![42], 41));
    assert!(bench.way.counts().closes(0));
}

#[test]
fn what_passes_at_once_is_not_kept() {
    let nature = super::super::Nature { judges: false, ..super::nature(1, Default::default()) };
    let mut bench = Bench::of(nature.clone(), Impairment::default());
    assert!(bench.way.is_open());
    bench.way.set_cut(true);
    assert!(!bench.way.is_open());
    bench.way.set_cut(false);
    bench.way.set(Impairment::delaying(MS), 0, 0);
    assert!(!bench.way.is_open());
    bench.give(0, udp(100));
    bench.way.set(Impairment::default(), 0, 0);
    assert!(!bench.way.is_open(), "one is still under way");
    bench.drain();
    assert!(bench.way.is_open());
    let mut judged = Bench::new(Impairment::default());
    assert!(!judged.way.is_open(), "places in flows are counted");
    stream(&mut judged, 3);
    assert_eq!(judged.times(), [0, 100_000, 200_000]);
}
