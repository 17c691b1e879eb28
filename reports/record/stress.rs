//! What was measured of a mix of random streams: counts over time, and the last streams one by one. In: nothing. Out: the types that measuring
//! and reports read. All instants are in ns after the timeline's start.

use serde::{Deserialize, Serialize};

use super::counted::Steps;
use super::flow::{Failure, Measurement};

/// What is counted of a stress; the numbers are positions in [`StressSample::counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StressCount {
    /// Streams that began.
    Streams,
    /// Streams that ended by an error.
    Failed,
    /// Messages sent.
    Sent,
    /// Messages that came back whole.
    Received,
    /// Messages sent that will not come back.
    Lost,
    /// Payload received by servers, bytes.
    ForwardBytes,
    /// Payload received by clients, bytes.
    BackBytes,
}

impl StressCount {
    /// How many there are.
    pub const COUNT: usize = 7;
}

/// What is not known of a count at a sample: real tools tell of a stretch of time how much came in it, not when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Doubt {
    /// Which count: a position in [`StressSample::counts`].
    pub count: usize,
    /// So much of it may have come after the sample.
    pub below: u64,
    /// So much of what is counted later may have come before the sample.
    pub above: u64,
    /// So much may have come by the sample, or never, without ever being told, since the beginning.
    pub begun: u64,
    /// The part of that whose time was over at the sample.
    pub past: u64,
}

/// A stress between two instants, so near to each other as they can be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StressSample {
    /// Before it was read.
    pub from_ns: i64,
    /// When it had been read.
    pub to_ns: i64,
    /// By [`StressCount`], since the beginning.
    pub counts: [u64; StressCount::COUNT],
    /// What is not known of them; of a count that is not named here nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Doubt>,
    /// Streams alive.
    pub active: u64,
    /// Fewest alive at once since the sample before.
    pub least_active: u64,
    /// Most alive at once since the sample before.
    pub most_active: u64,
    /// How long the messages took that came back since the sample before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency: Steps,
}

/// One stream that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// Its number in the stress, from 0: all that is random of it hangs on that.
    pub number: u64,
    /// `tcp from client[2]`; of one that a tool made `iperf3 over tcp from client[2]`.
    pub transport: String,
    /// Payload of each of its messages, bytes.
    pub size: u64,
    /// When it began.
    pub began_ns: i64,
    /// When it was over.
    pub ended_ns: i64,
    /// Messages that came back whole, or that the receiving end of a tool counted; `None`: the tool tells none.
    pub received: Option<u64>,
    /// Why it failed; `None`: it did not.
    pub cause: Option<String>,
}

/// One stress's measurements.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StressRecord {
    /// `mix`.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// `from client[1..3] to sut, 10 streams over tcp, udp, icmp`.
    pub description: String,
    /// When it ran: start and stop; empty: it never did.
    pub ran_ns: Vec<(i64, i64)>,
    /// It did all of its `total`, or was stopped: nothing was cut short.
    pub finished: bool,
    /// In order.
    pub samples: Vec<StressSample>,
    /// The last streams that ended, in the order of their ends.
    pub streams: Vec<StreamRecord>,
    /// What went wrong, most frequent first.
    pub failures: Vec<Failure>,
    /// Its numbers in words. Filled in once the run was judged.
    #[serde(default)]
    pub summary: Vec<Measurement>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions() {
        assert_eq!(StressCount::BackBytes as usize + 1, StressCount::COUNT);
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let sample =
            StressSample { from_ns: 1, to_ns: 2, counts: [1; StressCount::COUNT], latency: vec![(1023, 7)], ..StressSample::default() };
        let doubt = Doubt { count: StressCount::Sent as usize, below: 1, above: 2, begun: 4, past: 3 };
        let doubted = StressSample { doubts: vec![doubt], ..sample.clone() };
        let stream = StreamRecord {
            number: 3,
            transport: "udp from client".to_owned(),
            size: 64,
            began_ns: 1,
            ended_ns: 9,
            received: Some(4),
            cause: Some("nothing came within 1s".to_owned()),
        };
        let record =
            StressRecord { name: "mix".to_owned(), samples: vec![sample, doubted], streams: vec![stream], ..StressRecord::default() };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<StressRecord>(&text).unwrap(), record);
        let older = text.replace(",\"summary\":[]", "");
        assert_eq!(serde_json::from_str::<StressRecord>(&older).unwrap(), record);
    }
}
