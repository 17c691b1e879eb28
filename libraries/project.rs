//! A project as a check or a run sees it: which file a `use` of a library means. In: a folder with a `scn.toml`. Out: texts, each exactly
//! what the lock holds. Touches no network and writes nothing.

use std::collections::BTreeMap;

use crate::catalog::manifest_of;
use crate::content::{MANIFEST, differences, in_words};
use crate::folder::{Contents, contents, hashes, shown};
use crate::home::Home;
use crate::lock::{From, Lock, Locked};
use crate::manifest::Manifest;
use crate::name::suggest;
use crate::problem::{Error, Errors, Problem};
use crate::relock::from_here;
use crate::store::Store;

/// A project whose dependencies are known.
#[derive(Debug)]
pub struct Project {
    home: Home,
    manifest: Manifest,
    lock: Lock,
    store: Result<Store, Error>,
    opened: BTreeMap<String, Result<Opened, Error>>,
}

/// A library whose content is what the lock holds.
#[derive(Debug, Clone)]
struct Opened {
    manifest: Manifest,
    contents: Contents,
}

/// A file of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFile {
    /// The library's name.
    pub library: String,
    /// The file's path in the library.
    pub path: String,
    /// The name to show it by: `acme 1.2.0/lab.scn`.
    pub shown: String,
    /// What it says.
    pub text: String,
}

impl Project {
    /// Opens a project. Where `locked` holds, a missing or stale lock is an error; otherwise what is on this machine stands in for it, and
    /// the second part of the answer says so.
    ///
    /// # Errors
    /// Everything that is wrong with the manifest and the lock.
    pub fn open(home: Home, locked: bool, store: Result<Store, Error>) -> Result<(Self, Option<Error>), Errors> {
        let manifest = home.manifest()?;
        let (lock, note) = match home.fitting_lock(&manifest) {
            Ok(lock) => (lock, None),
            Err(error) if !locked && matches!(*error.problem, Problem::NoLock | Problem::StaleLock { .. }) => {
                let old = home.lock()?;
                (from_here(&home, &manifest, old.as_ref(), &store)?, Some(error))
            }
            Err(error) => return Err(error.into()),
        };
        Ok((Project { home, manifest, lock, store, opened: BTreeMap::new() }, note))
    }

    /// The file that `use WORDS` means: `acme` is `acme.scn` of the library, `acme.access.dsl` its `access/dsl.scn`. `by`: the library in
    /// whose file that stands; `None`: the project's own.
    ///
    /// # Errors
    /// The library is not a dependency, not here or changed, or has no such file.
    pub fn module(&mut self, words: &[&str], by: Option<&str>) -> Result<ModuleFile, Error> {
        let Some((name, rest)) = words.split_first() else {
            return Err(Problem::UnknownModule { library: "a library".into(), path: "''".into(), help: "name a module".into() }.into());
        };
        let asker = match by {
            None => self.manifest.clone(),
            Some(library) => self.library(library)?.manifest.clone(),
        };
        if !asker.dependencies.contains_key(*name) {
            return Err(self.unknown_library(name, &asker));
        }
        let path = if rest.is_empty() { format!("{name}.scn") } else { format!("{}.scn", rest.join("/")) };
        self.text(name, &path)
    }

    /// The file that `use "./x.scn"` means in a library's file.
    ///
    /// # Errors
    /// The path leads out of the library, or names no file of it.
    pub fn file(&mut self, library: &str, by: &str, wanted: &str) -> Result<ModuleFile, Error> {
        let outside = |project: &Project| Problem::OutsideLibrary { path: wanted.to_owned(), library: project.title(library) };
        let mut parts: Vec<&str> = by.split('/').collect();
        parts.pop();
        if wanted.starts_with('/') {
            return Err(outside(self).into());
        }
        for part in wanted.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.is_empty() => return Err(outside(self).into()),
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        let path = parts.join("/");
        self.text(library, &path)
    }

    /// Exactly which library a name means, in words; `None`: the lock has none of this name.
    #[must_use]
    pub fn identity(&self, library: &str) -> Option<String> {
        self.lock.libraries.get(library).map(Locked::identity)
    }

    fn title(&self, library: &str) -> String {
        self.lock.libraries.get(library).map_or_else(|| library.to_owned(), Locked::title)
    }

    fn unknown_library(&self, name: &str, asker: &Manifest) -> Error {
        let own = asker.library.as_ref();
        let help = if own.is_some_and(|own| own.name == name) {
            format!("`{name}` is this library itself: write `use \"./FILE.scn\"`")
        } else if self.lock.libraries.contains_key(name) {
            format!("`{name}` is there because another library uses it; to use it here, name it in this scn.toml too")
        } else {
            let add = format!("add it: `scn add {name} --git URL` or `scn add {name} --path FOLDER`");
            suggest(name, asker.dependencies.keys().map(String::as_str), &add)
        };
        Problem::UnknownLibrary { name: name.to_owned(), asker: asker.source.file.clone(), help }.into()
    }

    /// A file of a library, as the lock holds it.
    fn text(&mut self, library: &str, path: &str) -> Result<ModuleFile, Error> {
        let title = self.title(library);
        let opened = self.library(library)?;
        let Some(bytes) = opened.contents.get(path).filter(|_| path.ends_with(".scn")) else {
            let files: Vec<&str> = opened.contents.keys().map(String::as_str).filter(|path| path.ends_with(".scn")).collect();
            let help = suggest(path, files.iter().copied(), "it has no scenario file at all");
            return Err(Problem::UnknownModule { library: title, path: path.to_owned(), help }.into());
        };
        let shown = format!("{title}/{path}");
        match String::from_utf8(bytes.clone()) {
            Ok(text) => Ok(ModuleFile { library: library.to_owned(), path: path.to_owned(), shown, text }),
            Err(_) => Err(Problem::Unreadable { file: shown, reason: "it is not UTF-8 text".into() }.into()),
        }
    }

    /// A library, looked at once.
    fn library(&mut self, name: &str) -> Result<&Opened, Error> {
        if !self.opened.contains_key(name) {
            let opened = self.open_library(name);
            self.opened.insert(name.to_owned(), opened);
        }
        self.opened[name].as_ref().map_err(Clone::clone)
    }

    fn open_library(&self, name: &str) -> Result<Opened, Error> {
        let Some(locked) = self.lock.libraries.get(name) else {
            return Err(Problem::StaleLock { reason: format!("it lacks `{name}`") }.into());
        };
        let contents = intact(&self.home, locked, &self.store)?;
        let manifest = manifest_of(&locked.title(), &contents);
        let manifest = manifest.map_err(|Errors(all)| all.into_iter().next().unwrap_or_else(|| no_manifest(locked)))?;
        Ok(Opened { manifest, contents })
    }
}

fn no_manifest(locked: &Locked) -> Error {
    Problem::Unreadable { file: format!("{}/{MANIFEST}", locked.title()), reason: "it is not there".into() }.into()
}

/// The files of a library, which are those of the lock.
///
/// # Errors
/// It is not on this machine, or differs: each file that does is named.
pub fn intact(home: &Home, locked: &Locked, store: &Result<Store, Error>) -> Result<Contents, Error> {
    let folder = home.folder_of(locked, store)?;
    if !folder.is_dir() {
        return Err(match &locked.from {
            From::Git { .. } => Problem::NotFetched { library: locked.title() }.into(),
            From::Path(_) => Problem::Unreadable { file: shown(&folder), reason: format!("{} should be there", locked.title()) }.into(),
        });
    }
    let found = contents(&folder)?;
    let differences = differences(&locked.files, &hashes(&found));
    if differences.is_empty() {
        return Ok(found);
    }
    let help = if folder.starts_with(home.vendor()) {
        "`scn vendor` makes vendor/ anew as scn.lock says".to_owned()
    } else {
        match &locked.from {
            From::Git { .. } => "`scn fetch` brings it anew".to_owned(),
            From::Path(_) => format!("if the change is meant, `scn update {}` takes it into scn.lock", locked.name),
        }
    };
    let differences = format!("{} (in {})", in_words(&differences), shown(&folder));
    Err(Problem::ChangedContent { library: locked.title(), differences, help }.into())
}
