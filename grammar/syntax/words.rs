//! The words that begin statements, by the place where they stand. In: nothing. Out: tables. Reads nothing.

/// A place where statements stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Top,
    Scenario,
    Topology,
    Pattern,
    Choose,
    Timeline,
    Expect,
    Service,
    Flow,
    Process,
    Options,
}

/// The words of blocks that stand in every place but the top level.
pub(crate) const EVERYWHERE: &[&str] = &["for", "if", "else"];

/// The verbs of timelines. A keyword of elsewhere before one of them is an event's name.
pub(crate) const VERBS: &[&str] = &[
    "start",
    "stop",
    "pause",
    "resume",
    "set",
    "up",
    "down",
    "silence",
    "unsilence",
    "impair",
    "restore",
    "partition",
    "heal",
    "add",
    "remove",
    "move",
    "route",
    "kill",
    "signal",
    "freeze",
    "thaw",
    "restart",
    "vanish",
    "isolate",
    "run",
    "capture",
    "mark",
    "call",
];

impl Place {
    /// As messages say it.
    pub fn words(self) -> &'static str {
        match self {
            Place::Top => "at top level",
            Place::Scenario => "in a scenario",
            Place::Topology => "in a topology",
            Place::Pattern => "in a pattern",
            Place::Choose => "among the ways of a `choose`",
            Place::Timeline => "in a timeline",
            Place::Expect => "among expectations",
            Place::Service => "in a service",
            Place::Flow => "in a flow",
            Place::Process => "in a process",
            Place::Options => "among options",
        }
    }

    /// The words that begin its statements, but for [`EVERYWHERE`].
    pub fn statements(self) -> &'static [&'static str] {
        match self {
            Place::Top => &["use", "let", "fn", "secret", "pattern", "topology", "action", "check", "scenario"],
            Place::Scenario => &[
                "tags",
                "needs",
                "timeout",
                "tolerance",
                "param",
                "matrix",
                "except",
                "let",
                "fn",
                "secret",
                "pattern",
                "action",
                "check",
                "topology",
                "service",
                "process",
                "flow",
                "stress",
                "timeline",
                "expect",
            ],
            Place::Topology => &[
                "node",
                "router",
                "bridge",
                "external",
                "host",
                "remote",
                "link",
                "vxlan",
                "interface",
                "vlan",
                "bond",
                "macvlan",
                "route",
                "routing",
                "process",
            ],
            Place::Pattern => &["client", "server", "pause", "repeat", "choose"],
            Place::Timeline => &["at", "when", "every"],
            Place::Service => &["listen", "serve"],
            Place::Process => &["run", "file", "env", "ready", "stop"],
            Place::Expect | Place::Flow | Place::Options | Place::Choose => &[],
        }
    }
}

/// Where else a word begins a statement.
pub(super) fn belongs(word: &str) -> Option<&'static str> {
    [Place::Top, Place::Scenario, Place::Topology, Place::Pattern, Place::Timeline, Place::Service, Place::Process]
        .into_iter()
        .find(|place| place.statements().contains(&word))
        .map(Place::words)
}
