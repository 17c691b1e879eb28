//! Makes a lock for a manifest: from what is on this machine, or with git's help. In: a project, its manifest, the lock that it had. Out:
//! the new lock, and what differs between two locks in words. Writes no lock.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Local, Remote};
use crate::content::{Files, differences, in_words};
use crate::folder::{contents, hashes};
use crate::home::Home;
use crate::lock::{From, Lock, Locked, asked};
use crate::manifest::Manifest;
use crate::problem::{Error, Errors, Problem};
use crate::select::{Found, select};
use crate::store::Store;

/// Whose changed content is taken in.
pub enum Accept<'a> {
    /// Everybody's.
    All,
    /// That of these libraries.
    Only(&'a BTreeSet<String>),
}

/// A lock from what is on this machine. Touches no network.
///
/// # Errors
/// Something is not here, or does not go together.
pub fn from_here(home: &Home, manifest: &Manifest, old: Option<&Lock>, store: &Result<Store, Error>) -> Result<Lock, Errors> {
    let chosen = select(manifest, &mut Local { home, old, store })?;
    lock_of(manifest, chosen, |found| match &found.from {
        From::Path(way) => Ok(hashes(&contents(&home.beside(way))?)),
        // It was found by the old lock, which keeps holding it.
        From::Git { .. } => {
            let locked = old.and_then(|lock| lock.libraries.get(&found.name));
            locked.map(|locked| locked.files.clone()).ok_or_else(|| Problem::NotFetched { library: found.name.clone() }.into())
        }
    })
}

/// A lock for which git is asked where the old one does not tell.
///
/// # Errors
/// Something cannot be had, does not go together, or changed without being in `accept`.
pub fn with_git(remote: &mut Remote<'_>, manifest: &Manifest, accept: &Accept<'_>) -> Result<Lock, Errors> {
    let chosen = select(manifest, remote)?;
    let lock = lock_of(manifest, chosen, |found| match &found.from {
        From::Path(way) => Ok(hashes(&contents(&remote.home.beside(way))?)),
        From::Git { revision, .. } => {
            let files = remote.files(&found.name, revision).cloned();
            files.ok_or_else(|| Problem::NotFetched { library: found.name.clone() }.into())
        }
    })?;
    let unasked = remote.old.into_iter().flat_map(|old| changed_in_place(old, &lock)).filter(|(name, _)| match accept {
        Accept::All => false,
        Accept::Only(names) => !names.contains(name),
    });
    let problems = unasked.map(|(name, differences)| {
        let help = format!("`scn update {name}` takes the change into scn.lock");
        Problem::ChangedContent { library: name, differences, help }.into()
    });
    match Errors::of(problems.collect()) {
        Some(errors) => Err(errors),
        None => Ok(lock),
    }
}

fn lock_of(
    manifest: &Manifest,
    chosen: BTreeMap<String, Found>,
    mut files: impl FnMut(&Found) -> Result<Files, Error>,
) -> Result<Lock, Errors> {
    let mut lock = Lock { asked: asked(manifest), libraries: BTreeMap::new() };
    for (name, found) in chosen {
        let files = files(&found)?;
        lock.libraries.insert(name, Locked { name: found.name, version: found.version, from: found.from, files });
    }
    Ok(lock)
}

/// Libraries that stand where they stood, with other content.
fn changed_in_place(old: &Lock, new: &Lock) -> Vec<(String, String)> {
    let both = new.libraries.values().filter_map(|new| Some((old.libraries.get(&new.name)?, new)));
    let changed = both.filter(|(old, new)| old.from == new.from && old.files != new.files);
    changed.map(|(old, new)| (new.name.clone(), in_words(&differences(&old.files, &new.files)))).collect()
}

/// What differs between two locks, one line a library.
#[must_use]
pub fn changes(old: Option<&Lock>, new: &Lock) -> Vec<String> {
    let nothing = Lock::default();
    let old = old.unwrap_or(&nothing);
    let names: BTreeSet<&String> = old.libraries.keys().chain(new.libraries.keys()).collect();
    let mut lines = Vec::new();
    for name in names {
        lines.extend(match (old.libraries.get(name), new.libraries.get(name)) {
            (None, Some(new)) => Some(format!("{} added ({})", new.title(), place(&new.from))),
            (Some(old), None) => Some(format!("{} removed", old.title())),
            (Some(old), Some(new)) if old.version != new.version => Some(format!("{} -> {}", old.title(), new.version)),
            (Some(old), Some(new)) if old.from != new.from => {
                Some(format!("{} from {}, was {}", new.title(), place(&new.from), place(&old.from)))
            }
            (Some(old), Some(new)) if old.files != new.files => {
                Some(format!("{}: {}", new.title(), in_words(&differences(&old.files, &new.files))))
            }
            _ => None,
        });
    }
    lines
}

/// Where a library comes from, in a few words.
fn place(from: &From) -> String {
    /// A revision is told by so many digits.
    const SHORT: usize = 12;
    match from {
        From::Path(way) => way.clone(),
        From::Git { address, revision } => format!("{address} {}", &revision.as_str()[..SHORT]),
    }
}
