//! Plans of real files: the scenarios that come with the program as golden texts, and the page of every problem. Set
//! `SCN_GOLDEN=write` to write the golden texts anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scn_grammar::check;
use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::source::Sources;

use crate::plan::types::Plan;
use crate::plan::{PlanError, Settings, plan, print};

/// The top of the repository.
fn house() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Checks and plans every scenario of a text.
fn plans(name: &str, text: &str) -> (Vec<Plan>, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let checked = check(&mut sources, file, &BTreeMap::new(), &mut scn_grammar::LoadNothing);
    let mut found = checked.diagnostics;
    let mut made = Vec::new();
    for scenario in &checked.scenarios {
        match plan(scenario, &Settings { seed: 1, timing: 1 }) {
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
    for name in ["two_nodes", "failover", "mail_session"] {
        let file = format!("scenarios/{name}.scn");
        let (made, found) = plans(&file, &std::fs::read_to_string(house().join(&file)).unwrap());
        assert!(found.is_empty(), "{file}: {found:#?}");
        let text: String = made.iter().map(print::text).collect::<Vec<_>>().join("\n");
        let golden = house().join(format!("tests/plan/{name}.plan"));
        if std::env::var("SCN_GOLDEN").is_ok_and(|value| value == "write") {
            std::fs::write(&golden, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap();
        assert!(text == expected, "the plan of {file} is not {}; SCN_GOLDEN=write writes it anew. It is now:\n{text}", golden.display());
    }
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
        let codes = |text: &str| plans("example.scn", text).1.iter().map(|problem| problem.code).collect::<Vec<_>>();
        if codes(&triggers) != [*code] || !codes(&does_not).is_empty() {
            wrong.push(format!("{code}: {:?} {:?}", codes(&triggers), codes(&does_not)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
