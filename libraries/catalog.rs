//! Looks libraries up for the selection: on this machine only, or with git's help. In: a dependency. Out: the library at the version that
//! the dependency means by itself, checked to be the one that was asked for. Chooses nothing between versions that others ask for.

use std::collections::BTreeMap;

use crate::address::{Address, Revision};
use crate::content::{Files, MANIFEST};
use crate::folder::{Contents, contents, hashes, read_text, shown, tidy_way};
use crate::git::Git;
use crate::home::Home;
use crate::lock::{From, Lock};
use crate::manifest::{At, Dependency, MAX_MANIFEST, Manifest, Origin};
use crate::problem::{Error, Errors, Problem};
use crate::select::{Catalog, Found};
use crate::store::Store;
use crate::version::{self, Requirement, Version};

/// What may reach out: the store and git.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Where libraries from git are kept. Folders need none.
    pub store: Result<Store, Error>,
    /// How git is called.
    pub git: Git,
}

impl Tools {
    /// The store.
    ///
    /// # Errors
    /// There is none.
    pub fn store(&self) -> Result<&Store, Error> {
        self.store.as_ref().map_err(Clone::clone)
    }
}

/// Sees that a manifest is of the library that was asked for.
fn found(dependency: &Dependency, from: From, manifest: Result<Manifest, Errors>) -> Result<Found, Error> {
    let wrong = |reason: String| Problem::WrongLibrary { name: dependency.name.clone(), reason };
    let manifest = manifest.map_err(first)?;
    let own = manifest.library.clone();
    let own = own.ok_or_else(|| wrong(format!("its scn.toml has no [library] ({})", dependency.from())))?;
    if own.name != dependency.name {
        return Err(wrong(format!("it calls itself `{}` ({})", own.name, dependency.from())).into());
    }
    if let Origin::Git { at: At::Tag(tag), .. } = &dependency.origin
        && version::of_tag(tag).is_some_and(|tagged| tagged != own.version)
    {
        return Err(wrong(format!("the tag {tag} holds version {}", own.version)).into());
    }
    if let Some(asked) = dependency.requirement.as_ref().filter(|asked| !asked.admits(&own.version)) {
        return Err(wrong(format!("version {asked} was asked for, and it has {} ({})", own.version, dependency.from())).into());
    }
    Ok(Found { name: own.name, version: own.version, from, manifest })
}

/// The first of several problems.
fn first(errors: Errors) -> Error {
    let nothing = || Problem::BadManifest { reason: "its scn.toml cannot be read".into(), help: String::new() }.into();
    errors.0.into_iter().next().unwrap_or_else(nothing)
}

/// The library of a path dependency.
fn beside(home: &Home, dependency: &Dependency, path: &str, asker: Option<&From>) -> Result<Found, Error> {
    let way = match asker {
        None => tidy_way(path),
        Some(From::Path(from)) => tidy_way(&format!("{from}/{path}")),
        Some(From::Git { address, .. }) => {
            let reason = format!("{address} depends on `{}` by a path, which only its author has", dependency.name);
            return Err(Problem::BadManifest { reason, help: "a library from git depends on libraries from git".into() }.into());
        }
    };
    let file = home.beside(&way).join(MANIFEST);
    let manifest = read_text(&file, MAX_MANIFEST).map_err(Errors::from).and_then(|text| Manifest::parse(&shown(&file), &text));
    found(dependency, From::Path(way), manifest)
}

/// The manifest among a library's files.
pub fn manifest_of(title: &str, library: &Contents) -> Result<Manifest, Errors> {
    let file = format!("{title}/{MANIFEST}");
    let Some(bytes) = library.get(MANIFEST) else {
        return Err(Problem::Unreadable { file, reason: "it is not there, so this is no library".into() }.into());
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => Manifest::parse(&file, text),
        Err(_) => Err(Problem::Unreadable { file, reason: "it is not UTF-8 text".into() }.into()),
    }
}

/// What is on this machine: folders, and what an old lock holds and the store or `vendor/` has.
pub struct Local<'a> {
    /// The project.
    pub home: &'a Home,
    /// What it was locked to.
    pub old: Option<&'a Lock>,
    /// Where libraries are kept.
    pub store: &'a Result<Store, Error>,
}

impl Catalog for Local<'_> {
    fn find(&mut self, dependency: &Dependency, asker: Option<&From>) -> Result<Found, Error> {
        let (address, at) = match &dependency.origin {
            Origin::Path(path) => return beside(self.home, dependency, path, asker),
            Origin::Git { address, at } => (address, at),
        };
        // Which commit is meant, the lock alone tells: what the store may have of this library does not.
        let not_fetched = || Error::from(Problem::NotFetched { library: format!("`{}` ({dependency})", dependency.name) });
        let locked = self.old.and_then(|lock| lock.libraries.get(&dependency.name)).ok_or_else(not_fetched)?;
        let fits = match (&locked.from, at) {
            (From::Git { address: other, .. }, _) if other != address => false,
            (From::Git { .. }, At::Least) => dependency.requirement.as_ref().is_some_and(|asked| asked.admits(&locked.version)),
            (From::Git { .. }, At::Tag(tag)) => version::of_tag(tag).as_ref() == Some(&locked.version),
            (From::Git { revision, .. }, At::Revision(asked)) => revision == asked,
            (From::Path(_), _) => false,
        };
        let folder = self.home.folder_of(locked, self.store)?;
        if !fits || !folder.is_dir() {
            return Err(not_fetched());
        }
        let library = contents(&folder)?;
        found(dependency, locked.from.clone(), manifest_of(&locked.title(), &library))
    }
}

/// What can be had with git.
pub struct Remote<'a> {
    /// The project.
    pub home: &'a Home,
    /// What it was locked to.
    pub old: Option<&'a Lock>,
    /// The store and git.
    pub tools: &'a Tools,
    tags: BTreeMap<Address, BTreeMap<String, Revision>>,
    fetched: BTreeMap<(String, Revision), (Files, Manifest)>,
}

impl<'a> Remote<'a> {
    /// One that has looked at nothing yet.
    #[must_use]
    pub fn new(home: &'a Home, old: Option<&'a Lock>, tools: &'a Tools) -> Self {
        Remote { home, old, tools, tags: BTreeMap::new(), fetched: BTreeMap::new() }
    }

    /// The tags of a repository.
    ///
    /// # Errors
    /// git could not list them.
    pub fn tags(&mut self, address: &Address) -> Result<&BTreeMap<String, Revision>, Error> {
        if !self.tags.contains_key(address) {
            let tags = self.tools.git.tags(address)?;
            self.tags.insert(address.clone(), tags);
        }
        Ok(&self.tags[address])
    }

    /// The versions of a repository, releases only.
    ///
    /// # Errors
    /// git could not list them.
    pub fn versions(&mut self, address: &Address) -> Result<Vec<Version>, Error> {
        let tags = self.tags(address)?;
        let mut versions: Vec<Version> = tags.keys().filter_map(|tag| version::of_tag(tag)).filter(|v| v.pre.is_empty()).collect();
        versions.sort();
        Ok(versions)
    }

    /// The files of a library that was fetched here.
    #[must_use]
    pub fn files(&self, name: &str, revision: &Revision) -> Option<&Files> {
        self.fetched.get(&(name.to_owned(), revision.clone())).map(|(files, _)| files)
    }

    /// The least version that satisfies, by its tag.
    fn least(&mut self, dependency: &Dependency, address: &Address) -> Result<(String, Revision), Error> {
        let versions = self.versions(address)?;
        let asked = dependency.requirement.clone().unwrap_or_else(|| Requirement::of(&Version::new(0, 0, 0)));
        match versions.iter().find(|version| asked.admits(version)) {
            Some(version) => {
                let tag = format!("v{version}");
                let revision = self.tags(address)?[&tag].clone();
                Ok((tag, revision))
            }
            None => Err(no_version(dependency, address, &versions)),
        }
    }

    /// Fetches a library unless it was before, and keeps it.
    fn fetch(&mut self, name: &str, address: &Address, revision: &Revision) -> Result<Manifest, Error> {
        let key = (name.to_owned(), revision.clone());
        if let Some((_, manifest)) = self.fetched.get(&key) {
            return Ok(manifest.clone());
        }
        let locked = self.old.and_then(|lock| lock.libraries.get(name)).map(|locked| &locked.files);
        let store = self.tools.store()?;
        let kept = locked.filter(|files| store.has(name, revision, files));
        // What is kept is believed only where the lock vouches for it.
        let library = match kept {
            Some(_) => contents(&store.folder(name, revision))?,
            None => self.tools.git.library(address, revision, store)?,
        };
        let manifest = manifest_of(&format!("{name} {revision}"), &library).map_err(first)?;
        store.keep(name, revision, &library)?;
        self.fetched.insert(key, (hashes(&library), manifest.clone()));
        Ok(manifest)
    }

    /// Refuses a tag that names another revision than it did when the lock was made.
    fn see_that_the_tag_stayed(&self, found: &Found) -> Result<(), Error> {
        let From::Git { address, revision } = &found.from else { return Ok(()) };
        match self.old.and_then(|lock| lock.libraries.get(&found.name)) {
            Some(locked) if locked.version == found.version => match &locked.from {
                From::Git { address: same, revision: other } if same == address && other != revision => {
                    let (locked, found_now) = (other.to_string(), revision.to_string());
                    let version = found.version.to_string();
                    Err(Problem::MovedTag { name: found.name.clone(), version, locked, found: found_now }.into())
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// No tag of a repository will do.
#[must_use]
pub fn no_version(dependency: &Dependency, address: &Address, versions: &[Version]) -> Error {
    /// A message names at most so many versions.
    const MOST: usize = 10;
    let (reason, help) = match versions.last() {
        None => (
            format!("{address} has no tag such as v1.2.0"),
            "ask its author to tag a version, or name a commit: `rev = \"...\"` (`scn add NAME --git URL --rev COMMIT`)".to_owned(),
        ),
        Some(newest) => {
            let names: Vec<String> = versions.iter().rev().take(MOST).map(ToString::to_string).collect();
            let asked = dependency.requirement.as_ref().map_or_else(String::new, |asked| format!(", and {asked} was asked for"));
            (format!("{address} has {}{asked}", names.join(", ")), format!("ask for one of them, such as `version = \"{newest}\"`"))
        }
    };
    Problem::NoVersion { name: dependency.name.clone(), reason, help }.into()
}

impl Catalog for Remote<'_> {
    fn find(&mut self, dependency: &Dependency, asker: Option<&From>) -> Result<Found, Error> {
        let (address, at) = match &dependency.origin {
            Origin::Path(path) => return beside(self.home, dependency, path, asker),
            Origin::Git { address, at } => (address, at),
        };
        let (tag, revision) = match at {
            At::Revision(revision) => (None, revision.clone()),
            At::Least => {
                let (tag, revision) = self.least(dependency, address)?;
                (Some(tag), revision)
            }
            At::Tag(tag) => match self.tags(address)?.get(tag) {
                Some(revision) => (Some(tag.clone()), revision.clone()),
                None => {
                    let versions = self.versions(address)?;
                    let mut error = no_version(dependency, address, &versions);
                    if let Problem::NoVersion { reason, .. } = error.problem.as_mut() {
                        *reason = format!("{address} has no tag {tag}");
                    }
                    return Err(error);
                }
            },
        };
        let manifest = self.fetch(&dependency.name, address, &revision)?;
        let meant = match &tag {
            Some(tag) => Dependency { origin: Origin::Git { address: address.clone(), at: At::Tag(tag.clone()) }, ..dependency.clone() },
            None => dependency.clone(),
        };
        let found = found(&meant, From::Git { address: address.clone(), revision }, Ok(manifest))?;
        if tag.is_some() {
            self.see_that_the_tag_stayed(&found)?;
        }
        Ok(found)
    }
}
