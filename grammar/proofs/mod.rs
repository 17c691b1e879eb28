//! Tests of the whole room: scenarios, the corpus of diagnostics, the pages, hostile texts. In: files of the project. Out: nothing.

mod corpus;
mod hostile;
mod pages;
mod patterns;
mod reference;
mod scenarios;

use std::collections::BTreeMap;

use crate::source::Sources;
use crate::{Checked, check};

/// Checks a text with parameters; `use "./x.scn"` finds nothing but the given files.
fn checked_with(name: &str, text: &str, params: &[(&str, &str)], files: &[(&str, &str)]) -> (Sources, Checked) {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let params: BTreeMap<String, String> = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut load = |path: &str, _: &str| {
        let found = files.iter().find(|(name, _)| path.trim_start_matches("./") == *name);
        found.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).ok_or_else(|| "no such file".to_owned())
    };
    let found = check(&mut sources, file, &params, &mut load);
    (sources, found)
}

/// Checks a text alone.
fn checked(text: &str) -> (Sources, Checked) {
    checked_with("test.scn", text, &[], &[])
}
