//! What a library's content is: which files count, the hash of each and of all. In: paths and bytes. Out: hashes, and the differences
//! between two lists. Reads no files.
//!
//! What counts: `scn.toml`, every `*.scn`, and everything in the folder `files/`, which holds what scenarios send. What does not:
//! names that begin with a dot, folders called `target` or `vendor`, and folders that are libraries of their own (a `scn.toml` of
//! their own). Links are never followed.
//!
//! The hash of all is the SHA-256 of the lines `HASH  PATH` in the order of the paths' bytes: what `sha256sum` prints of the files,
//! hashed again. Contents count byte for byte, line ends too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sha2::{Digest as _, Sha256};

/// The manifest of a library.
pub const MANIFEST: &str = "scn.toml";
/// The folder of a library whose files count whatever they are called.
const DATA: &str = "files";
/// Folders that are made and not written.
pub const MADE: &[&str] = &["target", "vendor"];
/// A longer path is refused.
const LONGEST_PATH: usize = 1_000;
/// Folders in folders: at most so many.
pub const MAX_DEPTH: usize = 32;

/// Files of a library: at most so many.
pub const MAX_FILES: usize = 1_000;
/// Bytes of one file of a library.
pub const MAX_FILE: u64 = 10 << 20;
/// Bytes of all files of a library.
pub const MAX_LIBRARY: u64 = 100 << 20;

/// A SHA-256, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(String);

impl Hash {
    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digits: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Hash(digits.concat())
    }

    /// Reads 64 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 64).then(|| Hash(text.to_owned()))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is so many lower-case hexadecimal digits.
#[must_use]
pub fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The files of a library that count, by path, with the hash of each.
pub type Files = BTreeMap<String, Hash>;

/// The hash of a whole library.
#[must_use]
pub fn whole(files: &Files) -> Hash {
    let lines: Vec<String> = files.iter().map(|(path, hash)| format!("{hash}  {path}\n")).collect();
    Hash::of(lines.concat().as_bytes())
}

/// Whether a path stays below its root and is written in one way only: no `.`, no `..`, no empty part, not absolute.
#[must_use]
pub fn is_plain_path(path: &str) -> bool {
    let parts = path.split('/');
    path.len() <= LONGEST_PATH
        && !path.chars().any(|c| c.is_control() || c == '\\')
        && parts.clone().count() <= MAX_DEPTH
        && parts.clone().all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Whether a folder of this name is looked into.
#[must_use]
pub fn is_searched(folder: &str) -> bool {
    !folder.starts_with('.') && !MADE.contains(&folder)
}

/// Whether a file counts by its path alone.
fn counts(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_data = path.split_once('/').is_some_and(|(first, _)| first == DATA);
    let hidden = name.starts_with('.') || !folders.split('/').all(|folder| folder.is_empty() || is_searched(folder));
    !hidden && (is_data || path == MANIFEST || name.ends_with(".scn"))
}

/// Of all paths of a folder, those that count.
#[must_use]
pub fn that_count(paths: &BTreeSet<String>) -> BTreeSet<String> {
    let own: Vec<&str> = paths.iter().filter_map(|p| p.strip_suffix("scn.toml").filter(|f| f.ends_with('/'))).collect();
    let belongs = |path: &str| !own.iter().any(|folder| path.starts_with(folder));
    paths.iter().filter(|path| counts(path) && belongs(path)).cloned().collect()
}

/// How a file differs from the lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Its bytes are others.
    Changed(String),
    /// It is not there.
    Missing(String),
    /// The lock does not know it.
    Extra(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Changed(path) => write!(f, "{path} has changed"),
            Difference::Missing(path) => write!(f, "{path} is missing"),
            Difference::Extra(path) => write!(f, "{path} was added"),
        }
    }
}

/// What differs between a lock's list and what was found.
#[must_use]
pub fn differences(locked: &Files, found: &Files) -> Vec<Difference> {
    let gone_or_changed = locked.iter().filter_map(|(path, hash)| match found.get(path) {
        None => Some(Difference::Missing(path.clone())),
        Some(other) if other != hash => Some(Difference::Changed(path.clone())),
        Some(_) => None,
    });
    let extra = found.keys().filter(|path| !locked.contains_key(*path)).map(|path| Difference::Extra(path.clone()));
    gone_or_changed.chain(extra).collect()
}

/// Differences in one line: the first few, then how many more.
#[must_use]
pub fn in_words(differences: &[Difference]) -> String {
    /// A message names at most so many files.
    const MOST: usize = 5;
    let mut words: Vec<String> = differences.iter().take(MOST).map(ToString::to_string).collect();
    if differences.len() > MOST {
        words.push(format!("and {} more", differences.len() - MOST));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(paths: &[&str]) -> Vec<String> {
        that_count(&paths.iter().map(ToString::to_string).collect()).into_iter().collect()
    }

    #[test]
    fn scenarios_manifest_and_data_count() {
        let paths = [
            "scn.toml",
            "lab.scn",
            "access/dsl.scn",
            "files/page.bin",
            "files/deep/x",
            "README.md",
            "a/files/x",
            "scn.lock",
            "lab.scn.orig",
        ];
        assert_eq!(counted(&paths), ["access/dsl.scn", "files/deep/x", "files/page.bin", "lab.scn", "scn.toml"]);
    }

    #[test]
    fn what_is_hidden_made_or_another_library_does_not_count() {
        let paths =
            [".git/x.scn", ".x.scn", "vendor/b/b.scn", "a/target/x.scn", "examples/scn.toml", "examples/e.scn", "example.scn", "files/.x"];
        assert_eq!(counted(&paths), ["example.scn"]);
    }

    #[test]
    fn the_hash_of_all_is_what_sha256sum_gives() {
        // printf 'a' > a; printf 'b' > b; sha256sum a b | sha256sum
        let files: Files = [("a".to_owned(), Hash::of(b"a")), ("b".to_owned(), Hash::of(b"b"))].into();
        assert_eq!(Hash::of(b"a").to_string(), "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
        assert_eq!(whole(&files).to_string(), "cb13f400dcb618e400d0f7d54f7cdb330d37a07272cb99a1016cda5830a10556");
    }

    #[test]
    fn paths_have_one_spelling() {
        for good in ["a", "a/b.scn", "ä/b"] {
            assert!(is_plain_path(good), "{good}");
        }
        for bad in ["", "/a", "a//b", "a/", "./a", "../a", "a/../b", "a\\b", "a\nb", "a\0", &"a/".repeat(40), &"a".repeat(1_001)] {
            assert!(!is_plain_path(bad), "{bad}");
        }
    }

    #[test]
    fn differences_name_their_files() {
        let files = |pairs: &[(&str, &str)]| pairs.iter().map(|(p, t)| ((*p).to_owned(), Hash::of(t.as_bytes()))).collect::<Files>();
        let found = differences(&files(&[("a", "1"), ("b", "1"), ("c", "1")]), &files(&[("a", "1"), ("b", "2"), ("d", "1")]));
        assert_eq!(in_words(&found), "b has changed, c is missing, d was added");
        let many = differences(&files(&[]), &(0..9).map(|n| (n.to_string(), Hash::of(b""))).collect());
        assert!(in_words(&many).ends_with("and 4 more"));
    }
}
