//! What a run left behind of its captures. In: nothing. Out: the type. The packets themselves lie in files beside the record.

use serde::{Deserialize, Serialize};

/// One capture.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CaptureRecord {
    /// Its pcapng file, below the folder where the record lies, with `/` between folders.
    pub file: String,
    /// Whose packets: `link wan, node b`.
    pub of: String,
    /// It was asked for by the command line and lasted as long as the run; otherwise the timeline says it.
    pub whole: bool,
    /// When it began, ns after the timeline's start.
    pub began_ns: i64,
    /// When it ended, likewise.
    pub ended_ns: i64,
    /// Frames that came: those in the file, those that were missed, and those that were left out.
    pub came: u64,
    /// Frames in the file.
    pub packets: u64,
    /// Frames for which the machine or scn had no room.
    pub missed: u64,
    /// Frames that did not go into the file, or went out of it again: beyond its bound, or because of the trouble.
    pub left_out: u64,
    /// It holds less than it might alone, because all captures of the run together had reached their bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shortened: bool,
    /// The file's size, bytes.
    pub bytes: u64,
    /// What stood in its way.
    pub trouble: Option<String>,
}

impl CaptureRecord {
    /// Why not every frame is in the file that should be, in words; `None`: all are. What a capture of a whole run forgets to keep its bound
    /// should not.
    #[must_use]
    pub fn incomplete(&self) -> Option<String> {
        let mut parts: Vec<String> = self.trouble.iter().cloned().collect();
        if self.missed > 0 {
            parts.push(format!("{} of {} frames were missed, for want of room", self.missed, self.came));
        }
        if self.left_out > 0 && !(self.whole && self.trouble.is_none() && !self.shortened) {
            let why = match (&self.trouble, self.shortened) {
                (Some(_), _) => "were not written",
                (None, false) => "are beyond its bound",
                (None, true) => "are beyond the bound of all captures of the run together",
            };
            parts.push(format!("{} of {} frames {why}", self.left_out, self.came));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let whole = CaptureRecord { came: 10, packets: 10, ..CaptureRecord::default() };
        assert_eq!(whole.incomplete(), None);
        let part = CaptureRecord { came: 10, packets: 5, missed: 2, left_out: 3, ..CaptureRecord::default() };
        let expected = "2 of 10 frames were missed, for want of room; 3 of 10 frames are beyond its bound";
        assert_eq!(part.incomplete().as_deref(), Some(expected));
        assert_eq!(CaptureRecord { whole: true, missed: 0, ..part }.incomplete(), None);
        let shortened = CaptureRecord { whole: true, came: 9, packets: 2, left_out: 7, shortened: true, ..CaptureRecord::default() };
        assert_eq!(shortened.incomplete().as_deref(), Some("7 of 9 frames are beyond the bound of all captures of the run together"));
        let older = serde_json::to_value(CaptureRecord::default()).unwrap();
        assert!(older.get("shortened").is_none(), "records without it stay as they were: {older}");
        assert_eq!(serde_json::from_value::<CaptureRecord>(older).unwrap(), CaptureRecord::default());
        let broken = CaptureRecord { came: 1, left_out: 1, trouble: Some("no".into()), ..CaptureRecord::default() };
        assert_eq!(broken.incomplete().as_deref(), Some("no; 1 of 1 frames were not written"));
    }
}
