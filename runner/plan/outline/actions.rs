//! What an entry of the timeline does, in full: every thing it acts on and every value. In: a plan and an action. Out: the words of the
//! statement that would say it, and lines for what does not fit into one.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::timeline::{Action, Copies, Cut, Healed, Setting, StressSetting, Target, Victim};
use scn_grammar::scenario::{FlowId, NodeId, ServiceId, StressId};

use super::super::types::Plan;
use super::words::{duration, names, nodes, quantity, quoted, text};
use super::{Line, links, name};

/// The action as a statement.
pub(super) fn words(plan: &Plan, action: &Action) -> String {
    match action {
        Action::Start(list) => format!("start {}", flows(plan, list)),
        Action::Stop(list) => format!("stop {}", flows(plan, list)),
        Action::Pause(list) => format!("pause {}", flows(plan, list)),
        Action::Resume(list) => format!("resume {}", flows(plan, list)),
        Action::Set { flows: list, setting, over_ns } => format!("set {} {}{}", flows(plan, list), setting_words(*setting), over(*over_ns)),
        Action::StartStress(list) => format!("start {}", stresses(plan, list)),
        Action::StopStress(list) => format!("stop {}", stresses(plan, list)),
        Action::PauseStress(list) => format!("pause {}", stresses(plan, list)),
        Action::ResumeStress(list) => format!("resume {}", stresses(plan, list)),
        Action::SetStress { stresses: list, setting, over_ns } => {
            format!("set {} {}{}", stresses(plan, list), stress_setting(*setting), over(*over_ns))
        }
        Action::StopService(service, on) => format!("stop {}", service_on(plan, *service, on)),
        Action::StartService(service, on) => format!("start {}", service_on(plan, *service, on)),
        Action::StopProcess(list) => format!("stop {}", joined(list, |one| copies(plan, one))),
        Action::StartProcess(list) => format!("start {}", joined(list, |one| copies(plan, one))),
        Action::Down(list) => format!("down {}", targets(plan, list)),
        Action::Up(list) => format!("up {}", targets(plan, list)),
        Action::Silence(list) => format!("silence {}", targets(plan, list)),
        Action::Unsilence(list) => format!("unsilence {}", targets(plan, list)),
        Action::Impair { targets: list, over_ns, forward: _, back: _ } => format!("impair {}{}", targets(plan, list), over(*over_ns)),
        Action::Restore(list) => format!("restore {}", targets(plan, list)),
        Action::Partition(cut) => format!("partition {}", cut_words(plan, cut)),
        Action::Isolate(list) => format!("isolate {}", nodes(plan, list)),
        Action::Heal(Healed::All) => "heal".to_owned(),
        Action::Heal(Healed::Between(cut)) => format!("heal {}", cut_words(plan, cut)),
        Action::Heal(Healed::Nodes(list)) => format!("heal {}", nodes(plan, list)),
        _ => words_at_nodes(plan, action),
    }
}

/// Actions on addresses, programs and nodes.
fn words_at_nodes(plan: &Plan, action: &Action) -> String {
    match action {
        Action::AddAddress { prefix, node, interface } => format!("add {prefix} to {}", place(plan, *node, interface.as_deref())),
        Action::RemoveAddress { address, node } => format!("remove {address} from {}", name(plan, *node)),
        Action::MoveAddress { prefix, from, to, interface } => {
            format!("move {prefix} from {} to {}", name(plan, *from), place(plan, *to, interface.as_deref()))
        }
        Action::Route { nodes: on, to, via } => {
            let via = via.map_or_else(|| "off".to_owned(), |via| format!("via {via}"));
            format!("route {} {to} {via}", nodes(plan, on))
        }
        Action::Kill(list) => format!("kill {}", victims(plan, list)),
        Action::Signal { to, signal } => format!("signal {} {signal}", victims(plan, to)),
        Action::Freeze(list) => format!("freeze {}", victims(plan, list)),
        Action::Thaw(list) => format!("thaw {}", victims(plan, list)),
        Action::Restart(list) => format!("restart {}", victims(plan, list)),
        Action::Vanish(list) => format!("vanish {}", nodes(plan, list)),
        Action::Run { node, command } => format!("run on {} {}", name(plan, *node), text(command)),
        Action::Capture { targets: list, to } => format!("capture {} to {}", targets(plan, list), quoted(to)),
        // `mark NAME` names its event, which stands at the entry.
        _ => "mark".to_owned(),
    }
}

/// What an action sets beyond its statement.
pub(super) fn lines(action: &Action) -> Vec<Line> {
    match action {
        Action::Impair { targets: _, forward, back, over_ns: _ } => {
            let lines = links::ways(forward.as_ref(), back.as_ref());
            if lines.is_empty() { vec![Line::about("does nothing to packets")] } else { lines }
        }
        _ => Vec::new(),
    }
}

fn joined<T>(list: &[T], word: impl Fn(&T) -> String) -> String {
    list.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn over(ns: u64) -> String {
    if ns == 0 { String::new() } else { format!(" over {}", duration(ns)) }
}

fn flows(plan: &Plan, list: &[FlowId]) -> String {
    names(list.iter().map(|id| plan.flows.get(id.index()).map_or("?", |flow| flow.name.as_str())))
}

fn stresses(plan: &Plan, list: &[StressId]) -> String {
    names(list.iter().map(|id| plan.stresses.get(id.index()).map_or("?", |stress| stress.stress.name.as_str())))
}

fn setting_words(setting: Setting) -> String {
    match setting {
        Setting::RateNano(rate) => format!("rate {}", quantity(Dimension::Rate, rate)),
        Setting::OpensNano(rate) => format!("opens {}", quantity(Dimension::Rate, rate)),
        Setting::BandwidthBps(bandwidth) => format!("bandwidth {}", quantity(Dimension::Bandwidth, bandwidth)),
        Setting::Connections(count) => format!("connections {count}"),
        Setting::IntervalNs(ns) => format!("interval {}", duration(ns)),
    }
}

fn stress_setting(setting: StressSetting) -> String {
    match setting {
        StressSetting::Streams(count) => format!("streams {count}"),
        StressSetting::RateNano(rate) => format!("rate {}", quantity(Dimension::Rate, rate)),
    }
}

fn service_on(plan: &Plan, service: ServiceId, on: &[NodeId]) -> String {
    let found = plan.listeners.iter().find(|listener| listener.service == Some(service));
    format!("{} on {}", found.map_or("?", |listener| listener.name.as_str()), nodes(plan, on))
}

fn copies(plan: &Plan, copies: &Copies) -> String {
    let Copies { process, nodes: on } = copies;
    let process = plan.processes.get(process.index());
    let called = process.map_or("?", |process| process.name.as_str());
    // On all its nodes: its name alone says it.
    if process.is_some_and(|process| process.nodes == *on) { called.to_owned() } else { format!("{called} on {}", nodes(plan, on)) }
}

fn victims(plan: &Plan, list: &[Victim]) -> String {
    joined(list, |victim| match victim {
        Victim::Process(of) => copies(plan, of),
        Victim::Service(service, on) => service_on(plan, *service, on),
        Victim::Node(node) => name(plan, *node).to_owned(),
    })
}

fn targets(plan: &Plan, list: &[Target]) -> String {
    let of_interfaces: Vec<String> = list.iter().map(|target| target_words(plan, target)).collect();
    names(of_interfaces.iter().map(String::as_str))
}

fn target_words(plan: &Plan, target: &Target) -> String {
    match target {
        Target::Node(node) => name(plan, *node).to_owned(),
        Target::Link(link) => plan.links.get(link.index()).map_or("?", |link| link.name.as_str()).to_owned(),
        Target::Interface(node, interface) => format!("{}.{interface}", name(plan, *node)),
    }
}

fn cut_words(plan: &Plan, cut: &Cut) -> String {
    let Cut { from, to, one_way } = cut;
    format!("[{}] from [{}]{}", nodes(plan, from), nodes(plan, to), if *one_way { " one way" } else { "" })
}

fn place(plan: &Plan, node: NodeId, interface: Option<&str>) -> String {
    interface.map_or_else(|| name(plan, node).to_owned(), |interface| format!("{}.{interface}", name(plan, node)))
}
