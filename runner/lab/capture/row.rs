//! A frame with what became of it. In: what a wire or a socket saw. Out: the words that stand beside it in a file. The first word is the name
//! of its place in the link's account. Writes nothing.

use std::fmt::Write as _;

use super::pcapng::Direction;
use crate::emulate::Taken;

/// A frame on its way into a file.
#[derive(Debug)]
pub(crate) struct Row {
    /// The position of its interface in the file.
    pub(crate) interface: u32,
    /// When it came, ns of the wall clock.
    pub(crate) at_ns: u64,
    /// As it came, with its checksum.
    pub(crate) bytes: Vec<u8>,
    /// Several packets that are not cut apart yet.
    pub(crate) is_many: bool,
    /// What is known of it.
    pub(crate) said: Said,
}

/// What is known of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said {
    /// An interface sent it or received it.
    Seen(Direction),
    /// A wire carried it or did not.
    Carried(Story),
}

/// What became of a frame on a wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Story {
    pub(crate) fate: Fate,
    /// It is the copy that `duplicate` made.
    pub(crate) is_copy: bool,
    /// A bit was flipped in this byte.
    pub(crate) corrupted: Option<usize>,
    pub(crate) is_reordered: bool,
    pub(crate) is_marked: bool,
}

/// How a frame ended on a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Handed on at this instant of the run, ns, and so long after it came, ns. `None`: the run's clock did not run yet.
    Delivered { at_ns: Option<i64>, after_ns: u64 },
    /// A stage took it.
    Taken(Taken),
    /// The other end was down.
    Down,
    /// It was on the way when the capture ended.
    Queued,
}

impl Story {
    pub(crate) fn of(fate: Fate) -> Self {
        Story { fate, is_copy: false, corrupted: None, is_reordered: false, is_marked: false }
    }
}

impl Row {
    /// The comment and the direction that stand beside it.
    pub(crate) fn words(&self) -> (String, Option<Direction>) {
        let (mut text, direction) = match &self.said {
            Said::Seen(direction) => (String::new(), Some(*direction)),
            Said::Carried(story) => (story.words(), None),
        };
        if self.is_many {
            let joint = if text.is_empty() { "" } else { "; " };
            text.push_str(joint);
            text.push_str("several packets in one, not cut apart yet");
        }
        (text, direction)
    }
}

impl Story {
    fn words(&self) -> String {
        let mut text = match self.fate {
            Fate::Delivered { at_ns, after_ns } => {
                let at = at_ns.map_or_else(String::new, |at_ns| {
                    let (sign, at) = (if at_ns < 0 { "-" } else { "" }, at_ns.unsigned_abs());
                    format!(" at {sign}{}.{:06}s", at / 1_000_000_000, at % 1_000_000_000 / 1000)
                });
                format!("delivered{at} after {}.{:03}ms", after_ns / 1_000_000, after_ns % 1_000_000 / 1000)
            }
            Fate::Taken(Taken::Cut) => "cut by a fault or a partition".to_owned(),
            Fate::Taken(Taken::Filtered) => "filtered by a drop".to_owned(),
            Fate::Taken(Taken::Oversized) => "oversized for the MTU black hole".to_owned(),
            Fate::Taken(Taken::Lost) => "lost by loss".to_owned(),
            Fate::Taken(Taken::Overflowed) => "overflowed the queue".to_owned(),
            Fate::Taken(Taken::Managed) => "managed: dropped by CoDel".to_owned(),
            Fate::Taken(Taken::Failed) => "dropped by scn or the machine".to_owned(),
            Fate::Down => "cut: the other end was down".to_owned(),
            Fate::Queued => "queued when the capture ended".to_owned(),
        };
        if self.is_copy {
            text.push_str("; copy made by duplicate");
        }
        if let Some(byte) = self.corrupted {
            // Writing to a String cannot fail.
            let _ = write!(text, "; corrupted: bit flipped in byte {byte}");
        }
        if self.is_reordered {
            text.push_str("; reordered: held back");
        }
        if self.is_marked {
            text.push_str("; marked: congestion");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(story: Story) -> String {
        Row { interface: 0, at_ns: 0, bytes: vec![], is_many: false, said: Said::Carried(story) }.words().0
    }

    #[test]
    fn what_became_of_a_frame_is_said() {
        let delivered = |at_ns| Fate::Delivered { at_ns, after_ns: 20_113_400 };
        assert_eq!(words(Story::of(delivered(Some(1_020_113_900)))), "delivered at 1.020113s after 20.113ms");
        assert_eq!(words(Story::of(delivered(Some(-2_000_000)))), "delivered at -0.002000s after 20.113ms");
        assert_eq!(words(Story::of(delivered(None))), "delivered after 20.113ms");
        assert_eq!(words(Story::of(Fate::Taken(Taken::Lost))), "lost by loss");
        let much = Story { is_copy: true, corrupted: Some(57), is_reordered: true, is_marked: true, ..Story::of(Fate::Queued) };
        let expected = "queued when the capture ended; copy made by duplicate; corrupted: bit flipped in byte 57; \
                        reordered: held back; marked: congestion";
        assert_eq!(words(much), expected);
    }

    #[test]
    fn an_interface_says_the_direction_and_what_is_not_one_packet() {
        let row = Row { interface: 0, at_ns: 0, bytes: vec![], is_many: true, said: Said::Seen(Direction::In) };
        assert_eq!(row.words(), ("several packets in one, not cut apart yet".to_owned(), Some(Direction::In)));
    }
}
