//! Plans of real files: the scenarios that come with the program as golden texts, and the page of every problem. Set
//! `SCN_GOLDEN=write` to write the golden texts anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scn_grammar::check;
use scn_grammar::diagnostics::{Diagnostic, Severity};
use scn_grammar::source::Sources;

use crate::plan::types::Plan;
use crate::plan::{EngineChoice, PlanError, Settings, plan, print, support};

/// The top of the repository.
fn house() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Checks and plans every scenario of a text.
pub(super) fn plans(name: &str, text: &str) -> (Vec<Plan>, Vec<Diagnostic>) {
    plans_by(EngineChoice::Auto, name, text)
}

fn plans_by(engine: EngineChoice, name: &str, text: &str) -> (Vec<Plan>, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let checked = check(&mut sources, file, &BTreeMap::new(), &mut scn_grammar::LoadNothing);
    let mut found = checked.diagnostics;
    let mut made = Vec::new();
    for scenario in &checked.scenarios {
        match plan(scenario, &Settings { seed: 1, timing: 1, engine }) {
            Ok(planned) => {
                found.extend(planned.warnings);
                made.push(planned.plan);
            }
            Err(problems) => found.extend(problems),
        }
    }
    (made, found)
}

#[test]
fn scenarios_plan_as_their_golden_texts_say() {
    let mut wrong = String::new();
    for file in scenario_files() {
        let (made, found) = plans(&file, &std::fs::read_to_string(house().join(&file)).unwrap());
        let errors: Vec<&Diagnostic> = found.iter().filter(|problem| problem.severity == Severity::Error).collect();
        if !errors.is_empty() || made.is_empty() {
            wrong.push_str(&format!("{file}: {errors:#?}\n"));
            continue;
        }
        let text: String = made.iter().map(print::text).collect::<Vec<_>>().join("\n");
        let golden = house().join(format!("tests/plan/{}.plan", Path::new(&file).file_stem().unwrap().to_str().unwrap()));
        if std::env::var("SCN_GOLDEN").is_ok_and(|value| value == "write") {
            std::fs::write(&golden, &text).unwrap();
        }
        if text != std::fs::read_to_string(&golden).unwrap_or_default() {
            wrong.push_str(&format!("{file} is not {}; SCN_GOLDEN=write writes it anew. It is now:\n{text}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The scenarios that come with the program and those that try the whole language, each name once.
fn scenario_files() -> Vec<String> {
    let mut files = BTreeMap::new();
    for folder in ["tests/language/acceptance", "scenarios"] {
        for entry in std::fs::read_dir(house().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".scn") {
                files.insert(name.clone(), format!("{folder}/{name}"));
            }
        }
    }
    assert!(files.len() >= 9, "{files:?}");
    files.into_values().collect()
}

#[test]
fn only_a_server_of_the_plan_verifies() {
    let text = "scn 1\npattern ask {\n client sends \"Q\"\n client expects any\n}\nscenario s {\n topology { node a, b\n link a <-> b }\n \
                process dns on b { run \"dnsmasq\" }\n flow real from a to dns:53 over udp { pattern ask  duration 1s }\n \
                flow own from a to b over udp { pattern sym(7B)  duration 1s }\n expect { real.loss == 0% }\n}\n";
    let (made, found) = plans("example.scn", &text.replace("scn 1\n", "scn 1\nuse std.patterns (sym)\n"));
    assert!(found.is_empty(), "{found:#?}");
    let shown = print::text(&made[0]);
    assert!(shown.contains("client sends \"Q\"\n") && shown.contains("client sends 7B, server verifies\n"), "{shown}");
}

#[test]
fn what_this_version_cannot_run_has_a_page_that_proves_it() {
    let page = std::fs::read_to_string(house().join("grammar/diagnostics/pages/run_not_in_this_version.md")).unwrap();
    assert!(page.starts_with(&format!("# {}\n", support::CODE)));
    let [triggers, does_not] = examples(&page).try_into().unwrap();
    let missing = |text: &str| {
        let mut sources = Sources::default();
        let file = sources.add("example.scn", text);
        let checked = check(&mut sources, file, &BTreeMap::new(), &mut scn_grammar::LoadNothing);
        assert!(plans("example.scn", text).1.is_empty(), "{text}");
        checked.scenarios.iter().flat_map(support::missing).map(|problem| problem.code).collect::<Vec<_>>()
    };
    assert_eq!(missing(&triggers), [support::CODE]);
    assert_eq!(missing(&does_not), Vec::<&str>::new());
}

/// The scn blocks of a page.
fn examples(page: &str) -> Vec<String> {
    page.split("```scn\n").skip(1).map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_code_has_a_page_that_proves_it() {
    let mut wrong = Vec::new();
    for code in PlanError::CODES {
        let Some(slug) = code.strip_prefix("scn::plan::") else { continue };
        let page = house().join(format!("grammar/diagnostics/pages/plan_{slug}.md"));
        let page = std::fs::read_to_string(&page).unwrap_or_else(|_| panic!("{} is missing", page.display()));
        assert!(page.starts_with(&format!("# {code}\n")), "{code}");
        let [triggers, does_not] = examples(&page).try_into().unwrap();
        // Its examples are meant with `--engine kernel`, and without it both are right.
        let is_kernels = *code == "scn::plan::kernel_engine";
        let engine = if is_kernels { EngineChoice::Kernel } else { EngineChoice::Auto };
        if is_kernels {
            assert!(plans("example.scn", &triggers).1.is_empty(), "{triggers}");
        }
        let codes = |text: &str| {
            plans_by(engine, "example.scn", text)
                .1
                .iter()
                .map(|problem| problem.code)
                .filter(|code| !code.starts_with("scn::lint::"))
                .collect::<Vec<_>>()
        };
        if codes(&triggers) != [*code] || !codes(&does_not).is_empty() {
            wrong.push(format!("{code}: {:?} {:?}", codes(&triggers), codes(&does_not)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_schema_is_that_of_the_types() {
    let mut schema = schemars::schema_for!(Vec<Plan>);
    schema.insert("title".into(), "Plans as `scn plan --format json` prints them".into());
    let made = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    let file = house().join("runner/plan/plan.schema.json");
    if std::env::var("SCN_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&file, &made).unwrap();
    }
    assert!(std::fs::read_to_string(&file).unwrap() == made, "{} is old; SCN_GOLDEN=write writes it anew", file.display());
}
