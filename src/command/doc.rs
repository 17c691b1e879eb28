//! `scn doc`: the page of a library.

use std::collections::BTreeMap;
use std::path::Path;

use scn_grammar::diagnostics::Severity;
use scn_grammar::resolve::load::STANDARD;
use scn_grammar::{LoadNothing, check_with_references, doc};

use super::{print, refuse, show_problems};
use crate::arguments::{DocArguments, MessageFormat};
use crate::exit::Exit;
use crate::load::{self, Loaded};
use crate::uses::Projects;

/// Prints the page of a file or of a module of the standard library. A file with errors has none.
#[must_use]
pub fn doc(arguments: &DocArguments) -> Exit {
    let what = arguments.what.as_str();
    let mut loaded = Loaded::default();
    let params = BTreeMap::new();
    let (file, found) = if let Some((_, shown, text)) = STANDARD.iter().find(|(module, ..)| *module == what) {
        let file = loaded.sources.add(*shown, *text);
        (file, check_with_references(&mut loaded.sources, file, &params, &mut LoadNothing))
    } else if what.starts_with("std.") && !Path::new(what).exists() {
        let known: Vec<&str> = STANDARD.iter().map(|(module, ..)| *module).collect();
        return refuse(&format!("the standard library has no module `{what}`; there are {}", known.join(", ")));
    } else {
        let Some(file) = load::read(Path::new(what), &mut loaded) else {
            show_problems(&loaded.diagnostics, &loaded.sources, MessageFormat::Human, false);
            return Exit::Invalid;
        };
        let mut projects = Projects::new(false);
        let mut uses = projects.uses_of(Path::new(what), &mut loaded.sources, &mut loaded.diagnostics);
        (file, check_with_references(&mut loaded.sources, file, &params, &mut uses))
    };
    loaded.diagnostics.extend(found.diagnostics.into_iter().filter(|problem| problem.severity == Severity::Error));
    if !loaded.diagnostics.is_empty() {
        show_problems(&loaded.diagnostics, &loaded.sources, MessageFormat::Human, false);
    }
    if loaded.has_errors(false) {
        return Exit::Invalid;
    }
    print(&doc::page(&loaded.sources, file, what, &found.references));
    Exit::Pass
}
