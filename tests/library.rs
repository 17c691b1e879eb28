//! `scn std`: what the standard library declares.

use crate::built::{Place, repository, until_told};

#[test]
fn the_list_names_every_module_with_heads_and_words() {
    let ended = Place::new().scn(&["std", "list"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in [
        "std.patterns\n",
        "std.rfc6413\n",
        "  pattern sym(size: size = 64B)\n      Both sides send the same amount",
        "  topology lte(a: node, b: node, down: bandwidth = 12Mbit/s",
        "  check survives(f: flow, e: event, budget: duration)\n",
        "  fn fibre_delay(kilometres: number) = 5us * kilometres\n",
    ] {
        assert!(ended.stdout.contains(line), "{line:?} is missing in\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("_access"), "{}", ended.stdout);
}

#[test]
fn one_module_as_json() {
    let ended = Place::new().scn(&["std", "list", "patterns", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&value["format"], &value["version"]), (&"scn-std".into(), &1.into()));
    let all = value["declarations"].as_array().unwrap();
    assert!(all.len() >= 14 && all.iter().all(|one| one["module"] == "std.patterns"), "{}", ended.stdout);
    assert_eq!((&all[0]["name"], &all[0]["kind"]), (&"sym".into(), &"pattern".into()));
}

#[test]
fn a_declaration_is_shown_as_it_is_written() {
    let ended = Place::new().scn(&["std", "show", "echo"]);
    let text = "# use std.patterns (echo)\n\n## The server sends back what the client sent, and the client compares every byte.\n\
        pattern echo(size: size = 64B) {\n    client sends random size\n    server echoes\n}\n";
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), text), "{ended:?}");
    let module = Place::new().scn(&["std", "show", "links"]);
    assert!(module.code == Some(0) && module.stdout.starts_with("scn 1\n"), "{module:?}");
}

#[test]
fn what_is_not_there_is_named_with_the_nearest() {
    for (words, said) in [
        (&["std", "show", "ecko"][..], "the standard library has no declaration or module `ecko`; did you mean `echo`?"),
        (&["std", "list", "pattern"][..], "the standard library has no module `std.pattern`; did you mean `std.patterns`?"),
    ] {
        let ended = Place::new().scn(words);
        assert!(ended.code == Some(2) && ended.stderr.contains(said), "{ended:?}");
    }
}

/// The library's own tests: what each declaration is used for.
fn of_the_library(name: &str) -> String {
    std::fs::read_to_string(repository("stdlib/tests").join(name)).unwrap()
}

#[test]
fn the_tests_of_the_library_are_planned() {
    let place = Place::new();
    for entry in std::fs::read_dir(repository("stdlib/tests")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        place.write(&name, of_the_library(&name));
        let ended = place.scn(&["plan", "--strict", &name]);
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
        assert!(ended.stdout.contains(&format!("({name})")), "{}", ended.stdout);
    }
}

#[test]
fn every_pattern_of_the_library_runs() {
    let place = Place::new();
    place.write("patterns.scn", of_the_library("patterns.scn"));
    let ended = until_told(|| place.scn(&["run", "patterns.scn"]));
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
}

#[test]
fn a_pattern_sends_the_file_beside_it_and_a_missing_one_is_named() {
    let place = Place::new();
    let text = "scn 1\npattern page(path: text) {\n    client sends \"GET\\n\"\n    server sends file path\n}\nscenario s {\n    topology {\n        node a, b\n        \
        link a <-> b\n    }\n    flow f from a to b { pattern page(\"page.html\")  total 3 }\n    expect { f.transactions == 3 }\n}\n";
    std::fs::create_dir(place.path().join("inner")).unwrap();
    place.write("inner/s.scn", text);
    let missing = place.scn(&["run", "inner/s.scn"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("inner/page.html can't be sent: No such file"), "{missing:?}");
    place.write("inner/page.html", "<html>hello</html>\n".repeat(1000));
    let ended = until_told(|| place.scn(&["run", "inner/s.scn"]));
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
}
