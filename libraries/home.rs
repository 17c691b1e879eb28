//! A project's folder: where its manifest, its lock and its vendored libraries stand, and where each library's files are. In: a path.
//! Out: texts and folders. Resolves nothing.

use std::path::{Path, PathBuf};

use crate::content::MANIFEST;
use crate::folder::{read_text, shown};
use crate::lock::{From, LOCK, Lock, Locked, MAX_LOCK};
use crate::manifest::{MAX_MANIFEST, Manifest};
use crate::problem::{Error, Errors, Problem};
use crate::store::Store;

/// Folders upwards that are looked into for a manifest.
const MAX_UPWARDS: usize = 64;
/// The folder beside the manifest that holds copies of all libraries.
pub const VENDOR: &str = "vendor";

/// The folder that holds a project's `scn.toml`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// The project that a folder belongs to: the nearest upwards with a `scn.toml`.
    #[must_use]
    pub fn find(from: &Path) -> Option<Self> {
        let whole = from.canonicalize().ok()?;
        let found = whole.ancestors().take(MAX_UPWARDS).find(|folder| folder.join(MANIFEST).symlink_metadata().is_ok())?;
        Some(Home { folder: found.to_owned() })
    }

    /// A folder that will get a `scn.toml`.
    ///
    /// # Errors
    /// It is not there.
    pub fn new(folder: &Path) -> Result<Self, Error> {
        let unreadable = |error: std::io::Error| Problem::Unreadable { file: shown(folder), reason: error.to_string() };
        Ok(Home { folder: folder.canonicalize().map_err(unreadable)? })
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `scn.toml`.
    #[must_use]
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join(MANIFEST)
    }

    /// `scn.lock`.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        self.folder.join(LOCK)
    }

    /// `vendor/`.
    #[must_use]
    pub fn vendor(&self) -> PathBuf {
        self.folder.join(VENDOR)
    }

    /// Reads the manifest.
    ///
    /// # Errors
    /// It cannot be read, or says what it may not.
    pub fn manifest(&self) -> Result<Manifest, Errors> {
        let path = self.manifest_path();
        Manifest::parse(&shown(&path), &read_text(&path, MAX_MANIFEST)?)
    }

    /// Reads the lock; `None`: there is none.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn lock(&self) -> Result<Option<Lock>, Error> {
        let path = self.lock_path();
        if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Ok(None);
        }
        Lock::parse(&shown(&path), &read_text(&path, MAX_LOCK)?).map(Some)
    }

    /// Reads the lock and sees that it was made for the manifest.
    ///
    /// # Errors
    /// It is missing, damaged or stale.
    pub fn fitting_lock(&self, manifest: &Manifest) -> Result<Lock, Error> {
        let place = manifest.source.place(None);
        match self.lock()? {
            None if manifest.dependencies.is_empty() => Ok(Lock::default()),
            None => Err(Problem::NoLock.at(place)),
            Some(lock) => match lock.why_stale(manifest) {
                None => Ok(lock),
                Some(reason) => Err(Problem::StaleLock { reason }.at(place)),
            },
        }
    }

    /// The folder of a path dependency.
    #[must_use]
    pub fn beside(&self, way: &str) -> PathBuf {
        self.folder.join(way)
    }

    /// Where a library's files are: vendored, else in the store or at their path.
    ///
    /// # Errors
    /// It would be in the store, and there is none.
    pub fn folder_of(&self, library: &Locked, store: &Result<Store, Error>) -> Result<PathBuf, Error> {
        let vendored = self.vendor().join(&library.name);
        if vendored.is_dir() {
            return Ok(vendored);
        }
        match &library.from {
            From::Path(way) => Ok(self.beside(way)),
            From::Git { revision, .. } => Ok(store.as_ref().map_err(Clone::clone)?.folder(&library.name, revision)),
        }
    }
}
