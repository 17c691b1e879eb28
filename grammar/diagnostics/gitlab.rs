//! Diagnostics as GitLab's Code Quality report, which merge requests show. In: diagnostics and their texts. Out: one JSON array. A
//! fingerprint keeps its value when lines move: it is made of the code, the file, the message and how many like it came before.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lines::Lines;
use super::{Diagnostic, Severity};
use crate::source::Sources;

/// One object for each diagnostic.
#[must_use]
pub fn gitlab(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut lines = Lines::default();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let issues: Vec<Value> = diagnostics.iter().map(|d| issue(d, sources, &mut lines, &mut seen)).collect();
    format!("{:#}\n", Value::Array(issues))
}

fn issue(diagnostic: &Diagnostic, sources: &Sources, lines: &mut Lines, seen: &mut BTreeMap<String, usize>) -> Value {
    let span = diagnostic.primary.span;
    let (start, end) = lines.places(sources, span);
    let name = sources.get(span.file).name.trim_start_matches("./").to_owned();
    let alike = format!("{} {name} {}", diagnostic.code, diagnostic.message);
    let before = seen.entry(alike.clone()).or_insert(0);
    let fingerprint = format!("{:016x}", fnv1a(format!("{alike} {before}").as_bytes()));
    *before += 1;
    let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
    json!({
        "description": format!("{}{help}", diagnostic.message),
        "check_name": diagnostic.code,
        "fingerprint": fingerprint,
        "severity": if diagnostic.severity == Severity::Error { "critical" } else { "minor" },
        "location": { "path": name, "lines": { "begin": start.line, "end": end.line } },
    })
}

/// The 64-bit FNV-1a hash (draft-eastlake-fnv): the same in every version of the program.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span};

    fn reports(text: &str, places: &[u32]) -> Value {
        let mut sources = Sources::default();
        sources.add("./a.scn", text);
        let problems: Vec<Diagnostic> = places
            .iter()
            .map(|start| Diagnostic::warning("scn::x", Span { file: FileId(0), start: *start, end: start + 1 }, "odd", ""))
            .collect();
        serde_json::from_str(&gitlab(&problems, &sources)).unwrap()
    }

    #[test]
    fn fingerprints_differ_from_each_other_and_stay_when_lines_move() {
        let (before, after) = (reports("a\nb\n", &[0, 2]), reports("\n\na\nb\n", &[2, 4]));
        assert_ne!(before[0]["fingerprint"], before[1]["fingerprint"]);
        assert_eq!(before[0]["fingerprint"], after[0]["fingerprint"]);
        assert_eq!(after[0]["location"], json!({ "path": "a.scn", "lines": { "begin": 3, "end": 3 } }));
        assert_eq!(before[0]["severity"], "minor");
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!((fnv1a(b""), fnv1a(b"a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
    }
}
