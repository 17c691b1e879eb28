//! `scn plan`, `scn diff`, and what `scn run` says to a scenario that it can't run here, as users meet them.

use std::process::Command;

use crate::built::{Place, finish, repository, skip};

const SMALL: &str = "scn 1\n\nuse std.patterns (sym)\n\nscenario small {\n    topology {\n        node a, b\n        link a <-> b\n    }\n    flow talk from a to b { pattern sym(64B)  total 10 }\n    expect { talk.transactions >= 1 }\n}\n";
const LIBRARY: &str = "scn 1\n\npattern ask(n: size) {\n    client sends n\n    server sends n\n}\n";

/// The same with what no version can run: over HTTP a server says only what it was asked for.
fn beyond(text: &str) -> String {
    let greeted = "pattern greeted {\n    server sends 1KiB\n    client sends 1KiB\n}\n\nscenario ";
    text.replace("scenario ", greeted).replace("pattern sym(64B)", "over http  pattern greeted")
}

/// A file that tries the whole language.
fn acceptance(name: &str) -> String {
    repository("tests/language/acceptance").join(name).to_string_lossy().into_owned()
}

#[test]
fn every_form_of_a_plan_is_printed() {
    let place = Place::new();
    place.write("a.scn", SMALL);
    let text = place.scn(&["plan", "a.scn"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    assert!(text.stdout.contains("talk from a to b at 10.128.0.2:20000, answered by b"), "{}", text.stdout);
    let json = place.scn(&["plan", "--format", "json"]);
    let plans: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(plans[0]["scenario"], "small");
    let schema: serde_json::Value = serde_json::from_str(&place.scn(&["plan", "--schema"]).stdout).unwrap();
    assert_eq!(schema["type"], "array");
    // What must be there is there: a plan without a field would not be what the schema publishes.
    let required = schema["$defs"]["Plan"]["required"].as_array().unwrap();
    assert!(required.len() > 20 && required.iter().all(|field| !plans[0][field.as_str().unwrap()].is_null()), "{required:?}");
    let dot = place.scn(&["plan", "--format", "dot"]);
    assert!(dot.stdout.starts_with("graph \"small\" {") && dot.stdout.contains("n0 -- n1 [label=\"a--b\\ndirect\"]"), "{}", dot.stdout);
    let svg = place.scn(&["plan", "--format", "svg"]);
    let drawn = roxmltree::Document::parse(&svg.stdout).unwrap();
    let texts: Vec<&str> = drawn.descendants().filter_map(|node| node.text()).collect();
    assert!(texts.contains(&"a") && texts.contains(&"eth0 10.128.0.1/30"), "{texts:?}");
}

/// Reads a schema and plans from files; prints each file with what its plan breaks.
const VALIDATE: &str = "
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
for name in sys.argv[2:]:
    for error in Draft202012Validator(schema).iter_errors(json.load(open(name))):
        print(name, error.json_path, error.message[:200])
";

#[test]
fn plans_are_what_the_published_schema_says() {
    let python = repository("target/python/bin/python");
    if !python.exists() || finish(Command::new(&python).args(["-c", "import jsonschema"])).code != Some(0) {
        return skip("the Python package jsonschema is not installed; tests/all installs it");
    }
    let place = Place::new();
    place.write("schema.json", place.scn(&["plan", "--schema"]).stdout);
    for folder in ["scenarios", "tests/language", "stdlib/tests"] {
        let planned = place.scn(&["plan", &repository(folder).to_string_lossy(), "--format", "json"]);
        assert_eq!(planned.code, Some(0), "{}", planned.stderr);
        place.write(&folder.replace('/', "_"), planned.stdout);
    }
    // What is not as the schema says is seen.
    let damaged = place.read("scenarios").replacen("\"scenario\": \"", "\"scenarioo\": \"", 1);
    place.write("damaged", damaged);
    let valid = |names: &[&str]| {
        let ended = finish(Command::new(&python).current_dir(place.path()).args(["-c", VALIDATE, "schema.json"]).args(names));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };
    assert_eq!(valid(&["scenarios", "tests_language", "stdlib_tests"]), "");
    assert!(valid(&["damaged"]).contains("'scenario' is a required property"));
}

#[test]
fn a_picture_shows_one_scenario_that_can_be_read() {
    let place = Place::new();
    place.write("a.scn", SMALL).write("b.scn", SMALL.replace("small", "large").replace("node a, b", "node a, b, c[1..60]"));
    let both = place.scn(&["plan", "--format", "svg"]);
    assert_eq!((both.code, both.stdout.as_str()), (Some(2), ""), "{both:?}");
    assert!(both.stderr.contains("2 scenarios are selected") && both.stderr.contains("--filter"), "{}", both.stderr);
    let large = place.scn(&["plan", "b.scn", "--format", "svg"]);
    assert!(large.code == Some(2) && large.stderr.contains("62 nodes"), "{large:?}");
    assert_eq!(place.scn(&["plan", "b.scn", "--format", "dot"]).code, Some(0));
}

#[test]
fn what_this_version_cannot_run_is_named_before_anything_is_made() {
    let place = Place::new();
    place.write("a.scn", beyond(SMALL));
    let ended = place.scn(&["run", "a.scn", "--message-format", "short"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("a pattern over `http` that the server begins"), "{}", ended.stderr);
    assert!(ended.stderr.contains("not_in_this_version") && ended.stderr.contains("nothing ran"), "{}", ended.stderr);
    assert!(!place.path().join("scn-results").exists());
}

#[test]
fn a_scenario_whose_needs_are_not_met_is_skipped() {
    let place = Place::new();
    let lacking = SMALL.replace("small", "lacking").replace("    topology", "    needs tool no_such_tool_here\n    topology");
    place.write("a.scn", &lacking);
    let ended = place.scn(&["run", "a.scn"]);
    assert_eq!(ended.code, Some(4), "everything was skipped: {ended:?}");
    assert!(ended.stdout.contains("SKIPPED") && ended.stdout.contains("`no_such_tool_here`"), "{}", ended.stdout);
    let junit = place.read("scn-results/junit.xml");
    assert!(junit.contains("<skipped") && junit.contains("no_such_tool_here"), "{junit}");
    let results: serde_json::Value = serde_json::from_str(&place.read("scn-results/results.json")).unwrap();
    assert!(results.to_string().contains("skipped"), "{results}");
    assert!(place.read("scn-results/report.html").contains("no_such_tool_here"));
    // What it asks for beyond this version is of no interest then.
    place.write("a.scn", beyond(&lacking));
    assert_eq!(place.scn(&["run", "a.scn"]).code, Some(4));
}

#[test]
fn equal_versions_differ_in_nothing() {
    let place = Place::new();
    place.write("a.scn", SMALL).write("b.scn", SMALL.replace("    topology", "    # told\n    topology"));
    let same = place.scn(&["diff", "a.scn", "b.scn"]);
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""), "{same:?}");
    for name in ["wan.scn", "haproxy.scn", "frames.scn", "streams.scn", "tls_crowd.scn", "tcp_fleet.scn"] {
        assert_eq!(place.scn(&["diff", &acceptance(name), &acceptance(name)]).code, Some(0), "{name}");
    }
}

#[test]
fn changes_are_told_in_three_forms() {
    let place = Place::new();
    place.write("a.scn", SMALL).write("b.scn", SMALL.replace("total 10", "total 20"));
    let changed = place.scn(&["diff", "a.scn", "b.scn"]);
    let wanted = "changed scenario small\n  ~ flows / talk / connections: 1 connection at once, 10 in all, each for 1 transaction -> \
                  1 connection at once, 20 in all, each for 1 transaction\n";
    assert_eq!((changed.code, changed.stdout.as_str()), (Some(1), wanted), "{changed:?}");
    let markdown = place.scn(&["diff", "a.scn", "b.scn", "--format", "markdown"]);
    assert!(markdown.stdout.starts_with("### changed scenario `small`\n\n- `flows` / `talk` / `connections`: `1 conn"), "{markdown:?}");
    let json: serde_json::Value = serde_json::from_str(&place.scn(&["diff", "a.scn", "b.scn", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["scenarios"][0]["changes"][0]["path"][1], "talk");
}

#[test]
fn folders_are_compared_with_their_libraries() {
    let place = Place::new();
    for folder in ["old", "new"] {
        std::fs::create_dir(place.path().join(folder)).unwrap();
    }
    place.write("old/a.scn", SMALL).write("new/a.scn", SMALL).write("old/lib.scn", LIBRARY);
    place.write("new/lib.scn", LIBRARY.replace("server sends n", "server sends 2 * n")).write("new/b.scn", SMALL.replace("small", "more"));
    let ended = place.scn(&["diff", "old", "new"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let wanted = "new scenario more\nchanged library lib.scn\n  + pattern ask / server sends 2 * n\n  - pattern ask / server sends n\n";
    assert_eq!(ended.stdout, wanted);
}

#[test]
fn a_broken_side_is_drawn() {
    let place = Place::new();
    place.write("a.scn", SMALL).write("b.scn", SMALL.replace("from a", "from nobody"));
    let ended = place.scn(&["diff", "a.scn", "b.scn"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("`nobody`") && ended.stderr.contains("b.scn"), "{}", ended.stderr);
    for wrong in [&["diff"][..], &["diff", "a.scn"], &["diff", "a.scn", "c.scn"], &["diff", "--git", "x", "a.scn", "b.scn"]] {
        assert_eq!(place.scn(wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn commits_are_sides() {
    if Command::new("git").arg("--version").output().is_err() {
        return skip("git is not installed; tests/all installs it");
    }
    let place = Place::new();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]).args(arguments);
        let ended = finish(command.current_dir(place.path()));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    std::fs::create_dir(place.path().join("lab")).unwrap();
    place
        .write("lab/lib.scn", LIBRARY)
        .write("lab/a.scn", SMALL.replace("use std.patterns (sym)", "use \"./lib.scn\" (ask)").replace("sym(", "ask("));
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "one"]);
    assert_eq!(place.scn(&["diff", "--git", "HEAD"]).code, Some(0));
    // Only the library changes, and with it what the scenario means.
    place.write("lab/lib.scn", LIBRARY.replace("server sends n", "server sends 3KiB"));
    let ended = place.scn(&["diff", "--git", "HEAD", "lab/a.scn"]);
    assert!(ended.code == Some(1) && ended.stdout.contains("+ flows / talk / transaction / server sends 3KiB"), "{ended:?}");
    let inside = finish(place.command(&["diff", "HEAD:./a.scn", "a.scn"]).current_dir(place.path().join("lab")));
    assert_eq!((inside.code, &inside.stdout), (Some(1), &ended.stdout), "{inside:?}");
    place.write("lab/a.scn", "scn 1\nscenario small {\n").write("lab/lib.scn", LIBRARY);
    git(&["commit", "--quiet", "--all", "--message", "two"]);
    let broken = place.scn(&["diff", "HEAD:lab", "HEAD~1:lab"]);
    assert!(broken.code == Some(2) && broken.stderr.contains("HEAD:lab/a.scn"), "{broken:?}");
    for (revision, why) in [("--output=x", "not the name"), ("nothing", "no such commit"), ("-h", "not the name")] {
        let ended = place.scn(&["diff", &format!("--git={revision}")]);
        assert!(ended.code == Some(2) && ended.stderr.contains(why), "{ended:?}");
    }
    for side in ["HEAD:../x", "HEAD:none.scn", "HEAD:/etc/passwd"] {
        assert_eq!(place.scn(&["diff", side, "lab"]).code, Some(2), "{side}");
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2, "nothing is left behind");
}
