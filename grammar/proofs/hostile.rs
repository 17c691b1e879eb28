//! Texts that mean harm end with a diagnostic, soon, and never with a panic.

use proptest::prelude::*;

use super::{checked, checked_with};
use crate::diagnostics::{draw, json};

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
