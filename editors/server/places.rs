//! Names of texts and URIs of documents. In: URIs of a client, names of texts. Out: one name for each document: the whole path of a file,
//! and of anything else its URI. Looks at no disk.

use std::path::{Component, Path, PathBuf};
use std::str::FromStr as _;

use lsp_types::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands in a URI's path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The name of a document.
#[must_use]
pub fn name_of(uri: &Uri) -> String {
    match uri.as_str().strip_prefix("file://") {
        Some(path) => {
            let path = path.find('/').map_or(path, |at| &path[at..]);
            normal(Path::new(&*percent_decode_str(path).decode_utf8_lossy())).to_string_lossy().into_owned()
        }
        None => uri.as_str().to_owned(),
    }
}

/// The URI of a document or of a file.
#[must_use]
pub fn uri_of(name: &str) -> Option<Uri> {
    if name.starts_with('/') {
        Uri::from_str(&format!("file://{}", utf8_percent_encode(name, PLAIN))).ok()
    } else {
        Uri::from_str(name).ok()
    }
}

/// A path without `.` and `..`, as far as its words tell.
#[must_use]
pub fn normal(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if found.file_name().is_some() => drop(found.pop()),
            other => found.push(other),
        }
    }
    found
}

/// The name of the file that `use "PATH"` means in the file called `by`.
#[must_use]
pub fn beside(path: &str, by: &str) -> String {
    normal(&Path::new(by).parent().unwrap_or(Path::new("")).join(path)).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_by_their_paths() {
        for (uri, name) in [
            ("file:///a/b.scn", "/a/b.scn"),
            ("file:///a%20b/%C3%A4.scn", "/a b/ä.scn"),
            ("file://localhost/a/./x/../b.scn", "/a/b.scn"),
            ("untitled:Untitled-1", "untitled:Untitled-1"),
        ] {
            assert_eq!(name_of(&Uri::from_str(uri).unwrap()), name);
        }
        assert_eq!(uri_of("/a b/ä.scn").unwrap().as_str(), "file:///a%20b/%C3%A4.scn");
        assert_eq!(beside("./c.scn", "/a/b.scn"), "/a/c.scn");
        assert_eq!(beside("../c.scn", "/a/b.scn"), "/c.scn");
    }
}
