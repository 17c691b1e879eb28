//! What is shipped checks without a word and expands as it always did.

use std::path::{Path, PathBuf};

use super::{checked, checked_with};
use crate::diagnostics::short;
use crate::scenario::Scenario;
use crate::scenario::pattern::{Rest, Step, StepKind};

fn folder(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "scn"));
    files.sort();
    files
}

fn scenarios(path: &Path, params: &[(&str, &str)]) -> Vec<Scenario> {
    let text = std::fs::read_to_string(path).unwrap();
    let (sources, found) = checked_with(&path.file_name().unwrap().to_string_lossy(), &text, params, &[]);
    assert!(found.diagnostics.is_empty(), "{}", short(&found.diagnostics, &sources));
    found.scenarios
}

fn named(name: &str) -> PathBuf {
    folder("scenarios").into_iter().find(|path| path.ends_with(name)).unwrap()
}

#[test]
fn scenarios_and_libraries_check_without_a_word() {
    assert!(folder("scenarios").len() >= 3);
    for path in folder("scenarios") {
        assert!(!scenarios(&path, &[]).is_empty(), "{}", path.display());
    }
    for path in folder("stdlib") {
        scenarios(&path, &[]);
    }
}

#[test]
fn failover_expands_as_it_always_did() {
    let all = scenarios(&named("failover.scn"), &[]);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/failover.scenario");
    let shown = serde_json::to_string_pretty(&all).unwrap() + "\n";
    if std::env::var_os("SCN_BLESS").is_some() {
        std::fs::write(&golden, &shown).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    let differs = shown.lines().zip(kept.lines()).position(|(a, b)| a != b);
    assert!(
        shown == kept,
        "differs from {} at line {:?}; set SCN_BLESS=1 to keep the new one",
        golden.display(),
        differs.map(|line| line + 1)
    );
    let read: Vec<Scenario> = serde_json::from_str(&shown).unwrap();
    assert_eq!(read, all, "a scenario survives being written and read");
}

#[test]
fn parameters_set_from_outside_count() {
    let all = scenarios(&named("failover.scn"), &[("clients", "2 * 25")]);
    assert_eq!(all[0].flows[0].load.connections, 50);
    assert_eq!((all[0].params[0].value.as_str(), all[0].params[0].set), ("50", true));
    assert_eq!((all[0].params[1].value.as_str(), all[0].params[1].set), ("1500ms", false));
    assert_eq!(all[0].expectations[0].name, "clients notice the failover for less than 1500ms");
}

fn rests<'s>(steps: &'s [Step], found: &mut Vec<(&'s str, Rest)>, implicit: &mut Vec<(&'s str, bool)>) {
    for step in steps {
        match &step.kind {
            StepKind::Expects { rest, .. } => found.push((&step.text, *rest)),
            StepKind::Sends { implicit: flag, .. } => implicit.push((&step.text, *flag)),
            StepKind::Repeat { steps, .. } => rests(steps, found, implicit),
            _ => {}
        }
    }
}

#[test]
fn mail_session_passes_over_the_rest_of_lines() {
    let all = scenarios(&named("mail_session.scn"), &[]);
    let (mut found, mut implicit) = (Vec::new(), Vec::new());
    rests(&all[0].flows[0].pattern.as_ref().unwrap().steps, &mut found, &mut implicit);
    let kinds: Vec<Rest> = found.iter().map(|(_, rest)| *rest).collect();
    assert_eq!(kinds, [Rest::Line, Rest::Line, Rest::Nothing, Rest::Nothing], "{found:?}");
    let flags: Vec<bool> = implicit.iter().map(|(_, flag)| *flag).collect();
    assert_eq!(flags, [false, false, false, true, false], "{implicit:?}");
}

/// The `rest`s and `implicit`s of a pattern with these steps.
fn talk(steps: &str) -> (Vec<Rest>, Vec<bool>) {
    let text = format!(
        "scn 1\npattern p {{\n{steps}\n}}\nscenario s {{\n topology {{ node a, b\n link a <-> b }}\n flow f from a to b {{ pattern p }}\n expect {{ f.corrupt == 0 }}\n}}\n"
    );
    let (sources, found) = checked(&text);
    assert!(found.diagnostics.is_empty(), "{}", short(&found.diagnostics, &sources));
    let (mut kinds, mut implicit) = (Vec::new(), Vec::new());
    rests(&found.scenarios[0].flows[0].pattern.as_ref().unwrap().steps, &mut kinds, &mut implicit);
    (kinds.into_iter().map(|(_, rest)| rest).collect(), implicit.into_iter().map(|(_, flag)| flag).collect())
}

#[test]
fn sized_sends_are_taken_by_the_expects_meant_for_them() {
    assert_eq!(talk("client sends 64B\nclient sends 64B\nserver expects 64B").1, [true, false]);
    assert_eq!(talk("client sends 64B\nclient sends 32B\nserver expects 64B\nserver expects 32B").1, [false, false]);
    assert_eq!(talk("client sends 192B\nrepeat 3 {\nserver expects 64B\n}").1, [false]);
    assert_eq!(talk("repeat 3 {\nclient sends 64B\nserver expects any\n}").1, [false]);
    assert_eq!(talk("client sends 64B\nserver sends 32B\nserver expects 64B").1, [false, true]);
    assert_eq!(talk("server expects 64B\nclient sends 64B").1, [false]);
}

#[test]
fn expects_of_texts_know_what_to_pass_over() {
    let rest = |steps: &str| talk(steps).0;
    assert_eq!(rest("client sends \"hello\"\nserver expects \"he\""), [Rest::Message(5)]);
    assert_eq!(rest("client sends \"hello\"\nserver expects \"he\"\nserver expects \"ll\""), [Rest::Nothing, Rest::Message(3)]);
    assert_eq!(rest("client sends \"hello\\r\\n\"\nserver expects \"he\""), [Rest::Line]);
    assert_eq!(rest("client sends \"a\\nb\\n\"\nserver expects \"a\""), [Rest::Message(4)]);
    assert_eq!(rest("client sends \"ab\"\nclient sends \"cd\\n\"\nserver expects /bc/"), [Rest::Line]);
    assert_eq!(
        rest("client sends \"a\\n\"\nclient sends \"b\\n\"\nserver expects line /a/\nserver expects line /b/"),
        [Rest::Nothing, Rest::Nothing]
    );
    assert_eq!(rest("client sends \"${client.name}!\"\nserver expects \"x\""), [Rest::Nothing]);
    assert_eq!(rest("repeat 2 {\nclient sends \"abc\"\nserver expects \"a\"\n}"), [Rest::Message(3)]);
}

#[test]
fn a_text_that_nobody_reads_is_taken_where_it_stands() {
    assert_eq!(talk("client sends \"hello\"\nserver echoes").1, [true]);
    assert_eq!(talk("client sends hex\"00 ff\"\nserver expects hex\"00 ff\"\nserver sends 4B").1, [false, true]);
}
