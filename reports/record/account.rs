//! The account of an impaired link: what came in, and what became of each packet. In: what the wire or the kernel counted. Out: the type that judge and reports read,
//! and whether it adds up. Counts nothing itself.

use serde::{Deserialize, Serialize};

/// What an impaired link saw since the timeline's start, each way: first from the first end, then from the second. Fields that older records lack are 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct LinkAccount {
    /// Frames that came in.
    pub entered: [u64; 2],
    /// Copies that `duplicate` made.
    #[serde(default)]
    pub duplicated: [u64; 2],
    /// Frames handed on.
    pub delivered: [u64; 2],
    /// Frames that a cut, a partition or an end that was down took.
    pub cut: [u64; 2],
    /// Frames that a `drop` took.
    #[serde(default)]
    pub filtered: [u64; 2],
    /// Frames that the MTU black hole took.
    #[serde(default)]
    pub oversized: [u64; 2],
    /// Frames that `loss` took.
    #[serde(default)]
    pub lost: [u64; 2],
    /// Frames that the queue had no place for.
    #[serde(default)]
    pub overflowed: [u64; 2],
    /// Frames that the queue's management took.
    #[serde(default)]
    pub managed: [u64; 2],
    /// Frames that scn itself lost: a buffer of the machine was full, or a send failed.
    pub dropped: [u64; 2],
    /// Frames still on the way at the end, counted where they wait.
    pub queued: [u64; 2],
    /// Frames with a bit flipped; they are counted above too, as are the three below.
    #[serde(default)]
    pub corrupted: [u64; 2],
    /// Frames that were held back.
    #[serde(default)]
    pub reordered: [u64; 2],
    /// Frames that were marked as having met congestion.
    #[serde(default)]
    pub marked: [u64; 2],
    /// Frames that were several packets though each was to be judged alone.
    #[serde(default)]
    pub joined: [u64; 2],
    /// The wire's own lateness, ns: how much later than meant a frame left, in the middle.
    #[serde(default)]
    pub late_p50_ns: u64,
    /// At its worst hundredth.
    pub late_p99_ns: u64,
    /// At worst.
    #[serde(default)]
    pub late_max_ns: u64,
    /// Its histogram: upper end of a step in ns, and how many frames lie in it; empty steps are left out.
    #[serde(default)]
    pub late: Vec<(u64, u64)>,
    /// What who counted can't tell of this, in words; its numbers are then 0 or the rest of others. Of wires: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<String>,
}

impl LinkAccount {
    /// Everything that came in or was made on one way is somewhere, once.
    #[must_use]
    pub fn closes(&self, way: usize) -> bool {
        let came = self.entered[way] + self.duplicated[way];
        came == self.places(way).into_iter().map(|(_, count)| count).sum::<u64>()
    }

    /// Where the frames of one way are, each in one place: the place's word, and how many.
    #[must_use]
    pub fn places(&self, way: usize) -> [(&'static str, u64); 9] {
        [
            ("delivered", self.delivered[way]),
            ("cut", self.cut[way]),
            ("dropped by rule", self.filtered[way]),
            ("too large", self.oversized[way]),
            ("lost", self.lost[way]),
            ("over the queue's limit", self.overflowed[way]),
            ("dropped by the queue's management", self.managed[way]),
            ("dropped by scn or the machine", self.dropped[way]),
            ("queued", self.queued[way]),
        ]
    }

    /// What else happened to frames of one way: its word, and to how many.
    #[must_use]
    pub fn marks(&self, way: usize) -> [(&'static str, u64); 5] {
        [
            ("duplicated", self.duplicated[way]),
            ("corrupted", self.corrupted[way]),
            ("held back", self.reordered[way]),
            ("marked", self.marked[way]),
            ("not cut apart", self.joined[way]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_of_the_kernel_says_what_it_cannot_tell() {
        let account = LinkAccount { untold: vec!["how late".into()], ..LinkAccount::default() };
        let stored = serde_json::to_string(&account).unwrap();
        assert!(stored.contains(r#""untold":["how late"]"#), "{stored}");
        assert_eq!(serde_json::from_str::<LinkAccount>(&stored).unwrap(), account);
        assert!(!serde_json::to_string(&LinkAccount::default()).unwrap().contains("untold"));
    }

    #[test]
    fn an_older_account_is_read() {
        let older = r#"{"entered":[7,2],"delivered":[4,2],"cut":[1,0],"dropped":[2,0],"queued":[0,0],"late_p99_ns":9}"#;
        let account: LinkAccount = serde_json::from_str(older).unwrap();
        assert!(account.closes(0) && account.closes(1));
        assert_eq!((account.lost, account.late_p99_ns, account.untold.len()), ([0, 0], 9, 0));
        assert!(!LinkAccount { lost: [1, 0], ..account.clone() }.closes(0));
        assert!(LinkAccount { lost: [1, 0], duplicated: [1, 0], ..account }.closes(0));
    }
}
