//! The reference is true and whole: its blocks and those of the README check, and every word that the checker knows stands in it.

use std::collections::BTreeSet;

use super::checked;
use super::pages::blocks;
use crate::diagnostics::{Severity, short};
use crate::expand::options::Known;
use crate::expand::value::TYPE_WORDS;
use crate::expand::{
    flows, frames, functions, headers, http, impairments, interfaces, load, nodes, process, services, sockets, stress, topology,
    transport_options, transports, verbs,
};
use crate::scenario::expect::{METRICS, STATISTICS};
use crate::scenario::metrics::{Measures, Needs, Owner};
use crate::scenario::process::SIGNALS;
use crate::scenario::transport::{TRANSPORTS, TransportKind};
use crate::syntax::words::Place;
use crate::{REFERENCE, expand, standard};

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

/// The options of every sort of block.
const OPTIONS: &[&Known] = &[
    &flows::FLOW_OPTIONS,
    &transports::OVER_OPTIONS,
    &services::LISTEN_OPTIONS,
    &sockets::TLS_OPTIONS,
    &http::PATH_OPTIONS,
    &load::RECONNECT_OPTIONS,
    &load::TIMEOUT_OPTIONS,
    &stress::STRESS_OPTIONS,
    &nodes::NODE_OPTIONS,
    &nodes::BRIDGE_OPTIONS,
    &nodes::EXTERNAL_OPTIONS,
    &nodes::REMOTE_OPTIONS,
    &topology::LINK_OPTIONS,
    &topology::VXLAN_OPTIONS,
    &impairments::WAY_OPTIONS,
    &impairments::IMPAIR_OPTIONS,
    &impairments::CODEL_OPTIONS,
    &interfaces::INTERFACE_OPTIONS,
    &interfaces::VLAN_OPTIONS,
    &interfaces::MACVLAN_OPTIONS,
    &interfaces::BOND_OPTIONS,
    &frames::FRAME_OPTIONS,
    &frames::ETHERNET_OPTIONS,
    &frames::VLAN_OPTIONS,
    &headers::ARP_OPTIONS,
    &headers::LLDP_OPTIONS,
    &headers::LACP_OPTIONS,
    &headers::LACP_END_OPTIONS,
    &headers::IPV4_OPTIONS,
    &headers::IPV6_OPTIONS,
    &headers::ICMP_OPTIONS,
    &headers::UDP_OPTIONS,
    &headers::TCP_HEADER_OPTIONS,
];

#[test]
fn every_word_is_described() {
    let words = words();
    let mut missing: Vec<String> = Vec::new();
    let mut need = |kind: &str, all: &[&str]| missing.extend(all.iter().filter(|w| !words.contains(*w)).map(|w| format!("{kind} `{w}`")));
    need("metric", &METRICS.iter().map(|row| row.name).collect::<Vec<_>>());
    need("statistic", STATISTICS);
    need("type", TYPE_WORDS);
    need("function", functions::FUNCTIONS);
    need("function", functions::ELSEWHERE);
    need("verb", &verbs::VERBS.iter().map(|row| row.name).collect::<Vec<_>>());
    need("transport", &TRANSPORTS.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    need("tool", &transport_options::TOOLS.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    need("signal", &SIGNALS.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    need("part of a process", process::PROCESS_PARTS);
    need("distribution", &impairments::DISTRIBUTIONS.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    need("drop", &impairments::DROPS.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    need("mode of a macvlan", &interfaces::MACVLAN_MODES.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    need("mode of a bond", &interfaces::BOND_MODES.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    need("flag of TCP", &headers::TCP_FLAGS.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    for known in OPTIONS {
        need(&format!("option of {}", known.what), known.once);
        need(&format!("option of {}", known.what), known.many);
    }
    for place in [
        Place::Top,
        Place::Scenario,
        Place::Topology,
        Place::Pattern,
        Place::Timeline,
        Place::Process,
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
        (expand::VARIANTS_LIMIT, "nodes, links, flows, entries and expectations"),
        (expand::unroll::UNROLL_LIMIT, "statements made by loops and templates"),
    ];
    for (limit, what) in limits {
        assert!(REFERENCE.contains(&format!("{} {what}", grouped(limit))), "the limit of {what} is {limit}");
    }
    assert!(REFERENCE.contains(&format!(
        "Limit: {}, and {} measured",
        grouped(expand::EXPECTATION_LIMIT),
        grouped(expand::MEASURED_LIMIT)
    )));
    assert!(REFERENCE.contains(&format!("at most {}, those left out", expand::matrix::MATRIX_LIMIT)));
    assert!(REFERENCE.contains(&format!("{0} errors and {0} warnings", crate::MOST_PROBLEMS)));
    assert_eq!(expand::DEFAULT_TIMEOUT_NS, 300_000_000_000, "say so in the reference");
    assert_eq!(expand::DEFAULT_TOLERANCE_NS, 5_000_000, "say so in the reference");
    assert_eq!(expand::DEFAULT_RECONNECT_NS, 100_000_000, "say so in the reference");
}

/// What flows have a metric, as the table says it.
fn had_by(needs: Needs) -> String {
    let listed = |words: Vec<&str>| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let has = |kind: TransportKind| needs.transports.contains(&kind);
    let mut said = match needs.transports.len() {
        9 => "any transport".to_owned(),
        8 if !has(TransportKind::Frames) => "any but `frames`".to_owned(),
        7 if has(TransportKind::Udp) && has(TransportKind::Sctp) && !has(TransportKind::Icmp) => "connections, `udp`".to_owned(),
        6 if !has(TransportKind::Udp) && !has(TransportKind::Icmp) => "connections".to_owned(),
        4 if has(TransportKind::Mptcp) && has(TransportKind::Tcp) => "TCP below".to_owned(),
        _ => listed(needs.transports.iter().map(|kind| kind.word()).collect()),
    };
    for tool in needs.tools {
        said += &format!(", `via {}`", tool.word());
    }
    for (is_needed, words) in [(needs.replies, "the other end answers"), (needs.own_server, "scn serves"), (needs.handshake, "with TLS")] {
        said += &if is_needed { format!("; {words}") } else { String::new() };
    }
    said
}

#[test]
fn the_reference_names_what_a_flow_that_only_watches_has() {
    let listed = |expected: bool| {
        let names: Vec<String> =
            crate::scenario::metrics::watched().filter(|(_, needed)| *needed == expected).map(|(name, _)| format!("`{name}`")).collect();
        names.join(", ")
    };
    let sentence = format!("It has {}, and with a `rate` {}.", listed(false), listed(true));
    assert!(REFERENCE.contains(&sentence), "grammar/REFERENCE.md lacks: {sentence}");
}

#[test]
fn the_tables_of_metrics_are_those_of_the_code() {
    let mut missing = Vec::new();
    for row in METRICS {
        let unit = match row.measures {
            Measures::Number(dimension) => format!("{dimension:?}").to_lowercase(),
            Measures::Truth => "truth".into(),
            Measures::Text => "text".into(),
        };
        let shape = format!("{:?}", row.shape).to_lowercase();
        let name = if row.takes_event { format!("{}(E)", row.name) } else { row.name.to_owned() };
        let has = if let Owner::Flow(needs) = row.owner { format!(" {} |", had_by(needs)) } else { String::new() };
        let line = format!("| `{name}` | {unit} | {shape} |{has} {} |", row.doc);
        if !REFERENCE.lines().any(|known| known == line) {
            missing.push(line);
        }
    }
    assert!(missing.is_empty(), "grammar/REFERENCE.md lacks:\n{}", missing.join("\n"));
}

#[test]
fn the_standard_library_is_listed() {
    let words = words();
    let entries = standard::entries();
    let missing: Vec<String> =
        entries.iter().filter(|e| !words.contains(e.name.as_str())).map(|e| format!("{}.{}", e.module, e.name)).collect();
    assert!(missing.is_empty(), "grammar/REFERENCE.md does not name {missing:?}");
    assert!(standard::modules().all(|(module, _)| words.contains(module)));
}

#[test]
fn the_reader_and_the_checker_know_the_same_verbs() {
    let sorted = |words: &mut dyn Iterator<Item = &'static str>| words.collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&mut crate::syntax::words::VERBS.iter().copied()), sorted(&mut verbs::VERBS.iter().map(|row| row.name)));
}

#[test]
fn options_of_transports_are_those_of_their_table() {
    use crate::expand::{services::LISTEN_OPTIONS, transport_options as table, transports::OVER_OPTIONS};
    for (known, rows) in [(OVER_OPTIONS, table::OVER_ROWS), (LISTEN_OPTIONS, table::LISTEN_ROWS)] {
        let known: BTreeSet<&str> = known.once.iter().chain(known.many).copied().collect();
        let rows: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(known, rows);
    }
}

#[test]
fn verbs_are_said_as_the_code_knows_them() {
    let missing: Vec<String> = verbs::VERBS
        .iter()
        .map(|row| format!("| `{}` | {} |", row.form, row.doc))
        .filter(|row| !REFERENCE.lines().any(|line| line.starts_with(row)))
        .collect();
    assert!(missing.is_empty(), "grammar/REFERENCE.md lacks:\n{}", missing.join("\n"));
}
