//! The model on made packets and made time: what each stage does, with bounds from statistics, and what holds whatever it does.

mod changes;
mod control;
mod fate;
mod filters;
mod laws;
mod loss;
mod order;
mod partition;
mod rate;

use std::sync::Arc;

use scn_grammar::scenario::topology::Impairment;

use super::{Draws, Nature, Packet, Traces, Way};

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000_000_000;

/// A packet with a number.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) id: u32,
    pub(super) frame: Vec<u8>,
    finished: bool,
}

impl Packet for Made {
    fn frame(&self) -> &[u8] {
        &self.frame
    }
    fn frame_mut(&mut self) -> &mut [u8] {
        &mut self.frame
    }
    fn finish(&mut self) {
        self.finished = true;
    }
}

/// An Ethernet frame with this type and payload.
pub(super) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// IPv4 from 10.0.0.1 to 10.0.0.2, with a right checksum.
pub(super) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let length = u16::try_from(header.len() + payload.len()).unwrap();
    header[2..4].copy_from_slice(&length.to_be_bytes());
    let sum = sum(&header);
    header[10..12].copy_from_slice(&(!sum).to_be_bytes());
    header.extend(payload);
    ethernet(0x0800, &header)
}

/// The ones' complement sum of bytes.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]))).sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

/// TCP, UDP or SCTP over IPv4, the whole frame so long.
pub(super) fn ports(protocol: u8, from: u16, to: u16, length: usize) -> Vec<u8> {
    let mut payload = [from.to_be_bytes(), to.to_be_bytes()].concat();
    payload.resize(length.saturating_sub(34).max(8), 0);
    ipv4(protocol, &payload)
}

/// UDP from a port that the kernel chose to port 5000.
pub(super) fn udp(length: usize) -> Vec<u8> {
    ports(17, 40_000, 5000, length)
}

pub(super) fn nature(seed: u64, traces: Traces) -> Nature {
    Nature { draws: Draws::new(seed, "wan", 0), ports: vec![(5000, 5000)], judges: true, traces: Arc::new(traces) }
}

/// A way with everything that has left it.
pub(super) struct Bench {
    pub(super) way: Way<Made>,
    /// When each was to leave, and which.
    pub(super) out: Vec<(u64, Made)>,
    given: u32,
}

impl Bench {
    pub(super) fn new(does: Impairment) -> Self {
        Bench::seeded(7, does)
    }

    pub(super) fn seeded(seed: u64, does: Impairment) -> Self {
        Bench::of(nature(seed, Traces::default()), does)
    }

    pub(super) fn of(nature: Nature, does: Impairment) -> Self {
        Bench { way: Way::new(nature, does, 0), out: Vec::new(), given: 0 }
    }

    /// A packet comes, after everything that is due until then has left. Packets are numbered from 1.
    pub(super) fn give(&mut self, at_ns: u64, frame: Vec<u8>) {
        self.until(at_ns);
        self.given += 1;
        let made = Made { id: self.given, frame, finished: false };
        self.way.arrive(at_ns, &made.frame, false, || made.clone());
    }

    /// Everything that is due until then leaves, as the pump lets it.
    pub(super) fn until(&mut self, now_ns: u64) {
        while let Some(next) = self.way.next_ns().filter(|next| *next <= now_ns) {
            while let Some(leaving) = self.way.leave(next) {
                self.way.sent(1, 0, 0);
                self.out.push((leaving.due_ns, leaving.packet));
            }
        }
    }

    /// Everything leaves.
    pub(super) fn drain(&mut self) {
        self.until(u64::MAX);
        assert_eq!(self.way.queued(), 0);
    }

    pub(super) fn ids(&self) -> Vec<u32> {
        self.out.iter().map(|(_, made)| made.id).collect()
    }

    pub(super) fn times(&self) -> Vec<u64> {
        self.out.iter().map(|(due, _)| *due).collect()
    }
}

/// So many UDP packets of 100 bytes, one every 100 us.
pub(super) fn stream(bench: &mut Bench, count: u64) {
    (0..count).for_each(|at| bench.give(at * 100_000, udp(100)));
    bench.drain();
}

/// A count of `trials` with this chance lies within five standard deviations: it fails once in two million honest runs, and the seed is fixed.
pub(super) fn assert_share(count: u64, trials: u64, chance: f64) {
    let (expected, deviation) = (trials as f64 * chance, (trials as f64 * chance * (1.0 - chance)).sqrt());
    assert!((count as f64 - expected).abs() <= 5.0 * deviation, "{count} of {trials}, expected {expected:.0} +- {:.0}", 5.0 * deviation);
}
