//! What people review with: `scn check` in every format and with `--fix`, `scn doc`, `scn list`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use serde_json::Value;

use crate::built::{Ended, Place, User, repository};

/// An error and a warning.
const BROKEN: &str = "scn 1\n\nscenario s {\n    topology {\n        node a, b\n        link a <-> c\n    }\n    flow f from a to b { total 1 }\n    expect { f.loss >= 0% }\n}\n";
/// Two warnings that can be mended, and one that can't.
const UNTIDY: &str = "scn 1\n\nuse std.patterns (echo, sym)\nuse std.load\n\nlet spare = 1s\n\nscenario s {\n    topology {\n        node a, b\n        link a <-> b { rate 10Mbps }\n    }\n    flow f from a to b { pattern sym  total 1 }\n    expect { f.sent == 1 }\n}\n";
const MENDED: &str = "scn 1\n\nuse std.patterns (sym)\n\nlet spare = 1s\n\nscenario s {\n    topology {\n        node a, b\n        link a <-> b { rate 10Mbit/s }\n    }\n    flow f from a to b { pattern sym  total 1 }\n    expect { f.sent == 1 }\n}\n";

/// Checks the broken file in a format. Nothing is said on standard error unless it is for people.
fn checked(format: &str) -> Ended {
    let place = Place::new();
    place.write("a b.scn", BROKEN);
    let ended = place.scn(&["check", "a b.scn", "--message-format", format]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stderr.is_empty(), format != "human", "{ended:?}");
    ended
}

#[test]
fn people_see_the_place_and_the_sum() {
    let ended = checked("human");
    for part in ["unknown_node", "a b.scn:6:20", "link a <-> c"] {
        assert!(ended.stdout.contains(part), "{part}: {ended:?}");
    }
    assert!(ended.stderr.contains("1 error"), "{ended:?}");
}

#[test]
fn short_is_a_line_a_problem() {
    let ended = checked("short");
    assert!(ended.stdout.lines().all(|line| line.starts_with("a b.scn:")), "{ended:?}");
    assert!(ended.stdout.contains("a b.scn:6:20: error[scn::resolve::unknown_node]: "), "{ended:?}");
}

#[test]
fn json_is_an_object_a_line() {
    let ended = checked("json");
    let objects: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = objects.iter().find(|object| object["code"] == "scn::resolve::unknown_node").unwrap();
    assert_eq!((&first["file"], &first["line"], &first["column"]), (&"a b.scn".into(), &6.into(), &20.into()));
    assert_eq!((&first["severity"], &first["version"]), (&"error".into(), &1.into()));
}

#[test]
fn sarif_has_what_the_standard_requires() {
    let log: Value = serde_json::from_str(&checked("sarif").stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
    let [run] = log["runs"].as_array().unwrap().as_slice() else { panic!("one run: {log}") };
    assert_eq!(run["tool"]["driver"]["name"], "scn");
    let rules: Vec<&str> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()), "a result's rule is described: {result}");
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b.scn", "a URI has no blanks");
        let [line, column, end_line, end_column] =
            ["startLine", "startColumn", "endLine", "endColumn"].map(|field| place["region"][field].as_u64().unwrap());
        assert!(line >= 1 && column >= 1 && (end_line, end_column) >= (line, column), "{place}");
    }
}

#[test]
fn gitlab_has_the_fields_that_its_documentation_requires() {
    let issues: Value = serde_json::from_str(&checked("gitlab").stdout).unwrap();
    let issues = issues.as_array().unwrap();
    let mut fingerprints: Vec<&str> = Vec::new();
    for issue in issues {
        for field in ["description", "check_name", "fingerprint"] {
            assert!(!issue[field].as_str().unwrap().is_empty(), "{field}: {issue}");
        }
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap()));
        assert_eq!(issue["location"]["path"], "a b.scn");
        assert!(issue["location"]["lines"]["begin"].as_u64().unwrap() >= 1);
        fingerprints.push(issue["fingerprint"].as_str().unwrap());
    }
    assert!(!issues.is_empty());
    fingerprints.sort_unstable();
    assert!(fingerprints.windows(2).all(|pair| pair[0] != pair[1]), "each has a fingerprint of its own: {fingerprints:?}");
}

#[test]
fn formats_for_machines_are_whole_without_problems() {
    let place = Place::new();
    place.write("a.scn", MENDED.replace("let spare = 1s\n\n", ""));
    let gitlab = place.scn(&["check", "--message-format", "gitlab"]);
    assert_eq!((gitlab.code, gitlab.stdout.trim()), (Some(0), "[]"), "{gitlab:?}");
    let sarif = place.scn(&["check", "--message-format", "sarif"]);
    let log: Value = serde_json::from_str(&sarif.stdout).unwrap();
    assert_eq!(log["runs"][0]["results"], Value::Array(Vec::new()));
}

#[test]
fn fix_mends_what_is_safe_and_no_more() {
    let place = Place::new();
    place.write("a.scn", UNTIDY).write("other.scn", UNTIDY);
    fs::set_permissions(place.path().join("a.scn"), fs::Permissions::from_mode(0o640)).unwrap();
    let ended = place.scn(&["check", "--fix", "a.scn", "--message-format", "short"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("3 problems mended"), "{ended:?}");
    assert_eq!((place.read("a.scn").as_str(), place.read("other.scn").as_str()), (MENDED, UNTIDY));
    assert_eq!(fs::metadata(place.path().join("a.scn")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(ended.stdout.matches("scn::lint::").count(), 1, "what is left is told: {ended:?}");
    assert_eq!(place.scn(&["check", "--strict", "a.scn"]).code, Some(2));
    let before = fs::metadata(place.path().join("a.scn")).unwrap().ino();
    let again = place.scn(&["check", "--fix", "a.scn", "--message-format", "short"]);
    assert!(!again.stderr.contains("mended"), "{again:?}");
    assert_eq!((place.read("a.scn").as_str(), fs::metadata(place.path().join("a.scn")).unwrap().ino()), (MENDED, before));
}

#[test]
fn fix_leaves_files_that_are_only_used() {
    let place = Place::new();
    let library = "scn 1\n\nuse std.load\n\nlet speed = 10Mbps\n";
    place.write("lib.scn", library).write("a.scn", UNTIDY.replace("use std.load", "use \"./lib.scn\" (speed)"));
    let ended = place.scn(&["check", "--fix", "a.scn"]);
    assert_eq!((ended.code, place.read("lib.scn").as_str(), place.read("a.scn").as_str()), (Some(0), library, MENDED), "{ended:?}");
}

#[test]
fn fix_of_a_file_with_errors_changes_nothing() {
    let place = Place::new();
    let text = format!("{UNTIDY}let broken = nothing\n");
    place.write("a.scn", &text);
    assert_eq!(place.scn(&["check", "--fix", "a.scn"]).code, Some(2));
    assert_eq!(place.read("a.scn"), text);
}

#[test]
fn fix_says_which_file_may_not_be_written() {
    let Some(place) = Place::of(User::Ordinary) else { return };
    place.write("a.scn", UNTIDY);
    fs::set_permissions(place.path().join("a.scn"), fs::Permissions::from_mode(0o444)).unwrap();
    let ended = place.scn(&["check", "--fix", "a.scn"]);
    assert_eq!((ended.code, place.read("a.scn").as_str()), (Some(2), UNTIDY), "{ended:?}");
    assert!(ended.stderr.contains("a.scn could not be written") && ended.stderr.contains("as it was"), "{ended:?}");
}

#[test]
fn doc_makes_the_page_of_a_module() {
    let ended = Place::new().scn(&["doc", "std.patterns"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let golden = repository("tests/reports/std_patterns.md");
    if std::env::var_os("SCN_BLESS").is_some() {
        fs::write(&golden, &ended.stdout).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap();
    assert!(ended.stdout == expected, "differs from {}; set SCN_BLESS=1 to keep the new one:\n{}", golden.display(), ended.stdout);
}

#[test]
fn doc_says_what_it_can_not_show() {
    let place = Place::new();
    place.write("a.scn", BROKEN);
    let unknown = place.scn(&["doc", "std.nothing"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("`std.nothing`") && unknown.stderr.contains("std.patterns"), "{unknown:?}");
    for what in ["a.scn", "nowhere.scn"] {
        let ended = place.scn(&["doc", what]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.stderr.contains(what), "{ended:?}");
    }
}

#[test]
fn list_tells_programs_every_variant() {
    let place = Place::new();
    place.write(
        "a.scn",
        "scn 1\n\n## Over both.\nscenario s {\n    tags ha\n    needs tool haproxy\n    param items: count = 3\n    matrix family = [4, 6]\n    topology {\n        node a, b\n        link a <-> b\n    }\n    flow f from a to b { total items * family }\n    expect { f.sent > 1 }\n}\n",
    );
    let ended = place.scn(&["list", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let list: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&list["format"], &list["version"]), (&"scn-list".into(), &1.into()));
    let [first, second] = list["scenarios"].as_array().unwrap().as_slice() else { panic!("two variants: {list}") };
    assert_eq!((&first["name"], &second["name"]), (&"s[family=4]".into(), &"s[family=6]".into()));
    assert_eq!((&first["declared"], &first["line"], &first["doc"]), (&"s".into(), &4.into(), &"Over both.".into()));
    assert_eq!(second["matrix"], serde_json::json!([{ "name": "family", "value": "6" }]));
    assert_eq!(first["params"], serde_json::json!([{ "name": "items", "value": "3" }]));
    assert_eq!(first["needs"], serde_json::json!([{ "kind": "tool", "name": "haproxy" }]));
    let counts = serde_json::json!({ "nodes": 2, "links": 1, "services": 0, "processes": 0, "flows": 1, "stresses": 0, "entries": 0, "expectations": 1 });
    assert_eq!(first["counts"], counts);
}
