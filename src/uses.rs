//! What files use: other files, and libraries of the project that a file belongs to. In: the words of a `use` and the name of the file
//! that says it. Out: a name to show and a text, or why not. Decides nothing: `scn_libraries` knows projects, this finds the right one.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use scn_grammar::diagnostics::{Diagnostic, Severity};
use scn_grammar::source::{Sources, Span};
use scn_grammar::{Load, LoadedText, NotLoaded};
use scn_libraries::home::Home;
use scn_libraries::problem::{Error, Errors};
use scn_libraries::project::{ModuleFile, Project};
use scn_libraries::store::Store;

/// The projects of the files of one command, each opened once.
#[derive(Debug)]
pub struct Projects {
    locked: bool,
    /// By its folder; `None`: it could not be opened, which was told.
    opened: BTreeMap<Home, Option<Project>>,
}

impl Projects {
    /// With `locked`, or where `CI` is set, a missing or stale lock is refused.
    #[must_use]
    pub fn new(locked: bool) -> Self {
        Projects { locked: locked || is_ci(std::env::var_os("CI").as_deref()), opened: BTreeMap::new() }
    }

    /// What a checked file, and all that it uses, may use. What is wrong with its project is told once.
    pub fn uses_of(&mut self, file: &Path, sources: &mut Sources, diagnostics: &mut Vec<Diagnostic>) -> Uses<'_> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Some(home) = Home::find(folder) else { return Uses { project: Belongs::Nowhere, shown: BTreeMap::new() } };
        let opened = self.opened.entry(home.clone()).or_insert_with(|| match Project::open(home.clone(), self.locked, store()) {
            Ok((project, note)) => {
                diagnostics.extend(note.map(|note| diagnostic(&note, &home, Severity::Warning, sources)));
                Some(project)
            }
            Err(Errors(all)) => {
                diagnostics.extend(all.iter().map(|error| diagnostic(error, &home, Severity::Error, sources)));
                None
            }
        });
        let project = opened.as_mut().map_or(Belongs::Broken, Belongs::To);
        Uses { project, shown: BTreeMap::new() }
    }
}

/// Where libraries from git are kept.
///
/// # Errors
/// The environment does not tell.
pub fn store() -> Result<Store, Error> {
    Store::locate(|name| std::env::var_os(name))
}

/// Whether a build server runs this: `CI` is set, and not to `false`, `0` or nothing.
#[must_use]
pub fn is_ci(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !["", "0", "false"].iter().any(|no| value == OsStr::new(no)))
}

/// A problem of libraries as it is drawn.
pub fn diagnostic(error: &Error, home: &Home, severity: Severity, sources: &mut Sources) -> Diagnostic {
    let (name, text, span) = match &error.place {
        Some(place) => (place.file.clone(), place.text.clone(), place.span.clone()),
        None => (scn_libraries::folder::shown(&home.manifest_path()), "".into(), 0..0),
    };
    let file = sources.find(&name, &text).unwrap_or_else(|| sources.add(name, text));
    let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    let span = Span { file, start: at(span.start), end: at(span.end) };
    let label = if span.end > span.start { "here" } else { "" };
    let found = Diagnostic::error(error.problem.code(), span, error.problem.to_string(), label).help(error.problem.help());
    Diagnostic { severity, ..found }
}

/// The project of a checked file.
#[derive(Debug)]
enum Belongs<'a> {
    /// No folder upwards has a `scn.toml`.
    Nowhere,
    /// The project's files say what they may not.
    Broken,
    /// This one.
    To(&'a mut Project),
}

/// What one checked file, and all that it uses, may use.
#[derive(Debug)]
pub struct Uses<'a> {
    project: Belongs<'a>,
    /// The files of libraries that were given, by the names to show: the library, and the path in it.
    shown: BTreeMap<String, (String, String)>,
}

impl Load for Uses<'_> {
    /// The file that `use "./x.scn"` names. `by` is the name, as shown, of the file that says it; a library's file reaches only files of
    /// that library.
    fn file(&mut self, wanted: &str, by: &str) -> Result<LoadedText, NotLoaded> {
        match (self.shown.get(by).cloned(), &mut self.project) {
            (Some((library, path)), Belongs::To(project)) => {
                let found = project.file(&library, &path, wanted).map_err(|error| not_loaded(&error))?;
                Ok(self.give(found))
            }
            _ => used_file(wanted, by),
        }
    }

    /// The file that `use acme.lab` names: `words` are `acme` and `lab`. What a library's file uses is looked up in that library's own
    /// `scn.toml`.
    fn module(&mut self, words: &[&str], by: &str) -> Result<LoadedText, NotLoaded> {
        let name = words.first().copied().unwrap_or("");
        match &mut self.project {
            Belongs::Nowhere => {
                let help = format!("`scn add {name} --git URL` or `scn add {name} --path FOLDER` makes one");
                Err(NotLoaded { help: Some(help), .."there is no scn.toml that names it".into() })
            }
            Belongs::Broken => Err("the project's scn.toml or scn.lock has problems, told with it".into()),
            Belongs::To(project) => {
                let library = self.shown.get(by).map(|(library, _)| library.as_str());
                let found = project.module(words, library).map_err(|error| not_loaded(&error))?;
                Ok(self.give(found))
            }
        }
    }
}

impl Uses<'_> {
    /// The libraries whose files were given: name, and exactly which.
    #[must_use]
    pub fn libraries(&self) -> Vec<(String, String)> {
        let Belongs::To(project) = &self.project else { return Vec::new() };
        let names: BTreeSet<&String> = self.shown.values().map(|(library, _)| library).collect();
        names.into_iter().filter_map(|name| Some((name.clone(), project.identity(name)?))).collect()
    }

    /// Remembers what is given, to know it again as the one that uses something.
    fn give(&mut self, found: ModuleFile) -> LoadedText {
        self.shown.insert(found.shown.clone(), (found.library, found.path));
        LoadedText { name: found.shown, text: found.text }
    }
}

/// A problem of libraries where a file uses one.
fn not_loaded(error: &Error) -> NotLoaded {
    NotLoaded { code: Some(error.problem.code()), reason: error.to_string(), help: Some(error.problem.help()) }
}

/// Reads a file that another one uses, relative to it.
fn used_file(wanted: &str, user: &str) -> Result<LoadedText, NotLoaded> {
    let path = Path::new(user).parent().unwrap_or(Path::new("")).join(wanted);
    // One name a file, so that it is read once: `./site.scn` and `site.scn` are the same.
    let path: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    let text = crate::load::read_used(&path)?;
    Ok(LoadedText { name: path.to_string_lossy().into_owned(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_is_what_build_servers_set() {
        for (value, is) in
            [(None, false), (Some(""), false), (Some("0"), false), (Some("false"), false), (Some("1"), true), (Some("true"), true)]
        {
            assert_eq!(is_ci(value.map(OsStr::new)), is, "{value:?}");
        }
    }
}
