//! What netem is told: an impairment in netem's own units. In: what a way does, which of its stages a netem is to do, a seed. Out: the bytes of
//! its options (`struct tc_netem_qopt` and attributes, `linux/pkt_sched.h`). Pure; what netem can't do the plan has refused.
//!
//! The queue and the rate are a netem inside that of loss and delay, so that they have a limit and counts of their own. Not around it: since Linux
//! 6.13, and in older ones that were mended, a netem's limit counts what those inside of it hold, too. So the delay comes before the queue and not
//! behind it, which is the same where it does not vary; where it does the plan has refused a rate.

use std::collections::BTreeMap;

use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::topology::{Delay, Impairment, Loss, QueueLimit};

use crate::emulate::quantiles;
use crate::plan::types::Stages;
use crate::traffic::Key;

/// Attributes of netem's options.
const CORR: u16 = 1;
const DELAY_DIST: u16 = 2;
const REORDER: u16 = 3;
const CORRUPT: u16 = 4;
const LOSS: u16 = 5;
const RATE: u16 = 6;
const RATE64: u16 = 8;
const LATENCY64: u16 = 10;
const JITTER64: u16 = 11;
/// From kernel 6.6 on; older ones pass over it.
const PRNG_SEED: u16 = 14;
/// Inside of [`LOSS`].
const GILBERT_ELLIOTT: u16 = 2;
/// `struct tc_netem_qopt`.
const QOPT_BYTES: usize = 24;

/// Values in netem's table of a distribution: the most that it takes.
const TABLE: usize = 16_384;
/// A value of the table that stands for one spread.
const SCALE: f64 = 8_192.0;
/// Packets that may be under way in a netem whose queue is none of the model's.
const MOST_PACKETS: u32 = 2_000_000;
/// A rate at which a packet takes some ns and keeps its place: netem lets none overtake another where there is a rate. Bytes a second.
const ORDERLY_RATE: u64 = 1_000_000_000_000;
/// One in the unit of shares.
const BILLION: u64 = 1_000_000_000;
/// Tables that are kept: a scenario has few distributions.
const MOST_TABLES: usize = 64;

/// One netem of a way: which stages it does.
pub(super) type Level = Stages;

/// The netems of a way, the outermost first.
pub(super) fn levels(stages: Stages) -> Vec<Level> {
    let Stages { loss, rate, delay } = stages;
    let all = [Stages { loss, rate: false, delay }, Stages { loss: false, rate, delay: false }];
    all.into_iter().filter(|level| *level != Stages::default()).collect()
}

/// A delay as netem keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Latency {
    middle_ns: i64,
    spread_ns: i64,
    /// Each value is so many 8192nds of the spread away from the middle.
    table: Vec<i16>,
}

/// All that one netem is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    /// Packets.
    limit: u32,
    /// Of 2^32, less one; 0: none.
    loss: u32,
    /// Of 2^32: from good to bad, back, delivery in the bad state, loss in the good state.
    gilbert_elliott: Option<[u32; 4]>,
    latency: Latency,
    /// Bytes a second; 0: none.
    rate: u64,
    /// Bytes that each packet counts more than it has.
    overhead: u32,
    seed: u64,
}

/// Delays that were reckoned before: a table takes some ms.
#[derive(Debug, Default)]
pub(super) struct Tables(BTreeMap<String, Latency>);

impl Tables {
    /// The options of a netem that does some stages of what a way does.
    pub(super) fn options(&mut self, does: &Impairment, level: Level, seed: u64) -> Vec<u8> {
        let latency = if level.delay { self.latency(&does.delay) } else { Latency::default() };
        Told { latency, ..told(does, level, seed) }.bytes()
    }

    fn latency(&mut self, delay: &Delay) -> Latency {
        let varying = match delay {
            Delay::Drawn(Varying::Fixed(ns)) => return Latency { middle_ns: i64::try_from(*ns).unwrap_or(i64::MAX), ..Latency::default() },
            Delay::Drawn(varying) => varying,
            Delay::Trace(_) => return Latency::default(),
        };
        if self.0.len() >= MOST_TABLES {
            self.0.clear();
        }
        self.0.entry(format!("{varying:?}")).or_insert_with(|| tabled(varying)).clone()
    }
}

/// The options of a netem that does nothing.
pub(in crate::lab) fn plain() -> Vec<u8> {
    Tables::default().options(&Impairment::default(), Level::default(), 0)
}

/// All but the delay.
fn told(does: &Impairment, level: Level, seed: u64) -> Told {
    let mut told = Told { limit: MOST_PACKETS, loss: 0, gilbert_elliott: None, latency: Latency::default(), rate: 0, overhead: 0, seed };
    if level.loss {
        match does.loss {
            Loss::Random { ratio_nano } => told.loss = of_chance(ratio_nano),
            Loss::GilbertElliott { p_nano, r_nano, good_nano, bad_nano } => {
                told.gilbert_elliott = Some([p_nano, r_nano, BILLION.saturating_sub(bad_nano), good_nano].map(share));
            }
            _ => {}
        }
    }
    if let (true, Some(rate)) = (level.rate, does.rate_bps) {
        (told.rate, told.overhead) = ((rate + 4) / 8, does.overhead_bytes);
        if let QueueLimit::Packets(most) = does.queue.limit {
            // The one that is being sent is in it, too.
            told.limit = u32::try_from(most.saturating_add(1)).unwrap_or(u32::MAX);
        }
    }
    if level.delay && does.keep_order {
        told.rate = ORDERLY_RATE;
    }
    told
}

/// A share, from 1e-9 to parts of 2^32.
fn share(nano: u64) -> u32 {
    let parts = (u128::from(nano) * (1 << 32) + u128::from(BILLION / 2)) / u128::from(BILLION);
    u32::try_from(parts).unwrap_or(u32::MAX)
}

/// A chance as netem asks it: it happens to what is drawn up to this, 0 included; 0 itself means never.
fn of_chance(nano: u64) -> u32 {
    let parts = (u128::from(nano) * (1 << 32) + u128::from(BILLION / 2)) / u128::from(BILLION);
    if nano == 0 { 0 } else { u32::try_from(parts.saturating_sub(1)).unwrap_or(u32::MAX).max(1) }
}

#[expect(clippy::cast_possible_truncation, reason = "the plan has bounded the spread, and casts from floats end at the type's ends")]
fn tabled(varying: &Varying) -> Latency {
    let values = quantiles(varying, TABLE);
    let (first, last) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
    let middle_ns = f64::midpoint(first, last).round() as i64;
    let farthest = (last - first) / 2.0;
    // The table's ends are the distribution's.
    let spread_ns = (farthest * SCALE / f64::from(i16::MAX)).ceil() as i64;
    if spread_ns == 0 {
        return Latency { middle_ns, ..Latency::default() };
    }
    let entry = |value: &f64| ((value - middle_ns as f64) * SCALE / spread_ns as f64).round() as i16;
    Latency { middle_ns, spread_ns, table: values.iter().map(entry).collect() }
}

impl Told {
    /// Everything is said each time: what a change leaves out stays as it was.
    fn bytes(&self) -> Vec<u8> {
        let Told { limit, loss, gilbert_elliott, latency, rate, overhead, seed } = self;
        // Latency, limit, loss, gap, duplicate, jitter; the first and the last come in ns below.
        let mut bytes = words(&[0, *limit, *loss, 0, 0, 0]);
        debug_assert_eq!(bytes.len(), QOPT_BYTES);
        attribute(&mut bytes, CORR, &words(&[0, 0, 0]));
        attribute(&mut bytes, REORDER, &words(&[0, 0]));
        attribute(&mut bytes, CORRUPT, &words(&[0, 0]));
        if let Some(parameters) = gilbert_elliott {
            let mut inside = Vec::new();
            attribute(&mut inside, GILBERT_ELLIOTT, &words(parameters));
            attribute(&mut bytes, LOSS, &inside);
        }
        // Rate, overhead, and two about cells.
        attribute(&mut bytes, RATE, &words(&[u32::try_from(*rate).unwrap_or(u32::MAX), *overhead, 0, 0]));
        if u32::try_from(*rate).is_err() {
            attribute(&mut bytes, RATE64, &rate.to_ne_bytes());
        }
        attribute(&mut bytes, LATENCY64, &latency.middle_ns.to_ne_bytes());
        attribute(&mut bytes, JITTER64, &latency.spread_ns.to_ne_bytes());
        if latency.spread_ns > 0 {
            let table: Vec<u8> = latency.table.iter().flat_map(|value| value.to_ne_bytes()).collect();
            attribute(&mut bytes, DELAY_DIST, &table);
        }
        attribute(&mut bytes, PRNG_SEED, &seed.to_ne_bytes());
        bytes
    }
}

/// Whether a netem that says its options has been given a seed.
pub(super) fn has_seed(options: &[u8]) -> bool {
    let mut rest = options.get(QOPT_BYTES..).unwrap_or(&[]);
    while rest.len() >= 4 {
        let (length, kind) = (usize::from(u16::from_ne_bytes([rest[0], rest[1]])), u16::from_ne_bytes([rest[2], rest[3]]));
        if kind == PRNG_SEED {
            return true;
        }
        rest = rest.get(length.next_multiple_of(4).max(4)..).unwrap_or(&[]);
    }
    false
}

/// The seed of one netem of a way, by the link's name, the end where packets enter, the netem, and how often it has been told before.
pub(super) fn seed(run: u64, link: &str, end: usize, level: usize, told: u64) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
    let link = link.as_bytes().chunks(8).map(word).fold(Key::of_seed(run), Key::part);
    [end as u64, level as u64, told].into_iter().fold(link, Key::part).bits()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// Puts an attribute of netlink behind others. No attribute here has 64 KiB.
fn attribute(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    to.extend(length.to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use scn_grammar::scenario::topology::Queue;

    use super::*;

    const LOSS_ONLY: Stages = Stages { loss: true, rate: false, delay: false };
    const RATE_ONLY: Stages = Stages { loss: false, rate: true, delay: false };
    const DELAY_ONLY: Stages = Stages { loss: false, rate: false, delay: true };

    #[test]
    fn a_queue_has_nothing_inside() {
        let all = Stages { loss: true, rate: true, delay: true };
        assert_eq!(levels(all), [Stages { rate: false, ..all }, RATE_ONLY]);
        assert_eq!(levels(Stages { rate: false, ..all }), [Stages { rate: false, ..all }]);
        assert_eq!(levels(Stages { loss: false, ..all }), [DELAY_ONLY, RATE_ONLY]);
        assert_eq!(levels(RATE_ONLY), [RATE_ONLY]);
        assert!(levels(Stages::default()).is_empty());
    }

    #[test]
    fn losses_are_parts_of_two_to_the_32() {
        let loss = |nano| told(&Impairment { loss: Loss::Random { ratio_nano: nano }, ..Impairment::default() }, LOSS_ONLY, 0).loss;
        assert_eq!((loss(BILLION), loss(BILLION / 2), loss(10_000_000), loss(1)), (u32::MAX, (1 << 31) - 1, 42_949_673 - 1, 3));
        let does = Impairment {
            loss: Loss::GilbertElliott { p_nano: 10_000_000, r_nano: 250_000_000, good_nano: 0, bad_nano: BILLION },
            ..Impairment::default()
        };
        assert_eq!(told(&does, LOSS_ONLY, 0).gilbert_elliott, Some([42_949_673, 1 << 30, 0, 0]));
        let half = Loss::GilbertElliott { p_nano: BILLION, r_nano: BILLION, good_nano: 1, bad_nano: 250_000_000 };
        let told_half = told(&Impairment { loss: half, ..Impairment::default() }, LOSS_ONLY, 0);
        assert_eq!(told_half.gilbert_elliott, Some([u32::MAX, u32::MAX, 3 << 30, 4]));
        // Who is only to delay does not lose as well.
        let delays = told(&does, DELAY_ONLY, 0);
        assert_eq!((delays.loss, delays.gilbert_elliott), (0, None));
    }

    #[test]
    fn a_rate_is_in_bytes_and_its_queue_holds_what_is_sent_too() {
        let queue = Queue { limit: QueueLimit::Packets(50), ..Queue::default() };
        let does = Impairment { rate_bps: Some(1_000_000), overhead_bytes: 24, queue, ..Impairment::delaying(7) };
        let rate = told(&does, RATE_ONLY, 0);
        assert_eq!((rate.rate, rate.overhead, rate.limit), (125_000, 24, 51));
        let delay = told(&does, DELAY_ONLY, 0);
        assert_eq!((delay.rate, delay.overhead, delay.limit), (ORDERLY_RATE, 0, MOST_PACKETS));
        let free = told(&Impairment { keep_order: false, ..does }, DELAY_ONLY, 0);
        assert_eq!(free.rate, 0);
    }

    #[test]
    fn what_netem_makes_of_a_table_is_the_distribution() {
        // As `tabledist` of the kernel reckons.
        let made = |latency: &Latency, at: usize| {
            let (spread, value) = (latency.spread_ns, i64::from(latency.table[at]));
            let part = (spread % 8192) * value;
            let part = if part >= 0 { part + 4096 } else { part - 4096 };
            part / 8192 + (spread / 8192) * value + latency.middle_ns
        };
        for varying in [
            Varying::Uniform(18_000_000, 22_000_000),
            Varying::Normal(20_000_000, 2_000_000),
            Varying::Exponential(5_000_000),
            Varying::Pareto(10_000_000, 3_000_000_000),
            Varying::Choice(vec![1_000_000, 50_000_000]),
        ] {
            let latency = tabled(&varying);
            let wanted = quantiles(&varying, TABLE);
            assert_eq!(latency.table.len(), TABLE);
            // Half a step of the table, and the rounding of its middle.
            let step = latency.spread_ns as f64 / SCALE;
            for (at, wanted) in wanted.iter().enumerate() {
                let error = (made(&latency, at) as f64 - wanted).abs();
                assert!(error <= step / 2.0 + 2.0, "{varying:?} at {at}: {} for {wanted}", made(&latency, at));
            }
        }
        assert_eq!(tabled(&Varying::Uniform(5, 5)), Latency { middle_ns: 5, ..Latency::default() });
    }

    #[test]
    fn options_are_read_as_netem_reads_them() {
        let does = Impairment { loss: Loss::Random { ratio_nano: BILLION }, ..Impairment::delaying(3_000_000_000) };
        let bytes = Tables::default().options(&does, Stages { loss: true, rate: false, delay: true }, 0x1234);
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((word(4), word(8)), (MOST_PACKETS, u32::MAX));
        let mut found = BTreeMap::new();
        let mut rest = &bytes[QOPT_BYTES..];
        while !rest.is_empty() {
            let (length, kind) = (usize::from(u16::from_ne_bytes([rest[0], rest[1]])), u16::from_ne_bytes([rest[2], rest[3]]));
            found.insert(kind, rest[4..length].to_vec());
            rest = &rest[length.next_multiple_of(4)..];
        }
        assert_eq!(found[&LATENCY64], 3_000_000_000u64.to_ne_bytes());
        assert_eq!((&found[&RATE64], &found[&PRNG_SEED]), (&ORDERLY_RATE.to_ne_bytes().to_vec(), &0x1234u64.to_ne_bytes().to_vec()));
        assert!(has_seed(&bytes) && !has_seed(&bytes[..bytes.len() - 12]) && !has_seed(&[]));
        assert!(!found.contains_key(&LOSS) && !found.contains_key(&DELAY_DIST));
    }

    #[test]
    fn seeds_differ_by_all_that_they_hang_on() {
        let all = [seed(1, "wan", 0, 0, 0), seed(2, "wan", 0, 0, 0), seed(1, "lan", 0, 0, 0), seed(1, "wan", 1, 0, 0)];
        let all = [&all[..], &[seed(1, "wan", 0, 1, 0), seed(1, "wan", 0, 0, 1)]].concat();
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        assert_eq!(all[0], seed(1, "wan", 0, 0, 0));
    }
}
