//! The folder of this user where libraries from git are kept: `git/NAME-REVISION`, one a revision. In: names, revisions, contents. Out:
//! folders. What is kept is never believed: whoever uses it compares it with the lock.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::Revision;
use crate::content::Files;
use crate::folder::{Contents, HALF_DONE, NewFolder, contents, hashes};
use crate::problem::{Error, Problem};

/// A folder that is being made and was not touched for so long belongs to nobody.
const ABANDONED: Duration = Duration::from_secs(24 * 3_600);

/// Where libraries are kept.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// `$SCN_HOME`, else `$XDG_CACHE_HOME/scn`, else `$HOME/.cache/scn`. `variable` reads the environment.
    ///
    /// # Errors
    /// None of them is set, or the one that is does not begin with `/`.
    pub fn locate(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(|value| (name.to_owned(), PathBuf::from(value)));
        let xdg = || set("XDG_CACHE_HOME").filter(|(_, path)| path.is_absolute()).map(|(name, path)| (name, path.join("scn")));
        let home = || set("HOME").map(|(name, path)| (name, path.join(".cache/scn")));
        match set("SCN_HOME").or_else(xdg).or_else(home) {
            Some((_, root)) if root.is_absolute() => Ok(Store { root }),
            Some((name, root)) => {
                Err(Problem::NoStore { reason: format!("{name} is `{}`, which is no whole path", root.display()) }.into())
            }
            None => Err(Problem::NoStore { reason: "neither SCN_HOME nor XDG_CACHE_HOME nor HOME is set".into() }.into()),
        }
    }

    fn libraries(&self) -> PathBuf {
        self.root.join("git")
    }

    /// Where a library is kept, or would be.
    #[must_use]
    pub fn folder(&self, name: &str, revision: &Revision) -> PathBuf {
        self.libraries().join(format!("{name}-{revision}"))
    }

    /// Whether a library is kept, and is what a lock holds.
    #[must_use]
    pub fn has(&self, name: &str, revision: &Revision, files: &Files) -> bool {
        contents(&self.folder(name, revision)).is_ok_and(|found| hashes(&found) == *files)
    }

    /// Keeps a library; what was kept in its place and differs goes.
    ///
    /// # Errors
    /// It could not be written.
    pub fn keep(&self, name: &str, revision: &Revision, library: &Contents) -> Result<(), Error> {
        let folder = self.folder(name, revision);
        if contents(&folder).is_ok_and(|found| found == *library) {
            return Ok(());
        }
        let new = NewFolder::beside(&self.libraries())?;
        new.fill("", library)?;
        let replaces = folder.exists();
        new.place(&folder, replaces)
    }

    /// A folder for git to work in, gone when dropped.
    ///
    /// # Errors
    /// It could not be made.
    pub fn workplace(&self) -> Result<NewFolder, Error> {
        self.sweep();
        NewFolder::beside(&self.libraries())
    }

    /// Removes what a process that was killed left half done long ago. What cannot be removed hurts nobody.
    fn sweep(&self) {
        for entry in std::fs::read_dir(self.libraries()).into_iter().flatten().flatten() {
            let half_done = entry.file_name().to_string_lossy().starts_with(HALF_DONE);
            let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok());
            if half_done && age.is_some_and(|age| age > ABANDONED) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    /// The folder of all.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(pairs: &[(&str, &str)]) -> Result<Store, Error> {
        Store::locate(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_environment_says_where() {
        let root = |pairs: &[(&str, &str)]| located(pairs).unwrap().root().display().to_string();
        assert_eq!(root(&[("HOME", "/h")]), "/h/.cache/scn");
        assert_eq!(root(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]), "/c/scn");
        assert_eq!(root(&[("HOME", "/h"), ("XDG_CACHE_HOME", "relative")]), "/h/.cache/scn");
        assert_eq!(root(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("SCN_HOME", "/s")]), "/s");
        assert_eq!(root(&[("HOME", "/h"), ("SCN_HOME", "")]), "/h/.cache/scn");
        assert!(located(&[]).unwrap_err().to_string().contains("SCN_HOME"));
        assert!(located(&[("SCN_HOME", "here")]).unwrap_err().to_string().contains("here"));
    }

    #[test]
    fn what_was_spoilt_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let store = Store { root: place.path().join("deep/scn") };
        let revision = Revision::parse(&"a1".repeat(20)).unwrap();
        let library: Contents = [("scn.toml".to_owned(), b"x".to_vec()), ("d/a.scn".to_owned(), b"y".to_vec())].into();
        store.keep("acme", &revision, &library).unwrap();
        assert!(store.has("acme", &revision, &hashes(&library)));
        std::fs::write(store.folder("acme", &revision).join("d/a.scn"), "z").unwrap();
        assert!(!store.has("acme", &revision, &hashes(&library)));
        store.keep("acme", &revision, &library).unwrap();
        assert!(store.has("acme", &revision, &hashes(&library)));
        assert_eq!(std::fs::read_dir(place.path().join("deep/scn/git")).unwrap().count(), 1);
    }

    #[test]
    fn what_was_left_half_done_goes_after_a_day() {
        let place = tempfile::tempdir().unwrap();
        let store = Store { root: place.path().to_owned() };
        for (name, hours) in [(".scn-old", 25), (".scn-new", 1), ("acme-kept", 25)] {
            std::fs::create_dir_all(store.libraries().join(name)).unwrap();
            let at = std::time::SystemTime::now() - Duration::from_secs(hours * 3_600);
            std::fs::File::open(store.libraries().join(name)).unwrap().set_modified(at).unwrap();
        }
        drop(store.workplace().unwrap());
        let mut left: Vec<_> = std::fs::read_dir(store.libraries()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".scn-new", "acme-kept"]);
    }

    #[test]
    fn a_store_that_cannot_be_written_says_so() {
        let store = Store { root: PathBuf::from("/proc/scn") };
        let revision = Revision::parse(&"a1".repeat(20)).unwrap();
        let error = store.keep("acme", &revision, &Contents::new()).unwrap_err();
        assert!(error.to_string().contains("cannot be written") && error.to_string().contains("/proc/scn"), "{error}");
    }
}
