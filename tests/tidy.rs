//! The house rules that a machine can check. In: the sources of the whole workspace. Out: every place that breaks a rule.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path in the workspace and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The text before its tests.
    fn code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or("")
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("tests.rs")
            || self.path.contains("/examples/")
            || self.path.contains("/proofs/")
    }

    fn is_in(&self, rooms: &[&str]) -> bool {
        rooms.iter().any(|room| self.path.starts_with(room))
    }

    /// Lines of code (no comments) that hold a word, as `path:line: text`.
    fn lines_with(&self, word: &str) -> Vec<String> {
        let lines = self.code().lines().enumerate();
        let hits = lines.filter(|(_, line)| !line.trim_start().starts_with("//") && line.contains(word));
        hits.map(|(at, line)| format!("{}:{}: {}", self.path, at + 1, line.trim())).collect()
    }
}

fn collect(folder: &Path, root: &Path, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).expect("the workspace can be read");
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("the workspace can be read").path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().expect("a path from read_dir has a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, root, found);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            let path = path.strip_prefix(root).expect("it was found under the root").to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(root, root, &mut found);
    assert!(found.len() > 30, "the walk over the workspace found only {} files", found.len());
    found
}

fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let broken: Vec<String> = sources().iter().filter(|s| !s.text.starts_with("//!")).map(|s| s.path.clone()).collect();
    assert_none(&broken, "a source file starts with a module comment");
}

#[test]
fn files_are_small() {
    let long = sources().into_iter().filter(|s| !s.is_test() && s.code().lines().count() > 600);
    let broken: Vec<String> = long.map(|s| format!("{} has {} lines", s.path, s.code().lines().count())).collect();
    assert_none(&broken, "a file has at most 600 lines without its tests");
}

#[test]
fn files_are_named_for_what_they_do() {
    let vague = ["utils", "util", "helpers", "helper", "common", "misc"];
    let stem = |path: &str| Path::new(path).file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let broken: Vec<String> = sources().iter().filter(|s| vague.contains(&stem(&s.path).as_str())).map(|s| s.path.clone()).collect();
    assert_none(&broken, "no file is called utils, helpers, common or misc");
}

#[test]
fn one_file_names_pest() {
    let files: Vec<String> =
        sources().iter().filter(|s| !s.is_test() && !s.lines_with("pest::").is_empty()).map(|s| s.path.clone()).collect();
    assert!(files.len() <= 1, "only one file names pest:\n{}", files.join("\n"));
}

#[test]
fn pure_rooms_are_pure() {
    let shelf =
        ["version", "name", "address", "content", "table", "manifest", "lock", "select", "edit"].map(|file| format!("libraries/{file}.rs"));
    let rooms = ["grammar/", "runner/plan/", "runner/measure/", "runner/judge/", "reports/", "editors/server/"];
    let pure: Vec<&str> = rooms.into_iter().chain(shelf.iter().map(String::as_str)).collect();
    let impure = [
        "async fn",
        "tokio",
        "std::time::Instant",
        "Instant::now",
        "SystemTime::now",
        "std::fs",
        "std::net::Tcp",
        "std::process",
        "std::thread",
        "HashMap",
        "HashSet",
    ];
    let rooms: Vec<Source> = sources().into_iter().filter(|s| s.is_in(&pure) && !s.is_test() && !s.path.ends_with("build.rs")).collect();
    let mut broken: Vec<String> = rooms.iter().flat_map(|s| impure.iter().flat_map(|word| s.lines_with(word))).collect();
    // The model of links finds flows by hashes; nothing that it tells hangs on their order.
    let model = sources().into_iter().filter(|s| s.is_in(&["runner/emulate/"]) && !s.is_test());
    let ordered = impure.iter().filter(|word| **word != "HashMap");
    broken.extend(model.flat_map(|s| ordered.clone().flat_map(|word| s.lines_with(word)).collect::<Vec<_>>()));
    assert_none(
        &broken,
        "grammar, plan, measure, judge, reports, the language server and the pure files of libraries have no clock, no files, no threads, no async, no unordered maps",
    );
}

#[test]
fn one_file_changes_namespaces() {
    let all = sources();
    let files: Vec<&str> = all
        .iter()
        .filter(|s| !s.is_test() && (!s.lines_with("setns(").is_empty() || !s.lines_with("CLONE_NEWNET").is_empty()))
        .map(|s| s.path.as_str())
        .collect();
    assert!(files.iter().all(|f| f.starts_with("runner/lab/")), "namespaces are changed in the lab only: {files:?}");
    let setns: Vec<&str> = all.iter().filter(|s| !s.is_test() && !s.lines_with("setns(").is_empty()).map(|s| s.path.as_str()).collect();
    assert!(setns.len() <= 1, "one file calls setns: {setns:?}");
}

#[test]
fn unsafe_stays_in_the_lab_and_in_traffic() {
    let elsewhere = sources().into_iter().filter(|s| !s.is_in(&["runner/lab/", "runner/traffic/"]) && !s.is_test());
    let broken: Vec<String> = elsewhere.flat_map(|s| s.lines_with("unsafe {")).collect();
    assert_none(&broken, "unsafe code stands only in runner/lab and runner/traffic");
}

#[test]
fn sockets_are_made_in_the_lab_only() {
    let elsewhere = sources().into_iter().filter(|s| !s.is_in(&["runner/lab/"]) && !s.is_test());
    let makers = ["Socket::new", "TcpListener::bind", "UdpSocket::bind", "TcpStream::connect(", "TcpSocket::new", "Command::new"];
    // The one process that is none of a lab: git, which brings libraries.
    let git = |line: &String| line.starts_with("libraries/git.rs:") && line.contains("Command::new");
    let found = elsewhere.flat_map(|s| makers.iter().flat_map(|word| s.lines_with(word)).collect::<Vec<_>>());
    let broken: Vec<String> = found.filter(|line| !git(line)).collect();
    assert_none(&broken, "sockets and processes are made in runner/lab only, git is started in libraries/git.rs only");
}

#[test]
fn nothing_is_left_unfinished() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("#[", "ignore"), concat!("#[", "allow(")];
    let broken: Vec<String> = sources()
        .iter()
        .flat_map(|s| {
            let lines = s.text.lines().enumerate();
            let hits = lines.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
            hits.map(|(at, line)| format!("{}:{}: {}", s.path, at + 1, line.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert_none(&broken, "no notes to finish later, no ignored tests, no allowed lints");
}

#[test]
fn rooms_depend_downwards_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for room in ["grammar", "reports", "libraries"] {
        let manifest = fs::read_to_string(root.join(room).join("Cargo.toml")).expect("the manifest is there");
        assert!(!manifest.contains("scn-runner") && !manifest.contains("scn.workspace"), "{room} depends on nothing in the house");
        let others = ["grammar", "reports", "libraries"].into_iter().filter(|other| *other != room).map(|other| format!("scn-{other}"));
        assert_eq!(
            others.filter(|other| manifest.contains(other)).collect::<Vec<_>>(),
            Vec::<String>::new(),
            "{room} depends on nothing in the house"
        );
    }
    let manifest = fs::read_to_string(root.join("editors/server/Cargo.toml")).expect("the manifest is there");
    let own: Vec<&str> = manifest.lines().filter(|line| line.starts_with("scn-")).collect();
    assert_eq!(own, ["scn-grammar.workspace = true"], "the language server knows the language and nothing else of the house");
}
