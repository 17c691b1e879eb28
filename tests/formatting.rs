//! `scn fmt` as users meet it: files, folders, standard input; what it changes, what it leaves alone, what it says.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use crate::built::{Ended, Place, User, collect, finish, repository};

const SLOPPY: &str = "scn 1\nlet a=1 # one\n";
const CANONICAL: &str = "scn 1\n\nlet a = 1 # one\n";
const BROKEN: &str = "scn 1\nlet a = (\n";

/// Gives a text to the standard input of `scn fmt` and what else was said.
fn piped(text: impl AsRef<[u8]>, arguments: &[&str]) -> Ended {
    let place = Place::new();
    let mut child = place
        .command(&[&["fmt", "-"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_ref()).unwrap();
    collect(child)
}

#[test]
fn files_are_changed_in_place_and_named() {
    let place = Place::new();
    place.write("a.scn", SLOPPY).write("b.scn", CANONICAL);
    let ended = place.scn(&["fmt", "a.scn", "./b.scn"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "a.scn\n"), "{ended:?}");
    assert_eq!(ended.stderr, "1 file changed, 1 as they should be\n");
    assert_eq!((place.read("a.scn"), place.read("b.scn")), (CANONICAL.to_owned(), CANONICAL.to_owned()));
    let again = place.scn(&["fmt"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""), "{again:?}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2, "nothing else is left in the folder");
}

#[test]
fn a_file_that_is_canonical_is_not_touched() {
    let place = Place::new();
    place.write("a.scn", CANONICAL);
    let before = fs::metadata(place.path().join("a.scn")).unwrap();
    assert_eq!(place.scn(&["fmt"]).code, Some(0));
    let after = fs::metadata(place.path().join("a.scn")).unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
}

#[test]
fn folders_are_searched_and_links_that_lead_out_are_not_followed() {
    let (place, outside) = (Place::new(), Place::new());
    outside.write("secret.scn", SLOPPY);
    fs::create_dir_all(place.path().join("deep/er")).unwrap();
    place.write("deep/a.scn", SLOPPY).write("deep/er/b.scn", SLOPPY).write("deep/c.txt", SLOPPY);
    symlink(outside.path().join("secret.scn"), place.path().join("deep/link.scn")).unwrap();
    symlink(outside.path(), place.path().join("deep/folder")).unwrap();
    let ended = place.scn(&["fmt", "deep"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "deep/a.scn\ndeep/er/b.scn\n"), "{ended:?}");
    assert_eq!((place.read("deep/c.txt"), outside.read("secret.scn")), (SLOPPY.to_owned(), SLOPPY.to_owned()));
    // A link that is named is meant.
    let ended = place.scn(&["fmt", "deep/link.scn"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "deep/link.scn\n"), "{ended:?}");
    assert_eq!(outside.read("secret.scn"), CANONICAL);
    assert!(place.path().join("deep/link.scn").is_symlink());
}

#[test]
fn check_names_what_would_change_and_changes_nothing() {
    let place = Place::new();
    place.write("a.scn", SLOPPY).write("b.scn", CANONICAL);
    let ended = place.scn(&["fmt", "--check"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "a.scn\n"), "{ended:?}");
    assert_eq!(ended.stderr, "1 file would change, 1 as they should be\n");
    assert_eq!(place.read("a.scn"), SLOPPY);
    assert_eq!(place.scn(&["fmt", "--check", "b.scn"]).code, Some(0));
}

#[test]
fn diff_shows_what_would_change_and_changes_nothing() {
    let place = Place::new();
    place.write("a.scn", SLOPPY);
    let wanted = "--- a.scn\n+++ a.scn\n@@ -1,2 +1,3 @@\n scn 1\n-let a=1 # one\n+\n+let a = 1 # one\n";
    let ended = place.scn(&["fmt", "--diff"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), wanted), "{ended:?}");
    let ended = place.scn(&["fmt", "--diff", "--check"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), wanted), "{ended:?}");
    assert_eq!(place.read("a.scn"), SLOPPY);
}

#[test]
fn standard_input_goes_to_standard_output() {
    for text in [SLOPPY.to_owned(), CANONICAL.to_owned(), format!("\u{feff}{}", SLOPPY.replace('\n', "\r\n"))] {
        let ended = piped(text, &[]);
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), CANONICAL, ""), "{ended:?}");
    }
    let ended = piped(SLOPPY, &["--check"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "<stdin>\n"), "{ended:?}");
    let ended = piped(CANONICAL, &["--check", "--diff"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    let ended = piped(SLOPPY, &["--diff"]);
    assert!(ended.code == Some(0) && ended.stdout.starts_with("--- <stdin>\n"), "{ended:?}");
}

#[test]
fn a_broken_file_is_reported_and_left_alone_and_the_others_are_formatted() {
    let place = Place::new();
    place.write("a.scn", BROKEN).write("b.scn", SLOPPY).write("c.scn", b"scn 1\n# \xff\n");
    let ended = place.scn(&["fmt", "--message-format", "short"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), "b.scn\n"), "{ended:?}");
    for said in ["a.scn:2:", "scn::syntax::unclosed_parenthesis", "c.scn", "scn::file::not_utf8"] {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }
    assert_eq!((place.read("a.scn"), place.read("b.scn")), (BROKEN.to_owned(), CANONICAL.to_owned()));
    let ended = piped(BROKEN, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("<stdin>"), "{ended:?}");
    assert_eq!(piped(b"\xff", &[]).code, Some(2));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let place = Place::new();
    place.write("a.scn", SLOPPY);
    let ended = place.scn(&["fmt", "-", "a.scn"]);
    assert!(ended.code == Some(2) && ended.stderr.contains("stands alone"), "{ended:?}");
    let ended = place.scn(&["fmt", "nowhere.scn"]);
    assert!(ended.code == Some(2) && ended.stderr.contains("nowhere.scn"), "{ended:?}");
    let empty = Place::new();
    let ended = empty.scn(&["fmt"]);
    assert!(ended.code == Some(4) && ended.stderr.contains("no *.scn file"), "{ended:?}");
    assert_eq!(place.read("a.scn"), SLOPPY);
}

#[test]
fn permissions_and_owner_stay() {
    let place = Place::new();
    place.write("a.scn", SLOPPY);
    let path = place.path().join("a.scn");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    if crate::built::is_root() {
        std::os::unix::fs::chown(&path, Some(65_534), Some(65_534)).unwrap();
    }
    let before = fs::metadata(&path).unwrap();
    assert_eq!(place.scn(&["fmt"]).code, Some(0));
    let after = fs::metadata(&path).unwrap();
    assert_eq!(place.read("a.scn"), CANONICAL);
    assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let Some(place) = Place::of(User::Ordinary) else { return };
    place.write("a.scn", SLOPPY);
    let ended = place.scn(&["fmt", "a.scn"]);
    assert!(ended.code == Some(5) && ended.stderr.contains("Permission denied"), "{ended:?}");
    assert!(ended.stderr.contains("0 files changed"), "{ended:?}");
    assert_eq!(place.read("a.scn"), SLOPPY);
}

#[test]
fn a_full_disk_loses_nothing() {
    let place = Place::new();
    let long = format!("scn 1\n{}", "let a=1\n".repeat(20_000));
    place.write("a.scn", &long);
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" fmt a.scn";
    let ended = finish(Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_scn")]).current_dir(place.path()).stdin(Stdio::null()));
    assert!(ended.code == Some(5) && ended.stderr.contains("it is as it was"), "{ended:?}");
    assert_eq!(place.read("a.scn"), long);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "no half-written file is left");
}

#[test]
fn what_is_shipped_is_as_it_should_be() {
    let paths: Vec<String> = ["scenarios", "stdlib"].iter().map(|folder| repository(folder).display().to_string()).collect();
    let ended = Place::new().scn(&["fmt", "--check", &paths[0], &paths[1]]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
}
