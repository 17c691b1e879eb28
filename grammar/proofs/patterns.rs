//! Patterns with branches, files, loops and parameters: what they expand to.

use super::checked;
use crate::diagnostics::short;
use crate::scenario::pattern::{Expected, Pattern, Payload, Rest, Side, Step, StepKind, Template, TemplatePart, Varying};
use crate::source::FileId;

/// The pattern of a flow that says `p` in a text with these declarations.
fn made(declarations: &str, call: &str) -> Pattern {
    let text = format!(
        "scn 1\n{declarations}\nscenario s {{\n topology {{ node a, b\n link a <-> b }}\n flow f from a to b {{ pattern {call} }}\n expect {{ f.corrupt == 0 }}\n}}\n"
    );
    let (sources, mut found) = checked(&text);
    assert!(found.diagnostics.is_empty(), "{}", short(&found.diagnostics, &sources));
    found.scenarios.remove(0).flows.remove(0).pattern.unwrap()
}

fn steps(body: &str) -> Vec<Step> {
    made(&format!("pattern p {{\n{body}\n}}"), "p").steps
}

/// The problems of a pattern with these steps.
fn problems(body: &str) -> Vec<&'static str> {
    checked(&format!("scn 1\npattern p {{\n{body}\n}}\n")).1.diagnostics.into_iter().map(|problem| problem.code).collect()
}

fn branches(step: &Step) -> Vec<(u64, &[Step])> {
    let StepKind::Choose { branches } = &step.kind else { panic!("{step:?}") };
    branches.iter().map(|branch| (branch.share_nano, branch.steps.as_slice())).collect()
}

#[test]
fn shares_make_a_whole_in_billionths() {
    let ways = "choose {\nt { client sends 1B }\nt { client sends 2B }\nt { client sends 3B }\n}\nserver sends 1B";
    let steps = made(&format!("pattern p(t: ratio = 100% / 3) {{\n{ways}\n}}"), "p").steps;
    let shares: Vec<u64> = branches(&steps[0]).into_iter().map(|(share, _)| share).collect();
    assert_eq!(shares.iter().sum::<u64>(), 1_000_000_000);
    assert!(shares.iter().all(|share| share.abs_diff(333_333_333) <= 1), "{shares:?}");
    assert_eq!(steps[0].text, "choose");
}

#[test]
fn a_message_that_either_way_sends_is_read_behind_both() {
    let steps = steps(
        "choose {\n50% { client sends \"get a\\n\" }\n50% { client sends \"put bb\\n\" }\n}\nserver expects /\\w+ (?<what>\\w+)/\nserver sends \"${what}\\n\"",
    );
    for (_, way) in branches(&steps[0]) {
        assert!(matches!(way[0].kind, StepKind::Sends { implicit: false, .. }), "{way:?}");
    }
    assert!(matches!(steps[1].kind, StepKind::Expects { rest: Rest::Line, .. }), "{:?}", steps[1]);
}

#[test]
fn sized_messages_of_ways_are_taken_by_the_expects_behind_them() {
    let steps = steps("choose {\n70% { client sends 1kB }\n30% { client sends random 1kB }\n}\nserver expects 1kB\nserver sends 10B");
    for (_, way) in branches(&steps[0]) {
        assert!(matches!(way[0].kind, StepKind::Sends { implicit: false, .. }), "{way:?}");
    }
    assert!(matches!(steps[2].kind, StepKind::Sends { implicit: true, .. }));
}

#[test]
fn every_combination_of_ways_is_followed() {
    let text = |second: &str| {
        format!(
            "choose {{\n50% {{ client sends \"a\\n\" }}\n50% {{ client sends \"b\\n\" }}\n}}\nserver expects line /a|b/\nchoose {{\n50% {{ server sends \"x\\n\" }}\n50% {{ {second} }}\n}}\nclient expects \"x\""
        )
    };
    assert_eq!(problems(&text("server sends \"x\\n\"")), Vec::<&str>::new());
    assert_eq!(problems(&text("pause 1ms")), ["scn::expand::never_sent"]);
    assert_eq!(problems(&text("server expects \"c\"")), ["scn::expand::deadlock"]);
}

#[test]
fn ways_that_take_turns_in_a_repetition_are_followed_too() {
    let fine = "repeat 100 {\nchoose {\n50% { client sends \"a\\n\" }\n50% { client sends 64B }\n}\nserver sends 1B\n}";
    assert_eq!(problems(fine).first(), None);
    let mixed = "repeat 3 {\nchoose {\n50% {\nclient sends \"a\\n\"\nserver expects \"a\"\n}\n50% { server sends 1B }\n}\n}";
    assert_eq!(problems(mixed).first(), None);
}

#[test]
fn a_problem_of_one_way_says_which() {
    let text =
        "scn 1\npattern p {\nclient sends 1B\nchoose {\n99% { server sends \"x\\n\" }\n1% { pause 1s }\n}\nclient expects \"x\"\n}\n";
    let (sources, found) = checked(text);
    let [problem] = found.diagnostics.as_slice() else { panic!("{}", short(&found.diagnostics, &sources)) };
    assert_eq!((problem.code, problem.secondary.len()), ("scn::expand::never_sent", 1));
    assert_eq!((sources.text(problem.secondary[0].span), problem.secondary[0].text.as_str()), ("1%", "when this way is taken"));
}

#[test]
fn counts_vary() {
    let steps = steps("repeat 1..5 { client sends 1B }\nrepeat choice(2, 4) { client sends 1B }\nserver sends 1B");
    let counts: Vec<&Varying> =
        steps.iter().filter_map(|step| if let StepKind::Repeat { count, .. } = &step.kind { Some(count) } else { None }).collect();
    assert_eq!(counts, [&Varying::Uniform(1, 5), &Varying::Choice(vec![2, 4])]);
}

#[test]
fn paths_count_from_the_text_in_which_they_are_written() {
    let made = made("pattern p(path: text) {\nserver sends file path\nserver sends file \"here.txt\"\n}", "p(\"there.txt\")");
    let files: Vec<(&str, FileId)> = made.files().into_iter().map(|(file, _)| (file.path.as_str(), file.beside)).collect();
    let call = made.steps[0].span.file;
    assert_eq!(files, [("there.txt", call), ("here.txt", call)]);
    assert!(made.steps.iter().all(|step| matches!(step.kind, StepKind::Sends { by: Side::Server, implicit: true, .. })));
}

#[test]
fn an_argument_that_is_a_path_counts_from_the_caller() {
    let library = ("web.scn", "scn 1\npattern page(path: text) {\nserver sends file path\nserver sends file \"own.txt\"\n}\n");
    let text = "scn 1\nuse \"./web.scn\" as web\nscenario s {\n topology { node a, b\n link a <-> b }\n flow f from a to b { pattern web.page(\"mine.txt\") }\n expect { f.corrupt == 0 }\n}\n";
    let (sources, found) = super::checked_with("test.scn", text, &[], &[library]);
    assert!(found.diagnostics.is_empty(), "{}", short(&found.diagnostics, &sources));
    let files = found.scenarios[0].flows[0].pattern.as_ref().unwrap().files();
    let names: Vec<&str> = files.iter().map(|(file, _)| sources.get(file.beside).name.as_str()).collect();
    assert_eq!(names, ["test.scn", "web.scn"]);
}

#[test]
fn loops_and_conditions_are_gone() {
    let steps = steps(
        "for i in 1..3 {\nif i == 2 { client sends \"two\\n\" } else { client sends \"not ${i}\\n\" }\n}\nfor size in [1B, 2B] { server sends size }",
    );
    let texts: Vec<String> = steps
        .iter()
        .filter_map(|step| match &step.kind {
            StepKind::Sends { payload: Payload::Text(Template(parts)), .. } => Some(format!("{parts:?}")),
            _ => None,
        })
        .collect();
    let literal = |text: &str| format!("{:?}", [TemplatePart::Literal(text.into())]);
    assert_eq!(texts, [literal("not 1\n"), literal("two\n"), literal("not 3\n")]);
    assert_eq!(steps.len(), 5);
}

#[test]
fn a_bare_pause_is_of_the_side_that_acts_next() {
    let by = |step: &Step| if let StepKind::Pause { by, .. } = step.kind { Some(by) } else { None };
    let steps =
        steps("pause 1ms\nchoose {\n50% {\npause 1ms\nserver sends 1B\npause 1ms\n}\n50% { pause 1ms }\n}\nclient sends 1B\npause 1ms");
    assert_eq!(by(&steps[0]), Some(Side::Server));
    let ways = branches(&steps[1]);
    assert_eq!((by(&ways[0].1[0]), by(&ways[0].1[2]), by(&ways[1].1[0])), (Some(Side::Server), Some(Side::Client), Some(Side::Client)));
    assert_eq!(by(&steps[3]), Some(Side::Client));
}

#[test]
fn parameters_of_every_type_reach_the_steps() {
    let declaration = "pattern p(n: count, t: text, b: bytes, r: regex, d: duration, s: size, q: ratio, l: list, a: address, yes: condition) {\n\
        repeat n { client sends t }\nclient sends b\nserver expects r within d\npause d\nclient sends s\n\
        choose {\nq { client sends \"${a}\\n\" }\n100% - q { client sends \"${a}\\n\" }\n}\n\
        for size in l { server sends size }\nif yes { server closes }\n}";
    let call = "p(1, \"hi \", hex\"0a\", /hi/, uniform(1ms, 2ms), 64B..1KiB, 20%, [1B, 2B], 10.0.0.1, 1 < 2)";
    let call = call.replace("within d", "").replace("uniform(1ms, 2ms)", "2ms");
    let steps = made(declaration, &call).steps;
    assert!(steps.iter().any(|step| matches!(&step.kind, StepKind::Sends { payload: Payload::Filled(Varying::Uniform(64, 1024)), .. })));
    assert!(steps.iter().any(
        |step| matches!(&step.kind, StepKind::Expects { what: Expected::Regex(regex), within_ns: Some(2_000_000), .. } if regex == "hi")
    ));
    assert!(matches!(steps.last().map(|step| &step.kind), Some(StepKind::Closes { by: Side::Server, .. })));
}

#[test]
fn secrets_stay_names() {
    let pattern = made(
        "secret token from env TOKEN\nlet line = \"auth ${token}\\n\"\npattern p(t: text) {\nclient sends t\nserver expects \"auth\"\nserver sends \"key ${token}\\n\"\n}",
        "p(line)",
    );
    assert!(!format!("{pattern:?}").contains("TOKEN"), "{pattern:?}");
    let secrets = pattern.steps.iter().filter(|step| {
        let StepKind::Sends { payload: Payload::Text(Template(parts)), .. } = &step.kind else { return false };
        parts.contains(&TemplatePart::Secret("token".into()))
    });
    assert_eq!(secrets.count(), 2);
}

#[test]
fn a_bounded_number_of_ways_is_followed_in_bounded_time() {
    let ways: String =
        (0..8).map(|_| "choose {\n50% { client sends \"a\\n\" }\n50% { client sends \"b\\n\" }\n}\nserver expects line /a|b/\n").collect();
    let started = std::time::Instant::now();
    assert_eq!(problems(&ways), Vec::<&str>::new());
    assert!(started.elapsed().as_millis() < 1000, "{:?}", started.elapsed());
}
