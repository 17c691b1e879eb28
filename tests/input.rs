//! Bad input: every mistake gets a clear message and exit 2, and nothing runs.

use crate::built::{Ended, Place};

/// Checks one file and gives what was said.
fn check(bytes: impl AsRef<[u8]>) -> Ended {
    let place = Place::new();
    place.write("a.scn", bytes);
    place.scn(&["check", "--message-format", "short", "a.scn"])
}

fn assert_refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for word in words {
        assert!(ended.stdout.contains(word) || ended.stderr.contains(word), "`{word}` is missing in {ended:?}");
    }
}

/// A whole scenario around a body.
fn around(body: &str) -> String {
    format!("scn 1\nscenario s {{\n{body}\n}}\n")
}

const TWO_NODES: &str = "topology {\n node a, b\n link a <-> b\n}\nflow f from a to b { total 1 }\nexpect { f.loss == 0% }\n";

#[test]
fn a_whole_file_is_fine() {
    assert_eq!(check(around(TWO_NODES)).code, Some(0), "{:?}", check(around(TWO_NODES)));
}

#[test]
fn a_missing_file_is_named() {
    let place = Place::new();
    assert_refused(&place.scn(&["run", "nowhere.scn"]), &["nowhere.scn", "No such file"]);
}

#[test]
fn an_unreadable_file_is_named() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("folder.scn")).unwrap();
    std::os::unix::fs::symlink("loop.scn", place.path().join("loop.scn")).unwrap();
    assert_refused(&place.scn(&["run", "loop.scn"]), &["loop.scn"]);
}

#[test]
fn an_empty_file_says_what_to_write() {
    assert_refused(&check(""), &["scn 1"]);
}

#[test]
fn a_binary_file_is_refused() {
    let bytes: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_refused(&check(bytes), &["UTF-8"]);
    assert_refused(&check(b"scn 1\n\0\0\0\0\n"), &[]);
}

#[test]
fn a_file_that_is_not_utf8_says_where() {
    assert_refused(&check(b"scn 1\n# caf\xe9\n"), &["not UTF-8", "byte 11"]);
}

#[test]
fn line_ends_of_other_systems_are_accepted() {
    let ended = check(around(TWO_NODES).replace('\n', "\r\n"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn seven_megabytes_are_read_and_more_are_refused_in_time() {
    let mut text = around(TWO_NODES);
    let line = "# a line of a comment that says nothing at all, again and again and again\n";
    while text.len() < 7 << 20 {
        text.push_str(line);
    }
    assert_eq!(check(&text).code, Some(0));
    assert_refused(&check(text + &line.repeat(20_000)), &["8 MiB"]);
    let nodes: String = (0..100_000).map(|i| format!(" node n{i}_with_a_long_name_so_that_it_fills_the_file_quickly\n")).collect();
    let ended = check(around(&format!("topology {{\n{nodes}\n}}")));
    assert_refused(&ended, &[]);
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["(", "{", "[", "not ", "-", "repeat 2 {", "if true then "] {
        let ended = check(around(&format!("timeout {}1s", open.repeat(10_000))));
        assert_refused(&ended, &[]);
    }
    let blocks = "topology { ".repeat(10_000);
    assert_refused(&check(format!("scn 1\nscenario s {{ {blocks}")), &[]);
}

#[test]
fn several_mistakes_are_told_at_once() {
    let text = around(
        "topology {\n nod a, b\n link a <-> c\n}\nflow f from a to b { conections 5 }\nexpect {\n f.lossy == 0%\n f.loss < 10ms\n}\n",
    );
    let ended = check(text);
    assert_refused(&ended, &["nod", "connections", "loss", "duration"]);
    assert!(ended.stdout.lines().count() >= 2, "{}", ended.stdout);
}

#[test]
fn unknown_names_units_and_options_name_the_nearest() {
    let flow = TWO_NODES.replace("from a", "from aa");
    assert_refused(&check(around(&flow)), &["aa", "`a`"]);
    assert_refused(&check(around(&format!("timeout 5sec\n{TWO_NODES}"))), &["sec"]);
    assert_refused(&check(around(&TWO_NODES.replace("total 1", "totl 1"))), &["total"]);
    assert_refused(&check(around(&TWO_NODES.replace("f.loss", "f.losss"))), &["loss"]);
    assert_refused(&check(around(&TWO_NODES.replace("0%", "10ms"))), &["ratio", "duration"]);
}

#[test]
fn addresses_are_checked() {
    let with = |a: &str, b: &str| {
        around(&format!("topology {{\n node a, b\n link a {a} <-> b {b}\n}}\nflow f from a to b {{ total 1 }}\nexpect {{ f.loss == 0% }}"))
    };
    assert_refused(&check(with("10.0.0.1/24", "10.0.1.2/24")), &["10.0.1.2"]);
    assert_refused(&check(with("10.0.0.1/24", "10.0.0.1/24")), &["10.0.0.1"]);
    assert_refused(&check(around("topology {\n node a\n link a <-> nowhere\n}")), &["nowhere"]);
}

#[test]
fn a_pattern_in_which_both_ends_wait_is_refused() {
    let text = around(&format!(
        "pattern p {{\n client expects \"a\"\n server expects \"b\"\n}}\n{}",
        TWO_NODES.replace("total 1", "pattern p  total 1")
    ));
    assert_refused(&check(text), &["wait"]);
}

#[test]
fn a_flow_that_cannot_arrive_is_refused() {
    let text = "topology {\n node a, b, c\n link a <-> c\n link b <-> c\n}\nflow f from a to b { total 1 }\nexpect { f.loss == 0% }";
    assert_refused(&check(around(text)), &["unreachable"]);
}

#[test]
fn an_event_that_nothing_makes_is_refused() {
    assert_refused(&check(around(&TWO_NODES.replace("0% }", "0% before failure }"))), &["failure"]);
}

#[test]
fn usage_mistakes_exit_2() {
    let place = Place::new();
    place.write("a.scn", around(TWO_NODES));
    for arguments in [
        &["run", "a.scn", "-p", "nothing=1"][..],
        &["run", "a.scn", "-p", "nothing"],
        &["run", "a.scn", "--seed", "many"],
        &["run", "*.nothing"],
        &["frobnicate"],
        &["run", "a.scn", "--filter", "ha and"],
        &["explain", "scn::nothing"],
        &["judge", "a.scn"],
        &["judge", "nowhere.run.json"],
    ] {
        let ended = place.scn(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
    assert!(!place.path().join("scn-results").exists(), "nothing ran");
}

#[test]
fn parameters_come_from_a_file_and_the_command_line_goes_before_it() {
    let place = Place::new();
    let params = "scenario s {\n    param budget: duration = 1s\n    param sizes: list = [1B]\n    param slow: condition = 1 == 2\n";
    place.write("a.scn", around(TWO_NODES).replacen("scenario s {\n", params, 1));
    place
        .write("p.toml", "budget = \"250ms\"\nsizes = [\"64B\", \"1KiB\"]\n")
        .write("q.toml", "budget = [")
        .write("r.toml", "budget = {a = 1}");
    let listed = |arguments: &[&str]| place.scn(&[&["list", "a.scn", "--format", "json"], arguments].concat());
    let ended = listed(&["--params", "p.toml"]);
    assert!(ended.code == Some(0) && ended.stdout.contains("250ms") && ended.stdout.contains("1KiB"), "{ended:?}");
    let ended = listed(&["--params", "p.toml", "-p", "budget=2s"]);
    assert!(ended.stdout.contains("2s") && !ended.stdout.contains("250ms"), "{ended:?}");
    for (file, words) in [("q.toml", "line 1"), ("r.toml", "`budget`"), ("none.toml", "none.toml")] {
        let ended = listed(&["--params", file]);
        assert!(ended.code == Some(2) && ended.stderr.contains(words), "{ended:?}");
    }
}

#[test]
fn a_filter_that_matches_nothing_exits_4() {
    let place = Place::new();
    place.write("a.scn", around(TWO_NODES));
    assert_eq!(place.scn(&["run", "a.scn", "--filter", "slow"]).code, Some(4));
    assert_eq!(place.scn(&["list", "a.scn", "--filter", "s"]).code, Some(0));
}

#[test]
fn problems_are_told_to_machines_too() {
    let place = Place::new();
    place.write("a.scn", around(&TWO_NODES.replace("total 1", "totl 1")));
    let ended = place.scn(&["check", "--message-format", "json", "a.scn"]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(!lines.is_empty(), "{ended:?}");
    for line in lines {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["code"].as_str().unwrap().starts_with("scn::"), "{line}");
        assert_eq!(value["line"], 7, "{line}");
    }
}
