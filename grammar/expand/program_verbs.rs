//! Verbs on what runs in nodes, and on what is looked at in them: `kill`, `signal`, `run`, `capture`. In: operands. Out: [`Action`]s.

use super::draft::Draft;
use super::moment_error::MomentError;
use super::targets::words;
use super::texts::User;
use super::things::ThingKind;
use super::value::Value;
use super::verbs::{Done, Wrong, flat};
use crate::resolve::ResolveError;
use crate::scenario::process::Signal;
use crate::scenario::timeline::{Action, Copies, Victim};
use crate::scenario::{NodeId, ProcessId, ServiceId};
use crate::syntax::tree::Expr;

/// Characters of a capture's path: at most so many.
const PATH_LIMIT: usize = 200;

impl Draft<'_, '_> {
    /// What several operands name: programs, services, whole nodes.
    fn victims(&mut self, what: &[&Expr], on: Option<&[&Expr]>, kinds: &[ThingKind], called: &str) -> Result<Vec<Victim>, Wrong> {
        let mut victims: Vec<Victim> = Vec::new();
        let mut fine = true;
        for expr in flat(what) {
            let Some(things) = self.things_in(expr, kinds, called)? else {
                fine = false;
                continue;
            };
            let ids = things.ids.iter().copied();
            match things.kind {
                ThingKind::Process => match self.copies(ids.map(ProcessId), on)? {
                    Some(copies) => victims.extend(copies.into_iter().map(Victim::Process)),
                    None => fine = false,
                },
                ThingKind::Service => {
                    for id in ids.map(ServiceId) {
                        match self.service_nodes(id, on)? {
                            Some(nodes) => victims.push(Victim::Service(id, nodes)),
                            None => fine = false,
                        }
                    }
                }
                _ if on.is_some() => return Err(Wrong::Form),
                _ => {
                    for id in ids.map(NodeId) {
                        fine &= self.is_host(id, expr.span, "run anything");
                        victims.push(Victim::Node(id));
                    }
                }
            }
        }
        if fine { Ok(victims) } else { Err(Wrong::Reported) }
    }

    /// `kill`, `freeze`, `thaw`, `restart`.
    pub(super) fn strike(&mut self, verb: &str, what: &[&Expr], on: Option<&[&Expr]>) -> Done {
        let kinds = [ThingKind::Process, ThingKind::Service, ThingKind::Node];
        let victims = self.victims(what, on, &kinds, "process, service or node")?;
        Ok(vec![match verb {
            "kill" => Action::Kill(victims),
            "freeze" => Action::Freeze(victims),
            "thaw" => Action::Thaw(victims),
            _ => Action::Restart(victims),
        }])
    }

    pub(super) fn send_signal(&mut self, what: &[&Expr], signal: &Expr, on: Option<&[&Expr]>) -> Done {
        let kinds = [ThingKind::Process, ThingKind::Service, ThingKind::Node];
        let to = self.victims(what, on, &kinds, "process, service or node");
        let Some([name]) = words(signal) else { return Err(Wrong::Form) };
        let signal = self.signal(&name.name);
        let (to, Some(signal)) = (to?, signal) else { return Err(Wrong::Reported) };
        let known = matches!(signal, Signal::Kill | Signal::Stop | Signal::Cont | Signal::Term);
        if let Some(deaf) = to.iter().filter(|_| !known).find_map(|victim| self.deaf(victim)) {
            self.context.raise(MomentError::SignalOfNobody { signal: signal.to_string(), deaf, span: name.name.span });
            return Err(Wrong::Reported);
        }
        Ok(vec![Action::Signal { to, signal }])
    }

    /// Why a victim has no way of its own with signals; `None`: it is a program, or one runs there.
    fn deaf(&self, victim: &Victim) -> Option<String> {
        match victim {
            Victim::Process(_) => None,
            Victim::Service(service, _) => {
                Some(format!("the service `{}` is no program with a way of its own with it", self.scenario.services[service.index()].name))
            }
            Victim::Node(node) => {
                let runs = self.scenario.processes.iter().any(|process| process.nodes.contains(node));
                (!runs).then(|| format!("no process runs on `{}`", self.scenario.topology.nodes[node.index()].name))
            }
        }
    }

    pub(super) fn run_command(&mut self, node: &Expr, command: &Expr) -> Done {
        let node_span = node.span;
        let nodes = self.hosts_in(node, "run a command")?;
        let scope = self.scope.clone();
        let command = self.kept_text(command, &scope, User::Other);
        let (Some(nodes), Some(command)) = (nodes, command) else { return Err(Wrong::Reported) };
        let [node] = nodes.as_slice() else {
            self.context.raise(ResolveError::OnlyOne { name: self.context.words(node_span), span: node_span });
            return Err(Wrong::Reported);
        };
        Ok(vec![Action::Run { node: *node, command }])
    }

    pub(super) fn capture(&mut self, what: &[&Expr], file: &Expr) -> Done {
        let mut targets = Vec::new();
        let mut fine = true;
        for expr in flat(what) {
            match self.fault_targets(expr)? {
                Some(more) => targets.extend(more),
                None => fine = false,
            }
        }
        let path = match self.context.evaluate(file, &self.scope) {
            Some(Value::Text(path)) => Some(path),
            Some(other) => {
                self.context.wrong_type("a text", &other, file.span);
                None
            }
            None => None,
        };
        let (Some(path), true) = (path, fine) else { return Err(Wrong::Reported) };
        if let Some(reason) = wrong_path(&path) {
            self.context.raise(MomentError::CapturePath { path, reason, span: file.span });
            return Err(Wrong::Reported);
        }
        Ok(vec![Action::Capture { targets, to: path }])
    }

    /// Programs on all their nodes, or on those named after `on`. The inner `None`: wrong, which was reported.
    pub(super) fn copies(
        &mut self,
        processes: impl Iterator<Item = ProcessId>,
        on: Option<&[&Expr]>,
    ) -> Result<Option<Vec<Copies>>, Wrong> {
        let mut all = Vec::new();
        for process in processes {
            let Some(declared) = self.scenario.processes.get(process.index()) else { continue };
            let (name, its_own) = (declared.name.clone(), declared.nodes.clone());
            let Some(nodes) = self.nodes_of_it(&name, &its_own, "runs", on)? else { return Ok(None) };
            all.push(Copies { process, nodes });
        }
        Ok((!all.is_empty()).then_some(all))
    }

    /// A service's nodes, or those named after `on`. The inner `None`: wrong, which was reported.
    pub(super) fn service_nodes(&mut self, service: ServiceId, on: Option<&[&Expr]>) -> Result<Option<Vec<NodeId>>, Wrong> {
        let Some(declared) = self.scenario.services.get(service.index()) else { return Ok(None) };
        let (name, its_own) = (declared.name.clone(), declared.nodes.clone());
        self.nodes_of_it(&name, &its_own, "stands", on)
    }
}

/// Why a capture can't be written to a path.
fn wrong_path(path: &str) -> Option<&'static str> {
    let parts = || path.split('/');
    if path.len() > PATH_LIMIT {
        Some("it is too long")
    } else if path.starts_with('/') || parts().any(|part| part == "..") {
        Some("it leads out of the run's own folder")
    } else if parts().any(|part| part.is_empty() || part == ".") || path.chars().any(char::is_control) {
        Some("it is not the name of a file")
    } else if !path.ends_with(".pcapng") || parts().next_back() == Some(".pcapng") {
        Some("captures are pcapng files")
    } else {
        None
    }
}
