//! Damaged and hostile locks and manifests: always an error or a value, never a panic, and nothing that leads out of a library.

use std::collections::BTreeMap;

use crate::address::{Address, Revision};
use crate::content::{Hash, whole};
use crate::lock::{From, Lock, Locked};
use crate::manifest::Manifest;
use crate::version::Version;

fn sample() -> Lock {
    let files = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Hash::of(name.as_bytes()))).collect();
    let git = From::Git { address: Address::parse("https://e.org/acme").unwrap(), revision: Revision::parse(&"ab".repeat(20)).unwrap() };
    let acme = Locked {
        name: "acme".into(),
        version: Version::new(1, 2, 0),
        from: git,
        files: files(&["scn.toml", "lab.scn", "access/dsl line.scn"]),
    };
    let near =
        Locked { name: "near".into(), version: Version::new(0, 1, 0), from: From::Path("../near".into()), files: files(&["scn.toml"]) };
    Lock {
        asked: BTreeMap::from([
            ("acme".to_owned(), "git https://e.org/acme version 1.2".to_owned()),
            ("near".to_owned(), "path ../near".to_owned()),
        ]),
        libraries: BTreeMap::from([("acme".to_owned(), acme), ("near".to_owned(), near)]),
    }
}

fn refused(text: &str) -> String {
    let error = Lock::parse("scn.lock", text).expect_err(text);
    assert!(!error.problem.help().is_empty());
    format!("{} {error}", error.problem.code())
}

/// The sample with one piece of its text replaced.
fn with(old: &str, new: &str) -> String {
    let text = sample().to_text();
    assert!(text.contains(old), "{old}");
    text.replacen(old, new, 1)
}

#[test]
fn what_is_written_is_read_back() {
    assert_eq!(Lock::parse("scn.lock", &sample().to_text()).unwrap(), sample());
    assert_eq!(Lock::parse("scn.lock", &Lock::default().to_text()).unwrap(), Lock::default());
}

#[test]
fn the_text_is_sorted_and_says_who_keeps_it() {
    let text = sample().to_text();
    assert!(text.starts_with("# Written by scn") && text.contains("\nversion = 1\n"), "{text}");
    assert!(text.find("name = \"acme\"").unwrap() < text.find("name = \"near\"").unwrap());
    assert!(text.find("access/dsl line.scn").unwrap() < text.find("lab.scn").unwrap());
}

#[test]
fn a_lock_cut_anywhere_is_refused_or_whole() {
    let text = sample().to_text();
    let whole = sample();
    for end in 0..text.len() {
        // What is left is either refused or says the same: only the last line end may be missing.
        if let Ok(lock) = Lock::parse("scn.lock", &text[..end]) {
            assert_eq!(lock, whole, "cut at {end}: {}", &text[..end]);
        }
    }
}

#[test]
fn a_flipped_bit_is_refused_or_changes_nothing_that_is_trusted() {
    let text = sample().to_text().into_bytes();
    let whole = sample();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut other = text.clone();
            other[at] ^= 1 << bit;
            let Ok(other) = String::from_utf8(other) else { continue };
            let Ok(lock) = Lock::parse("scn.lock", &other) else { continue };
            for (name, library) in &lock.libraries {
                let same = whole.libraries.values().any(|known| known.files == library.files);
                assert!(same, "byte {at} bit {bit} changed the files of {name}:\n{other}");
            }
        }
    }
}

#[test]
fn a_manifest_cut_or_flipped_anywhere_never_panics() {
    let text = b"[library]\nname = \"site\"\nversion = \"1.2.0\"\nscn = 1\n\n[dependencies]\nacme = { git = \"https://e.org/acme\", version = \"1.2\" }\nnear = { path = \"../near\" }\n";
    for end in 0..text.len() {
        let _ = Manifest::parse("scn.toml", std::str::from_utf8(&text[..end]).unwrap());
        for bit in 0..8 {
            let mut other = text.to_vec();
            other[end] ^= 1 << bit;
            if let Ok(other) = String::from_utf8(other) {
                let _ = Manifest::parse("scn.toml", &other);
            }
        }
    }
}

#[test]
fn hostile_locks_are_refused_with_the_reason() {
    let hash = Hash::of(b"x");
    let sha = whole(&sample().libraries["near"].files).to_string();
    for (text, words) in [
        (sample().to_text().replace("\n# end", ""), "it was cut"),
        (String::new(), "version = 1"),
        ("version = \"1\"\n".into(), "version = 1"),
        ("version = 0\n".into(), "version = 1"),
        ("version = 2\nwhatever = true\n".into(), "newer_lock"),
        ("version = 1\nwhatever = true\n# end\n".into(), "`whatever`"),
        ("version = 1\nlibrary = 3\n# end\n".into(), "list of tables"),
        ("version = 1\nasked = 3\n# end\n".into(), "table"),
        ("version = 1\n[asked]\nacme = 3\n# end\n".into(), "text"),
        ("version = 1\n[asked]\nacme = \"path ../acme\"\n# end\n".into(), "not there"),
        ("version = 1\n[asked]\n\"../x\" = \"path ../acme\"\n# end\n".into(), "no name"),
        (with("name = \"near\"", "name = \"acme\""), "twice"),
        (with("name = \"near\"", "name = \"../near\""), "`name`"),
        (with("name = \"near\"", "name = \"std\""), "`name`"),
        (with("name = \"near\"\n", ""), "lacks `name`"),
        (with("version = \"0.1.0\"", "version = \"0.1\""), "`version`"),
        (with("\"../near\"\nsha256", "\"/etc\"\nsha256"), "`path`"),
        (with("\"../near\"\nsha256", "\"near/../../x\"\nsha256"), "`path`"),
        (with("\"../near\"\nsha256", "\"\"\nsha256"), "`path`"),
        (with("git = \"https://e.org/acme\"\n", "git = \"--upload-pack=x\"\n"), "`git`"),
        (with("git = \"https://e.org/acme\"\n", "git = \"ext::sh -c x\"\n"), "`git`"),
        (with("git = \"https://e.org/acme\"\n", "git = \"https://e.org/acme\"\npath = \"../x\"\n"), "one source"),
        (with("git = \"https://e.org/acme\"\n", ""), "one source"),
        (with(&"ab".repeat(20), &"AB".repeat(20)), "`revision`"),
        (with(&"ab".repeat(20), "--help"), "`revision`"),
        (with(&sha, &"0".repeat(64)), "do not make"),
        (with(&sha, "xyz"), "`sha256`"),
        (with("\"lab.scn\" = ", "\"../lab.scn\" = "), "../lab.scn"),
        (with("\"lab.scn\" = ", "\"/lab.scn\" = "), "/lab.scn"),
        (with("\"lab.scn\" = ", "\"a\\u0000.scn\" = "), "no path"),
        (with("\"lab.scn\" = ", "\"scn.toml\" = "), "damaged"),
        (with("\"lab.scn\" = \"", "\"lab.scn\" = \"0"), "hash of lab.scn"),
        (with("\"lab.scn\" = ", "\"lab.scn\" = 3 #"), "text"),
        (with("[[library]]\nname = \"near\"", &format!("[[library]]\nextra = \"{hash}\"\nname = \"near\"")), "`extra`"),
        (with("\n[[library]]", "\n<<<<<<< ours\n[[library]]"), "merge"),
        (format!("version = 1\nx = {}1{}\n", "[".repeat(100_000), "]".repeat(100_000)), "damaged"),
        (format!("version = 1\n{}", "a.".repeat(100_000)), "damaged"),
        ("#".repeat((1 << 20) + 1), "too_large"),
    ] {
        let said = refused(&text);
        assert!(said.contains(words), "`{words}` is missing in {said}");
    }
}

#[test]
fn counts_are_bounded() {
    let hash = Hash::of(b"x");
    let library = |n: usize, files: usize| {
        let files = (0..files).map(|n| (format!("{n}.scn"), hash.clone())).collect();
        Locked { name: format!("a{n}"), version: Version::new(1, 0, 0), from: From::Path(format!("../a{n}")), files }
    };
    let lock = |count: usize, files: usize| {
        let libraries = (0..count).map(|n| (format!("a{n}"), library(n, files))).collect();
        Lock { asked: BTreeMap::new(), libraries }.to_text()
    };
    assert!(Lock::parse("scn.lock", &lock(200, 1)).is_ok());
    assert!(refused(&lock(201, 1)).contains("too_large"));
    assert!(Lock::parse("scn.lock", &lock(1, 1_000)).is_ok());
    assert!(refused(&lock(1, 1_001)).contains("too_large"));
}
