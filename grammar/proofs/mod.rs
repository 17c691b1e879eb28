//! Tests of the whole room: scenarios, the corpus of diagnostics, the pages, hostile texts. In: files of the project. Out: nothing.

mod corpus;
mod hostile;
mod library;
mod moments;
mod networks;
mod pages;
mod patterns;
mod reference;
mod scenarios;

use std::collections::BTreeMap;

use crate::source::Sources;
use crate::{Checked, Load, LoadedText, NotLoaded, check};

/// Files by name; a module `acme.lab` is the file `acme.lab`.
struct Beside<'a>(&'a [(&'a str, &'a str)]);

impl Load for Beside<'_> {
    fn file(&mut self, path: &str, _by: &str) -> Result<LoadedText, NotLoaded> {
        let found = self.0.iter().find(|(name, _)| path.trim_start_matches("./") == *name);
        found.map(|(name, text)| LoadedText { name: (*name).into(), text: (*text).into() }).ok_or_else(|| "no such file".into())
    }

    fn module(&mut self, words: &[&str], by: &str) -> Result<LoadedText, NotLoaded> {
        self.file(&words.join("."), by).map_err(|_| format!("there is no library `{}`", words[0]).into())
    }
}

/// Checks a text with parameters; `use` finds nothing but the given files.
fn checked_with(name: &str, text: &str, params: &[(&str, &str)], files: &[(&str, &str)]) -> (Sources, Checked) {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let params: BTreeMap<String, String> = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let found = check(&mut sources, file, &params, &mut Beside(files));
    (sources, found)
}

/// Checks a text alone.
fn checked(text: &str) -> (Sources, Checked) {
    checked_with("test.scn", text, &[], &[])
}
