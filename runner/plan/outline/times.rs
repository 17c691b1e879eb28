//! The schedule and the expectations in words. In: a plan. Out: one line an entry with its instant where it is known beforehand,
//! and each expectation with its window. Judges nothing.

use scn_grammar::scenario::expect::{Expectation, Form, Kind};
use scn_grammar::scenario::timeline::{Action, Entry, TimeRef, When};

use super::super::schedule::{Acts, Moment, moments};
use super::super::types::Plan;
use super::conditions::condition_words;
use super::{Line, duration};

/// The timeline, in the order of the file.
pub(super) fn schedule(plan: &Plan) -> Vec<Line> {
    let line = |(entry, moment): (&Entry, Moment)| {
        let lasts = entry.lasts_ns.map(|ns| format!(" for {}", duration(ns))).unwrap_or_default();
        let event = entry.event.map(|event| format!("   as {}", event_name(plan, event))).unwrap_or_default();
        let when = when(plan, entry, moment.acts);
        let words = format!("{when}{lasts}: {}{}{event}", entry.text, place(plan, &entry.action));
        Line::new(entry.text.clone(), format!("{when}{lasts}{event}"), words)
    };
    plan.timeline.iter().zip(moments(&plan.timeline)).map(line).collect()
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

pub(super) fn event_name(plan: &Plan, event: scn_grammar::scenario::EventId) -> &str {
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
pub(super) fn expectations(plan: &Plan) -> Vec<Line> {
    let line = |expectation: &Expectation| {
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
        let says = format!("{kind}{form}{condition}{}", window(plan, expectation));
        Line::new(expectation.name.clone(), says.clone(), expectation.name.clone()).with(vec![Line::computed(says)])
    };
    plan.expectations.iter().map(line).collect()
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
