//! Programs under test. In: declarations. Out: [`Process`]es. Starts nothing.

use super::draft::Draft;
use super::error::ExpandError;
use super::net_error::NetError;
use super::reading::{Bounds, DAY_NS};
use super::texts::User;
use super::things::ThingKind;
use super::topology::position;
use super::value::Value;
use crate::quantity::Dimension;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::process::{Content, DEFAULT_READY_NS, Probe, ProbeTarget, Process, ProcessFile, Ready, SIGNALS, Signal, Stop};
use crate::scenario::text::Text;
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Name, ProcessDecl, ProcessPart, ReadyKind, Target, TargetKind};

/// Processes of one scenario: at most so many.
const PROCESS_LIMIT: u64 = 10_000;
/// Files, variables of one process: at most so many each.
const PART_LIMIT: usize = 1_000;
/// How long something may take.
const LIMIT: Bounds = Bounds(Dimension::Duration, 1_000_000, DAY_NS);
/// What stands in a process.
pub(crate) const PROCESS_PARTS: &[&str] = &["run", "file", "env", "ready", "stop"];

/// A process as far as it was read, with the place of each piece.
#[derive(Default)]
struct Parts {
    command: Option<(Text, Span)>,
    run: Option<Span>,
    files: Vec<ProcessFile>,
    env: Vec<(String, Text, Span)>,
    ready: Option<Ready>,
    ready_said: Option<Span>,
    stop: Option<Stop>,
    stop_said: Option<Span>,
}

impl Draft<'_, '_> {
    /// Takes a process in.
    pub(super) fn process(&mut self, process: &ProcessDecl) {
        let slot = self.declare(ThingKind::Process, &process.name, 1);
        let before = self.context.errors;
        let nodes = self.placed_on(&process.nodes, "run a program");
        let mut parts = Parts::default();
        self.each(&process.body, |draft, part| draft.process_part(part, &mut parts));
        if parts.run.is_none() {
            let what = format!("the process `{}`", process.name.name.text);
            let form = "run \"haproxy -db -f ${dir}/haproxy.cfg\"";
            self.context.raise(ExpandError::Incomplete { what, missing: "runs", span: process.name.span, form });
        }
        let (Some(slot), Some(nodes), Some((command, _))) = (slot, nodes, parts.command) else { return };
        if self.context.errors > before {
            return;
        }
        let there = self.scenario.processes.len() as u64;
        if there >= PROCESS_LIMIT {
            let (count, limit) = (there + 1, PROCESS_LIMIT);
            self.context.raise(ExpandError::TooLarge { what: "processes", count, limit, span: process.span });
            return;
        }
        self.define(&slot, position(self.scenario.processes.len()));
        self.scenario.processes.push(Process {
            name: slot.name(slot.indices.as_ref().and_then(|indices| indices.first().copied())),
            doc: process.doc.join("\n"),
            nodes,
            command,
            files: parts.files,
            env: parts.env.into_iter().map(|(name, value, _)| (name, value)).collect(),
            ready: parts.ready,
            stop: parts.stop.unwrap_or_default(),
            span: process.span,
        });
    }

    fn process_part(&mut self, part: &ProcessPart, parts: &mut Parts) {
        let scope = self.scope.clone();
        match part {
            ProcessPart::Run { command, span } => {
                if self.only_once("run", *span, &mut parts.run) {
                    parts.command = self.kept_text(command, &scope, User::Process).map(|text| (text, *span));
                }
            }
            ProcessPart::File { path, content, span } => self.process_file(path, content, *span, parts),
            ProcessPart::Env { name, value, .. } => {
                if let Some((_, _, first)) = parts.env.iter().find(|(known, ..)| *known == name.text) {
                    let (name, span, first) = (name.text.clone(), name.span, *first);
                    self.context.raise(ExpandError::OptionTwice { name, span, first });
                } else if let Some(text) = self.kept_text(value, &scope, User::Process) {
                    parts.env.push((name.text.clone(), text, name.span));
                }
                self.too_many_parts(parts.env.len(), "variables of one process", name.span);
            }
            ProcessPart::Ready { kind, within, span } => {
                if self.only_once("ready", *span, &mut parts.ready_said) {
                    parts.ready = self.ready(kind, within.as_ref(), *span);
                }
            }
            ProcessPart::Stop { signal, within, span } => {
                if self.only_once("stop", *span, &mut parts.stop_said) {
                    let signal = self.signal(signal);
                    let within = within.as_ref().map(|expr| self.amount_of("stop", expr, LIMIT, &scope));
                    let default = Stop::default();
                    parts.stop = signal.map(|signal| Stop { signal, within_ns: within.flatten().unwrap_or(default.within_ns) });
                }
            }
            ProcessPart::Option(option) => {
                let (name, span) = (option.name.text.clone(), option.name.span);
                let help = suggest(&name, PROCESS_PARTS.iter().copied());
                self.context.raise(ResolveError::UnknownOption { what: "a process", name, span, help });
            }
        }
    }

    /// Reports what is said a second time.
    fn only_once(&mut self, name: &str, span: Span, said: &mut Option<Span>) -> bool {
        if let Some(first) = *said {
            self.context.raise(ExpandError::OptionTwice { name: name.into(), span, first });
            return false;
        }
        *said = Some(span);
        true
    }

    fn too_many_parts(&mut self, count: usize, what: &'static str, span: Span) {
        if count == PART_LIMIT + 1 {
            let (count, limit) = (count as u64, PART_LIMIT as u64);
            self.context.raise(ExpandError::TooLarge { what, count, limit, span });
        }
    }

    fn process_file(&mut self, path: &Expr, content: &Expr, span: Span, parts: &mut Parts) {
        let scope = self.scope.clone();
        let place = self.text_of(path, &scope).and_then(|text| self.file_path(text, path.span));
        let content = if matches!(super::evaluate::bare(content).kind, ExprKind::Text(_)) {
            self.kept_text(content, &scope, User::Process).map(Content::Text)
        } else {
            match self.context.evaluate(content, &scope) {
                Some(Value::Bytes(bytes)) => Some(Content::Bytes(bytes)),
                Some(Value::Text(_) | Value::Masked(_)) => self.kept_text(content, &scope, User::Process).map(Content::Text),
                Some(other) => {
                    self.context.wrong_type("a text or bytes", &other, content.span);
                    None
                }
                None => None,
            }
        };
        let (Some(path_text), Some(content)) = (place, content) else { return };
        if let Some(first) = parts.files.iter().find(|file| file.path == path_text) {
            let first = first.span;
            self.context.raise(ExpandError::OptionTwice { name: path_text, span: path.span, first });
            return;
        }
        parts.files.push(ProcessFile { path: path_text, content, span });
        self.too_many_parts(parts.files.len(), "files of one process", span);
    }

    /// A path under the process's own folder.
    fn file_path(&mut self, path: String, span: Span) -> Option<String> {
        let reason = if path.is_empty() {
            "it is empty"
        } else if path.starts_with('/') {
            "it begins at the root"
        } else if path.split('/').any(|part| part == "..") {
            "it leaves the folder"
        } else if path.split('/').any(|part| part.is_empty() || part == ".") {
            "it has an empty piece"
        } else if path.contains('\0') || path.len() > 255 {
            "no file can be called so"
        } else {
            return Some(path);
        };
        self.context.raise(NetError::FilePath { path, reason, span });
        None
    }

    fn ready(&mut self, kind: &ReadyKind, within: Option<&Expr>, span: Span) -> Option<Ready> {
        let scope = self.scope.clone();
        let within_ns = match within {
            None => Some(DEFAULT_READY_NS),
            Some(expr) => self.amount_of("ready", expr, LIMIT, &scope),
        };
        let probe = match kind {
            ReadyKind::Tcp(target) => self.probe_target(target).map(Probe::Tcp),
            ReadyKind::Udp(target) => self.probe_target(target).map(Probe::Udp),
            ReadyKind::Run(command) => self.kept_text(command, &scope, User::Process).map(Probe::Run),
            ReadyKind::Log(regex) => match self.context.evaluate(regex, &scope)? {
                Value::Regex(source) => Some(Probe::Log(source)),
                other => {
                    self.context.wrong_type("a regex such as `/listening/`", &other, regex.span);
                    None
                }
            },
        };
        Some(Ready { probe: probe?, within_ns: within_ns?, span })
    }

    fn probe_target(&mut self, target: &Target) -> Option<ProbeTarget> {
        let Some(port) = &target.port else {
            let words = self.context.words(target.span);
            self.context.raise(ExpandError::MissingPort { target: words, span: target.span });
            return None;
        };
        let port = self.port(port);
        let value = match &target.kind {
            TargetKind::Address(expr) => {
                let scope = self.scope.clone();
                self.context.evaluate(expr, &scope)?
            }
            TargetKind::Name(path) => match (self.thing_kind(&path.parts), path.parts.as_slice()) {
                (None, [one]) if self.scope.find(self.context, &one.name.text).is_some() => {
                    self.scope.find(self.context, &one.name.text)?.value.clone()?
                }
                _ => {
                    let node = self.node_of(path)?;
                    self.is_host(node, path.span, "have a port");
                    return Some(ProbeTarget::Node(node, port?));
                }
            },
        };
        match value {
            Value::Address(address) => Some(ProbeTarget::Address(address, port?)),
            other => {
                self.context.wrong_type("an address or a node", &other, target.span);
                None
            }
        }
    }

    /// The signal of a word.
    pub(super) fn signal(&mut self, name: &Name) -> Option<Signal> {
        let found = SIGNALS.iter().find(|(word, _)| *word == name.text).map(|(_, signal)| *signal);
        if found.is_none() {
            let full = format!("SIG{}", name.text.trim_start_matches("SIG").to_uppercase());
            let exact = SIGNALS.iter().find(|(word, _)| *word == full).map(|(word, _)| format!("did you mean `{word}`?"));
            let help = exact.or_else(|| suggest(&name.text, SIGNALS.iter().map(|(word, _)| *word)));
            let what = "a signal".to_owned();
            self.context.raise(NetError::UnknownChoice { what, name: name.text.clone(), span: name.span, help });
        }
        found
    }
}
