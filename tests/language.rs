//! The language as users meet it: what tries each of its constructs checks, plans, and is laid out as it should be; its reference is printed.

use std::fs;
use std::path::PathBuf;

use crate::built::{Place, repository};

/// The files that try the language, one subject each.
fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(repository("tests/language")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "scn")).collect();
    files.sort();
    files
}

#[test]
fn every_construct_checks_plans_and_is_laid_out() {
    let place = Place::new();
    let files = files();
    assert!(files.len() >= 7, "{files:?}");
    let mut wrong = String::new();
    for file in files {
        let file = file.to_str().unwrap();
        for words in [&["check", file][..], &["plan", file], &["plan", "--format", "json", file], &["fmt", "--check", file]] {
            let ended = place.scn(words);
            if ended.code != Some(0) {
                wrong.push_str(&format!("{words:?}: {}{}\n", ended.stdout, ended.stderr));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_word_of_statements_verbs_and_expectations_stands_in_them() {
    let all: String = files().iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let words: std::collections::BTreeSet<&str> = all.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let wanted = "use let fn secret env pattern topology action check scenario tags needs tool kernel timeout tolerance param matrix except service process \
        flow stress timeline expect node router bridge external host remote link vxlan interface vlan bond macvlan route routing placement \
        client server sends expects line any random echoes pause pauses repeat choose closes resets half for if else in as then and or not \
        listen serve backlog certificate alpn over via congestion nodelay ecn keepalive mss dscp connections total rate opens interval duration \
        reconnect sample bandwidth arrivals ports transactions arguments size frame ethernet payload streams transports tools \
        run file ready log stop at when every start pause resume set down up silence unsilence impair restore partition heal isolate add remove move \
        kill signal freeze thaw restart vanish capture mark call during before after within stays always never sampled require note matches \
        min max sum mean median uniform exponential normal pareto choice";
    let missing: Vec<&str> = wanted.split_whitespace().filter(|word| !words.contains(word)).collect();
    assert!(missing.is_empty(), "tests/language tries no {missing:?}");
}

#[test]
fn help_prints_the_reference_and_its_sections() {
    let place = Place::new();
    let reference = fs::read_to_string(repository("grammar/REFERENCE.md")).unwrap();
    let whole = place.scn(&["help", "language"]);
    assert_eq!((whole.code, whole.stdout == reference), (Some(0), true), "{}", whole.stderr);
    // Examples belong to their section: an odd number of fences would be half an example.
    for section in ["topology", "timeline", "flows", "services", "expectations"] {
        let text = place.scn(&["help", "language", section]).stdout;
        assert!(text.lines().filter(|line| line.starts_with("```")).count() % 2 == 0 && text.len() > 200, "{section}:\n{text}");
    }
    let section = place.scn(&["help", "language", "timeline"]);
    assert!(
        section.code == Some(0) && section.stdout.starts_with("## Timeline\n") && !section.stdout.contains("\n## Expectations\n"),
        "{section:?}"
    );
    let of_run = place.scn(&["help", "run"]);
    assert!(of_run.code == Some(0) && of_run.stdout.contains("scn run") && of_run.stdout.contains("--seed"), "{of_run:?}");
    for (words, near) in [(&["help", "languge"][..], "language"), (&["help", "language", "timelin"], "timeline"), (&["help", "rnu"], "run")]
    {
        let refused = place.scn(words);
        assert!(refused.code == Some(2) && refused.stderr.contains(&format!("did you mean `{near}`?")), "{words:?}: {refused:?}");
    }
}
