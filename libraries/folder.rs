//! Libraries as folders on disk. In: a folder. Out: the files of it that count, with their hashes; and folders and files written whole
//! or not at all. Every size is bounded, links are never followed below the folder. Decides nothing about versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::content::{Files, Hash, MAX_DEPTH, MAX_FILE, MAX_FILES, MAX_LIBRARY, is_plain_path, is_searched, that_count};
use crate::problem::{Error, Problem};

/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 100_000;

/// How names of files and folders begin that are being made.
pub const HALF_DONE: &str = ".scn-";

/// The bytes of a library's files, by path.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// A path as people read it: from the working directory where that is shorter.
#[must_use]
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok()).filter(|short| !short.as_os_str().is_empty());
    short.unwrap_or(path).to_string_lossy().into_owned()
}

fn unreadable(path: &Path, reason: impl ToString) -> Error {
    Problem::Unreadable { file: shown(path), reason: reason.to_string() }.into()
}

/// A problem of writing.
pub fn unwritable(path: &Path, reason: impl ToString) -> Error {
    Problem::Unwritable { file: shown(path), reason: reason.to_string() }.into()
}

/// The bytes of a regular file; more than `limit` is an error, not a partial text.
///
/// # Errors
/// The file cannot be read, is too large, or is a folder, a device, a pipe.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let meta = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if !meta.is_file() {
        return Err(unreadable(path, "it is no regular file"));
    }
    let file = fs::File::open(path).map_err(|error| unreadable(path, error))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    if bytes.len() as u64 > limit {
        let count = meta.len().max(bytes.len() as u64);
        return Err(Problem::TooLarge { what: format!("bytes of {}", shown(path)), count, limit }.into());
    }
    Ok(bytes)
}

/// The text of a file.
///
/// # Errors
/// Those of [`read`], and that it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String, Error> {
    String::from_utf8(read(path, limit)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        unreadable(path, format!("it is not UTF-8 text: byte {at} does not belong to a character"))
    })
}

/// The files of a library's folder that count, and their bytes.
///
/// # Errors
/// Something cannot be read, is too large, or is a link.
pub fn contents(root: &Path) -> Result<Contents, Error> {
    let mut read_so_far: u64 = 0;
    let mut found = Contents::new();
    for path in list(root)? {
        let bytes = read(&root.join(&path), MAX_FILE)?;
        read_so_far += bytes.len() as u64;
        if read_so_far > MAX_LIBRARY {
            let what = format!("bytes of the library in {}", shown(root));
            return Err(Problem::TooLarge { what, count: read_so_far, limit: MAX_LIBRARY }.into());
        }
        found.insert(path, bytes);
    }
    Ok(found)
}

/// The hash of each.
#[must_use]
pub fn hashes(contents: &Contents) -> Files {
    contents.iter().map(|(path, bytes)| (path.clone(), Hash::of(bytes))).collect()
}

/// The files of a folder that count.
fn list(root: &Path) -> Result<BTreeSet<String>, Error> {
    let mut walk = Listing { root, entries: 0, files: BTreeSet::new(), links: BTreeSet::new() };
    walk.folder("", 0)?;
    let both = walk.files.union(&walk.links).cloned().collect();
    let counted = that_count(&both);
    if let Some(link) = counted.iter().find(|path| walk.links.contains(*path)) {
        return Err(unreadable(&root.join(link), "it is a link; a library holds plain files"));
    }
    too_many_files(&shown(root), counted.len())?;
    Ok(counted)
}

/// Refuses a library of too many files.
///
/// # Errors
/// There are too many.
pub fn too_many_files(library: &str, count: usize) -> Result<(), Error> {
    let (count, limit) = (count as u64, MAX_FILES as u64);
    if count <= limit { Ok(()) } else { Err(Problem::TooLarge { what: format!("files of the library in {library}"), count, limit }.into()) }
}

/// What a walk through a folder found.
struct Listing<'a> {
    root: &'a Path,
    entries: usize,
    files: BTreeSet<String>,
    links: BTreeSet<String>,
}

impl Listing<'_> {
    fn folder(&mut self, below: &str, depth: usize) -> Result<(), Error> {
        let folder = self.root.join(below);
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, error))? {
            let entry = entry.map_err(|error| unreadable(&folder, error))?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                let what = format!("entries of the folder {}", shown(self.root));
                return Err(Problem::TooLarge { what, count: self.entries as u64, limit: MAX_ENTRIES as u64 }.into());
            }
            let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                if name.to_string_lossy().ends_with(".scn") {
                    return Err(unreadable(&entry.path(), "its name is not UTF-8"));
                }
                continue;
            };
            let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            if kind.is_dir() {
                if is_searched(name) && depth < MAX_DEPTH {
                    self.folder(&path, depth + 1)?;
                }
            } else if !is_plain_path(&path) {
                if name.ends_with(".scn") {
                    return Err(unreadable(&entry.path(), "its name holds characters that a library's path may not"));
                }
            } else if kind.is_file() {
                self.files.insert(path);
            } else {
                self.links.insert(path);
            }
        }
        Ok(())
    }
}

/// Writes a file whole or not at all, with the permissions that it had.
///
/// # Errors
/// It could not be written; what was there is still there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mode = fs::metadata(path).map_or(0o644, |meta| meta.permissions().mode() & 0o777);
    let mut file = tempfile::Builder::new().prefix(HALF_DONE).tempfile_in(folder).map_err(|error| unwritable(path, error))?;
    let written = file.write_all(bytes).and_then(|()| file.as_file().sync_all());
    let permitted = written.and_then(|()| file.as_file().set_permissions(fs::Permissions::from_mode(mode)));
    permitted.map_err(|error| unwritable(path, error))?;
    file.persist(path).map_err(|error| unwritable(path, error.error))?;
    Ok(())
}

/// A folder with files in it, to be given its name when it is whole; dropped before that, it is gone.
pub struct NewFolder(tempfile::TempDir);

impl NewFolder {
    /// An empty one beside where it will stand.
    ///
    /// # Errors
    /// It could not be made.
    pub fn beside(parent: &Path) -> Result<Self, Error> {
        fs::create_dir_all(parent).map_err(|error| unwritable(parent, error))?;
        tempfile::Builder::new().prefix(HALF_DONE).tempdir_in(parent).map(NewFolder).map_err(|error| unwritable(parent, error))
    }

    /// Where it is now.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes files below it.
    ///
    /// # Errors
    /// One could not be written.
    pub fn fill(&self, below: &str, contents: &Contents) -> Result<(), Error> {
        for (path, bytes) in contents {
            let file = self.path().join(below).join(path);
            let made = file.parent().map_or(Ok(()), fs::create_dir_all);
            made.and_then(|()| fs::write(&file, bytes)).map_err(|error| unwritable(&file, error))?;
        }
        Ok(())
    }

    /// Gives it its name; what bore the name goes. If another process was faster with the same, that one stays.
    ///
    /// # Errors
    /// It could not be renamed.
    pub fn place(self, path: &Path, replaces: bool) -> Result<(), Error> {
        let readable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path(), readable).map_err(|error| unwritable(path, error))?;
        let old = self.path().with_extension("old");
        let moved = replaces && fs::rename(path, &old).is_ok();
        let renamed = fs::rename(self.path(), path);
        if moved {
            let _ = if renamed.is_ok() { fs::remove_dir_all(&old) } else { fs::rename(&old, path) };
        }
        match renamed {
            Ok(()) => {
                // It has moved away: nothing is left to remove.
                let _ = self.0.keep();
                Ok(())
            }
            Err(_) if !replaces && path.is_dir() => Ok(()),
            Err(error) => Err(unwritable(path, error)),
        }
    }
}

/// A way between folders without `.` and with `..` only at its start: `a/../../b` becomes `../b`.
#[must_use]
pub fn tidy_way(way: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in way.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The way from one folder to another; both are whole and without links.
#[must_use]
pub fn way_between(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Path::new(".."));
    up.chain(to.components().skip(shared).map(|part| Path::new(part.as_os_str()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_written_in_one_spelling() {
        for (way, tidy) in
            [("../acme", "../acme"), ("./a/./b/", "a/b"), ("../a/../b", "../b"), ("a/../../b", "../b"), ("../../a", "../../a")]
        {
            assert_eq!(tidy_way(way), tidy);
        }
        assert_eq!(way_between(Path::new("/x/site"), Path::new("/x/acme")), Path::new("../acme"));
        assert_eq!(way_between(Path::new("/x"), Path::new("/x/acme")), Path::new("acme"));
    }

    #[test]
    fn a_folder_gives_what_counts_and_refuses_links() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        fs::create_dir_all(root.join("access/deep")).unwrap();
        for file in ["scn.toml", "access/deep/dsl.scn", "README.md"] {
            fs::write(root.join(file), file).unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("notes")).unwrap();
        let found = contents(root).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["access/deep/dsl.scn", "scn.toml"]);
        std::os::unix::fs::symlink("/etc/passwd", root.join("passwd.scn")).unwrap();
        let error = contents(root).unwrap_err();
        assert!(error.to_string().contains("passwd.scn") && error.to_string().contains("link"), "{error}");
    }

    #[test]
    fn too_much_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a.scn"), vec![b'#'; (MAX_FILE + 1) as usize]).unwrap();
        assert_eq!(contents(place.path()).unwrap_err().problem.code(), "scn::libraries::too_large");
        fs::remove_file(place.path().join("a.scn")).unwrap();
        for n in 0..=MAX_FILES {
            fs::write(place.path().join(format!("{n}.scn")), "").unwrap();
        }
        assert_eq!(contents(place.path()).unwrap_err().problem.code(), "scn::libraries::too_large");
        assert!(read(Path::new("/dev/zero"), 10).is_err(), "a device is no file");
    }

    #[test]
    fn a_file_is_written_whole_with_its_permissions() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("scn.toml");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        write(&file, b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left");
        assert!(write(&place.path().join("no/where"), b"").is_err());
    }

    #[test]
    fn of_two_that_make_the_same_folder_one_stays() {
        let place = tempfile::tempdir().unwrap();
        let one: Contents = [("a.scn".to_owned(), b"1".to_vec())].into();
        let (first, second) = (NewFolder::beside(place.path()).unwrap(), NewFolder::beside(place.path()).unwrap());
        first.fill("", &one).unwrap();
        second.fill("", &one).unwrap();
        first.place(&place.path().join("x"), false).unwrap();
        second.place(&place.path().join("x"), false).unwrap();
        assert_eq!(contents(&place.path().join("x")).unwrap(), one);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left");
    }
}
