//! `scn.lock`: what a project's dependencies were resolved to. In: its text, or what was selected. Out: the other. Everything in it is
//! checked, since it comes from version control and merges. Reads no files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::address::{Address, Revision};
use crate::content::{Files, Hash, MAX_FILES, is_plain_path, whole};
use crate::manifest::Manifest;
use crate::name::is_name;
use crate::problem::{Error, Place, Problem};
use crate::table::{Entry, Source, entries};
use crate::version::{self, Version};

/// The file's name.
pub const LOCK: &str = "scn.lock";
/// Bytes of a lock.
pub const MAX_LOCK: u64 = 1 << 20;
/// Libraries of one project, transitively.
pub const MAX_LIBRARIES: usize = 200;
/// The form of the file that this program writes and reads.
const VERSION: i64 = 1;

/// The last line: without it, the file was cut.
const END: &str = "# end";
const HEADER: &str = "# Written by scn: `scn fetch`, `scn add` and `scn update` keep it. Commit it, and do not edit it.\n";

/// All that a project uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    /// What the manifest asked for when this was made, by name.
    pub asked: BTreeMap<String, String>,
    /// Each library, by name.
    pub libraries: BTreeMap<String, Locked>,
}

/// One library of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub from: From,
    /// Its files.
    pub files: Files,
}

/// Where exactly a library comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// A commit.
    Git {
        /// The repository.
        address: Address,
        /// The commit.
        revision: Revision,
    },
    /// A folder, counted from the project's.
    Path(String),
}

impl Locked {
    /// `acme 1.2.0`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// Exactly which: `1.2.0, commit 4f2c..., SHA-256 9a1b...`.
    #[must_use]
    pub fn identity(&self) -> String {
        let from = match &self.from {
            From::Git { revision, .. } => format!("commit {}", revision.as_str()),
            From::Path(path) => format!("folder {path}"),
        };
        format!("{}, {from}, SHA-256 {}", self.version, whole(&self.files))
    }
}

/// What a manifest asks for, as a lock keeps it.
#[must_use]
pub fn asked(manifest: &Manifest) -> BTreeMap<String, String> {
    manifest.dependencies.iter().map(|(name, dependency)| (name.clone(), dependency.to_string())).collect()
}

impl Lock {
    /// Why this lock was not made for a manifest; `None`: it was.
    #[must_use]
    pub fn why_stale(&self, manifest: &Manifest) -> Option<String> {
        let now = asked(manifest);
        if let Some(name) = now.keys().find(|name| !self.asked.contains_key(*name)) {
            return Some(format!("it lacks `{name}`"));
        }
        if let Some(name) = self.asked.keys().find(|name| !now.contains_key(*name)) {
            return Some(format!("it holds `{name}`, which scn.toml no longer names"));
        }
        let differs = now.iter().find(|(name, line)| self.asked.get(*name) != Some(line));
        differs.map(|(name, line)| format!("`{name}` was asked for as `{}`, now as `{line}`", self.asked[name]))
    }

    /// The text of the file: sorted, one fact a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}version = {VERSION}\n");
        if !self.asked.is_empty() {
            text.push_str("\n[asked]\n");
        }
        for (name, line) in &self.asked {
            let _ = writeln!(text, "{name} = {}", quote(line));
        }
        for library in self.libraries.values() {
            let _ = write!(text, "\n[[library]]\nname = {}\nversion = {}\n", quote(&library.name), quote(&library.version.to_string()));
            let _ = match &library.from {
                From::Git { address, revision } => {
                    write!(text, "git = {}\nrevision = {}\n", quote(address.as_str()), quote(revision.as_str()))
                }
                From::Path(path) => writeln!(text, "path = {}", quote(path)),
            };
            let _ = write!(text, "sha256 = \"{}\"\n\n[library.files]\n", whole(&library.files));
            for (path, hash) in &library.files {
                let _ = writeln!(text, "{} = \"{hash}\"", quote(path));
            }
        }
        let _ = writeln!(text, "\n{END}");
        text
    }

    /// Reads a lock. `file` is the name to show it by.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let source = Source::new(file, text);
        if text.len() as u64 > MAX_LOCK {
            return Err(Problem::TooLarge { what: format!("bytes of {file}"), count: text.len() as u64, limit: MAX_LOCK }.into());
        }
        let root = source.parse().map_err(|(reason, place)| {
            let merged = text.lines().any(|line| line.starts_with("<<<<<<< "));
            let reason = if merged { "a merge left both sides in it".to_owned() } else { reason };
            bad(reason, place)
        })?;
        let reading = Reading { source: &source };
        let version = entries(&root).into_iter().find(|entry| entry.key == "version");
        match version.as_ref().and_then(|entry| entry.item.as_integer()) {
            Some(VERSION) => {}
            Some(later) if later > VERSION => {
                return Err(Problem::NewerLock { version: later }.at(source.place(version.and_then(|entry| entry.span()))));
            }
            _ => return Err(bad("it does not begin with `version = 1`".into(), source.place(None))),
        }
        if text.trim_end().lines().last() != Some(END) {
            let span = text.len()..text.len();
            return Err(bad(format!("it was cut: its last line is not `{END}`"), source.place(Some(span))));
        }
        let mut lock = Lock::default();
        for entry in entries(&root) {
            match entry.key {
                "version" => {}
                "asked" => lock.asked = reading.asked(&entry)?,
                "library" => lock.libraries = reading.libraries(&entry)?,
                key => return Err(reading.bad(&entry, format!("it has no key `{key}`"))),
            }
        }
        if let Some(name) = lock.asked.keys().find(|name| !lock.libraries.contains_key(*name)) {
            return Err(bad(format!("`{name}` is asked for and not there"), source.place(None)));
        }
        Ok(lock)
    }
}

fn bad(reason: String, place: Place) -> Error {
    Problem::BadLock { reason }.at(place)
}

/// A text as TOML reads it back.
fn quote(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// A lock being read.
struct Reading<'a> {
    source: &'a Source,
}

impl Reading<'_> {
    fn bad(&self, entry: &Entry<'_>, reason: String) -> Error {
        bad(reason, self.source.place(entry.span()))
    }

    fn text<'e>(&self, entry: &Entry<'e>) -> Result<&'e str, Error> {
        entry.text().ok_or_else(|| self.bad(entry, format!("`{}` is not a text", entry.key)))
    }

    /// `[asked]`.
    fn asked(&self, entry: &Entry<'_>) -> Result<BTreeMap<String, String>, Error> {
        let table = entry.item.as_table_like().ok_or_else(|| self.bad(entry, "`asked` is not a table".into()))?;
        if table.len() > MAX_LIBRARIES {
            let problem = Problem::TooLarge { what: "libraries asked for".into(), count: table.len() as u64, limit: MAX_LIBRARIES as u64 };
            return Err(problem.at(self.source.place(entry.span())));
        }
        let mut asked = BTreeMap::new();
        for entry in entries(table) {
            if !is_name(entry.key) {
                return Err(self.bad(&entry, format!("`{}` is no name of a library", entry.key)));
            }
            asked.insert(entry.key.to_owned(), self.text(&entry)?.to_owned());
        }
        Ok(asked)
    }

    /// Every `[[library]]`.
    fn libraries(&self, entry: &Entry<'_>) -> Result<BTreeMap<String, Locked>, Error> {
        let tables = entry.item.as_array_of_tables().ok_or_else(|| self.bad(entry, "`library` is not a list of tables".into()))?;
        if tables.len() > MAX_LIBRARIES {
            let problem =
                Problem::TooLarge { what: "libraries of scn.lock".into(), count: tables.len() as u64, limit: MAX_LIBRARIES as u64 };
            return Err(problem.at(self.source.place(entry.span())));
        }
        let mut libraries = BTreeMap::new();
        for table in tables {
            let library = self.library(table)?;
            let name = library.name.clone();
            if libraries.insert(name.clone(), library).is_some() {
                return Err(bad(format!("`{name}` stands in it twice"), self.source.place(table.span())));
            }
        }
        Ok(libraries)
    }

    /// One `[[library]]`.
    fn library(&self, table: &toml_edit::Table) -> Result<Locked, Error> {
        let (mut texts, mut files) = (BTreeMap::new(), None);
        for entry in entries(table) {
            match entry.key {
                "name" | "version" | "git" | "revision" | "path" | "sha256" => {
                    texts.insert(entry.key, self.text(&entry)?);
                }
                "files" => files = Some(self.files(&entry)?),
                key => return Err(self.bad(&entry, format!("a library has no key `{key}`"))),
            }
        }
        let place = || self.source.place(table.span());
        let lacks = |key: &str| bad(format!("a library lacks `{key}`"), place());
        let wrong = |key: &str| bad(format!("the `{key}` of a library is none"), place());
        let text = |key: &str| texts.get(key).copied().ok_or_else(|| lacks(key));
        let name = Some(text("name")?).filter(|name| is_name(name)).ok_or_else(|| wrong("name"))?.to_owned();
        let version = version::parse(text("version")?).ok_or_else(|| wrong("version"))?;
        let from = match (texts.get("git"), texts.get("path")) {
            (Some(git), None) => From::Git {
                address: Address::parse(git).map_err(|_| wrong("git"))?,
                revision: Revision::parse(text("revision")?).ok_or_else(|| wrong("revision"))?,
            },
            (None, Some(path)) if !texts.contains_key("revision") => {
                From::Path(Some(*path).filter(|path| is_way(path)).ok_or_else(|| wrong("path"))?.to_owned())
            }
            _ => return Err(bad(format!("`{name}` has not one source, `git` with `revision` or `path`"), place())),
        };
        let files = files.ok_or_else(|| lacks("files"))?;
        let hash = Hash::parse(text("sha256")?).ok_or_else(|| wrong("sha256"))?;
        if whole(&files) != hash {
            return Err(bad(format!("the hashes of the files of `{name}` do not make its `sha256`"), place()));
        }
        Ok(Locked { name, version, from, files })
    }

    /// `[library.files]`.
    fn files(&self, entry: &Entry<'_>) -> Result<Files, Error> {
        let table = entry.item.as_table_like().ok_or_else(|| self.bad(entry, "`files` is not a table".into()))?;
        if table.len() > MAX_FILES {
            let problem = Problem::TooLarge { what: "files of a library".into(), count: table.len() as u64, limit: MAX_FILES as u64 };
            return Err(problem.at(self.source.place(entry.span())));
        }
        let mut files = Files::new();
        for entry in entries(table) {
            if !is_plain_path(entry.key) {
                return Err(self.bad(&entry, format!("`{}` is no path below a library", entry.key.escape_debug())));
            }
            let hash = Hash::parse(self.text(&entry)?).ok_or_else(|| self.bad(&entry, format!("the hash of {} is none", entry.key)))?;
            files.insert(entry.key.to_owned(), hash);
        }
        Ok(files)
    }
}

/// Whether a text is a way from the project's folder to another: not absolute, in one spelling (`..` only at the start).
fn is_way(path: &str) -> bool {
    let below = path.trim_start_matches("../");
    (below == ".." || below.is_empty() || is_plain_path(below)) && !path.is_empty() && !path.ends_with('/')
}
