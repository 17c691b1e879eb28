//! What holds for every input, whatever it is. In: a text or bytes. Out: nothing; a panic is a find. Shared by the fuzz targets and by
//! the test that gives them the kept corpus again.

use std::collections::BTreeMap;

use scn_grammar::LoadNothing;
use scn_grammar::source::{FileId, Sources};
use scn_grammar::syntax::parse;
use scn_libraries::lock::{self, Lock};
use scn_libraries::manifest::Manifest;
use scn_reports::junit::Written;
use scn_reports::record as stored;
use scn_reports::suite::Suite;
use scn_reports::text::Style;
use scn_runner::plan;

/// A text is read, laid out, checked, expanded, planned and printed.
pub fn language(text: &str) {
    laws_of_the_layout(text);
    let mut sources = Sources::default();
    let file = sources.add("fuzz.scn", text.to_owned());
    let checked = scn_grammar::check(&mut sources, file, &BTreeMap::new(), &mut LoadNothing);
    for problem in &checked.diagnostics {
        assert!(!problem.message.is_empty(), "a problem without words: {problem:?}");
    }
    for scenario in &checked.scenarios {
        if let Ok(planned) = plan::plan(scenario, &plan::Settings::default()) {
            assert!(!plan::print::text(&planned.plan).is_empty());
        }
    }
}

/// Laid out once, a text is laid out; and it means what it meant.
fn laws_of_the_layout(text: &str) {
    let Ok(once) = scn_grammar::format::format(FileId::default(), text) else { return };
    let twice = scn_grammar::format::format(FileId::default(), &once).expect("what the layout made can be read");
    assert_eq!(once, twice, "a second layout differs");
    let (before, problems) = parse(FileId::default(), text);
    if problems.is_empty() {
        let (after, problems) = parse(FileId::default(), &once);
        assert!(problems.is_empty(), "the layout broke it: {problems:?}");
        assert_eq!(without_places(&format!("{before:?}")), without_places(&format!("{after:?}")), "the layout changed the tree");
    }
}

/// A tree's words without `Span { .. }`.
fn without_places(tree: &str) -> String {
    let mut out = String::with_capacity(tree.len());
    let mut rest = tree;
    while let Some((before, after)) = rest.split_once("Span {") {
        out.push_str(before);
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    out + rest
}

/// A lock is written as it was read.
pub fn lock(text: &str) {
    if let Ok(read) = Lock::parse("scn.lock", text) {
        let written = read.to_text();
        let again = Lock::parse("scn.lock", &written).expect("what was written can be read");
        assert_eq!(again.to_text(), written);
    }
}

/// A manifest is read, and what it asks for is told.
pub fn manifest(text: &str) {
    if let Ok(read) = Manifest::parse("scn.toml", text) {
        let _ = lock::asked(&read);
    }
}

/// A stored run is read, written as it was read, judged anew, and told by every report.
pub fn record(bytes: &[u8]) {
    let Ok(mut record) = stored::read(bytes) else { return };
    let written = stored::to_json(&record);
    let again = stored::read(written.as_bytes()).expect("what was written can be read");
    assert_eq!(stored::to_json(&again), written);
    if scn_runner::judge::judge(&mut record).is_ok() {
        let suites = [Suite::ran(&record)];
        let style = Style { colour: false, width: 100, unicode: true };
        assert!(!scn_reports::text::render(&record, style).is_empty());
        assert!(!scn_reports::junit::render(&suites, Written { hostname: "host", at: "2026-01-01T00:00:00Z" }).is_empty());
        assert!(!scn_reports::json::render(&suites).is_empty());
        assert!(!scn_reports::html::render(&suites).expect("the page's template is sound").is_empty());
    }
}
