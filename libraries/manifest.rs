//! `scn.toml`: the project's own library and what it depends on. In: its text. Out: a [`Manifest`], or everything that is wrong with it,
//! each at its place. Reads no files.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use toml_edit::TableLike;

use crate::address::{Address, Revision, is_tag};
use crate::name::{is_name, suggest, why_not};
use crate::problem::{Error, Errors, Place, Problem};
use crate::table::{Entry, Source, entries};
use crate::version::{self, Requirement, Version};

/// Bytes of a manifest.
pub const MAX_MANIFEST: u64 = 1 << 20;
/// Dependencies of one manifest.
const MAX_DEPENDENCIES: usize = 200;
/// The version of the language that this program speaks.
const LANGUAGE: i64 = 1;
/// Problems of one manifest that are told.
const MAX_PROBLEMS: usize = 50;
/// A longer path of a dependency is refused.
const LONGEST_PATH: usize = 1_000;

const TABLES: &[&str] = &["library", "dependencies"];
const LIBRARY: &[&str] = &["name", "version", "scn", "description"];
const DEPENDENCY: &[&str] = &["git", "path", "version", "tag", "rev"];

/// What a `scn.toml` says.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The text it was read from.
    pub source: Source,
    /// The library that stands beside it; `None`: scenarios only.
    pub library: Option<Own>,
    /// What it depends on, by name.
    pub dependencies: BTreeMap<String, Dependency>,
}

/// The library that a manifest is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The word that others use it by.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// One sentence about it.
    pub description: Option<String>,
}

/// A library that is asked for.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The least version.
    pub requirement: Option<Requirement>,
    /// Where it stands in the manifest.
    pub span: Range<usize>,
}

/// Where a library comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A git repository; the library is its root.
    Git {
        /// Where it is fetched from.
        address: Address,
        /// Which commit.
        at: At,
    },
    /// A folder, counted from the folder of the manifest.
    Path(String),
}

/// Which commit of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The least tag `v1.2.3` that satisfies the requirement.
    Least,
    /// This tag.
    Tag(String),
    /// This commit.
    Revision(Revision),
}

impl Dependency {
    /// Where it comes from and at which commit, in one line.
    #[must_use]
    pub fn from(&self) -> String {
        match &self.origin {
            Origin::Path(path) => format!("path {path}"),
            Origin::Git { address, at: At::Least } => format!("git {address}"),
            Origin::Git { address, at: At::Tag(tag) } => format!("git {address} tag {tag}"),
            Origin::Git { address, at: At::Revision(revision) } => format!("git {address} rev {revision}"),
        }
    }
}

/// All that is asked, in one line: what the lock keeps to know what it was made for.
impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.requirement.as_ref().map(|asked| format!(" version {asked}")).unwrap_or_default();
        write!(f, "{}{version}", self.from())
    }
}

impl Manifest {
    /// Reads a manifest. `file` is the name to show it by.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Errors> {
        let source = Source::new(file, text);
        if text.len() as u64 > MAX_MANIFEST {
            return Err(Problem::TooLarge { what: format!("bytes of {file}"), count: text.len() as u64, limit: MAX_MANIFEST }.into());
        }
        let root = source.parse().map_err(|(reason, place)| {
            let help = "see the example that `scn explain libraries::bad_manifest` shows".into();
            Problem::BadManifest { reason: format!("{file} is no TOML: {reason}"), help }.at(place)
        })?;
        let mut reading = Reading { source: &source, problems: Vec::new() };
        let (mut library, mut dependencies) = (None, BTreeMap::new());
        for entry in entries(&root) {
            if reading.problems.len() >= MAX_PROBLEMS {
                break;
            }
            match (entry.key, entry.item.as_table_like()) {
                ("library", Some(table)) => library = reading.library(table, &entry),
                ("dependencies", Some(table)) => dependencies = reading.dependencies(table),
                (key @ ("library" | "dependencies"), None) => {
                    reading.bad(&entry, format!("`{key}` is a table"), format!("write `[{key}]`"))
                }
                _ => reading.unknown(&entry, "scn.toml", TABLES),
            }
        }
        reading.problems.truncate(MAX_PROBLEMS);
        match Errors::of(reading.problems) {
            Some(errors) => Err(errors),
            None => Ok(Manifest { source, library, dependencies }),
        }
    }

    /// The place of a dependency.
    #[must_use]
    pub fn place(&self, dependency: &Dependency) -> Place {
        self.source.place(Some(dependency.span.clone()))
    }
}

impl Errors {
    /// Errors, if there are any.
    #[must_use]
    pub fn of(errors: Vec<Error>) -> Option<Self> {
        (!errors.is_empty()).then_some(Errors(errors))
    }
}

/// A manifest being read, with what is wrong so far.
struct Reading<'a> {
    source: &'a Source,
    problems: Vec<Error>,
}

impl Reading<'_> {
    fn bad(&mut self, entry: &Entry<'_>, reason: String, help: impl Into<String>) {
        let problem = Problem::BadManifest { reason, help: help.into() };
        self.problems.push(problem.at(self.source.place(entry.span())));
    }

    fn missing(&mut self, entry: &Entry<'_>, reason: String, help: impl Into<String>) {
        let problem = Problem::BadManifest { reason, help: help.into() };
        self.problems.push(problem.at(self.source.place(entry.key_span.clone().or_else(|| entry.span()))));
    }

    fn unknown(&mut self, entry: &Entry<'_>, table: &str, keys: &[&str]) {
        let help = suggest(entry.key, keys.iter().copied(), "");
        let problem = Problem::UnknownKey { key: entry.key.to_owned(), table: table.to_owned(), help };
        self.problems.push(problem.at(self.source.place(entry.key_span.clone())));
    }

    /// `[library]`.
    fn library(&mut self, table: &dyn TableLike, at: &Entry<'_>) -> Option<Own> {
        let (mut name, mut version, mut description) = (None, None, None);
        for entry in entries(table).into_iter().take(MAX_PROBLEMS + LIBRARY.len()) {
            match (entry.key, entry.text()) {
                ("name", Some(text)) if is_name(text) => name = Some(text.to_owned()),
                ("name", text) => self.bad(&entry, why_not(text.unwrap_or("")), "write a name such as `name = \"acme\"`"),
                ("version", text) => match text.and_then(version::parse) {
                    Some(read) => version = Some(read),
                    None => self.bad(&entry, "a version has three numbers".into(), "write a version such as `version = \"1.2.0\"`"),
                },
                ("description", Some(text)) => description = Some(text.to_owned()),
                ("description", None) => self.bad(&entry, "`description` is a text".into(), "write it in quotes"),
                ("scn", _) => self.language(&entry),
                _ => self.unknown(&entry, "[library]", LIBRARY),
            }
        }
        for key in ["name", "version"].into_iter().filter(|key| !table.contains_key(key)) {
            self.missing(
                at,
                format!("[library] lacks `{key}`"),
                "a library has a name and a version, such as `name = \"acme\"` and `version = \"1.2.0\"`",
            );
        }
        Some(Own { name: name?, version: version?, description })
    }

    /// `scn = 1`.
    fn language(&mut self, entry: &Entry<'_>) {
        match entry.item.as_integer() {
            Some(LANGUAGE) => {}
            Some(later) if later > LANGUAGE => {
                self.bad(
                    entry,
                    format!("the library is written in version {later} of the language; this scn speaks {LANGUAGE}"),
                    "use a later scn",
                );
            }
            _ => self.bad(entry, "`scn` is the version of the language".into(), format!("write `scn = {LANGUAGE}`")),
        }
    }

    /// `[dependencies]`.
    fn dependencies(&mut self, table: &dyn TableLike) -> BTreeMap<String, Dependency> {
        let mut found = BTreeMap::new();
        for (count, entry) in entries(table).into_iter().enumerate() {
            if count == MAX_DEPENDENCIES {
                let problem = Problem::TooLarge { what: "dependencies".into(), count: table.len() as u64, limit: MAX_DEPENDENCIES as u64 };
                self.problems.push(problem.at(self.source.place(entry.key_span)));
                break;
            }
            if !is_name(entry.key) {
                self.missing(&entry, why_not(entry.key), "the key is the name that the library gives itself");
                continue;
            }
            let Some(table) = entry.item.as_table_like() else {
                self.bad(&entry, format!("it is not said where `{}` comes from", entry.key), example(entry.key));
                continue;
            };
            found.extend(self.dependency(&entry, table).map(|dependency| (entry.key.to_owned(), dependency)));
        }
        found
    }

    /// One dependency.
    fn dependency(&mut self, at: &Entry<'_>, table: &dyn TableLike) -> Option<Dependency> {
        let name = at.key.to_owned();
        let before = self.problems.len();
        let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
        for entry in entries(table).into_iter().take(MAX_PROBLEMS + DEPENDENCY.len()) {
            match (entry.text(), DEPENDENCY.contains(&entry.key)) {
                (_, false) => self.unknown(&entry, &format!("the dependency `{name}`"), DEPENDENCY),
                (None, true) => self.bad(&entry, format!("`{}` is a text", entry.key), "write it in quotes"),
                (Some(text), true) => {
                    if let Some((reason, help)) = why_not_value(entry.key, text) {
                        self.bad(&entry, reason, help);
                    }
                    texts.insert(entry.key, text);
                }
            }
        }
        if self.problems.len() > before {
            return None;
        }
        let clash = [("git", "path"), ("tag", "rev"), ("path", "tag"), ("path", "rev")];
        if let Some((one, other)) = clash.into_iter().find(|(one, other)| texts.contains_key(one) && texts.contains_key(other)) {
            self.missing(at, format!("the dependency `{name}` has both `{one}` and `{other}`"), "keep one of them");
            return None;
        }
        let requirement = texts.get("version").and_then(|text| Requirement::parse(text));
        let origin = match (texts.get("git"), texts.get("path")) {
            (_, Some(path)) => Origin::Path((*path).to_owned()),
            (Some(git), None) => Origin::Git {
                address: Address::parse(git).ok()?,
                at: match (texts.get("tag"), texts.get("rev")) {
                    (Some(tag), _) => At::Tag((*tag).to_owned()),
                    (None, Some(rev)) => At::Revision(Revision::parse(rev)?),
                    (None, None) => At::Least,
                },
            },
            (None, None) => {
                self.missing(at, format!("it is not said where `{name}` comes from"), example(&name));
                return None;
            }
        };
        if requirement.is_none() && matches!(origin, Origin::Git { at: At::Least, .. }) {
            self.missing(at, format!("it is not said which version of `{name}`"), "add the least version, such as `version = \"1.2\"`");
            return None;
        }
        let span = at.key_span.clone().or_else(|| at.span()).unwrap_or(0..0);
        Some(Dependency { name, origin, requirement, span })
    }
}

/// A line that could stand there.
fn example(name: &str) -> String {
    format!("write `{name} = {{ path = \"../{name}\" }}` or `{name} = {{ git = \"https://...\", version = \"1.2\" }}`")
}

/// Why a value of a dependency cannot stand, and what to write.
fn why_not_value(key: &str, text: &str) -> Option<(String, String)> {
    match key {
        "git" => Address::parse(text)
            .err()
            .map(|why| (format!("`git` is an address of a repository: {why}"), "such as https://example.org/acme.git".into())),
        "version" if Requirement::parse(text).is_none() => Some((
            "`version` is the least version that will do, of the same major version".into(),
            "write `version = \"1.2\"` or `\"1.2.3\"`, without signs".into(),
        )),
        "tag" if !is_tag(text) => Some(("this can be no tag".into(), "write a tag such as `tag = \"v1.2.0\"`".into())),
        "rev" if Revision::parse(text).is_none() => {
            Some(("`rev` is the whole name of a commit: 40 hexadecimal digits".into(), "`git rev-parse NAME^{commit}` prints it".into()))
        }
        "path" => why_not_path(text).map(|why| (why, "write the way from this scn.toml, such as `path = \"../acme\"`".into())),
        _ => None,
    }
}

/// Why a dependency's path cannot stand.
fn why_not_path(text: &str) -> Option<String> {
    if text.starts_with('/') {
        Some("a whole path means another folder on each machine".into())
    } else if text.is_empty() || text.len() > LONGEST_PATH || text.chars().any(|c| c.is_control() || c == '\\') {
        Some(format!("a path has 1 to {LONGEST_PATH} characters, and parts separated by `/`"))
    } else if text.split('/').all(|part| part.is_empty() || part == ".") {
        Some("a library does not depend on itself".into())
    } else {
        None
    }
}
