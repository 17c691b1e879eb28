//! Metrics of links over samples that are written by hand: windows on samples and between them, one way and both, what nothing is said of.

use scn_grammar::scenario::LinkId;
use scn_grammar::scenario::metrics::{self, OwnerKind};

use super::*;

const MS: i64 = 1_000_000;
const QUIET: (u64, u64, i64) = (0, 0, 0);

fn metric(name: &str) -> Metric {
    let bare = name.strip_prefix("forward.").or(name.strip_prefix("back.")).unwrap_or(name);
    let row = metrics::find(OwnerKind::Link, bare).unwrap();
    let subject = Subject::Link(LinkId(0));
    Metric { subject, name: name.to_owned(), event: None, dimension: row.dimension(), shape: row.shape, span: Default::default() }
}

/// One way: sent, delivered, dropped, lost, bytes; then queued, most and its instant in ms.
fn way(counts: [u64; 5], (queued, most_queued, most_at): (u64, u64, i64)) -> WaySample {
    let mut sample = WaySample { queued, most_queued, most_at_ns: most_at * MS, ..WaySample::default() };
    for (what, count) in [Sent, Delivered, Dropped, Lost, Bytes].into_iter().zip(counts) {
        sample.counts[what as usize] = count;
    }
    sample
}

fn sample(at_ms: i64, ways: [WaySample; 2]) -> LinkSample {
    LinkSample { at_ns: at_ms * MS, ways }
}

/// 100 packets of 1000 bytes each 100 ms there, 10 back; one of 100 is lost there, and once the queue was too short.
fn record() -> LinkRecord {
    let there = |n: u64| [100 * n, 98 * n, u64::from(n >= 2), n, 98_000 * n];
    let back = |n: u64| [10 * n, 10 * n, 0, 0, 10_000 * n];
    let queues = [QUIET, (2, 5, 30), (0, 9, 170), (0, 0, 0), (1, 1, 395)];
    let samples = (0..5u64).zip(queues).map(|(n, queue)| {
        let mut ways = [way(there(n), queue), way(back(n), QUIET)];
        ways[0].delay = if n == 0 { Vec::new() } else { vec![(10_002_431, 97), (n * 20_004_863, 1)] };
        ways[1].delay = if n == 0 { Vec::new() } else { vec![(5_001_215, 10)] };
        ways[0].lag = ways[0].delay.iter().map(|(_, count)| (51_199, *count)).collect();
        sample(if n == 0 { -2 } else { 100 * i64::try_from(n).unwrap() }, ways)
    });
    let samples = samples.collect();
    let (name, engine, impairment) = ("wan".to_owned(), "wire".to_owned(), String::new());
    LinkRecord { name, ends: [0, 1], engine, impairment, account: None, samples }
}

fn window(from_ms: i64, to_ms: i64) -> Window {
    Window { from_ns: from_ms * MS, to_ns: to_ms * MS }
}

/// The whole run, as the judge cuts it.
fn whole() -> Window {
    Window { from_ns: -2 * MS, to_ns: 400 * MS + 1 }
}

fn measured(name: &str, window: Window) -> Measured {
    Links::new(&[record()]).measure(&metric(name), window)
}

/// Value and the two errors.
fn told(name: &str, window: Window) -> (f64, f64, f64) {
    let measured = measured(name, window);
    (measured.value.unwrap(), measured.below, measured.above)
}

#[test]
fn counts_of_the_whole_run_are_exact() {
    assert_eq!(told("sent", whole()), (440.0, 0.0, 0.0));
    assert_eq!(told("forward.sent", whole()), (400.0, 0.0, 0.0));
    assert_eq!(told("back.sent", whole()), (40.0, 0.0, 0.0));
    assert_eq!(told("forward.delivered", whole()), (392.0, 0.0, 0.0));
    assert_eq!(told("lost", whole()), (4.0, 0.0, 0.0));
    assert_eq!(told("back.lost", whole()), (0.0, 0.0, 0.0));
    assert_eq!(told("dropped", whole()), (1.0, 0.0, 0.0));
    for name in ["cut", "duplicated", "corrupted", "reordered"] {
        assert_eq!(told(name, whole()), (0.0, 0.0, 0.0), "{name}");
    }
    assert_eq!(measured("sent", whole()).samples, 5);
}

#[test]
fn windows_between_samples_carry_what_came_there() {
    assert_eq!(told("forward.sent", window(100, 300)), (200.0, 0.0, 0.0));
    assert_eq!(told("forward.sent", window(150, 300)), (150.0, 50.0, 50.0));
    assert_eq!(told("forward.dropped", window(250, 350)), (0.0, 0.0, 0.0), "none came around the edges");
    assert_eq!(told("forward.lost", window(350, 360)).2, 1.0);
}

#[test]
fn loss_is_a_ratio_of_one_window() {
    assert_eq!(told("forward.loss", whole()), (0.01, 0.0, 0.0));
    assert_eq!(told("loss", whole()).0, 4.0 / 440.0);
    assert_eq!(told("back.loss", whole()).0, 0.0);
    let (value, below, above) = told("forward.loss", window(150, 300));
    // 1 to 2 lost of 100 to 200.
    assert!((value - below - 0.005).abs() < 1e-12 && (value + above - 0.02).abs() < 1e-12, "{value} {below} {above}");
    let mut idle = record();
    idle.samples.iter_mut().for_each(|sample| sample.ways[1].counts = [0; Counted::COUNT]);
    let nothing = Links::new(std::slice::from_ref(&idle)).measure(&metric("back.loss"), whole());
    assert_eq!((nothing.value, nothing.note.as_deref()), (None, Some("no packet was given to the link in the window")));
}

#[test]
fn bandwidth_counts_the_bits_of_whole_frames() {
    let (value, below, above) = told("forward.bandwidth", window(100, 300));
    assert_eq!((value, below, above), (98_000.0 * 2.0 * 8.0 / 0.2, 0.0, 0.0));
    assert_eq!(told("back.bandwidth", window(100, 300)).0, 800_000.0);
    assert!(told("forward.bandwidth", window(110, 300)).1 > 0.0);
}

#[test]
fn the_longest_queue_has_its_instant() {
    assert_eq!(told("forward.queue.max", whole()), (9.0, 0.0, 0.0));
    assert_eq!(told("queue.max", whole()), (9.0, 0.0, 0.0));
    assert_eq!(told("back.queue.max", whole()), (0.0, 0.0, 0.0));
    assert_eq!(told("forward.queue.max", window(0, 100)), (5.0, 0.0, 0.0));
    assert_eq!(told("forward.queue.max", window(200, 300)), (0.0, 0.0, 0.0));
    // The 9 came at 170 ms, outside; at 100 ms 2 waited.
    assert_eq!(told("forward.queue.max", window(100, 160)), (2.0, 0.0, 7.0));
    assert_eq!(told("forward.queue.max", window(160, 180)), (9.0, 0.0, 0.0));
}

#[test]
fn what_waits_is_exact_where_it_was_seen() {
    let record = record();
    let steps = Links::new(std::slice::from_ref(&record)).steps(&metric("forward.queued"), whole()).unwrap();
    let at = |ms: i64| steps.limits_at(ms * MS).unwrap();
    assert_eq!(at(-2), (0.0, 0.0));
    assert_eq!(at(10), (0.0, 5.0));
    assert_eq!(at(30), (5.0, 5.0));
    assert_eq!(at(31), (0.0, 5.0));
    assert_eq!(at(100), (2.0, 2.0));
    assert_eq!(at(170), (9.0, 9.0));
    assert_eq!(at(200), (0.0, 0.0));
    assert_eq!(at(250), (0.0, 0.0), "nothing waited there at any moment");
    assert_eq!(at(400), (1.0, 1.0));
    assert_eq!(told("forward.queued", whole()), (1.0, 0.0, 0.0));
    let until = Window { from_ns: -2 * MS, to_ns: 30 * MS + 1 };
    assert_eq!(told("forward.queued", until), (5.0, 0.0, 0.0), "as it was at that very instant");
    assert_eq!(told("forward.queued", window(0, 150)), (2.0, 2.0, 7.0));
}

#[test]
fn delays_are_those_of_the_packets_that_left() {
    let (p50, below, above) = told("forward.delay.p50", whole());
    assert!(p50 - below <= 10.0e6 && p50 + above >= 10.0e6 && below < 20_000.0, "{p50} {below} {above}");
    assert!(told("forward.delay.max", whole()).0 > 80.0e6);
    assert_eq!(measured("delay.p50", whole()).samples, 4 * 98 + 4 * 10);
    assert!(told("back.delay.max", whole()).0 < 6.0e6 && told("delay.min", whole()).0 < 6.0e6);
    assert!(told("lag.p99", whole()).0 < 52_000.0);
    let early = told("forward.delay.max", window(0, 150));
    assert!(early.1 > 0.0 && early.0 + early.2 > 40.0e6, "the 40 ms may have come before or after 150 ms: {early:?}");
    assert_eq!(measured("back.lag.p50", whole()).note.as_deref(), Some("no packet left the link in the window"));
}

#[test]
fn moments_of_counters_and_nothing_else() {
    let record = record();
    let links = Links::new(std::slice::from_ref(&record));
    let steps = links.steps(&metric("forward.dropped"), whole()).unwrap();
    assert_eq!(steps.limits, [(-2 * MS, 0.0, 0.0), (100 * MS + 1, 0.0, 1.0), (200 * MS, 1.0, 1.0)]);
    for name in ["loss", "bandwidth", "queue.max", "delay.p99", "forward.lag.max"] {
        assert_eq!(links.steps(&metric(name), whole()), None, "{name}");
    }
    assert_eq!(links.there(&metric("sent").subject), Some((-2 * MS, 400 * MS)));
    assert_eq!((links.name(&metric("sent").subject).as_deref(), Links::new(&[]).there(&metric("sent").subject)), (Some("wan"), None));
}

#[test]
fn a_moment_counts_from_the_first_sample() {
    let samples = record().samples;
    let now = |name: &str| at_moment(&metric(name), &[samples[1].clone(), samples[4].clone()]);
    assert_eq!((now("sent"), now("forward.sent"), now("back.sent")), (Some(330.0), Some(300.0), Some(30.0)));
    assert_eq!((now("forward.queued"), now("queued"), now("back.queued")), (Some(1.0), Some(1.0), Some(0.0)));
    assert_eq!((now("loss"), now("queue.max"), now("delay.p50")), (None, None, None));
}

#[test]
fn every_metric_of_the_table_is_measured() {
    for row in metrics::of(OwnerKind::Link) {
        let name = row.name.replace('*', "p99");
        for name in [name.clone(), format!("forward.{name}"), format!("back.{name}")] {
            let measured = measured(&name, whole());
            assert!(measured.value.is_some() || name == "back.lag.p99", "{name}: {measured:?}");
        }
    }
    assert!(how("handshake").is_none() && how("delay.p99").unwrap().1 == "p99");
}
