//! Texts that mean harm end with a diagnostic, soon, and never with a panic.

use proptest::prelude::*;

use super::{checked, checked_with};
use crate::diagnostics::{draw, json, short};

const HEAD: &str = "scn 1\nscenario s {\n topology { node a, b\n link a <-> b }\n";

#[test]
fn too_much_is_refused() {
    let cases = ["node c[1..4000000000]", "node c[1..20001]", "node c[0..9223372036854775807]"];
    for case in cases {
        let (_, found) = checked(&format!("scn 1\nscenario s {{\n topology {{ {case} }}\n expect {{ }}\n}}\n"));
        assert!(!found.diagnostics.is_empty() && found.scenarios.is_empty(), "{case}");
    }
    let long: String = (0..10_001).map(|n| format!("  at {n}ns mark e{n}\n")).collect();
    let (_, found) = checked(&format!("{HEAD} timeline {{\n{long} }}\n}}\n"));
    assert!(found.diagnostics.iter().any(|d| d.code == "scn::expand::too_large"));
}

#[test]
fn deep_nesting_ends() {
    for text in [
        format!("{HEAD} expect {{ {}1{} == 1 }}\n}}\n", "(".repeat(10_000), ")".repeat(10_000)),
        format!("scn 1\nlet x = 1{}\n", " + 1".repeat(20_000)),
        format!("scn 1\nlet x = {}1\n", "-".repeat(10_000)),
        format!("{HEAD} expect {{ f.loss {} == 1 }}\n}}\n", "+ f.loss".repeat(10_000)),
        format!("scn 1\npattern p {{ {} client sends 1B {} }}\n", "repeat 2 {\n".repeat(5_000), "}\n".repeat(5_000)),
        format!("scn 1\n{}", "scenario s {\n".repeat(10_000)),
    ] {
        let (sources, found) = checked(&text);
        assert!(!found.diagnostics.is_empty());
        assert!(!draw(&found.diagnostics, &sources, false, 80).is_empty());
    }
}

/// A scenario in which so many clients send to one server.
fn crowd(clients: u32, patterns: &str, rest: &str) -> String {
    format!(
        "scn 1\nscenario s {{\n topology {{ node c[1..{clients}], x\n bridge l\n link c[*] <-> l\n link x <-> l }}\n {patterns}\n flow f from c[*] to x {{ {rest} }}\n}}\n"
    )
}

/// The text ends with this code.
fn ends_with(text: &str, code: &str) {
    let (_, found) = checked(text);
    assert!(found.diagnostics.iter().any(|d| d.code == code), "{code}: {:?}", found.diagnostics.first());
    assert!(found.diagnostics.len() <= 2 * crate::MOST_PROBLEMS + 1);
}

#[test]
fn what_grows_on_itself_is_refused() {
    let doubled = |first: &str, open: &str, close: &str| -> String {
        let lines = (1..60).map(|n| {
            let before = n - 1;
            let one = open.replace('#', &before.to_string());
            format!("let t{n} = {one}{close}\n")
        });
        format!("scn 1\nlet t0 = {first}\n{}", lines.collect::<String>())
    };
    ends_with(&doubled("\"abcdefgh\"", "\"${t#}${t#}\"", ""), "scn::expand::too_large");
    ends_with(&doubled("[1, 2]", "[t#, t#]", ""), "scn::expand::too_large");
    let deep: String = (1..5_000).map(|n| format!("let t{n} = [t{}]\n", n - 1)).collect();
    ends_with(&format!("scn 1\nlet t0 = [1]\n{deep}"), "scn::expand::too_deep");
    let each = "total 1 }\n expect { f[*].sent == sum(f[*].sent) / 1 ";
    ends_with(&crowd(2_000, "", each), "scn::expand::too_large");
    let steps = "client sends 1B\nserver sends 1B\n".repeat(1_000);
    ends_with(&crowd(2_000, &format!("pattern p {{ {steps} }}"), "pattern p  total 1"), "scn::expand::too_large");
    ends_with(
        &crowd(2_000, "", "total 1").replace("link x <-> l", &"route c[*] 10.0.0.0/8 via 10.0.0.1\n".repeat(60)),
        "scn::expand::too_large",
    );
}

#[test]
fn endless_problems_are_not_all_told() {
    let expectations = "f.losss == 0%\n".repeat(5_000);
    ends_with(&format!("{HEAD} flow f from a to b {{ total 1 }}\n expect {{ {expectations} }}\n}}\n"), "scn::expand::too_large");
    ends_with(&format!("{HEAD} flow f from a to b {{ {} }}\n}}\n", "total 1 ".repeat(5_000)), "scn::expand::too_large");
}

#[test]
fn a_long_talk_is_followed_to_its_end_or_refused() {
    let pattern = |steps: &str| {
        format!("{HEAD} pattern p {{ {steps} }}\n flow f from a to b {{ pattern p  total 1 }}\n expect {{ f.corrupt == 0 }}\n}}\n")
    };
    let long = "repeat 1000 { repeat 1000 {\n client sends \"a\\r\\n\"\n server expects \"a\"\n server sends 1KiB\n } }\n client sends \"QUIT\\r\\n\"\n server expects \"QUIT\"";
    let (_, found) = checked(&pattern(long));
    assert!(found.diagnostics.is_empty(), "{:?}", found.diagnostics);
    let steps = serde_json::to_string(&found.scenarios[0].flows[0].pattern.as_ref().unwrap().steps.last()).unwrap();
    assert!(steps.contains("\"rest\":\"line\""), "the last `expects` passes over its line: {steps}");
    let text = "x".repeat(10_000);
    for steps in [
        format!("repeat 100000 {{ client sends \"{text}\" }}\n server expects /z/"),
        format!("{} {}", "client sends \"hello\"\n".repeat(3_000), "server expects /nomatch/\n".repeat(3_000)),
    ] {
        ends_with(&pattern(&steps), "scn::expand::too_large");
    }
}

#[test]
fn a_long_circle_of_events_ends() {
    let entries: String = (0..5_000).map(|n| format!("  e{} + 1ms mark e{n}\n", (n + 1) % 5_000)).collect();
    let (_, found) = checked(&format!("{HEAD} timeline {{\n{entries} }}\n expect {{ }}\n}}\n"));
    assert_eq!(found.diagnostics.iter().filter(|d| d.code == "scn::expand::event_cycle").count(), 1);
}

#[test]
fn parameters_can_say_anything() {
    for value in ["", "1 + ", "50ms", "}", "1\nlet y = 2", "\"", "${x}", "\u{0}", "1 # 2", "x", "(((", "0x10", "-1", "99999999999999999999"]
    {
        let text = format!("{HEAD} param n: count = 1\n flow f from a to b {{ connections n }}\n expect {{ f.corrupt == 0 }}\n}}\n");
        let (sources, found) = checked_with("test.scn", &text, &[("n", value)], &[]);
        assert!(value == "1 # 2" || found.scenarios.is_empty(), "{value:?}");
        let _ = draw(&found.diagnostics, &sources, true, 20);
        let _ = json(&found.diagnostics, &sources);
    }
}

/// A scenario with such a head, such things and such an `expect`.
fn whole(parts: &str, network: &str, rest: &str) -> String {
    format!("scn 1\nscenario s {{\n {parts}\n topology {{ node a, b\n link a <-> b\n {network}\n }}\n {rest}\n}}\n")
}

#[test]
fn loops_and_templates_are_bounded() {
    let flow = "flow f from a to b { total 1 }\n expect { f.loss == 0% }";
    let loops = |depth: usize, inside: &str| {
        let heads: String = (0..depth).map(|n| format!("for i{n} in 1..1000 {{\n")).collect();
        format!("{heads}{inside}{}", "\n}".repeat(depth))
    };
    ends_with(&whole("", &loops(3, "node n[i0 * 1000000 + i1 * 1000 + i2]"), flow), "scn::expand::too_large");
    // A loop that does nothing ends as well.
    ends_with(&whole("", &loops(4, ""), flow), "scn::expand::too_large");
    ends_with(&whole("", &loops(100, ""), flow), "scn::syntax::too_deep");
    ends_with(&whole("", "for i in 1..4000000000 { node n[i] }", flow), "scn::expand::too_large");
    let steps = loops(3, "client sends 1B");
    let talk = format!("pattern p {{ {steps} }}\n flow f from a to b {{ pattern p  total 1 }}\n expect {{ f.loss == 0% }}");
    ends_with(&whole("", "", &talk), "scn::expand::too_large");
    let expect = format!("flow f from a to b {{ total 1 }}\n expect {{ {} }}", loops(3, "f.sent > i0 + i1 + i2"));
    ends_with(&whole("", "", &expect), "scn::expand::too_large");
}

#[test]
fn templates_that_call_each_other_end() {
    ends_with("scn 1\ntopology t() { t() as next }\n", "scn::resolve::call_cycle");
    ends_with("scn 1\nfn f(x: count) = g(x)\nfn g(x: count) = f(x)\nlet y = f(1)\n", "scn::resolve::call_cycle");
    // Each calls the one before ten times: ten to the power of twelve.
    let wide = |kind: &str, first: &str, call: &dyn Fn(usize) -> String| {
        let chain = (1..13).map(|n| format!("{kind} t{n}() {{ {} }}\n", (0..10).map(|_| call(n - 1) + "\n").collect::<String>()));
        format!("{kind} t0() {{ {first} }}\n{}", chain.collect::<String>())
    };
    let use_of = |declared: &str, network: &str, entry: &str, expect: &str| {
        let rest = format!("flow f from a to b {{ total 1 }}\n timeline {{ {entry} }}\n expect {{ {expect} }}");
        whole("", network, &rest).replacen("scn 1\n", &format!("scn 1\n{declared}"), 1)
    };
    let actions = wide("action", "at 0s mark e", &|n| format!("at 1ms call t{n}"));
    ends_with(&use_of(&actions, "", "at 0s call t12", "f.loss == 0%"), "scn::expand::too_large");
    let checks = wide("check", "1 == 1", &|n| format!("t{n}()"));
    ends_with(&use_of(&checks, "", "", "t12()"), "scn::expand::too_large");
    let networks = wide("topology", "node n", &|n| format!("t{n}()"));
    ends_with(&use_of(&networks, "t12()", "", "f.loss == 0%"), "scn::expand::too_large");
    let functions: String = (1..40).map(|n| format!("fn f{n}(x: count) = f{0}(x) + f{0}(x)\n", n - 1)).collect();
    ends_with(&format!("scn 1\nfn f0(x: count) = x\n{functions}let y = f39(1)\n"), "scn::expand::too_large");
    let deep: String = (1..60).map(|n| format!("action t{n}() {{ at 0s call t{} }}\n", n - 1)).collect();
    let deep = format!("action t0() {{ at 0s mark e }}\n{deep}");
    ends_with(&use_of(&deep, "", "at 0s call t59", "f.loss == 0%"), "scn::expand::too_deep");
}

#[test]
fn variants_and_moments_are_bounded() {
    let flow = "flow f from a to b { total 1 }\n expect { f.loss == 0% }";
    ends_with(&whole("matrix x = 1..4000000000", "", flow), "scn::expand::too_large");
    ends_with(&whole("matrix x = 1..200\n matrix y = 1..200\n matrix z = 1..200", "", flow), "scn::expand::too_large");
    // Each variant makes many things: what all of them make together is bounded too.
    let many = "for i in 1..2000 { for j in 1..90 { if i < 0 { node n[i] } } }";
    ends_with(&whole("matrix x = 1..200", many, flow), "scn::expand::too_large");
    let ticks = |every: &str| format!("flow f from a to b {{ total 1 }}\n timeline {{ {every} }}\n expect {{ f.loss == 0% }}");
    ends_with(&whole("", "", &ticks("every 1ns from 0s to 24h mark t")), "scn::expand::too_large");
    ends_with(&whole("", "", &ticks("for i in 1..2000 { every 1ms from 0s to 1s mark t }")), "scn::expand::too_large");
}

#[test]
fn talks_with_many_ways_are_bounded() {
    let talk = |steps: &str| {
        whole("", "", &format!("pattern p {{ {steps} }}\n flow f from a to b {{ pattern p  total 1 }}\n expect {{ f.loss == 0% }}"))
    };
    let choose = |inside: &str| format!("choose {{ 50% {{ {inside} }}\n 50% {{ client sends 1B }} }}\n");
    ends_with(&talk(&choose("client sends 2B").repeat(40)), "scn::expand::too_large");
    let nested = (0..60).fold("client sends 2B".to_owned(), |inside, _| choose(&inside));
    ends_with(&talk(&nested), "scn::expand::too_deep");
    ends_with(&talk("repeat 4000000000 { client sends 1B }"), "scn::expand::out_of_range");
    ends_with(&talk("repeat 1..4000000000 { client sends 1B }"), "scn::expand::out_of_range");
}

#[test]
fn texts_and_names_of_any_length_end() {
    let flow = "flow f from a to b { total 1 }\n expect { f.loss == 0% }";
    for text in [
        "(".repeat(1 << 20),
        format!("scn 1\nlet x = {}\n", "(".repeat(1 << 20)),
        "{".repeat(1 << 20),
        format!("scn 1\nlet {} = y\n", "n".repeat(1 << 20)),
        format!("scn 1\nlet x = [{}]\n", "1, ".repeat(300_000)),
        format!("scn 1\nlet x = \"{}\"\n", "${".repeat(10_000)),
        format!("scn 1\n{}", "nonsense here\n".repeat(10_000)),
        whole("", &format!("link a <-> b {{ {} loss 1% {} }}", "forward { ".repeat(200), "}".repeat(200)), flow),
        whole("", &format!("link a <-> b {{ {} delay 1ms {} }}", "if 1 == 1 {\n".repeat(200), "}\n".repeat(200)), flow),
    ] {
        let (sources, found) = checked(&text);
        assert!(!found.diagnostics.is_empty() && found.scenarios.is_empty(), "{}", &text[..40]);
        assert!(found.diagnostics.len() <= 2 * crate::MOST_PROBLEMS + 1);
        assert!(short(&found.diagnostics, &sources).len() < 4 << 20, "the messages about a long text are long: {}", &text[..40]);
    }
    for regex in ["(a{1000}){1000}", "((a{100}){100}){100}", "(((((((a{9}){9}){9}){9}){9}){9}){9})"] {
        let talk = format!("pattern p {{ client sends 1B\n server expects /{regex}/ }}\n flow f from a to b {{ pattern p  total 1 }}");
        ends_with(&whole("", "", &format!("{talk}\n expect {{ f.loss == 0% }}")), "scn::expand::bad_regex");
    }
}

#[test]
fn secrets_decide_nothing() {
    let head = "scn 1\nsecret token from env TOKEN\n";
    ends_with(&format!("{head}let x = if token == \"a\" then 1 else 2\n"), "scn::expand::dimension_mismatch");
    let doubled: String = (1..60).map(|n| format!("let t{n} = \"${{t{0}}}${{t{0}}}\"\n", n - 1)).collect();
    ends_with(&format!("{head}let t0 = \"${{token}}\"\n{doubled}"), "scn::expand::too_large");
}

proptest! {
    /// Any scenario with a piece cut out, doubled or exchanged ends without a panic.
    #[test]
    fn mutilated_scenarios_end(which in 0usize..3, from in 0usize..2_000, length in 0usize..60, to in 0usize..2_000, what in 0usize..4) {
        let texts = [
            include_str!("../../scenarios/failover.scn"),
            include_str!("../../scenarios/mail_session.scn"),
            include_str!("../../scenarios/two_nodes.scn"),
        ];
        let words: Vec<&str> = texts[which].split_inclusive([' ', '\n']).collect();
        let from = from % words.len();
        let end = (from + length % 6).min(words.len());
        let to = to % words.len();
        let mut changed: Vec<&str> = words.clone();
        match what {
            0 => drop(changed.drain(from..end)),
            1 => changed.splice(to..to, words[from..end].iter().copied()).for_each(drop),
            2 => changed.swap(from, to),
            _ => changed[from] = ["[*] ", "{ ", "} ", "0 ", "1h ", "client ", "-1 ", "\" "][length % 8],
        }
        let (sources, found) = checked(&changed.concat());
        let _ = draw(&found.diagnostics, &sources, false, 80);
    }
}
