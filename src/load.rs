//! From paths to checked scenarios. In: files, folders, globs. Out: their texts, scenarios and diagnostics. The only place that
//! reads scenario files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use scn_grammar::diagnostics::{Diagnostic, Severity};
use scn_grammar::scenario::Scenario;
use scn_grammar::source::{FileId, Sources, Span};

use crate::arguments::Selection;
use crate::filter::Filter;
use crate::params;
use crate::uses::Projects;

/// A larger file is refused: scenarios are written by people.
const MAX_FILE: u64 = 8 << 20;
/// So many names of scenarios are listed where none was selected.
const NAMES_SHOWN: usize = 20;
/// Folders deeper than this are not searched.
const MAX_FOLDERS: usize = 32;

/// What a selection gave.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Every text that was read.
    pub sources: Sources,
    /// Those that the selection names.
    pub files: Vec<FileId>,
    /// The selected scenarios, each with the file it stands in.
    pub scenarios: Vec<(FileId, Scenario)>,
    /// The libraries that each of them uses: name, and exactly which.
    pub libraries: BTreeMap<FileId, Vec<(String, String)>>,
    /// Problems of all the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The names of the scenarios before the filter, in the order found.
    pub found: Vec<String>,
}

impl Loaded {
    /// Takes problems of one scenario in; what another variant of it said at the same place is not said again.
    pub fn add_once(&mut self, problems: Vec<Diagnostic>) {
        for problem in problems {
            let same = |known: &Diagnostic| {
                (known.code, known.primary.span, &known.message) == (problem.code, problem.primary.span, &problem.message)
            };
            if !self.diagnostics.iter().any(same) {
                self.diagnostics.push(problem);
            }
        }
    }

    /// That no scenario was selected, and which ones there are.
    #[must_use]
    pub fn nothing_selected(&self) -> String {
        let count = self.found.len();
        let names = self.found.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect::<Vec<String>>().join(", ");
        match count {
            0 => "no scenario was selected (0 found)".to_owned(),
            1..=NAMES_SHOWN => format!("no scenario was selected ({count} found: {names})"),
            _ => format!("no scenario was selected ({count} found: {names} and {} more)", count - NAMES_SHOWN),
        }
    }

    /// Whether anything forbids running.
    #[must_use]
    pub fn has_errors(&self, strict: bool) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error || strict)
    }
}

/// Reads and checks everything that a selection names.
///
/// # Errors
/// A mistake on the command line, as one sentence.
pub fn load(selection: &Selection) -> Result<Loaded, String> {
    let filter = selection.filter.as_deref().map(Filter::parse).transpose()?;
    let params = params::params(&selection.params)?;
    let mut loaded = Loaded::default();
    let mut projects = Projects::new(selection.locked);
    let files = find(&selection.paths)?;
    // A parameter that one file lacks is a mistake only when no other file has it.
    let mut unknown: BTreeMap<String, (usize, Diagnostic)> = BTreeMap::new();
    for path in &files {
        let Some(file) = read(path, &mut loaded) else { continue };
        loaded.files.push(file);
        let mut uses = projects.uses_of(path, &mut loaded.sources, &mut loaded.diagnostics);
        let checked = scn_grammar::check(&mut loaded.sources, file, &params, &mut uses);
        let mut scenarios = checked.scenarios;
        let is_unknown = |d: &Diagnostic| d.code == scn_grammar::UNKNOWN_PARAMETER && files.len() > 1;
        let (about_params, others): (Vec<Diagnostic>, Vec<Diagnostic>) = checked.diagnostics.into_iter().partition(is_unknown);
        if !about_params.is_empty() && others.iter().all(|d| d.severity == Severity::Warning) {
            // The file is fine but for that: check it with the parameters that it has.
            let known: BTreeMap<String, String> =
                params.iter().filter(|(name, _)| !names(&about_params, name)).map(|(n, v)| (n.clone(), v.clone())).collect();
            scenarios = scn_grammar::check(&mut loaded.sources, file, &known, &mut uses).scenarios;
        }
        loaded.libraries.insert(file, uses.libraries());
        for name in params.keys().filter(|name| names(&about_params, name)) {
            let first = about_params.iter().find(|d| names(std::slice::from_ref(d), name));
            let entry = first.map(|d| unknown.entry(name.clone()).or_insert_with(|| (0, d.clone())));
            entry.into_iter().for_each(|(count, _)| *count += 1);
        }
        loaded.diagnostics.extend(others);
        loaded.found.extend(scenarios.iter().map(|scenario| scenario.name.clone()));
        let selected = |s: &Scenario| filter.as_ref().is_none_or(|f| f.selects(&s.name, &s.tags));
        loaded.scenarios.extend(scenarios.into_iter().filter(selected).map(|s| (file, s)));
    }
    let nowhere = unknown.into_values().filter(|(count, _)| *count == files.len());
    loaded.diagnostics.extend(nowhere.map(|(_, diagnostic)| diagnostic));
    Ok(loaded)
}

/// Whether diagnostics speak of a parameter.
fn names(diagnostics: &[Diagnostic], param: &str) -> bool {
    diagnostics.iter().any(|d| d.message.contains(&format!("`{param}`")))
}

/// The files that paths name, each once, folders searched in the order of their names.
///
/// # Errors
/// A glob that cannot be read or matches nothing, as one sentence.
pub fn find(paths: &[String]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for given in paths {
        let path = Path::new(given);
        let is_glob = given.contains(['*', '?', '[', '{']) && !path.exists();
        if is_glob {
            let before = found.len();
            let glob = GlobBuilder::new(given.trim_start_matches("./")).literal_separator(true).build();
            let glob = glob.map_err(|error| format!("the glob `{given}` cannot be read: {}", error.kind()))?.compile_matcher();
            let mut files = Vec::new();
            let root: PathBuf = path.components().take_while(|c| !c.as_os_str().to_string_lossy().contains(['*', '?', '[', '{'])).collect();
            search(if root.as_os_str().is_empty() { Path::new(".") } else { &root }, 0, &mut files);
            found.extend(files.into_iter().filter(|f| glob.is_match(f.strip_prefix("./").unwrap_or(f))));
            if found.len() == before {
                return Err(format!("the glob `{given}` matches no file"));
            }
        } else if path.is_dir() {
            search(path, 0, &mut found);
        } else {
            found.push(path.to_owned());
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let vendored = name == scn_libraries::home::VENDOR && folder.join(scn_libraries::content::MANIFEST).exists();
        let hidden = name.to_string_lossy().starts_with('.') || name == "target" || vendored;
        // `file_type` does not follow links, so a link that points upwards cannot make a circle.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !hidden && depth < MAX_FOLDERS => search(&path, depth + 1, found),
            Ok(kind) if !kind.is_dir() && path.extension().is_some_and(|e| e == "scn") && !is_special(&path) => found.push(path),
            _ => {}
        }
    }
}

/// Neither a file nor missing: a pipe that nobody writes to would be waited for without end. Whoever names one means it.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.is_file())
}

/// Reads one file into the sources; a file that cannot be read becomes a diagnostic.
pub fn read(path: &Path, loaded: &mut Loaded) -> Option<FileId> {
    let name = path.to_string_lossy().trim_start_matches("./").to_owned();
    take_in(name, fs::File::open(path).and_then(read_bounded), loaded)
}

/// Reads standard input into the sources; what cannot be read becomes a diagnostic.
pub fn read_input(loaded: &mut Loaded) -> Option<FileId> {
    take_in("<stdin>".to_owned(), read_bounded(io::stdin().lock()), loaded)
}

/// The text of a file that may be a scenario, without a word about why it is none.
#[must_use]
pub fn read_text(path: &Path) -> Option<String> {
    let bytes = fs::File::open(path).and_then(read_bounded).ok().filter(|bytes| bytes.len() as u64 <= MAX_FILE)?;
    String::from_utf8(bytes).ok()
}

/// The text of a file that another one uses.
///
/// # Errors
/// Why it can't be had.
pub fn read_used(path: &Path) -> Result<String, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no plain file".to_owned());
    }
    let bytes = fs::File::open(path).and_then(read_bounded).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it has more than {} MiB, the most that a scenario may have", MAX_FILE >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// At most one byte more than may be.
fn read_bounded(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn take_in(name: String, bytes: io::Result<Vec<u8>>, loaded: &mut Loaded) -> Option<FileId> {
    let mut refuse = |text: &str, at: usize, code, message: String, label: &str, help: &str| {
        let file = loaded.sources.add(name.clone(), text);
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let span = Span { file, start: at, end: at };
        loaded.diagnostics.push(Diagnostic::error(code, span, message, label).help(help));
    };
    match bytes {
        Err(error) => {
            let message = format!("{name} cannot be read: {error}");
            refuse("", 0, "scn::file::unreadable", message, "not read", "give the path of a scenario file, a folder or a glob");
            None
        }
        Ok(bytes) if bytes.len() as u64 > MAX_FILE => {
            let message = format!("{name} has more than {} MiB, the most that a scenario may have", MAX_FILE >> 20);
            refuse("", 0, "scn::file::too_large", message, "not read", "split it into several files");
            None
        }
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Some(loaded.sources.add(name, text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let message = format!("{name} is not UTF-8 text: byte {at} does not belong to a character");
                refuse(&text, at, "scn::file::not_utf8", message, "not UTF-8", "save the file as UTF-8");
                None
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_selected_nothing_is_told_what_there_is() {
        let told = |found: &[&str]| {
            Loaded { found: found.iter().map(|name| (*name).to_owned()).collect(), ..Loaded::default() }.nothing_selected()
        };
        assert_eq!(told(&[]), "no scenario was selected (0 found)");
        assert_eq!(told(&["alpha", "beta[fam=v4]"]), "no scenario was selected (2 found: `alpha`, `beta[fam=v4]`)");
        assert!(told(&["x"; NAMES_SHOWN + 2]).ends_with("`x` and 2 more)"));
    }
}
