//! The reference is true and whole: its blocks and those of the README check, and every word that the checker knows stands in it.

use std::collections::BTreeSet;

use super::checked;
use super::pages::blocks;
use crate::diagnostics::{Severity, short};
use crate::expand::options::Known;
use crate::expand::value::TYPE_WORDS;
use crate::expand::{flows, functions, services, topology, verbs};
use crate::scenario::expect::{METRICS, STATISTICS};
use crate::syntax::words::Place;
use crate::{REFERENCE, expand};

const README: &str = include_str!("../../README.md");

/// The words that stand between backticks, blocks left out.
fn words() -> BTreeSet<&'static str> {
    let mut fence = false;
    let prose = REFERENCE.lines().filter(move |line| {
        let edge = line.starts_with("```");
        fence ^= edge;
        !fence && !edge
    });
    let code = prose.flat_map(|line| line.split('`').skip(1).step_by(2));
    code.flat_map(|code| code.split(|c: char| !(c.is_ascii_alphanumeric() || "_.*".contains(c)))).filter(|word| !word.is_empty()).collect()
}

#[test]
fn every_block_checks() {
    let mut wrong = String::new();
    for (name, text, least) in [("REFERENCE.md", REFERENCE, 7), ("README.md", README, 1)] {
        let blocks = blocks(text);
        assert!(blocks.len() >= least, "{name} has {} scenarios", blocks.len());
        for (position, block) in blocks.iter().enumerate() {
            let (sources, found) = checked(block);
            if found.diagnostics.iter().any(|d| d.severity == Severity::Error) || !block.starts_with("scn 1\n") {
                wrong.push_str(&format!("{name}, block {}: {}\n", position + 1, short(&found.diagnostics, &sources)));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_word_is_described() {
    let words = words();
    let mut missing: Vec<String> = Vec::new();
    let mut need = |kind: &str, all: &[&str]| missing.extend(all.iter().filter(|w| !words.contains(*w)).map(|w| format!("{kind} `{w}`")));
    need("metric", &METRICS.iter().map(|row| row.name).collect::<Vec<_>>());
    need("statistic", STATISTICS);
    need("type", TYPE_WORDS);
    need("function", functions::FUNCTIONS);
    need("verb", &verbs::VERBS.iter().map(|row| row.name).collect::<Vec<_>>());
    need("transport", services::BUILT);
    need("later transport", services::LATER);
    let options: [&Known; 6] = [
        &flows::FLOW_OPTIONS,
        &flows::TCP_OPTIONS,
        &services::LISTEN_OPTIONS,
        &topology::NODE_OPTIONS,
        &topology::LINK_OPTIONS,
        &topology::WAY_OPTIONS,
    ];
    for known in options {
        need(&format!("option of {}", known.what), known.once);
        need(&format!("option of {}", known.what), known.many);
    }
    for place in [
        Place::Top,
        Place::Scenario,
        Place::Topology,
        Place::Pattern,
        Place::Timeline,
        Place::Expect,
        Place::Service,
        Place::Flow,
        Place::Options,
    ] {
        need(place.words(), place.statements());
    }
    assert!(missing.is_empty(), "grammar/REFERENCE.md does not describe:\n{}", missing.join("\n"));
}

#[test]
fn limits_and_defaults_are_those_of_the_code() {
    let grouped = |number: u64| {
        let digits = number.to_string();
        let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|g| std::str::from_utf8(g).unwrap()).collect();
        groups.join(",")
    };
    let limits = [
        (expand::NODE_LIMIT, "nodes"),
        (expand::LINK_LIMIT, "links"),
        (expand::ROUTE_LIMIT, "written routes"),
        (expand::FLOW_LIMIT, "flows"),
        (expand::ENTRY_LIMIT, "entries"),
    ];
    for (limit, what) in limits {
        assert!(REFERENCE.contains(&format!("{} {what}", grouped(limit))), "the limit of {what} is {limit}");
    }
    assert!(REFERENCE.contains(&format!(
        "Limit: {}, and {} measured",
        grouped(expand::EXPECTATION_LIMIT),
        grouped(expand::MEASURED_LIMIT)
    )));
    assert!(REFERENCE.contains(&format!("{0} errors and {0} warnings", crate::MOST_PROBLEMS)));
    assert_eq!(expand::DEFAULT_TIMEOUT_NS, 300_000_000_000, "say so in the reference");
    assert_eq!(expand::DEFAULT_TOLERANCE_NS, 5_000_000, "say so in the reference");
    assert_eq!(expand::DEFAULT_RECONNECT_NS, 100_000_000, "say so in the reference");
}
