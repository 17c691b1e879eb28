//! A project as it was at a commit. In: a folder of a repository and words that name a commit. Out: the scenario files and the project
//! files of that commit, as git holds them. Changes nothing in the repository.

use std::path::Path;

use crate::address::Revision;
use crate::content::{MANIFEST, is_plain_path};
use crate::folder::Contents;
use crate::git::{Blob, Git};
use crate::lock::LOCK;
use crate::problem::{Error, Problem};

/// Files of a commit that are looked at.
const MAX_FILES: usize = 10_000;

/// Where a folder stands in its repository, and what a commit of that holds.
#[derive(Debug)]
pub struct Past {
    /// The folder's own path in the repository, with `/` at its end; empty at the root.
    pub prefix: String,
    /// Files by their paths in the repository.
    pub files: Contents,
}

impl Git {
    /// The `*.scn` files, `scn.toml` and `scn.lock` of a commit: of all the repository that a folder belongs to. `words` name the commit as
    /// git understands it: a branch, a tag, `HEAD~2`.
    ///
    /// # Errors
    /// There is no repository or no such commit, or it holds more than is taken in.
    pub fn past(&self, folder: &Path, words: &str) -> Result<Past, Error> {
        let doing = format!("look up the commit `{words}`");
        let failed = |reason: &str| Error::from(Problem::GitFailed { doing: doing.clone(), reason: reason.to_owned() });
        // Words that look like an option are taken for one by some commands of git, whatever stands before them.
        if words.is_empty() || words.starts_with('-') || words.chars().any(char::is_control) {
            return Err(failed("it is not the name of a commit"));
        }
        let commit = format!("{words}^{{commit}}");
        let found = self.call(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit], None, &doing);
        let found = found.map_err(|error| match &*error.problem {
            Problem::GitFailed { reason, .. } if reason.ends_with("said nothing") => failed("the repository has no such commit"),
            _ => error,
        })?;
        let revision = Revision::parse(String::from_utf8_lossy(&found).trim()).ok_or_else(|| failed("git names no commit for it"))?;
        let prefix = self.call(folder, &["rev-parse", "--show-prefix"], None, &doing)?;
        let prefix = String::from_utf8_lossy(&prefix).trim_end_matches('\n').to_owned();
        let tree = format!("{revision}^{{tree}}");
        let listing = self.call(folder, &["ls-tree", "-r", "-z", "--full-tree", &tree], None, &doing)?;
        let blobs = texts(&listing);
        if blobs.len() > MAX_FILES {
            let (what, count) = (format!("scenario files of the commit `{words}`"), blobs.len() as u64);
            return Err(Problem::TooLarge { what, count, limit: MAX_FILES as u64 }.into());
        }
        Ok(Past { prefix, files: self.read_blobs(folder, &blobs, &doing)? })
    }
}

/// Of the listing of a tree, the plain files that a check may read.
fn texts(listing: &[u8]) -> Vec<Blob> {
    let entries = listing.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('\t'));
    let wanted = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        is_plain_path(path) && (name.ends_with(".scn") || name == MANIFEST || name == LOCK)
    };
    let blob = |(about, path): (&str, &str)| {
        let (mode, rest) = about.split_once(' ')?;
        let object = rest.split(' ').nth(1).filter(|object| Revision::parse(object).is_some())?;
        (mode.starts_with("100") && wanted(path)).then(|| Blob { path: path.to_owned(), object: object.to_owned() })
    };
    entries.filter_map(blob).collect()
}
