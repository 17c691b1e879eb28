//! The steps of a transaction in words, with parameters filled in. In: steps. Out: one line a step. Runs nothing.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::pattern::{Branch, Close, Expected, Payload, Rest, Side, Step, StepKind, Template, TemplatePart};

use super::Line;
use super::words::{duration, hex, quantity, quoted, varying};

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// The plan's own: it carries its side of the pattern out.
    Ours,
    /// Something else, that does what it does.
    Other,
}

/// One line a step, those of a repeat under it.
pub(super) fn lines(steps: &[Step], server: Server) -> Vec<Line> {
    steps.iter().map(|step| line(step, server)).collect()
}

fn line(step: &Step, server: Server) -> Line {
    let verifies = |by: Side| other(by) == Side::Client || server == Server::Ours;
    match &step.kind {
        StepKind::Sends { by, payload, implicit } => {
            let taken = if *implicit && verifies(*by) { format!(", {} verifies", side(other(*by))) } else { String::new() };
            Line::about(format!("{} sends {}{taken}", side(*by), payload_words(payload)))
        }
        StepKind::Expects { by, what, within_ns, rest } => {
            let within = within_ns.map(|ns| format!(" within {}", duration(ns))).unwrap_or_default();
            let rest = match rest {
                Rest::Nothing => String::new(),
                Rest::Line => ", passes over the rest of the line".to_owned(),
                Rest::Message(size) => format!(", passes over the rest of a message of {}", quantity(Dimension::Size, *size)),
            };
            Line::about(format!("{} expects {}{within}{rest}", side(*by), expected_words(what)))
        }
        StepKind::Echoes { by } => {
            let taken = if verifies(*by) { format!(", {} verifies", side(other(*by))) } else { String::new() };
            Line::about(format!("{} echoes{taken}", side(*by)))
        }
        StepKind::Pause { by, duration } => Line::about(format!("{} pauses {}", side(*by), varying(duration, Dimension::Duration))),
        StepKind::Repeat { count, steps } => {
            Line::about(format!("repeat {}", varying(count, Dimension::Count))).in_order(lines(steps, server))
        }
        StepKind::Choose { branches } => {
            let branch = |b: &Branch| Line::about(quantity(Dimension::Ratio, b.share_nano)).in_order(lines(&b.steps, server));
            Line::about("choose, both sides alike").with(branches.iter().map(branch).collect())
        }
        StepKind::Closes { by, how } => {
            let how = match how {
                Close::Close => "closes",
                Close::Reset => "resets",
                Close::Half => "half closes",
            };
            Line::about(format!("{} {how}", side(*by)))
        }
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

fn other(of: Side) -> Side {
    match of {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

fn payload_words(payload: &Payload) -> String {
    match payload {
        Payload::Filled(size) => varying(size, Dimension::Size),
        Payload::Random(size) => format!("random {}", varying(size, Dimension::Size)),
        Payload::Text(text) => template(text),
        Payload::Bytes(bytes) => hex(bytes),
        Payload::File(file) => format!("file {}", quoted(&file.path)),
    }
}

fn expected_words(what: &Expected) -> String {
    match what {
        Expected::Size(size) => quantity(Dimension::Size, *size),
        Expected::Text(text) => template(text),
        Expected::Bytes(bytes) => hex(bytes),
        Expected::Regex(regex) => format!("/{}/", regex),
        Expected::Line(regex) => format!("line /{}/", regex),
        Expected::Any => "any".to_owned(),
    }
}

/// A text with its holes as they are written, without line breaks.
fn template(template: &Template) -> String {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Literal(text) => text.escape_debug().to_string(),
        TemplatePart::ClientName => "${client.name}".to_owned(),
        TemplatePart::ServerName => "${server.name}".to_owned(),
        TemplatePart::Secret(_) => "***".to_owned(),
        TemplatePart::Capture(name) => format!("${{{name}}}"),
    };
    format!("\"{}\"", template.0.iter().map(part).collect::<String>())
}
