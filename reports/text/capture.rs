//! Captures on a terminal. In: a record. Out: a line for each file: whose packets, how many, and what is missing. Opens no file.

use super::{Style, Tone, indented};
use crate::record::RunRecord;
use crate::record::capture::CaptureRecord;
use crate::words;

/// Captures shown before the rest is only counted.
const MAX_CAPTURES: usize = 20;

/// Each capture in a line.
pub(super) fn table(out: &mut String, record: &RunRecord, style: Style) {
    if !record.captures.is_empty() {
        out.push('\n');
    }
    for capture in record.captures.iter().take(MAX_CAPTURES) {
        let tone = if capture.incomplete().is_some() { Tone::Doubt } else { Tone::Faint };
        indented(out, style, tone, &format!("capture {}: {}", words::visible(&capture.file), words::visible(&about(capture))));
    }
    if record.captures.len() > MAX_CAPTURES {
        out.push_str(&format!("  and {} more\n", words::plural(record.captures.len() - MAX_CAPTURES, "capture")));
    }
}

/// `1203 frames of link wan, 130.4kB; 12 older frames were left out`.
pub(crate) fn about(capture: &CaptureRecord) -> String {
    let count = |count| words::plural(usize::try_from(count).unwrap_or(usize::MAX), "frame");
    let mut text = format!("{} of {}, {:.1}kB", count(capture.packets), capture.of, capture.bytes as f64 / 1e3);
    if capture.whole && capture.left_out > 0 && capture.trouble.is_none() {
        text.push_str(&format!("; {} before them went out again, to keep its bound", count(capture.left_out)));
    }
    if let Some(why) = capture.incomplete() {
        text.push_str(&format!("; incomplete: {why}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_is_said() {
        let capture = CaptureRecord { of: "link wan".into(), packets: 1, came: 13, left_out: 12, bytes: 250, ..CaptureRecord::default() };
        assert_eq!(about(&capture), "1 frame of link wan, 0.2kB; incomplete: 12 of 13 frames are beyond its bound");
        let whole = CaptureRecord { whole: true, ..capture };
        assert_eq!(about(&whole), "1 frame of link wan, 0.2kB; 12 frames before them went out again, to keep its bound");
    }
}
