//! Diagnostics as SARIF 2.1.0 (OASIS standard), which code scanners of forges read. In: diagnostics and their texts. Out: one JSON
//! document. Columns count UTF-16 code units, as the standard's default says; regions end one past the last.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lines::Lines;
use super::{Diagnostic, Label, Severity, page};
use crate::source::Sources;

/// Where the schema of the form stands.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One run of the tool with a result for each diagnostic.
#[must_use]
pub fn sarif(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut lines = Lines::default();
    let codes: BTreeSet<&str> = diagnostics.iter().map(|d| d.code).collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(code)).collect();
    let results: Vec<Value> = diagnostics.iter().map(|d| result(d, sources, &mut lines)).collect();
    let driver =
        json!({ "name": "scn", "version": env!("CARGO_PKG_VERSION"), "informationUri": env!("CARGO_PKG_REPOSITORY"), "rules": rules });
    let run = json!({ "tool": { "driver": driver }, "columnKind": "utf16CodeUnits", "results": results });
    format!("{:#}\n", json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] }))
}

fn rule(code: &str) -> Value {
    let text = page(code).unwrap_or("");
    let short = text.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or(code);
    json!({ "id": code, "shortDescription": { "text": short }, "help": { "text": text, "markdown": text } })
}

fn result(diagnostic: &Diagnostic, sources: &Sources, lines: &mut Lines) -> Value {
    let level = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
    let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
    let related: Vec<Value> = diagnostic.secondary.iter().map(|label| location(label, sources, lines)).collect();
    let mut result = json!({
        "ruleId": diagnostic.code,
        "level": level,
        "message": { "text": format!("{}{help}", diagnostic.message) },
        "locations": [location(&diagnostic.primary, sources, lines)],
    });
    if !related.is_empty() {
        result["relatedLocations"] = Value::Array(related);
    }
    result
}

fn location(label: &Label, sources: &Sources, lines: &mut Lines) -> Value {
    let span = label.span;
    let (start, end) = (place(sources, lines, span.file, span.start), place(sources, lines, span.file, span.end));
    let region = json!({ "startLine": start.0, "startColumn": start.1, "endLine": end.0, "endColumn": end.1 });
    let artifact = json!({ "uri": uri(&sources.get(span.file).name) });
    json!({ "physicalLocation": { "artifactLocation": artifact, "region": region }, "message": { "text": label.text } })
}

/// Line and column of a byte, both from 1, the column in UTF-16 code units.
fn place(sources: &Sources, lines: &mut Lines, file: crate::source::FileId, byte: u32) -> (usize, usize) {
    let line = lines.line(sources, file, byte);
    let (start, _) = lines.range(sources, file, line);
    let text = &sources.get(file).text;
    let before = text.get(start..(byte as usize).min(text.len())).unwrap_or("");
    (line + 1, before.encode_utf16().count() + 1)
}

/// A file's name as a URI reference (RFC 3986): what is not unreserved, and not `/`, is escaped.
fn uri(name: &str) -> String {
    let name = name.strip_prefix("./").unwrap_or(name);
    name.bytes().fold(String::with_capacity(name.len()), |mut uri, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    #[test]
    fn a_result_has_its_rule_its_place_and_the_other_places() {
        let mut sources = Sources::default();
        let file = sources.add("./a b.scn", "scn 1\n# 😀 x y\n");
        let at = |start, end| Span { file, start, end };
        let code = "scn::resolve::unknown_node";
        let problem = Diagnostic::error(code, at(13, 14), "no", "here").also(at(15, 16), "there").help("do");
        let value: Value = serde_json::from_str(&sarif(&[problem], &sources)).unwrap();
        let run = &value["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], code);
        let result = &run["results"][0];
        assert_eq!((&result["level"], &result["message"]["text"]), (&json!("error"), &json!("no\ndo")));
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert_eq!(*region, json!({ "startLine": 2, "startColumn": 6, "endLine": 2, "endColumn": 7 }));
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a%20b.scn");
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "there");
    }
}
