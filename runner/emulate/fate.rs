//! Chances that depend on a key and on nothing else. In: seed, link, way, stage, flow, the packet's place in its flow. Out: yes or no, or
//! a number. The same key gives the same, whenever and however often it is asked.

use scn_grammar::scenario::pattern::Varying;

use crate::traffic::Key;

/// One in the unit of shares.
const BILLION: u128 = 1_000_000_000;

/// What is drawn for: no two stages ever share a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The packet is lost.
    Loss,
    /// The state of a two-state loss changes.
    LossState,
    /// A bit is flipped.
    Corrupt,
    /// Which.
    CorruptBit,
    /// The packet passes twice.
    Duplicate,
    /// How long it is under way.
    Delay,
    /// How long its copy is.
    DelayOfCopy,
    /// It is held back.
    Reorder,
}

const STAGES: usize = 8;

/// A packet's place: which flow, and how many of the flow came before it on this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The flow's number.
    pub(super) flow: u64,
    /// From 0.
    pub(super) index: u64,
}

/// All chances of one way of a link.
#[derive(Debug, Clone, Copy)]
pub struct Draws([Key; STAGES]);

impl Draws {
    /// Of the way from this end (0 or 1) of a link, by its name: links that come and go elsewhere in the file change nothing.
    #[must_use]
    pub fn new(seed: u64, link: &str, end: usize) -> Self {
        let word = |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
        let link = link.as_bytes().chunks(8).map(word).fold(Key::of_seed(seed), Key::part);
        let way = link.part(end as u64);
        Draws(std::array::from_fn(|stage| way.part(stage as u64)))
    }

    fn key(&self, stage: Stage, place: Place) -> Key {
        self.0[stage as usize].part(place.flow).part(place.index)
    }

    /// Whether what has this chance, in 1e-9, happens to a packet.
    pub(super) fn happens(&self, stage: Stage, place: Place, nano: u64) -> bool {
        // Both ends first: most packets of most stages have no chance at all.
        match u128::from(nano) {
            0 => false,
            BILLION.. => true,
            nano => (u128::from(self.key(stage, place).bits()) * BILLION) >> 64 < nano,
        }
    }

    /// One of so many, from 0; 0 of none.
    pub(super) fn one_of(&self, stage: Stage, place: Place, count: usize) -> usize {
        let scaled = (u128::from(self.key(stage, place).bits()) * count as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// A value of a distribution.
    pub(super) fn value(&self, stage: Stage, place: Place, of: &Varying) -> u64 {
        match of {
            Varying::Fixed(value) => *value,
            of => self.key(stage, place).draw(of),
        }
    }
}
