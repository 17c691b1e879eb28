//! `scn diff`: what changed in meaning between two versions. Loads and plans both sides; what counts as a change is decided in `runner`.

use std::fs;
use std::path::{Path, PathBuf};

use scn_grammar::declarations::declarations;
use scn_grammar::diagnostics::Severity;
use scn_grammar::source::FileId;
use scn_libraries::git::Git;
use scn_libraries::past::Past;
use scn_runner::plan::{self, review};

use super::{print, refuse, show_problems, tell};
use crate::arguments::{DiffArguments, DiffFormat, Selection};
use crate::exit::Exit;
use crate::load::{self, Loaded};

/// Where a side is read.
struct Place {
    /// The file or folder.
    path: PathBuf,
    /// What is shown instead of this beginning of a path: of a commit the words that name it.
    shown: Option<(PathBuf, String)>,
    /// Holds the files of a commit as long as they are read.
    _files: Option<tempfile::TempDir>,
}

/// Compares two sides.
#[must_use]
pub fn diff(arguments: &DiffArguments) -> Exit {
    let places = match (&arguments.git, arguments.sides.as_slice()) {
        (None, [old, new]) => side(old).and_then(|old| Ok([old, side(new)?])),
        (None, _) => Err("two sides are compared: give both, or --git REVISION".to_owned()),
        (Some(revision), []) => since(revision, "."),
        (Some(revision), [path]) => since(revision, path),
        (Some(_), _) => Err("with --git there is one path: the commit is the old side, the files are the new one".to_owned()),
    };
    let [old, new] = match places {
        Ok(places) => places,
        Err(why) => return refuse(&why),
    };
    let (old, new) = match (read(&old, arguments), read(&new, arguments)) {
        (Ok(Some(old)), Ok(Some(new))) => (old, new),
        (Err(why), _) | (_, Err(why)) => return refuse(&why),
        _ => return Exit::Invalid,
    };
    let review = review::review(&old, &new);
    match arguments.format {
        DiffFormat::Text if review.is_empty() => tell("nothing means anything else than before"),
        DiffFormat::Text => print(&review.text()),
        DiffFormat::Markdown => print(&review.markdown()),
        DiffFormat::Json => print(&review.json()),
    }
    if review.is_empty() { Exit::Pass } else { Exit::Fail }
}

/// A side by its words: a path, or `REVISION:PATH`.
fn side(words: &str) -> Result<Place, String> {
    if Path::new(words).exists() {
        return Ok(Place { path: words.into(), shown: None, _files: None });
    }
    match words.split_once(':') {
        Some((revision, path)) => {
            let past = past(revision)?;
            // As git reads it: from the root of the repository, or with `./` from here.
            let path = if path.starts_with("./") || path.starts_with("../") { format!("{}{path}", past.prefix) } else { path.to_owned() };
            unpacked(revision, &past, &path)
        }
        None => Err(format!("{words} is no file or folder; a side of git is REVISION:PATH")),
    }
}

/// A path as it was at a commit, and as it is.
fn since(revision: &str, path: &str) -> Result<[Place; 2], String> {
    if Path::new(path).is_absolute() {
        return Err("with --git the path counts from here: give a relative one".to_owned());
    }
    let past = past(revision)?;
    let new = Place { path: path.into(), shown: None, _files: None };
    if !new.path.exists() {
        return Err(format!("{path} is no file or folder"));
    }
    Ok([unpacked(revision, &past, &format!("{}{path}", past.prefix))?, new])
}

fn past(revision: &str) -> Result<Past, String> {
    Git::default().past(Path::new("."), revision).map_err(|error| format!("{error}; {}", error.problem.help()))
}

/// Writes the files of a commit where they can be read like any others.
fn unpacked(revision: &str, past: &Past, path: &str) -> Result<Place, String> {
    let path = plain(path).ok_or_else(|| format!("{path} leads out of the repository"))?;
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder can be made: {error}"))?;
    for (file, bytes) in &past.files {
        let to = folder.path().join(file);
        let made = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&to, bytes));
        made.map_err(|error| format!("{} cannot be written: {error}", to.display()))?;
    }
    let place = folder.path().join(&path);
    if !place.exists() {
        return Err(format!("the commit `{revision}` has no scenario at {}", if path.is_empty() { "its root" } else { &path }));
    }
    Ok(Place { path: place, shown: Some((folder.path().to_owned(), format!("{revision}:"))), _files: Some(folder) })
}

/// The path without `.` and `..`; `None`: it leads above its beginning.
fn plain(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Checks and plans a side; `None`: it has errors, which are told.
fn read(place: &Place, arguments: &DiffArguments) -> Result<Option<review::Side>, String> {
    let selection = Selection {
        paths: vec![place.path.to_string_lossy().into_owned()],
        filter: None,
        params: arguments.params.clone(),
        message_format: arguments.message_format,
        strict: false,
        locked: arguments.locked,
    };
    let mut loaded = load::load(&selection)?;
    let mut side = review::Side::default();
    for (_, scenario) in &loaded.scenarios {
        match plan::plan(scenario, &plan::Settings::default()) {
            Ok(planned) => side.plans.push(planned.plan),
            Err(problems) => loaded.diagnostics.extend(problems),
        }
    }
    for file in &loaded.files {
        if !loaded.scenarios.iter().any(|(of, _)| of == file) {
            add_library(*file, place, &loaded, &mut side);
        }
    }
    side.plans.iter_mut().for_each(|plan| plan.file = within(place, &plan.file));
    loaded.sources.rename(|file| shown(place, file));
    loaded.diagnostics.retain(|problem| problem.severity == Severity::Error);
    show_problems(&loaded.diagnostics, &loaded.sources, arguments.message_format, false);
    Ok(loaded.diagnostics.is_empty().then_some(side))
}

/// What a file without scenarios declares. Problems of its text were found by the check.
fn add_library(file: FileId, place: &Place, loaded: &Loaded, side: &mut review::Side) {
    let source = loaded.sources.get(file);
    if let Ok(declared) = declarations(file, &source.text) {
        side.libraries.push((within(place, &source.name), declared));
    }
}

/// A file as both sides name it: from the folder that is compared; of a single file nothing is left but that it is one.
fn within(place: &Place, file: &str) -> String {
    let root = place.path.to_string_lossy();
    let root = root.trim_start_matches("./").trim_end_matches('/');
    match Path::new(file).strip_prefix(root) {
        Ok(rest) if rest.as_os_str().is_empty() => "the file".to_owned(),
        Ok(rest) => rest.to_string_lossy().into_owned(),
        Err(_) => file.to_owned(),
    }
}

/// A file of a commit by its words for git.
fn shown(place: &Place, file: &str) -> String {
    let Some((folder, words)) = &place.shown else { return file.to_owned() };
    match Path::new(file).strip_prefix(folder) {
        Ok(rest) => format!("{words}{}", rest.display()),
        Err(_) => file.to_owned(),
    }
}
