//! `scn verify`: compares every library on this machine with the lock. In: a project. Out: each file that is changed, missing or extra, and
//! how much was compared. Changes nothing and touches no network.

use std::collections::BTreeSet;
use std::fs;

use crate::content::differences;
use crate::folder::{contents, hashes, shown};
use crate::home::Home;
use crate::lock::Locked;
use crate::problem::{Error, Errors};
use crate::store::Store;

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Libraries of the lock.
    pub libraries: usize,
    /// Files of the lock.
    pub files: usize,
    /// One line for each thing that is not as it was.
    pub differences: Vec<String>,
}

/// Compares a project's libraries with its lock.
///
/// # Errors
/// The lock is missing, damaged or stale.
pub fn verify(home: &Home, store: &Result<Store, Error>) -> Result<Verified, Errors> {
    let manifest = home.manifest()?;
    let lock = home.fitting_lock(&manifest)?;
    let mut found = Verified { libraries: lock.libraries.len(), files: 0, differences: Vec::new() };
    for library in lock.libraries.values() {
        found.files += library.files.len();
        found.differences.extend(compare(home, library, store));
    }
    let names: BTreeSet<&str> = lock.libraries.keys().map(String::as_str).collect();
    for entry in fs::read_dir(home.vendor()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !names.contains(name.as_str()) {
            found.differences.push(format!("{} is not in scn.lock", shown(&entry.path())));
        }
    }
    Ok(found)
}

/// One line for each difference of a library.
fn compare(home: &Home, library: &Locked, store: &Result<Store, Error>) -> Vec<String> {
    let found = home.folder_of(library, store).and_then(|folder| {
        let there = folder.is_dir();
        if there { contents(&folder).map(|found| Some((folder, found))) } else { Ok(None) }
    });
    match found {
        Ok(None) => vec![format!("{} is not on this machine", library.title())],
        Err(error) => vec![format!("{}: {}", library.title(), error.problem)],
        Ok(Some((folder, found))) => {
            let differences = differences(&library.files, &hashes(&found));
            differences.iter().map(|difference| format!("{}: {difference} (in {})", library.title(), shown(&folder))).collect()
        }
    }
}
