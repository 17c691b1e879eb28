//! What was counted at links and interfaces over time: samples on a grid, and at the events of the timeline. In: nothing. Out: the types that
//! measuring reads. All instants are in ns after the timeline's start. Counts nothing itself.

use serde::{Deserialize, Serialize};

/// What is counted of one way of a link; the numbers are positions in [`WaySample::counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Frames that came in.
    Sent,
    /// Frames handed on, copies included.
    Delivered,
    /// Frames that the queue had no place for, or that its management took.
    Dropped,
    /// Frames that `loss` took.
    Lost,
    /// Frames that a cut, a partition, a `drop`, the black hole or an end that was down took.
    Cut,
    /// Copies that `duplicate` made.
    Duplicated,
    /// Frames with a bit flipped.
    Corrupted,
    /// Frames that were held back.
    Reordered,
    /// Bytes of the frames handed on, headers included.
    Bytes,
}

impl Counted {
    /// How many there are.
    pub const COUNT: usize = 9;
}

/// A histogram: the upper end of each step that is not empty, in ns, and how many values lie in it.
pub type Steps = Vec<(u64, u64)>;

/// One way of a link at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WaySample {
    /// By [`Counted`]; only the differences between samples mean something.
    pub counts: [u64; Counted::COUNT],
    /// Packets that wait for the rate at the sample's instant.
    pub queued: u64,
    /// The most that waited at once since the sample before.
    pub most_queued: u64,
    /// When that was.
    pub most_at_ns: i64,
    /// How long the packets took that left since the sample before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delay: Steps,
    /// How much later than meant they left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lag: Steps,
}

/// A link at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkSample {
    /// The instant: nothing changed between it and the taking of the sample.
    pub at_ns: i64,
    /// From the first end, from the second.
    pub ways: [WaySample; 2],
}

/// What the kernel counts of an interface; the numbers are positions in [`InterfaceSample::counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelCount {
    /// Packets received.
    RxPackets,
    /// Packets sent.
    TxPackets,
    /// Bytes received.
    RxBytes,
    /// Bytes sent.
    TxBytes,
    /// Bad packets received.
    RxErrors,
    /// Packets that could not be sent.
    TxErrors,
    /// Packets received and dropped.
    RxDropped,
    /// Packets dropped before they were sent.
    TxDropped,
}

impl KernelCount {
    /// How many there are.
    pub const COUNT: usize = 8;
}

/// An interface as the kernel told it between two instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InterfaceSample {
    /// When the kernel was asked.
    pub from_ns: i64,
    /// When it had answered.
    pub to_ns: i64,
    /// By [`KernelCount`]; since the interface was made.
    pub counts: [u64; KernelCount::COUNT],
    /// It has a carrier.
    pub carrier: bool,
    /// How often the carrier has come or gone since the interface was made.
    pub changes: u32,
}

/// An interface whose counters were read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InterfaceRecord {
    /// Position in [`super::RunRecord::nodes`].
    pub node: u32,
    /// Its name in the file.
    pub name: String,
    /// In order.
    pub samples: Vec<InterfaceSample>,
    /// From this instant on it could not be read any more, and the kernel's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<(i64, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions() {
        assert_eq!((Counted::Bytes as usize + 1, KernelCount::TxDropped as usize + 1), (Counted::COUNT, KernelCount::COUNT));
    }

    #[test]
    fn what_is_empty_takes_no_room() {
        let sample = LinkSample { at_ns: 5, ways: [WaySample { delay: vec![(1023, 7)], ..WaySample::default() }, WaySample::default()] };
        let text = serde_json::to_string(&sample).unwrap();
        assert_eq!(text.matches("delay").count(), 1, "{text}");
        assert_eq!(serde_json::from_str::<LinkSample>(&text).unwrap(), sample);
    }
}
