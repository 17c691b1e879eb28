//! Tests of the syntax stage. In: texts. Out: trees and problems as they should be.

mod language;
mod recovery;
mod spoken;
mod statements;
mod values;

use super::*;

/// Codes and places (the words underlined) of a text's problems.
fn problems(text: &str) -> Vec<(&'static str, &str)> {
    let shown = |span: Span| &text[span.start as usize..span.end as usize];
    parse(FileId(0), text).1.into_iter().map(|d| (d.code.trim_start_matches("scn::syntax::"), shown(d.primary.span))).collect()
}

/// The document of a text that has no problem.
fn good(text: &str) -> Document {
    let (document, problems) = parse(FileId(0), text);
    assert_eq!(problems, Vec::new(), "{text}");
    document
}

#[test]
fn the_shipped_scenarios_parse() {
    for text in [
        include_str!("../../scenarios/two_nodes.scn"),
        include_str!("../../scenarios/failover.scn"),
        include_str!("../../scenarios/mail_session.scn"),
        include_str!("../../stdlib/patterns.scn"),
    ] {
        good(text);
        good(&text.replace('\n', "\r\n"));
        good(&format!("\u{feff}{text}"));
    }
}

#[test]
fn the_acceptance_files_parse() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/language/acceptance");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        good(&std::fs::read_to_string(&file).unwrap());
    }
}

#[test]
fn every_code_has_a_page_whose_examples_are_right() {
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("diagnostics/pages");
    for code in CODES {
        let slug = code.trim_start_matches("scn::syntax::");
        let page = std::fs::read_to_string(pages.join(format!("syntax_{slug}.md"))).unwrap();
        let examples: Vec<&str> = page.split("```scn\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        let codes = |text: &str| problems(text).into_iter().map(|p| p.0).collect::<Vec<_>>();
        let [bad, fine] = examples.as_slice() else { panic!("two examples in the page of {code}") };
        assert!(codes(bad).contains(&slug), "{code}: {:?}", codes(bad));
        good(fine);
    }
}
