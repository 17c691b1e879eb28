//! The verbs of the timeline with their operands. In: a verb of the tree. Out: an [`Action`]. When it acts is `timing`'s question.

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::bare;
use super::moment_error::MomentError;
use super::targets::Startable;
use super::value::Value;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::NodeId;
use crate::scenario::timeline::{Action, Target};
use crate::scenario::topology::Prefix;
use crate::syntax::tree::{Expr, ExprKind, Operand, Verb};

/// Verbs of this version with the form that help shows.
pub(crate) const BUILT: &[(&str, &str)] = &[
    ("start", "start FLOW, FLOW"),
    ("stop", "stop FLOW, FLOW"),
    ("down", "down NODE"),
    ("up", "up NODE"),
    ("silence", "silence LINK"),
    ("unsilence", "unsilence LINK"),
    ("add", "add 10.0.0.100/24 to NODE"),
    ("remove", "remove 10.0.0.100/24 from NODE"),
    ("move", "move 10.0.0.100/24 from NODE to NODE"),
    ("mark", "mark EVENT"),
];
/// Verbs of the language that this version has not.
pub(crate) const LATER: &[&str] = &[
    "pause",
    "resume",
    "set",
    "impair",
    "restore",
    "partition",
    "heal",
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
    "call",
];

/// A verb's operands do not fit it, or a problem was reported already.
enum Wrong {
    Form,
    Reported,
}

impl From<()> for Wrong {
    fn from((): ()) -> Self {
        Wrong::Form
    }
}

/// The values before the first small word, and after each small word.
fn clauses(operands: &[Operand]) -> Vec<(&str, Vec<&Expr>)> {
    let mut found: Vec<(&str, Vec<&Expr>)> = vec![("", Vec::new())];
    for operand in operands {
        match operand {
            Operand::Word(name) => found.push((&name.text, Vec::new())),
            Operand::Value(expr) => found.last_mut().into_iter().for_each(|(_, values)| values.push(expr)),
        }
    }
    found
}

impl Draft<'_, '_> {
    /// What a verb does.
    pub(super) fn action(&mut self, verb: &Verb) -> Option<Action> {
        let name = verb.name.text.as_str();
        let Some((_, form)) = BUILT.iter().find(|(built, _)| *built == name) else {
            if LATER.contains(&name) {
                self.context.raise(ExpandError::NotInThisVersion { what: format!("the verb `{name}`"), span: verb.name.span });
            } else {
                let help = suggest(name, BUILT.iter().map(|(built, _)| *built)).filter(|help| help.starts_with("did"));
                let all = || BUILT.iter().map(|(built, _)| *built).collect::<Vec<_>>().join(", ");
                let help = help.or_else(|| Some(format!("verbs are {}", all())));
                self.context.raise(ResolveError::UnknownVerb { name: name.into(), span: verb.name.span, help });
            }
            return None;
        };
        let clauses = clauses(&verb.operands);
        let parts: Vec<(&str, &[&Expr])> = clauses.iter().map(|(word, values)| (*word, values.as_slice())).collect();
        let done = match (name, parts.as_slice()) {
            ("mark", [("", [])]) => Ok(Action::Mark),
            ("start" | "stop", [("", what @ [_, ..])]) => self.start_or_stop(name == "start", what, None),
            ("start" | "stop", [("", what @ [_, ..]), ("on", on @ [_, ..])]) => self.start_or_stop(name == "start", what, Some(on)),
            ("down" | "up" | "silence" | "unsilence", [("", what @ [_, ..])]) => self.fault(name, what),
            ("add", [("", [what]), ("to", [node])]) => self.add(what, node),
            ("remove", [("", [what]), ("from", [node])]) => self.remove(what, node),
            ("move", [("", [what]), ("from", [from]), ("to", [to])]) => self.move_address(what, from, to),
            _ => Err(Wrong::Form),
        };
        match done {
            Ok(action) => Some(action),
            Err(Wrong::Reported) => None,
            Err(Wrong::Form) => {
                let broken = verb.operands.iter().any(|o| matches!(o, Operand::Value(Expr { kind: ExprKind::Broken, .. })));
                if !broken {
                    self.context.raise(MomentError::VerbForm { verb: name.into(), form, span: verb.span });
                }
                None
            }
        }
    }

    fn start_or_stop(&mut self, start: bool, what: &[&Expr], on: Option<&[&Expr]>) -> Result<Action, Wrong> {
        let mut flows = Vec::new();
        let mut service = None;
        let mut fine = true;
        for expr in what {
            match self.startable(expr)? {
                Some(Startable::Flows(more)) => flows.extend(more),
                Some(Startable::Service(id)) if what.len() == 1 => service = Some(id),
                Some(Startable::Service(_)) => {
                    let (message, other) =
                        ("a service is started and stopped in an entry of its own".to_owned(), what.first().map_or(expr.span, |e| e.span));
                    let help = "write one entry for each service".to_owned();
                    self.context.raise(ExpandError::OptionConflict { message, span: expr.span, other, help });
                    fine = false;
                }
                None => fine = false,
            }
        }
        let Some(service) = service.filter(|_| fine) else {
            return match on {
                _ if !fine => Err(Wrong::Reported),
                Some(_) => Err(Wrong::Form),
                None => Ok(if start { Action::Start(flows) } else { Action::Stop(flows) }),
            };
        };
        let mut nodes = Vec::new();
        for expr in on.unwrap_or(&[]) {
            nodes.extend(self.nodes_of_service(service, expr)?.ok_or(Wrong::Reported)?);
        }
        if on.is_none() {
            nodes.clone_from(&self.scenario.services[service.index()].nodes);
        }
        Ok(if start { Action::StartService(service, nodes) } else { Action::StopService(service, nodes) })
    }

    fn fault(&mut self, verb: &str, what: &[&Expr]) -> Result<Action, Wrong> {
        let mut targets: Vec<Target> = Vec::new();
        let mut fine = true;
        for expr in what {
            match self.fault_targets(expr)? {
                Some(more) => targets.extend(more),
                None => fine = false,
            }
        }
        if !fine {
            return Err(Wrong::Reported);
        }
        Ok(match verb {
            "down" => Action::Down(targets),
            "up" => Action::Up(targets),
            "silence" => Action::Silence(targets),
            _ => Action::Unsilence(targets),
        })
    }

    fn add(&mut self, what: &Expr, node: &Expr) -> Result<Action, Wrong> {
        let prefix = self.prefix_of(what, true);
        let to = self.node_and_interface(node, "have an address")?;
        let (Some(prefix), Some((node, interface))) = (prefix, to) else { return Err(Wrong::Reported) };
        Ok(Action::AddAddress { prefix, node, interface })
    }

    fn remove(&mut self, what: &Expr, node: &Expr) -> Result<Action, Wrong> {
        let address = match &bare(what).kind {
            ExprKind::Address(address) => Some(*address),
            _ => match self.context.evaluate(what, &self.scope) {
                Some(Value::Address(address)) => Some(address),
                Some(Value::Prefix(prefix)) => Some(prefix.address),
                Some(other) => {
                    self.context.wrong_type("an address or a prefix", &other, what.span);
                    None
                }
                None => None,
            },
        };
        let from = self.node_and_interface(node, "have an address")?;
        let (Some(address), Some((node, _))) = (address, from) else { return Err(Wrong::Reported) };
        Ok(Action::RemoveAddress { address, node })
    }

    fn move_address(&mut self, what: &Expr, from: &Expr, to: &Expr) -> Result<Action, Wrong> {
        let prefix: Option<Prefix> = self.prefix_of(what, true);
        let source: Option<(NodeId, Option<String>)> = self.node_and_interface(from, "have an address")?;
        let target = self.node_and_interface(to, "have an address")?;
        let (Some(prefix), Some((from_node, _)), Some((to_node, interface))) = (prefix, source, target) else {
            return Err(Wrong::Reported);
        };
        if from_node == to_node {
            let message = "this moves an address to where it is".to_owned();
            let help = "name another node after `to`".to_owned();
            self.context.raise(ExpandError::OptionConflict { message, span: to.span, other: from.span, help });
            return Err(Wrong::Reported);
        }
        Ok(Action::MoveAddress { prefix, from: from_node, to: to_node, interface })
    }
}
