//! `scn vendor`: copies every library to `vendor/` beside `scn.toml`, where it is preferred to the store. In: a project with a fitting
//! lock. Out: the folder, exchanged whole. A folder that scn did not make is left alone.

use std::collections::BTreeMap;
use std::fs;

use crate::catalog::Tools;
use crate::content::{differences, in_words};
use crate::folder::{Contents, NewFolder, contents, hashes, shown, unwritable};
use crate::home::{Home, VENDOR};
use crate::lock::{From, Locked};
use crate::problem::{Error, Errors, Problem};

/// The file by which scn knows its own folder again. It keeps git from changing line ends, which count.
const MARK: &str = ".gitattributes";
const MARK_TEXT: &str = "# Made by `scn vendor`, which replaces this folder.\n* -text\n";

/// Copies every library of the lock.
///
/// # Errors
/// The lock does not fit, something cannot be had, or the folder is somebody else's.
pub fn vendor(home: &Home, tools: &Tools) -> Result<Vec<String>, Errors> {
    let manifest = home.manifest()?;
    let lock = home.fitting_lock(&manifest)?;
    let folder = home.vendor();
    let is_there = folder.symlink_metadata().is_ok();
    if is_there && fs::read_to_string(folder.join(MARK)).ok().as_deref() != Some(MARK_TEXT) {
        return Err(Problem::ForeignVendor { folder: shown(&folder) }.into());
    }
    let mut libraries: BTreeMap<&str, Contents> = BTreeMap::new();
    let mut problems = Vec::new();
    for library in lock.libraries.values() {
        match original(home, library, tools) {
            Ok(found) => {
                libraries.insert(&library.name, found);
            }
            Err(error) => problems.push(error),
        }
    }
    if let Some(errors) = Errors::of(problems) {
        return Err(errors);
    }
    let new = NewFolder::beside(home.folder())?;
    let mark = new.path().join(MARK);
    fs::write(&mark, MARK_TEXT).map_err(|error| unwritable(&mark, error))?;
    for (name, found) in &libraries {
        new.fill(name, found)?;
    }
    new.place(&folder, is_there)?;
    let count = libraries.len();
    Ok(vec![format!("{count} {} in {VENDOR}/", if count == 1 { "library" } else { "libraries" })])
}

/// A library from where it comes, not from `vendor/`.
fn original(home: &Home, library: &Locked, tools: &Tools) -> Result<Contents, Error> {
    let found = match &library.from {
        From::Path(way) => contents(&home.beside(way))?,
        From::Git { address, revision } => {
            let store = tools.store()?;
            let kept = store.has(&library.name, revision, &library.files);
            if kept { contents(&store.folder(&library.name, revision))? } else { tools.git.library(address, revision, store)? }
        }
    };
    let differences = differences(&library.files, &hashes(&found));
    if differences.is_empty() {
        return Ok(found);
    }
    let help = match &library.from {
        From::Path(_) => format!("if the change is meant, `scn update {}` takes it into scn.lock", library.name),
        From::Git { .. } => "scn.lock was changed by hand or by a merge: take it back from version control".to_owned(),
    };
    Err(Problem::ChangedContent { library: library.title(), differences: in_words(&differences), help }.into())
}
