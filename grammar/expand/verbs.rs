//! The verbs of the timeline: which there are, and who reads their operands. In: a verb of the tree. Out: [`Action`]s, several where a
//! sentence names things of several sorts. When they act is `timing`'s question.

use super::draft::Draft;
use super::evaluate::bare;
use super::events::called_expression;
use super::moment_error::MomentError;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::timeline::Action;
use crate::syntax::tree::{Expr, ExprKind, Operand, Verb};

/// A verb of the language.
pub struct VerbRow {
    /// The word.
    pub name: &'static str,
    /// How it is said; help shows it.
    pub form: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

/// Makes a row.
const fn row(name: &'static str, form: &'static str, doc: &'static str) -> VerbRow {
    VerbRow { name, form, doc }
}

/// Every verb, in the order of the reference.
#[rustfmt::skip]
pub const VERBS: &[VerbRow] = &[
    row("start", "start FLOW, FLOW", "Starts flows, stresses, services and processes; a service or a process `on NODE` only there."),
    row("stop", "stop FLOW, FLOW", "Stops them: a service and a process in good order, a stress with all its streams."),
    row(
        "pause",
        "pause FLOW",
        "Holds flows: connections stay, nothing new starts, and what was due meanwhile is not made up for. Ends all streams of a stress and starts none.",
    ),
    row("resume", "resume FLOW", "Lets them go on."),
    row("set", "set FLOW.rate 200/s over 5s", "Changes `rate`, `opens`, `bandwidth`, `connections` or `interval` of flows, `streams` or `rate` of stresses, at once or evenly `over` a time."),
    row("down", "down NODE", "Takes the carrier of links, interfaces and all links of nodes away; neighbours see it at once."),
    row("up", "up NODE", "Gives the carrier back."),
    row("silence", "silence LINK", "Drops everything without a sign: the carrier stays."),
    row("unsilence", "unsilence LINK", "Ends that."),
    row("impair", "impair LINK { loss 5% }", "Sets the whole impairment of links, of what nodes and interfaces send (`forward`) and receive (`back`); what is not said is off."),
    row("restore", "restore LINK", "Sets what the topology says."),
    row("partition", "partition [NODE, NODE] from [NODE]", "Lets nothing pass between two sets of nodes; `one way`: nothing from the first to the second."),
    row("heal", "heal", "Ends all partitions and isolations, or the named one: `heal [a] from [b]`, `heal a`."),
    row("isolate", "isolate NODE", "Lets nothing pass between nodes and all others."),
    row("add", "add 10.0.0.100/24 to NODE", "Gives a node an address; neighbours are told at once."),
    row("remove", "remove 10.0.0.100/24 from NODE", "Takes an address from a node."),
    row("move", "move 10.0.0.100/24 from NODE to NODE", "Takes an address from one node and gives it to another; neighbours are told at once."),
    row("route", "route NODE 0.0.0.0/0 via 10.0.0.2", "Sets a route of nodes, or takes it: `route NODE 0.0.0.0/0 off`."),
    row("kill", "kill PROCESS", "Ends processes, services with their connections, or all that runs on nodes, at once and without asking."),
    row("signal", "signal PROCESS SIGHUP", "Sends a signal to processes, services, or all that run on nodes."),
    row("freeze", "freeze PROCESS", "Stops processes, services, or all that runs on nodes, where they are; their connections stay open."),
    row("thaw", "thaw PROCESS", "Lets them go on."),
    row("restart", "restart PROCESS", "Ends processes, services, or all that runs on nodes if they still run, and starts them anew."),
    row("vanish", "vanish NODE", "Ends everything on nodes at once; their peers hear nothing of it."),
    row("run", "run on NODE \"COMMAND\" as NAME", "Runs a command on a node; expectations know its output as `NAME.output` and its status as `NAME.status`."),
    row("capture", "capture LINK to \"wan.pcapng\"", "Writes the packets of links, interfaces and nodes to a file of the run's folder."),
    row("mark", "mark EVENT", "Only makes an event."),
    row("call", "call ACTION(ARGUMENTS)", "Does what an action says; its times count from here."),
];

/// A verb's operands do not fit it, or a problem was reported already.
pub(super) enum Wrong {
    /// The sentence is not said this way.
    Form,
    /// Something in it is wrong, which was reported.
    Reported,
}

impl From<()> for Wrong {
    fn from((): ()) -> Self {
        Wrong::Form
    }
}

/// What a verb's reader gives.
pub(super) type Done = Result<Vec<Action>, Wrong>;

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

/// Values with those of lists among them one by one.
pub(super) fn flat<'e>(values: &[&'e Expr]) -> Vec<&'e Expr> {
    let mut all = Vec::new();
    for value in values {
        match &bare(value).kind {
            ExprKind::List(items) => all.extend(items.iter()),
            _ => all.push(*value),
        }
    }
    all
}

impl Draft<'_, '_> {
    /// What a verb does.
    pub(super) fn actions(&mut self, verb: &Verb) -> Option<Vec<Action>> {
        let row = self.verb_row(verb)?;
        let clauses = clauses(&verb.operands);
        let parts: Vec<(&str, &[&Expr])> = clauses.iter().map(|(word, values)| (*word, values.as_slice())).collect();
        let done = if verb.options.is_empty() || row.name == "impair" { self.operands(row.name, &parts, verb) } else { Err(Wrong::Form) };
        match done {
            Ok(actions) => Some(actions),
            Err(Wrong::Reported) => None,
            Err(Wrong::Form) => {
                self.wrong_verb_form(verb, row);
                None
            }
        }
    }

    fn operands(&mut self, name: &str, parts: &[(&str, &[&Expr])], verb: &Verb) -> Done {
        match (name, parts) {
            ("mark", [("", [])]) => Ok(vec![Action::Mark]),
            ("start" | "stop", [("", what @ [_, ..])]) => self.start_or_stop(name == "start", what, None),
            ("start" | "stop", [("", what @ [_, ..]), ("on", on @ [_, ..])]) => self.start_or_stop(name == "start", what, Some(on)),
            ("pause" | "resume", [("", what @ [_, ..])]) => self.pause_or_resume(name == "pause", what),
            ("set", [("", [path, value])]) => self.set(path, value, None),
            ("set", [("", [path, value]), ("over", [over])]) => self.set(path, value, Some(over)),
            ("down" | "up" | "silence" | "unsilence" | "restore", [("", what @ [_, ..])]) => self.fault(name, what),
            ("impair", [("", what @ [_, ..])]) => self.impair(what, None, verb),
            ("impair", [("", what @ [_, ..]), ("over", [over])]) => self.impair(what, Some(over), verb),
            ("partition", [("", from @ [_, ..]), ("from", to @ [_, ..])]) => self.partition(from, to),
            ("heal", [("", [])]) => Ok(vec![Action::Heal(crate::scenario::timeline::Healed::All)]),
            ("heal", [("", from @ [_, ..]), ("from", to @ [_, ..])]) => self.heal_between(from, to),
            ("heal", [("", nodes @ [_, ..])]) => self.heal_nodes(nodes),
            ("isolate" | "vanish", [("", nodes @ [_, ..])]) => self.nodes_alone(name, nodes),
            ("add", [("", [what]), ("to", [node])]) => self.add(what, node),
            ("remove", [("", [what]), ("from", [node])]) => self.remove(what, node),
            ("move", [("", [what]), ("from", [from]), ("to", [to])]) => self.move_address(what, from, to),
            ("route", [("", [node, to, rest @ ..])]) => self.set_route(node, to, rest),
            ("route", [("", [node, to]), ("via", [via])]) => self.route_via(node, to, Some(via)),
            ("kill" | "freeze" | "thaw" | "restart", [("", what @ [_, ..])]) => self.strike(name, what, None),
            ("kill" | "freeze" | "thaw" | "restart", [("", what @ [_, ..]), ("on", on @ [_, ..])]) => self.strike(name, what, Some(on)),
            ("signal", [("", [what @ .., signal])]) if !what.is_empty() => self.send_signal(what, signal, None),
            ("signal", [("", [what @ .., signal]), ("on", on @ [_, ..])]) if !what.is_empty() => self.send_signal(what, signal, Some(on)),
            ("run", [("", []), ("on", [node, command])]) => self.run_command(node, command),
            ("capture", [("", what @ [_, ..]), ("to", [file])]) => self.capture(what, file),
            _ => Err(Wrong::Form),
        }
    }

    /// The row of a verb, or `None` when there is none, which is reported.
    fn verb_row(&mut self, verb: &Verb) -> Option<&'static VerbRow> {
        let name = verb.name.text.as_str();
        let found = VERBS.iter().find(|row| row.name == name);
        if found.is_none() {
            let near = suggest(name, VERBS.iter().map(|row| row.name)).filter(|help| help.starts_with("did"));
            let all = || VERBS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
            let help = near.or_else(|| Some(format!("verbs are {}", all())));
            self.context.raise(ResolveError::UnknownVerb { name: name.into(), span: verb.name.span, help });
        }
        found
    }

    /// `call` is followed by one call; says so if it is not.
    pub(super) fn is_call(&mut self, verb: &Verb) -> bool {
        let fine = called_expression(verb).is_some() && verb.options.is_empty();
        if let (false, Some(row)) = (fine, self.verb_row(verb)) {
            self.wrong_verb_form(verb, row);
        }
        fine
    }

    fn wrong_verb_form(&mut self, verb: &Verb, row: &VerbRow) {
        let broken = verb.operands.iter().any(|o| matches!(o, Operand::Value(Expr { kind: ExprKind::Broken, .. })));
        if !broken {
            self.context.raise(MomentError::VerbForm { verb: row.name.into(), form: row.form, span: verb.span });
        }
    }
}
