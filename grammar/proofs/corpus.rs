//! The corpus `tests/diagnostics/CODE/CASE.scn`, `CODE` without `scn::` and with `_` for `::`: what is expected stands as `#~ code: beginning of the message` over the line,
//! several one under the other. Where nothing stands nothing may be found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::checked_with;
use crate::diagnostics::lines::Lines;
use crate::diagnostics::{codes, draw, json, short};

/// Expected: line from 1, code, beginning of the message.
fn expected(text: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let Some(said) = line.trim_start().strip_prefix("#~ ") else { continue };
        let after = lines[number..].iter().take_while(|line| line.trim_start().starts_with("#~")).count();
        let (code, message) = said.split_once(": ").unwrap_or((said, ""));
        found.push((number + after + 1, code.to_owned(), message.to_owned()));
    }
    found
}

/// Names and what they stand for.
type Pairs = Vec<(String, String)>;

/// `#! param name=value` lines give parameters, `#! file NAME` and the lines `#|` under it another file.
fn surroundings(text: &str) -> (Pairs, Pairs) {
    let (mut params, mut files): (Pairs, Pairs) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some((name, value)) = line.strip_prefix("#! param ").and_then(|said| said.split_once('=')) {
            params.push((name.to_owned(), value.to_owned()));
        } else if let Some(name) = line.strip_prefix("#! file ") {
            files.push((name.to_owned(), String::new()));
        } else if let (Some(more), Some((_, file))) = (line.strip_prefix("#|"), files.last_mut()) {
            file.push_str(more);
            file.push('\n');
        }
    }
    (params, files)
}

/// Every case with the name of its folder, in order; one that stands in no folder has none.
fn cases(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.extend(std::fs::read_dir(&path).unwrap().map(|inner| (name.clone(), inner.unwrap().path())));
        } else {
            found.push((String::new(), path));
        }
    }
    found.retain(|(_, path)| path.extension().is_some_and(|end| end == "scn"));
    found.sort();
    found
}

#[test]
fn every_case_is_reported_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/diagnostics");
    let mut cases = 0;
    let mut wrong = String::new();
    for (about, path) in self::cases(&folder) {
        let name = path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let (params, others) = surroundings(&text);
        let params: Vec<(&str, &str)> = params.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let others: Vec<(&str, &str)> = others.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let (sources, found) = checked_with(&name, &text, &params, &others);
        let mut lines = Lines::default();
        let mut left = expected(&text);
        cases += 1;
        if left.is_empty() {
            wrong.push_str(&format!("{name}: expects nothing\n"));
        }
        let folder_of = |code: &str| code.trim_start_matches("scn::").replace("::", "_");
        if !about.is_empty() && !left.iter().any(|(_, code, _)| folder_of(code) == about) {
            wrong.push_str(&format!("{name}: expects nothing of its folder's code\n"));
        }
        for diagnostic in &found.diagnostics {
            let span = diagnostic.primary.span;
            let (start, _) = lines.places(&sources, span);
            let at = left.iter().position(|(line, code, message)| {
                (*line == start.line as usize || sources.get(span.file).name != name)
                    && *code == diagnostic.code
                    && diagnostic.message.starts_with(message.as_str())
            });
            match at {
                Some(at) => drop(left.remove(at)),
                None => wrong.push_str(&format!("not expected: {}", short(std::slice::from_ref(diagnostic), &sources))),
            }
        }
        for (line, code, message) in left {
            wrong.push_str(&format!("{name}:{line}: expected {code}: {message}\n"));
        }
        // Every picture can be drawn, every line of JSON read.
        assert!(draw(&found.diagnostics, &sources, true, 80).len() > 10);
        for line in json(&found.diagnostics, &sources).lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["version"], 1);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(cases >= 150, "only {cases} cases");
}

#[test]
fn every_code_has_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/diagnostics");
    let texts: Vec<String> = cases(&folder).iter().map(|(_, path)| std::fs::read_to_string(path).unwrap()).collect();
    let cased: BTreeSet<String> = texts.iter().flat_map(|text| expected(text)).map(|(_, code, _)| code).collect();
    // The planner's, the runner's and the libraries' are raised by other rooms, whose tests hold their pages against them.
    let elsewhere = ["scn::plan::", "scn::run::", "scn::libraries::"];
    // Bytes that are no text stand in no case.
    let outside = ["scn::syntax::not_text"];
    let known = codes().filter(|code| !elsewhere.iter().any(|stage| code.starts_with(stage)) && !outside.contains(code));
    let missing: Vec<&str> = known.filter(|code| !cased.contains(*code)).collect();
    assert!(missing.is_empty(), "tests/diagnostics has no case for:\n{}", missing.join("\n"));
}
