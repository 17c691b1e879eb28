//! What can be wrong with a project's libraries: one enum of facts, each with its code, its sentence and what to do instead. In: facts.
//! Out: an [`Error`] with the place in `scn.toml` or `scn.lock` where there is one. Prints nothing.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name to show the file by.
    pub file: String,
    /// Its whole text.
    pub text: Arc<str>,
    /// The bytes meant.
    pub span: Range<usize>,
}

impl Place {
    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        1 + self.text.get(..self.span.start).unwrap_or(&self.text).bytes().filter(|b| *b == b'\n').count()
    }
}

/// A problem, and where it stands.
#[derive(Debug, Clone)]
pub struct Error {
    /// What is wrong.
    pub problem: Box<Problem>,
    /// Where; `None`: in no text.
    pub place: Option<Box<Place>>,
}

/// Several problems, told at once. Never empty.
#[derive(Debug, Clone)]
pub struct Errors(pub Vec<Error>);

/// The facts of each problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A file is not there, may not be read, or is no text.
    #[error("{file} cannot be read: {reason}")]
    Unreadable {
        /// The path.
        file: String,
        /// Why.
        reason: String,
    },
    /// A file or folder could not be written.
    #[error("{file} cannot be written: {reason}")]
    Unwritable {
        /// The path.
        file: String,
        /// Why.
        reason: String,
    },
    /// More than is taken in.
    #[error("{what}: {count}, at most {limit} are taken")]
    TooLarge {
        /// What there is too much of.
        what: String,
        /// How much there is.
        count: u64,
        /// How much is taken.
        limit: u64,
    },
    /// `scn.toml` does not say what it must.
    #[error("{reason}")]
    BadManifest {
        /// What is wrong.
        reason: String,
        /// What to write instead.
        help: String,
    },
    /// A key that means nothing.
    #[error("{table} has no key `{key}`")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table it stands in.
        table: String,
        /// What could stand there.
        help: String,
    },
    /// `scn.lock` is damaged.
    #[error("scn.lock is damaged: {reason}")]
    BadLock {
        /// What is wrong.
        reason: String,
    },
    /// `scn.lock` was written by a later scn.
    #[error("scn.lock has version {version}; this scn reads version 1")]
    NewerLock {
        /// Its version.
        version: i64,
    },
    /// There is no `scn.lock`.
    #[error("scn.toml names dependencies, and there is no scn.lock")]
    NoLock,
    /// `scn.lock` was made for another `scn.toml`.
    #[error("scn.lock does not fit scn.toml: {reason}")]
    StaleLock {
        /// Where they differ.
        reason: String,
    },
    /// A library's files are not those of the lock.
    #[error("{library} is not what scn.lock holds: {differences}")]
    ChangedContent {
        /// Name and version.
        library: String,
        /// The files, and what is the matter with each.
        differences: String,
        /// What to do.
        help: String,
    },
    /// A library is not on this machine.
    #[error("{library} is not on this machine")]
    NotFetched {
        /// Name and version, or the name.
        library: String,
    },
    /// Two dependencies that cannot both be had.
    #[error("`{name}` is asked for in two ways that do not go together: {one} ({one_way}), and {other} ({other_way})")]
    Conflict {
        /// The library.
        name: String,
        /// What the first asks for.
        one: String,
        /// The way from the project to the first.
        one_way: String,
        /// What the second asks for.
        other: String,
        /// The way from the project to the second.
        other_way: String,
    },
    /// Libraries that depend on each other in a circle.
    #[error("libraries depend on each other in a circle: {circle} (reached by {way})")]
    Cycle {
        /// The circle.
        circle: String,
        /// The way from the project into it.
        way: String,
    },
    /// A name that `scn.toml` does not list.
    #[error("{asker} names no dependency `{name}`")]
    UnknownLibrary {
        /// The name.
        name: String,
        /// Whose `scn.toml` was looked into.
        asker: String,
        /// The nearest name, or how to add it.
        help: String,
    },
    /// A library without this file.
    #[error("{library} has no file {path}")]
    UnknownModule {
        /// Name and version.
        library: String,
        /// The file.
        path: String,
        /// The nearest one.
        help: String,
    },
    /// A path that leaves the library.
    #[error("`{path}` leads out of {library}")]
    OutsideLibrary {
        /// The path as written.
        path: String,
        /// Name and version.
        library: String,
    },
    /// What was found is not the library that was asked for.
    #[error("the dependency `{name}` is not what was asked for: {reason}")]
    WrongLibrary {
        /// The name asked for.
        name: String,
        /// What was found.
        reason: String,
    },
    /// No version of a library satisfies.
    #[error("`{name}` has no version that satisfies: {reason}")]
    NoVersion {
        /// The library.
        name: String,
        /// What there is.
        reason: String,
        /// What to write.
        help: String,
    },
    /// A tag names another revision than it did.
    #[error("the version {version} of `{name}` is another revision than scn.lock holds: {found} now, {locked} then")]
    MovedTag {
        /// The library.
        name: String,
        /// Its version.
        version: String,
        /// The revision of the lock.
        locked: String,
        /// The revision that the tag names now.
        found: String,
    },
    /// git said no.
    #[error("git could not {doing}: {reason}")]
    GitFailed {
        /// What was tried.
        doing: String,
        /// What git wrote.
        reason: String,
    },
    /// No folder to keep libraries in.
    #[error("there is no folder to keep libraries in: {reason}")]
    NoStore {
        /// Why.
        reason: String,
    },
    /// `vendor/` belongs to somebody else.
    #[error("{folder} was not made by `scn vendor` and is left alone")]
    ForeignVendor {
        /// The folder.
        folder: String,
    },
}

impl Problem {
    /// Stable; each has a page that `scn explain` prints.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Problem::Unreadable { .. } => "scn::libraries::unreadable",
            Problem::Unwritable { .. } => "scn::libraries::unwritable",
            Problem::TooLarge { .. } => "scn::libraries::too_large",
            Problem::BadManifest { .. } => "scn::libraries::bad_manifest",
            Problem::UnknownKey { .. } => "scn::libraries::unknown_key",
            Problem::BadLock { .. } => "scn::libraries::bad_lock",
            Problem::NewerLock { .. } => "scn::libraries::newer_lock",
            Problem::NoLock => "scn::libraries::no_lock",
            Problem::StaleLock { .. } => "scn::libraries::stale_lock",
            Problem::ChangedContent { .. } => "scn::libraries::changed_content",
            Problem::NotFetched { .. } => "scn::libraries::not_fetched",
            Problem::Conflict { .. } => "scn::libraries::conflict",
            Problem::Cycle { .. } => "scn::libraries::cycle",
            Problem::UnknownLibrary { .. } => "scn::libraries::unknown_library",
            // These two are only met where a file uses a library, and told there.
            Problem::UnknownModule { .. } | Problem::OutsideLibrary { .. } => "scn::resolve::unreadable_module",
            Problem::WrongLibrary { .. } => "scn::libraries::wrong_library",
            Problem::NoVersion { .. } => "scn::libraries::no_version",
            Problem::MovedTag { .. } => "scn::libraries::moved_tag",
            Problem::GitFailed { .. } => "scn::libraries::git_failed",
            Problem::NoStore { .. } => "scn::libraries::no_store",
            Problem::ForeignVendor { .. } => "scn::libraries::foreign_vendor",
        }
    }

    /// What to do or write instead.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Problem::BadManifest { help, .. }
            | Problem::UnknownKey { help, .. }
            | Problem::ChangedContent { help, .. }
            | Problem::UnknownLibrary { help, .. }
            | Problem::UnknownModule { help, .. }
            | Problem::NoVersion { help, .. } => help.clone(),
            Problem::Unreadable { .. } => "see that it is there, is UTF-8 text, and may be read".into(),
            Problem::Unwritable { .. } => "see that there is room and that you may write there".into(),
            Problem::TooLarge { .. } => "split it, or leave out what scenarios do not use".into(),
            Problem::BadLock { .. } => "take it back from version control, or delete it and run `scn fetch`".into(),
            Problem::NewerLock { .. } => "use the scn that wrote it, or a later one".into(),
            Problem::NoLock | Problem::StaleLock { .. } => "run `scn fetch` and commit scn.lock".into(),
            Problem::NotFetched { .. } => "run `scn fetch`, which brings it here and locks it; a check and a run touch no network".into(),
            Problem::Conflict { .. } => {
                "let both ask for the same source and for versions that go together: the same major version, below 1.0 the same minor one"
                    .into()
            }
            Problem::Cycle { .. } => "move what both need into a library of its own".into(),
            Problem::OutsideLibrary { .. } => "a library uses its own files and the libraries that its scn.toml names".into(),
            Problem::WrongLibrary { .. } => "name the library as its own scn.toml does, and ask for a version that it has".into(),
            Problem::MovedTag { .. } => {
                "ask its maintainers why the tag was moved; to accept it, delete the library's entry in scn.lock and run `scn fetch`".into()
            }
            Problem::GitFailed { .. } => {
                "try the same with git itself; scn asks for no password, so let git's credential helper or an ssh agent answer".into()
            }
            Problem::NoStore { .. } => "set SCN_HOME to a folder that you may write".into(),
            Problem::ForeignVendor { .. } => "move the folder away, then run `scn vendor` again".into(),
        }
    }

    /// The problem at a place.
    #[must_use]
    pub fn at(self, place: Place) -> Error {
        Error { problem: Box::new(self), place: Some(Box::new(place)) }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error { problem: Box::new(problem), place: None }
    }
}

impl Error {
    /// The same problem, at this place unless it has one.
    #[must_use]
    pub fn or_at(mut self, place: Place) -> Self {
        self.place.get_or_insert_with(|| Box::new(place));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{}:{}: {}", place.file, place.line(), self.problem),
            None => write!(f, "{}", self.problem),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Errors(vec![error])
    }
}

impl From<Problem> for Errors {
    fn from(problem: Problem) -> Self {
        Errors(vec![problem.into()])
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}
