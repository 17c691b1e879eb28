//! Kernel settings of namespaces. In: names and values. Out: what was set, what the kernel lacks, what it refused. Writes
//! `/proc/sys/net` of the calling thread's namespace only.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use scn_grammar::scenario::topology::{NodeKind, Sysctl};

use crate::plan::types::Plan;

/// More nodes than this are counted, not listed.
const NAMES_SHOWN: usize = 8;

/// What became of a setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It holds.
    Set,
    /// The kernel has no such setting.
    Missing,
    /// The kernel did not take the value: its words, and the value that stays.
    Refused(String, String),
    /// The kernel keeps its own default, which stays, but takes the value on each socket: scn's own sockets have it.
    OnSockets(String),
}

/// New namespaces may choose only among the algorithms that the first one allows; sockets may choose any that is loaded.
const CONGESTION: &str = "net.ipv4.tcp_congestion_control";

/// Whether a socket made here takes a congestion control.
fn sockets_take(algorithm: &str) -> bool {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    socket.and_then(|socket| socket.set_tcp_congestion(algorithm.as_bytes())).is_ok()
}

/// Settings of the lab's own, which a plan may override. Those that a kernel lacks are no news.
pub(crate) fn own(kind: NodeKind) -> &'static [(&'static str, &'static str)] {
    const SILENT: &[(&str, &str)] = &[
        // Bridges and the fabric carry frames and say nothing themselves.
        ("net.ipv6.conf.all.disable_ipv6", "1"),
        ("net.ipv6.conf.default.disable_ipv6", "1"),
        ("net.bridge.bridge-nf-call-iptables", "0"),
        ("net.bridge.bridge-nf-call-ip6tables", "0"),
        ("net.bridge.bridge-nf-call-arptables", "0"),
    ];
    const SPEAKING: &[(&str, &str)] = &[
        // Taking away the first address of a subnet leaves the others.
        ("net.ipv4.conf.all.promote_secondaries", "1"),
        // Addresses can be used at once, and nobody asks for routers that are not there.
        ("net.ipv6.conf.all.accept_dad", "0"),
        ("net.ipv6.conf.default.accept_dad", "0"),
        ("net.ipv6.conf.default.dad_transmits", "0"),
        ("net.ipv6.conf.default.accept_ra", "0"),
        ("net.ipv6.conf.default.router_solicitations", "0"),
        // ping has a socket for its own echoes alone: one that hears those of all others in the node may have no room for its own.
        ("net.ipv4.ping_group_range", "0 0"),
        // Nothing listens to reports of multicast groups; each would flood the whole broadcast domain.
        ("net.ipv6.conf.default.mldv1_unsolicited_report_interval", "86400000"),
        ("net.ipv6.conf.default.mldv2_unsolicited_report_interval", "86400000"),
    ];
    match kind {
        NodeKind::Bridge | NodeKind::ExternalBridge => SILENT,
        NodeKind::Host | NodeKind::Router | NodeKind::ThisHost | NodeKind::Remote => SPEAKING,
    }
}

/// Settings of one namespace that wait to be written, and what became of those that were.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Name, value, and whether the plan asked for it.
    pending: Vec<(String, String, bool)>,
    /// Name, value, outcome.
    pub(crate) done: Vec<(String, String, Outcome)>,
}

impl Settings {
    /// The plan's settings after those of the lab's own that the plan does not speak of.
    pub(crate) fn of(kind: NodeKind, planned: &[(String, String)]) -> Self {
        let unsaid = own(kind).iter().filter(|(name, _)| !planned.iter().any(|(said, _)| said == name));
        let mut pending: Vec<_> = unsaid.map(|(name, value)| ((*name).to_owned(), (*value).to_owned(), false)).collect();
        pending.extend(planned.iter().map(|(name, value)| (name.clone(), value.clone(), true)));
        Settings { pending, done: Vec::new() }
    }

    /// Writes what can be written now. Settings of interfaces that do not exist yet wait for the next call.
    pub(crate) fn write(&mut self, last: bool) {
        for (name, value, planned) in std::mem::take(&mut self.pending) {
            match std::fs::write(path(&name), &value) {
                Ok(()) => self.done.push((name, value, Outcome::Set)),
                // A value that the kernel does not know, of a setting that it has, is answered in the same way.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound && !path(&name).exists() => {
                    if !last {
                        self.pending.push((name, value, planned));
                    } else if planned {
                        self.done.push((name, value, Outcome::Missing));
                    }
                }
                Err(cause) => {
                    let stays = std::fs::read_to_string(path(&name)).unwrap_or_default().trim().to_owned();
                    if stays != value && name == CONGESTION && sockets_take(&value) {
                        self.done.push((name, value, Outcome::OnSockets(stays)));
                    } else if stays != value {
                        self.done.push((name, value, Outcome::Refused(cause.to_string(), stays)));
                    }
                }
            }
        }
    }
}

/// Writes a setting of the calling thread's namespace; else why it can't be written.
pub(crate) fn attempt(name: &str, value: &str) -> Result<(), String> {
    match std::fs::write(path(name), value) {
        Ok(()) => Ok(()),
        Err(_) if !path(name).exists() => Err("the kernel has no such setting for a network namespace".to_owned()),
        Err(cause) => Err(format!("the kernel says: {cause}")),
    }
}

/// What the file itself says at a node and its interfaces: names of settings.
pub(crate) fn said(plan: &Plan, node: usize) -> impl Iterator<Item = &Sysctl> {
    let planned = &plan.nodes[node];
    let of_links = planned.interfaces.iter().map(|interface| &interface.settings);
    let upon = plan.interfaces.iter().filter(move |upper| upper.node.index() == node).map(|upper| &upper.settings);
    std::iter::once(&planned.settings).chain(of_links).chain(upon).flat_map(|settings| &settings.sysctls)
}

impl Settings {
    /// The first of these that does not hold: name, value, why.
    pub(crate) fn unmet<'a>(&self, mut said: impl Iterator<Item = &'a Sysctl>) -> Option<(String, String, String)> {
        said.find_map(|said| {
            let (name, value, outcome) = self.done.iter().find(|(name, ..)| *name == said.key)?;
            let why = match outcome {
                Outcome::Set => return None,
                Outcome::Missing => "the kernel has no such setting for a network namespace".to_owned(),
                Outcome::Refused(cause, stays) => format!("the kernel says: {cause}; it stays {stays}"),
                Outcome::OnSockets(stays) => format!("the kernel keeps {stays} for programs, only the sockets of scn have it"),
            };
            Some((name.clone(), value.clone(), why))
        })
    }

    /// The congestion control that each socket must be given, because the namespace could not be.
    pub(crate) fn congestion_of_sockets(&self) -> Option<String> {
        let on_sockets = |(_, value, outcome): &(String, String, Outcome)| matches!(outcome, Outcome::OnSockets(_)).then(|| value.clone());
        self.done.iter().find_map(on_sockets)
    }
}

/// `net.ipv4.ip_forward` is a file.
fn path(name: &str) -> PathBuf {
    PathBuf::from("/proc/sys").join(name.replace('.', "/"))
}

/// All settings of a lab with the nodes they were made on: facts for the record, and warnings.
pub(crate) fn summary(nodes: &[(String, Settings)]) -> (Vec<(String, String)>, Vec<String>) {
    let mut groups: BTreeMap<(String, String, Outcome), Vec<&str>> = BTreeMap::new();
    for (node, settings) in nodes {
        for (name, value, outcome) in &settings.done {
            groups.entry((name.clone(), value.clone(), outcome.clone())).or_default().push(node);
        }
    }
    let (mut facts, mut warnings) = (Vec::new(), Vec::new());
    for ((name, value, outcome), on) in groups {
        let place = if on.len() > NAMES_SHOWN { format!("{} nodes", on.len()) } else { on.join(", ") };
        match outcome {
            Outcome::Set => facts.push((format!("sysctl {name}"), format!("{value} (on {place})"))),
            Outcome::Missing => {
                facts.push((format!("sysctl {name}"), format!("not in this kernel (wanted {value} on {place})")));
                warnings.push(format!("this kernel has no {name}: not set to {value} on {place}"));
            }
            Outcome::OnSockets(stays) => {
                facts.push((format!("sysctl {name}"), format!("{stays} (on {place}); {value} on every socket of scn")));
            }
            Outcome::Refused(cause, stays) => {
                facts.push((format!("sysctl {name}"), format!("{stays} (wanted {value} on {place}: {cause})")));
                warnings.push(format!("{name} stays {stays} on {place}: the kernel refused {value} ({cause})"));
            }
        }
    }
    (facts, warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_plan_says_goes_before_the_labs_own() {
        let planned = vec![("net.ipv6.conf.all.accept_dad".to_owned(), "1".to_owned())];
        let settings = Settings::of(NodeKind::Host, &planned);
        let said: Vec<_> = settings.pending.iter().filter(|(name, ..)| name == "net.ipv6.conf.all.accept_dad").collect();
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].1, "1");
    }

    #[test]
    fn nodes_with_the_same_setting_share_a_line() {
        let with = |outcome: Outcome| Settings { pending: vec![], done: vec![("net.a".into(), "1".into(), outcome)] };
        let refused = Outcome::Refused("No".into(), "0".into());
        let nodes = vec![("a".into(), with(Outcome::Set)), ("b".into(), with(Outcome::Set)), ("c".into(), with(refused))];
        let (facts, warnings) = summary(&nodes);
        assert_eq!(facts[0], ("sysctl net.a".into(), "1 (on a, b)".into()));
        assert_eq!(warnings, ["net.a stays 0 on c: the kernel refused 1 (No)"]);
    }
}
