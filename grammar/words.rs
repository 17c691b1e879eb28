//! The words that can stand at a place, with how they are said and what they mean: for completion and hover. In: the words before the
//! braces around a place. Out: words of the tables that the checker reads, explained by the language reference. Reads no scenario.

use crate::REFERENCE;
use crate::expand::impairments::{CODEL_OPTIONS, IMPAIR_OPTIONS, WAY_OPTIONS};
use crate::expand::interfaces::{BOND_OPTIONS, INTERFACE_OPTIONS, MACVLAN_OPTIONS, VLAN_OPTIONS};
use crate::expand::load::{RECONNECT_OPTIONS, TIMEOUT_OPTIONS};
use crate::expand::nodes::{BRIDGE_OPTIONS, EXTERNAL_OPTIONS, HOST_OPTIONS, NODE_OPTIONS, REMOTE_OPTIONS};
use crate::expand::options::Known;
use crate::expand::services::LISTEN_OPTIONS;
use crate::expand::sockets::TLS_OPTIONS;
use crate::expand::stress::STRESS_OPTIONS;
use crate::expand::topology::{LINK_OPTIONS, VXLAN_OPTIONS};
use crate::expand::transports::OVER_OPTIONS;
use crate::expand::{flows::FLOW_OPTIONS, frames, functions, headers, http, transport_options, value, verbs};
use crate::resolve::load::STANDARD;
use crate::scenario::metrics::{self, Measures, MetricRow, OwnerKind};
use crate::scenario::transport::TRANSPORTS;
use crate::syntax::words::{EVERYWHERE, Place};

/// What sort of word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordKind {
    /// Begins a statement.
    Statement,
    /// Begins an option.
    Option,
    /// A verb of the timeline.
    Verb,
    /// What can be measured.
    Metric,
}

/// A word of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub name: String,
    /// What sort of word it is.
    pub kind: WordKind,
    /// How it is said, or a metric's unit.
    pub form: String,
    /// What it means; empty: no more is known than its form.
    pub doc: String,
}

/// What stands in a pair of braces.
#[derive(Clone, Copy)]
enum Inside {
    /// Statements.
    Statements(Place),
    /// Options, in a section of the reference.
    Options(&'static Known, &'static str),
    /// What the language does not know.
    Unknown,
}

/// Sections of the reference.
const TOPOLOGY: &str = "Topology";
const FLOWS: &str = "Flows";
const SERVICES: &str = "Services";

/// What stands in the innermost braces. `heads` are the words before the braces around it, the outermost first.
fn inside(heads: &[&str]) -> Inside {
    heads.iter().fold(Inside::Statements(Place::Top), |outer, head| enter(outer, head))
}

/// What stands in the braces behind a head.
fn enter(outer: Inside, head: &str) -> Inside {
    use Inside::{Options, Statements, Unknown};
    let mut words = head.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    // Several options may stand before the braces on one line: the last that has any options is theirs.
    let first = words.next().unwrap_or("");
    let has = |word: &str| first == word || words.clone().any(|other| other == word);
    match outer {
        same if EVERYWHERE.contains(&first) => same,
        Statements(Place::Top | Place::Scenario) => match first {
            "scenario" => Statements(Place::Scenario),
            "topology" => Statements(Place::Topology),
            "pattern" => Statements(Place::Pattern),
            "action" | "timeline" => Statements(Place::Timeline),
            "check" | "expect" => Statements(Place::Expect),
            "service" => Statements(Place::Service),
            "flow" => Statements(Place::Flow),
            "process" => Statements(Place::Process),
            "stress" => Options(&STRESS_OPTIONS, "Stress"),
            _ => Unknown,
        },
        Statements(Place::Pattern) if first == "choose" => Statements(Place::Choose),
        Statements(Place::Pattern | Place::Choose) => Statements(Place::Pattern),
        Statements(Place::Topology) => match first {
            "node" | "router" => Options(&NODE_OPTIONS, TOPOLOGY),
            "bridge" => Options(&BRIDGE_OPTIONS, TOPOLOGY),
            "external" => Options(&EXTERNAL_OPTIONS, TOPOLOGY),
            "host" => Options(&HOST_OPTIONS, TOPOLOGY),
            "remote" => Options(&REMOTE_OPTIONS, TOPOLOGY),
            "link" => Options(&LINK_OPTIONS, TOPOLOGY),
            "vxlan" => Options(&VXLAN_OPTIONS, TOPOLOGY),
            "interface" => Options(&INTERFACE_OPTIONS, TOPOLOGY),
            "vlan" => Options(&VLAN_OPTIONS, TOPOLOGY),
            "macvlan" => Options(&MACVLAN_OPTIONS, TOPOLOGY),
            "bond" => Options(&BOND_OPTIONS, TOPOLOGY),
            "process" => Statements(Place::Process),
            _ => Unknown,
        },
        Statements(Place::Timeline) if has("impair") => Options(&IMPAIR_OPTIONS, TOPOLOGY),
        Statements(Place::Service) if has("listen") => Options(&LISTEN_OPTIONS, SERVICES),
        Statements(Place::Flow) if has("over") => Options(&OVER_OPTIONS, FLOWS),
        Statements(Place::Flow) if has("reconnect") => Options(&RECONNECT_OPTIONS, FLOWS),
        Statements(Place::Flow) if has("timeout") => Options(&TIMEOUT_OPTIONS, FLOWS),
        Statements(Place::Flow) if has("frame") => Options(&frames::FRAME_OPTIONS, FLOWS),
        Options(known, section) => {
            let last = words.clone().next_back().unwrap_or(first);
            if has("forward") || has("back") {
                Options(&WAY_OPTIONS, TOPOLOGY)
            } else if has("codel") {
                Options(&CODEL_OPTIONS, TOPOLOGY)
            } else if has("tls") {
                Options(&TLS_OPTIONS, section)
            } else if known.what == LISTEN_OPTIONS.what || has("path") {
                Options(&http::PATH_OPTIONS, SERVICES)
            } else {
                layer(first).or_else(|| layer(last)).map_or(Unknown, |known| Options(known, FLOWS))
            }
        }
        _ => Unknown,
    }
}

/// The options of a layer of a frame.
fn layer(word: &str) -> Option<&'static Known> {
    Some(match word {
        "ethernet" => &frames::ETHERNET_OPTIONS,
        "vlan" => &frames::VLAN_OPTIONS,
        "arp" => &headers::ARP_OPTIONS,
        "lldp" => &headers::LLDP_OPTIONS,
        "lacp" => &headers::LACP_OPTIONS,
        "actor" | "partner" => &headers::LACP_END_OPTIONS,
        "ipv4" => &headers::IPV4_OPTIONS,
        "ipv6" => &headers::IPV6_OPTIONS,
        "icmp" | "icmpv6" => &headers::ICMP_OPTIONS,
        "udp" => &headers::UDP_OPTIONS,
        "tcp" => &headers::TCP_HEADER_OPTIONS,
        _ => return None,
    })
}

/// The words that can begin a statement or an option in the innermost braces of `heads`, which are the words before each pair of braces
/// from the outermost to the innermost. Without explanations, which take longer.
#[must_use]
pub fn known(heads: &[&str]) -> Vec<(&'static str, WordKind)> {
    let options = |known: &Known| known.once.iter().chain(known.many).map(|name| (*name, WordKind::Option)).collect::<Vec<_>>();
    match inside(heads) {
        Inside::Unknown => Vec::new(),
        Inside::Options(known, _) => options(known),
        Inside::Statements(Place::Flow) => {
            let mut all = options(&FLOW_OPTIONS);
            let also = ["over", "pattern"].into_iter().filter(|name| FLOW_OPTIONS.once.iter().all(|option| option != name));
            all.extend(also.map(|name| (name, WordKind::Option)));
            all
        }
        Inside::Statements(place) => {
            let also: &[&str] = if place == Place::Expect { &["require", "note", "always", "never"] } else { &[] };
            let blocks = if place == Place::Top { &[] } else { EVERYWHERE };
            let words = place.statements().iter().chain(also).chain(blocks);
            let verbs = verbs::VERBS.iter().filter(|_| place == Place::Timeline).map(|row| (row.name, WordKind::Verb));
            words.map(|name| (*name, WordKind::Statement)).chain(verbs).collect()
        }
    }
}

/// The words of [`known`], explained.
#[must_use]
pub fn beginning(heads: &[&str]) -> Vec<Word> {
    known(heads).into_iter().map(|(name, kind)| explained(name, kind, heads)).collect()
}

/// The word at a place, if the language has it there.
#[must_use]
pub fn explain(heads: &[&str], word: &str) -> Option<Word> {
    known(heads).into_iter().find(|(name, _)| *name == word).map(|(name, kind)| explained(name, kind, heads))
}

/// Where the reference speaks of the statements of a place.
fn section(place: Place) -> &'static str {
    match place {
        Place::Top => "A file",
        Place::Scenario => "A scenario",
        Place::Topology => TOPOLOGY,
        Place::Pattern | Place::Choose => "Patterns",
        Place::Timeline => "Timeline",
        Place::Expect => "Expectations",
        Place::Service => SERVICES,
        Place::Process => "Processes",
        Place::Flow | Place::Options => FLOWS,
    }
}

/// A word with what the tables and the reference say of it.
fn explained(name: &str, kind: WordKind, heads: &[&str]) -> Word {
    if let Some(verb) = verbs::VERBS.iter().find(|row| kind == WordKind::Verb && row.name == name) {
        return Word { name: name.into(), kind, form: verb.form.into(), doc: verb.doc.into() };
    }
    let section = match inside(heads) {
        Inside::Options(_, section) => section,
        Inside::Statements(place) => section(place),
        Inside::Unknown => "",
    };
    let rows = [transport_options::FLOW_ROWS, transport_options::OVER_ROWS, transport_options::LISTEN_ROWS];
    let (form, doc) = in_reference(name, section).unwrap_or_else(|| {
        let form = rows.iter().flat_map(|rows| rows.iter()).find(|row| row.name == name).map_or(name, |row| row.form);
        (form.to_owned(), String::new())
    });
    Word { name: name.into(), kind, form, doc }
}

/// The form and the meaning of a word, by the tables in one section of the reference.
fn in_reference(name: &str, section: &str) -> Option<(String, String)> {
    let lines = REFERENCE.lines().skip_while(|line| line.strip_prefix("## ") != Some(section)).skip(1);
    let (mut header, mut example): (Vec<&str>, bool) = (Vec::new(), false);
    for line in lines {
        example ^= line.starts_with("```");
        if line.starts_with("## ") && !example {
            return None;
        }
        let Some(row) = line.strip_prefix("| ") else {
            header.clear();
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").map(str::trim).collect();
        if header.is_empty() {
            header = cells;
            continue;
        }
        let forms = cells.first()?.split('`').skip(1).step_by(2);
        let begins = |form: &&str| {
            let rest = form.strip_prefix(name);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
        };
        let Some(form) = forms.into_iter().find(begins) else { continue };
        let said = header.iter().zip(&cells).skip(1).filter(|(_, cell)| !cell.is_empty());
        let means = |title: &str| ["means", "who acts", "does"].contains(&title);
        let said = said.map(|(title, cell)| if means(title) { (*cell).to_owned() } else { format!("{title}: {cell}") });
        return Some((form.to_owned(), said.collect::<Vec<_>>().join("\n\n")));
    }
    None
}

/// What can be measured of a sort of thing: `a flow`, `a link`, `a process`, `a stress`, `an event`. Those of each statistic one by one.
#[must_use]
pub fn metrics_of(what: &str) -> Vec<Word> {
    let Some(owner) = owner(what) else { return Vec::new() };
    let names = metrics::of(owner).flat_map(|row| match row.name.strip_suffix('*') {
        Some(family) => metrics::STATISTICS.iter().map(|statistic| (format!("{family}{statistic}"), row)).collect(),
        None => vec![(row.name.to_owned(), row)],
    });
    names.map(|(name, row)| Word { form: measured(row), doc: row.doc.into(), kind: WordKind::Metric, name }).collect()
}

/// The dimension of a metric of a sort of thing, if it has that metric and the metric is a number.
#[must_use]
pub fn dimension_of(what: &str, metric: &str) -> Option<crate::quantity::Dimension> {
    match metrics::find(owner(what)?, metric)?.measures {
        Measures::Number(dimension) => Some(dimension),
        Measures::Truth | Measures::Text => None,
    }
}

fn owner(what: &str) -> Option<OwnerKind> {
    match what {
        "an event" => Some(OwnerKind::Output),
        _ => OwnerKind::ALL.iter().copied().find(|owner| owner.words() == what),
    }
}

/// A metric's unit.
fn measured(row: &MetricRow) -> String {
    let unit = match row.measures {
        Measures::Number(dimension) => dimension.word(),
        Measures::Truth => "true or false",
        Measures::Text => "text",
    };
    if row.takes_event { format!("{unit}, counted from an event: {}(EVENT)", row.name) } else { unit.to_owned() }
}

/// The words of transports: `tcp`, `tls`.
pub fn transports() -> impl Iterator<Item = &'static str> {
    TRANSPORTS.iter().map(|(word, _)| *word)
}

/// The words of tools that make flows: `iperf3`.
pub fn tools() -> impl Iterator<Item = &'static str> {
    transport_options::TOOLS.iter().map(|(word, _)| *word)
}

/// The words of types of parameters.
#[must_use]
pub fn types() -> &'static [&'static str] {
    value::TYPE_WORDS
}

/// The functions of the language.
pub fn functions() -> impl Iterator<Item = &'static str> {
    functions::FUNCTIONS.iter().chain(functions::ELSEWHERE).copied()
}

/// The modules that come with the program: name and text.
pub fn standard_modules() -> impl Iterator<Item = (&'static str, &'static str)> {
    STANDARD.iter().map(|(module, _, text)| (*module, *text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(heads: &[&str]) -> Vec<String> {
        beginning(heads).into_iter().map(|word| word.name).collect()
    }

    #[test]
    fn each_place_has_its_words() {
        for (heads, has, lacks) in [
            (&[][..], "scenario", "flow"),
            (&["scenario s"], "flow", "scenario"),
            (&["scenario s", "flow f from a to b over udp"], "rate", "delay"),
            (&["scenario s", "flow f from a to b", "over tcp"], "congestion", "rate"),
            (&["scenario s", "topology"], "link", "flow"),
            (&["scenario s", "topology", "for i in 1..3", "link a <-> b"], "delay", "congestion"),
            (&["scenario s", "topology", "link a <-> b", "delay 1ms forward"], "loss", "mtu"),
            (&["scenario s", "timeline"], "silence", "node"),
            (&["scenario s", "timeline", "at 3s impair wan"], "loss", "silence"),
            (&["scenario s", "expect"], "always", "at"),
            (&["pattern p", "choose", "70%"], "client", "node"),
            (&["scenario s", "flow f from a.eth0 to b.eth0 over frames", "frame", "ipv4"], "ttl", "vlan"),
            (&["scenario s", "service s on a", "listen tls :443"], "certificate", "serve"),
        ] {
            let found = names(heads);
            assert!(found.contains(&has.to_owned()) && !found.contains(&lacks.to_owned()), "{heads:?}: {found:?}");
        }
        assert_eq!(names(&["nonsense"]), [""; 0]);
    }

    #[test]
    fn words_are_explained_by_the_reference() {
        let word = explain(&["scenario s", "flow f from a to b"], "connections").unwrap();
        assert_eq!((word.form.as_str(), word.kind), ("connections 200", WordKind::Option));
        assert!(word.doc.starts_with("alive at once"), "{}", word.doc);
        let delay = explain(&["scenario s", "topology", "link a <-> b"], "delay").unwrap();
        assert!(delay.doc.contains("arrives this much later"), "{}", delay.doc);
        assert_eq!(explain(&["scenario s"], "silence"), None);
    }

    #[test]
    fn metrics_are_those_of_their_owner() {
        let of = |what| metrics_of(what).into_iter().map(|word| word.name).collect::<Vec<_>>();
        assert!(of("a flow").contains(&"latency.p99".to_owned()) && !of("a flow").contains(&"latency.*".to_owned()));
        assert!(of("a link").contains(&"dropped".to_owned()) && of("a node").is_empty());
        assert_eq!(dimension_of("a flow", "outage.max"), Some(crate::quantity::Dimension::Duration));
    }
}
