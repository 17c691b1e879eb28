//! The words that begin statements, by the place where they stand. In: nothing. Out: tables. Reads nothing.

/// A place where statements stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Top,
    Scenario,
    Topology,
    Pattern,
    Timeline,
    Expect,
    Service,
    Flow,
    Options,
}

impl Place {
    /// As messages say it.
    pub fn words(self) -> &'static str {
        match self {
            Place::Top => "at top level",
            Place::Scenario => "in a scenario",
            Place::Topology => "in a topology",
            Place::Pattern => "in a pattern",
            Place::Timeline => "in a timeline",
            Place::Expect => "among expectations",
            Place::Service => "in a service",
            Place::Flow => "in a flow",
            Place::Options => "among options",
        }
    }

    /// The words that begin its statements in this version.
    pub fn statements(self) -> &'static [&'static str] {
        match self {
            Place::Top => &["use", "let", "pattern", "scenario"],
            Place::Scenario => {
                &["tags", "timeout", "tolerance", "param", "let", "pattern", "topology", "service", "flow", "timeline", "expect"]
            }
            Place::Topology => &["node", "router", "bridge", "link", "route", "routing"],
            Place::Pattern => &["client", "server", "pause", "repeat"],
            Place::Timeline => &["at", "when"],
            Place::Service => &["listen", "serve"],
            Place::Expect | Place::Flow | Place::Options => &[],
        }
    }

    /// The words of the language that begin its statements, but not in this version.
    pub fn later(self) -> &'static [&'static str] {
        match self {
            Place::Top => &["fn", "topology", "action", "check", "secret", "for", "if"],
            Place::Scenario => &["needs", "matrix", "process", "stress", "secret", "fn", "action", "check", "for", "if"],
            Place::Topology => &["external", "host", "remote", "vxlan", "macvlan", "bond", "vlan", "process", "for", "if"],
            Place::Pattern => &["choose", "for", "if"],
            Place::Timeline => &["every", "for", "if"],
            Place::Expect | Place::Service | Place::Flow | Place::Options => &["for", "if"],
        }
    }
}

/// Where else a word begins a statement.
pub(super) fn belongs(word: &str) -> Option<&'static str> {
    [Place::Top, Place::Scenario, Place::Topology, Place::Pattern, Place::Timeline, Place::Service]
        .into_iter()
        .find(|place| place.statements().contains(&word))
        .map(Place::words)
}
