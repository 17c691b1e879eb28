//! The schedule and the expectations in words. In: a plan. Out: one line an entry with its instant where it is known beforehand,
//! and each expectation with its window. Judges nothing.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::expect::{BinaryOperator, Condition, Expectation, Fold, Form, Kind, Metric, Value};
use scn_grammar::scenario::timeline::{Action, Entry, TimeRef, When};

use super::super::schedule::{Acts, moments};
use super::super::types::Plan;
use super::{duration, line, section};

/// The timeline, in the order of the file.
pub(super) fn schedule(plan: &Plan, out: &mut String) {
    section("schedule", plan.timeline.is_empty(), out);
    for (entry, moment) in plan.timeline.iter().zip(moments(&plan.timeline)) {
        let lasts = entry.lasts_ns.map(|ns| format!(" for {}", duration(ns))).unwrap_or_default();
        let event = entry.event.map(|event| format!("   as {}", event_name(plan, event))).unwrap_or_default();
        line(out, 1, format!("{}{lasts}: {}{}{event}", when(plan, entry, moment.acts), entry.text, place(plan, &entry.action)));
    }
}

/// The interface on which an address comes to a node, which the planner found.
fn place(plan: &Plan, action: &Action) -> String {
    let (node, interface) = match action {
        Action::AddAddress { node, interface: Some(interface), .. } => (*node, interface),
        Action::MoveAddress { to, interface: Some(interface), .. } => (*to, interface),
        _ => return String::new(),
    };
    format!(" (on {}.{interface})", super::name(plan, node))
}

/// When an entry acts, as far as it is known.
fn when(plan: &Plan, entry: &Entry, acts: Acts) -> String {
    match (&entry.when, acts) {
        (When::Condition { condition, within_ns }, _) => {
            let within = within_ns.map(|ns| format!(" within {}", duration(ns))).unwrap_or_default();
            format!("when {}{within}", condition_words(plan, condition, false))
        }
        (When::At(TimeRef { event: None, .. }), Acts::At(at)) => duration(at),
        (When::At(time), Acts::At(at)) => format!("{} = {}", time_words(plan, *time), duration(at)),
        (When::At(time), Acts::After(..) | Acts::Condition) => time_words(plan, *time),
    }
}

fn event_name(plan: &Plan, event: scn_grammar::scenario::EventId) -> &str {
    plan.events.get(event.index()).map_or("?", |event| event.name.as_str())
}

/// `failure + 200ms`.
fn time_words(plan: &Plan, time: TimeRef) -> String {
    let offset = duration(time.offset_ns.unsigned_abs());
    match (time.event.map(|event| event_name(plan, event)), time.offset_ns) {
        (None, 0..) => offset,
        (None, _) => format!("-{offset}"),
        (Some(event), 0) => event.to_owned(),
        (Some(event), 1..) => format!("{event} + {offset}"),
        (Some(event), _) => format!("{event} - {offset}"),
    }
}

/// What must hold, with windows.
pub(super) fn expectations(plan: &Plan, out: &mut String) {
    section("expectations", plan.expectations.is_empty(), out);
    for expectation in &plan.expectations {
        line(out, 1, &expectation.name);
        let kind = match expectation.kind {
            Kind::Collect => "",
            Kind::Require => "require ",
            Kind::Note => "note ",
        };
        let form = match expectation.form {
            Form::Always => "always ",
            Form::Never => "never ",
            Form::Whole | Form::Within { .. } => "",
        };
        let condition = condition_words(plan, &expectation.condition, false);
        line(out, 2, format!("{kind}{form}{condition}{}", window(plan, expectation)));
    }
}

/// The window of an expectation in words.
fn window(plan: &Plan, expectation: &Expectation) -> String {
    let mut words = String::new();
    if let Form::Within { limit_ns, after, stays } = expectation.form {
        let after = after.map_or("the window's start".to_owned(), |time| time_words(plan, time));
        words.push_str(&format!(" within {} after {after}{}", duration(limit_ns), if stays { ", and stays" } else { "" }));
    }
    let edge = |time: Option<TimeRef>, else_words: &str| time.map_or(else_words.to_owned(), |time| time_words(plan, time));
    words.push_str(&format!(", from {} to {}", edge(expectation.from, "the flow's start"), edge(expectation.to, "the flow's end")));
    if matches!(expectation.form, Form::Always | Form::Never) {
        words.push_str(&format!(", sampled every {}", duration(expectation.sampled_every_ns)));
    }
    words
}

/// A condition in words; in brackets where it is part of another.
fn condition_words(plan: &Plan, condition: &Condition, part: bool) -> String {
    let joined = |list: &[Condition], word: &str| {
        let words = list.iter().map(|condition| condition_words(plan, condition, true)).collect::<Vec<_>>().join(word);
        if part { format!("({words})") } else { words }
    };
    match condition {
        Condition::Compare { operator, left, right } => {
            format!("{} {} {}", value_words(plan, left, false), operator_words(*operator), value_words(plan, right, false))
        }
        Condition::All(list) => joined(list, " and "),
        Condition::Any(list) => joined(list, " or "),
        Condition::Not(condition) => format!("not {}", condition_words(plan, condition, true)),
    }
}

/// A value in words; in brackets where it is part of another.
fn value_words(plan: &Plan, value: &Value, part: bool) -> String {
    match value {
        Value::Given(given) if given.dimension == Dimension::Duration && given.value == 0 => "0s".to_owned(),
        Value::Given(given) => given.to_string(),
        Value::Metric(metric) => metric_words(plan, metric),
        Value::Arithmetic { operator, left, right, .. } => {
            let words = format!("{} {} {}", value_words(plan, left, true), operator_words(*operator), value_words(plan, right, true));
            if part { format!("({words})") } else { words }
        }
        Value::Fold { fold, values } => {
            let name = match fold {
                Fold::Min => "min",
                Fold::Max => "max",
                Fold::Sum => "sum",
                Fold::Mean => "mean",
            };
            let words: Vec<String> = values.iter().map(|value| value_words(plan, value, false)).collect();
            format!("{name}({})", words.join(", "))
        }
    }
}

fn metric_words(plan: &Plan, metric: &Metric) -> String {
    let flow = plan.flows.get(metric.flow.index()).map_or("?", |flow| flow.name.as_str());
    let event = metric.event.map(|event| format!("({})", event_name(plan, event))).unwrap_or_default();
    format!("{flow}.{}{event}", metric.name)
}

fn operator_words(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Add => "+",
        BinaryOperator::Subtract => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Equal => "==",
        BinaryOperator::NotEqual => "!=",
        BinaryOperator::Less => "<",
        BinaryOperator::LessEqual => "<=",
        BinaryOperator::Greater => ">",
        BinaryOperator::GreaterEqual => ">=",
        BinaryOperator::And => "and",
        BinaryOperator::Or => "or",
        BinaryOperator::Matches => "matches",
    }
}
