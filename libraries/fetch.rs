//! `scn fetch`: makes the lock fit `scn.toml` and fills the store from it, as on a fresh machine. In: a project. Out: the lock, the store,
//! and what was done in words. The only command besides `add` and `update` that asks git.

use std::collections::BTreeSet;

use crate::catalog::{Remote, Tools};
use crate::content::{differences, in_words};
use crate::folder::{hashes, write};
use crate::home::Home;
use crate::lock::{From, Lock, Locked};
use crate::problem::{Error, Errors, Problem};
use crate::project::intact;
use crate::relock::{Accept, changes, with_git};

/// Fetches what is not here. With `locked` a missing or stale lock is an error, otherwise it is made anew.
///
/// # Errors
/// What cannot be had, and content that is not what the lock holds.
pub fn fetch(home: &Home, locked: bool, tools: &Tools) -> Result<Vec<String>, Errors> {
    let manifest = home.manifest()?;
    let mut lines = Vec::new();
    let lock = match home.fitting_lock(&manifest) {
        Ok(lock) => lock,
        Err(error) if !locked && matches!(*error.problem, Problem::NoLock | Problem::StaleLock { .. }) => {
            let old = home.lock()?;
            let lock = with_git(&mut Remote::new(home, old.as_ref(), tools), &manifest, &Accept::Only(&BTreeSet::new()))?;
            write(&home.lock_path(), lock.to_text().as_bytes())?;
            lines.extend(changes(old.as_ref(), &lock));
            lines.push("scn.lock written".to_owned());
            lock
        }
        Err(error) => return Err(error.into()),
    };
    lines.extend(fill(home, &lock, tools)?);
    Ok(lines)
}

/// Brings every library of a lock to this machine.
///
/// # Errors
/// What cannot be had, and content that is not what the lock holds, each told.
pub fn fill(home: &Home, lock: &Lock, tools: &Tools) -> Result<Vec<String>, Errors> {
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    for library in lock.libraries.values() {
        match bring(home, library, tools) {
            Ok(line) => lines.extend(line),
            Err(error) => problems.push(error),
        }
    }
    Errors::of(problems).map_or(Ok(lines), Err)
}

/// Brings one library; `None`: it was here.
fn bring(home: &Home, library: &Locked, tools: &Tools) -> Result<Option<String>, Error> {
    let From::Git { address, revision } = &library.from else {
        return intact(home, library, &tools.store).map(|_| None);
    };
    if home.vendor().join(&library.name).is_dir() {
        return intact(home, library, &tools.store).map(|_| None);
    }
    let store = tools.store()?;
    if store.has(&library.name, revision, &library.files) {
        return Ok(None);
    }
    let found = tools.git.library(address, revision, store)?;
    let differences = differences(&library.files, &hashes(&found));
    if !differences.is_empty() {
        let differences = format!("{} (in {revision} of {address})", in_words(&differences));
        let help = "scn.lock was changed by hand or by a merge: take it back from version control".to_owned();
        return Err(Problem::ChangedContent { library: library.title(), differences, help }.into());
    }
    store.keep(&library.name, revision, &found)?;
    Ok(Some(format!("{} fetched from {address}", library.title())))
}
