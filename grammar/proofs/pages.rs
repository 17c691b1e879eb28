//! Every code has a page, and every page is true: its first block raises the code, its second raises no error. Pages about libraries show
//! commands, which a test of the whole command runs.

use super::checked;
use crate::diagnostics::{Severity, codes, page, short};
use crate::expand::error::ExpandError;
use crate::expand::moment_error::MomentError;
use crate::expand::pattern_error::PatternError;
use crate::lint::LintError;
use crate::resolve::ResolveError;

/// The blocks of a page marked as scenarios.
pub(super) fn blocks(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match (&mut open, line.trim_end()) {
            (None, "```scn") => open = Some(String::new()),
            (Some(_), "```") => found.extend(open.take()),
            (Some(block), line) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

#[test]
fn every_code_has_a_page() {
    for code in ResolveError::CODES
        .iter()
        .chain(ExpandError::CODES)
        .chain(MomentError::CODES)
        .chain(PatternError::CODES)
        .chain(crate::syntax::CODES)
        .chain(LintError::CODES)
    {
        assert!(page(code).is_some(), "no page for {code}");
    }
}

#[test]
fn every_page_is_true() {
    // These need something outside the file: another file, or `-p`.
    let outside = [
        "scn::resolve::import_cycle",
        "scn::resolve::private_name",
        "scn::resolve::unknown_parameter",
        "scn::expand::bad_parameter",
        "scn::expand::not_in_matrix",
    ];
    let mut wrong = String::new();
    for code in codes().filter(|code| !code.starts_with("scn::libraries::")) {
        let text = page(code).unwrap();
        let blocks = blocks(text);
        let [bad, good] = blocks.as_slice() else {
            wrong.push_str(&format!("{code}: {} blocks, not 2\n", blocks.len()));
            continue;
        };
        let form = text.starts_with(&format!("# {code}\n\n")) && text.contains("\n## Triggers it\n") && text.contains("\n## Does not\n");
        if !form {
            wrong.push_str(&format!("{code}: not in the form of a page\n"));
        }
        // The runner proves the pages of its own codes.
        let plan = code.starts_with("scn::plan::") || code.starts_with("scn::run::");
        let (sources, found) = checked(bad);
        if !plan && !outside.contains(&code) && !found.diagnostics.iter().any(|d| d.code == code) {
            wrong.push_str(&format!("{code}: the first block does not raise it: {}\n", short(&found.diagnostics, &sources)));
        }
        if plan && found.diagnostics.iter().any(|d| d.severity == Severity::Error) {
            wrong.push_str(&format!("{code}: the first block has errors: {}\n", short(&found.diagnostics, &sources)));
        }
        let (sources, found) = checked(good);
        if found.diagnostics.iter().any(|d| d.severity == Severity::Error || d.code == code) {
            wrong.push_str(&format!("{code}: the second block has errors: {}\n", short(&found.diagnostics, &sources)));
        }
        if !bad.starts_with("scn 1\n") && !code.starts_with("scn::syntax::") {
            wrong.push_str(&format!("{code}: a block begins with `scn 1`\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
