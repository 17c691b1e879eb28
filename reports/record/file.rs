//! The record as a file's bytes. In: bytes or a record. Out: a record or JSON text, one line for each top-level part so that a
//! line-wise diff says which part differs. Opens and writes no file.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;

use super::{FORMAT, RunRecord, VERSION};

/// A larger file is not read: 1 GiB holds the series of far more items than a run keeps.
pub const MAX_BYTES: usize = 1 << 30;

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// More than [`MAX_BYTES`]: how many bytes.
    TooLarge(usize),
    /// Nothing in it.
    Empty,
    /// JSON or not, but no run record: what it says it is, if anything.
    NotARecord(Option<String>),
    /// Written by a newer scn: the record's version.
    Newer(u32),
    /// Cut or changed.
    Damaged {
        /// The line, from 1.
        line: usize,
        /// The byte on that line, from 1; 0: at the line's end.
        column: usize,
        /// What is wrong there.
        what: String,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(f, "the record has {bytes} bytes; at most {MAX_BYTES} are read"),
            Self::Empty => {
                write!(f, "the record is empty; the run that should have written it was probably killed: run the scenario again")
            }
            Self::NotARecord(Some(name)) => {
                write!(
                    f,
                    "this is no run record: its format is `{}`, not `{FORMAT}`; give the `.run.json` file of a run",
                    crate::words::visible(name)
                )
            }
            Self::NotARecord(None) => write!(f, "this is no run record: it has no `format`; give the `.run.json` file of a run"),
            Self::Newer(version) => {
                write!(f, "the record has version {version}, and this scn reads up to {VERSION}; use the scn that wrote it, or a newer one")
            }
            Self::Damaged { line, column, what } => {
                write!(f, "the record is damaged at line {line}, byte {column}: {what}; run the scenario again, or restore the file")
            }
        }
    }
}

impl std::error::Error for RecordError {}

impl RecordError {
    fn damaged(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let what = text.strip_suffix(&place).unwrap_or(&text);
        RecordError::Damaged { line: error.line(), column: error.column(), what: crate::words::visible(what) }
    }
}

/// The part that every version has.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u32>,
}

/// Reads a record of this version or an older one.
///
/// # Errors
/// When the bytes are too many, no record, of a newer version, or damaged; the error says where.
pub fn read(bytes: &[u8]) -> Result<RunRecord, RecordError> {
    if bytes.len() > MAX_BYTES {
        return Err(RecordError::TooLarge(bytes.len()));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(RecordError::Empty);
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|e| RecordError::damaged(&e))?;
    match (head.format.as_deref(), head.version) {
        (Some(FORMAT), Some(version)) if version > VERSION => return Err(RecordError::Newer(version)),
        (Some(FORMAT), _) => {}
        (other, _) => return Err(RecordError::NotARecord(other.map(str::to_owned))),
    }
    let record: RunRecord = serde_json::from_slice(bytes).map_err(|e| RecordError::damaged(&e))?;
    match broken_reference(&record) {
        Some(what) => Err(RecordError::Damaged { line: 1, column: 0, what }),
        None => Ok(record),
    }
}

/// A position in a list that is not there: what readers of the record rely on.
fn broken_reference(record: &RunRecord) -> Option<String> {
    let nodes = record.nodes.len();
    let events = record.events.len();
    for link in &record.links {
        if link.ends.iter().any(|end| *end as usize >= nodes) {
            return Some(format!("link `{}` ends at a node that is not there", crate::words::visible(&link.name)));
        }
    }
    for flow in &record.flows {
        if std::iter::once(&flow.from).chain(&flow.to).any(|node| *node as usize >= nodes) {
            return Some(format!("flow `{}` names a node that is not there", crate::words::visible(&flow.name)));
        }
    }
    for expectation in &record.expectations {
        let nearby = expectation.outcome.iter().flat_map(|outcome| &outcome.nearby);
        if nearby.into_iter().any(|event| *event as usize >= events) {
            return Some(format!("expectation `{}` names an event that is not there", crate::words::visible(&expectation.name)));
        }
    }
    None
}

/// The record as JSON: the same record always gives the same bytes. Ends with a newline.
#[must_use]
pub fn to_json(record: &RunRecord) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, TopLines { depth: 0 });
    record.serialize(&mut serializer).expect("a record holds only texts, numbers and lists, which JSON can say");
    out.push(b'\n');
    String::from_utf8(out).expect("serde_json writes UTF-8")
}

/// Breaks the line before each part of the outermost object.
struct TopLines {
    depth: u32,
}

impl Formatter for TopLines {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(if self.depth == 0 { b"\n}" } else { b"}" })
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(match (first, self.depth) {
            (true, 1) => b"\n",
            (false, 1) => b",\n",
            (true, _) => b"",
            (false, _) => b",",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn a_record_survives_the_way_through_its_file() {
        for record in example::all() {
            let text = to_json(&record);
            assert_eq!(read(text.as_bytes()).unwrap(), record);
            assert_eq!(to_json(&read(text.as_bytes()).unwrap()), text);
        }
    }

    #[test]
    fn series_of_any_numbers_survive() {
        let mut state = 1u64;
        for round in 0..50 {
            let mut record = example::failover();
            example::scramble(&mut record.flows[0], &mut state, round);
            assert_eq!(read(to_json(&record).as_bytes()).unwrap(), record);
        }
    }

    #[test]
    fn every_top_level_part_has_its_line() {
        let text = to_json(&example::failover());
        assert!(text.lines().count() > 15);
        assert!(text.lines().any(|line| line.starts_with("\"events\":")));
    }

    #[test]
    fn a_newer_record_says_so() {
        let text = to_json(&example::failover()).replacen("\"version\":1", "\"version\":2", 1);
        assert_eq!(read(text.as_bytes()), Err(RecordError::Newer(2)));
    }

    #[test]
    fn a_record_cut_anywhere_is_damaged_and_says_where() {
        let text = to_json(&example::empty());
        for cut in 1..text.len() - 2 {
            if !text.is_char_boundary(cut) {
                continue;
            }
            match read(&text.as_bytes()[..cut]) {
                Err(RecordError::Damaged { line, what, .. }) => assert!(line > 0 && !what.is_empty()),
                other => panic!("cut at {cut}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        assert_eq!(read(b""), Err(RecordError::Empty));
        assert_eq!(read(b" \n"), Err(RecordError::Empty));
        assert_eq!(read(b"{}"), Err(RecordError::NotARecord(None)));
        assert_eq!(read(b"{\"format\":\"cake\"}"), Err(RecordError::NotARecord(Some("cake".into()))));
        assert!(matches!(read(b"\xff\xfe"), Err(RecordError::Damaged { .. })));
        let deep = "[".repeat(100_000);
        assert!(matches!(read(deep.as_bytes()), Err(RecordError::Damaged { .. })));
    }

    #[test]
    fn a_position_that_is_not_there_is_damage() {
        let mut record = example::failover();
        record.links[0].ends[1] = 99;
        assert!(matches!(read(to_json(&record).as_bytes()), Err(RecordError::Damaged { .. })));
    }
}
