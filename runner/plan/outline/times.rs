//! The schedule and the expectations in words. In: a plan. Out: one line an entry with its instant where it is known beforehand,
//! and each expectation with its window. Judges nothing.

use scn_grammar::scenario::expect::{Expectation, Form, Kind};
use scn_grammar::scenario::timeline::{Action, Entry, TimeRef, When};

use super::super::schedule::{Acts, Moment, moments};
use super::super::types::Plan;
use super::conditions::condition_words;
use super::words::duration;
use super::{Line, actions};

/// The timeline, in the order of the file. What an entry does stands under it in full where its own words don't say it.
pub(super) fn schedule(plan: &Plan) -> Vec<Line> {
    plan.timeline.iter().zip(moments(&plan.timeline)).map(|(entry, moment)| line(plan, entry, moment)).collect()
}

fn line(plan: &Plan, entry: &Entry, moment: Moment) -> Line {
    let Entry { when: _, action, lasts_ns, event, text, called, span: _ } = entry;
    let lasts = lasts_ns.map(|ns| format!(" for {}", duration(ns))).unwrap_or_default();
    let event = event.filter(|id| plan.events.get(id.index()).is_some_and(|event| event.named));
    let event = event.map(|event| format!("   as {}", event_name(plan, event))).unwrap_or_default();
    let called = called.as_ref().map(|call| format!("   of {call}")).unwrap_or_default();
    let when = when(plan, entry, moment.acts);
    let mut below = actions::lines(action);
    let full = actions::words(plan, action);
    let said = full == *text || (!below.is_empty() && text.starts_with(&full)) || *action == Action::Mark;
    if !said {
        below.insert(0, Line::about(full));
    }
    let words = format!("{when}{lasts}: {text}{event}{called}");
    Line::new(text.clone(), format!("{when}{lasts}{event}"), words).with(below)
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
    plan.expectations.iter().map(|one| expectation(plan, one)).collect()
}

fn expectation(plan: &Plan, expectation: &Expectation) -> Line {
    // Where it is counted from and sampled is part of its window.
    let Expectation { name, words: _, kind, form, called, from: _, to: _, sampled_every_ns: _, condition, span: _ } = expectation;
    let kind = match kind {
        Kind::Collect => "",
        Kind::Require => "require ",
        Kind::Note => "note ",
    };
    let form = match form {
        Form::Always => "always ",
        Form::Never => "never ",
        Form::Whole | Form::Within { .. } => "",
    };
    let says = format!("{kind}{form}{}{}", condition_words(plan, condition, false), window(plan, expectation));
    let called = called.as_ref().map(|call| format!("   of {call}")).unwrap_or_default();
    Line::new(name.clone(), says.clone(), format!("{name}{called}")).with(vec![Line::computed(says)])
}

/// The window of an expectation in words.
fn window(plan: &Plan, expectation: &Expectation) -> String {
    let mut words = String::new();
    if let Form::Within { limit_ns, after, stays } = expectation.form {
        let after = after.map_or("the window's start".to_owned(), |time| time_words(plan, time));
        words.push_str(&format!(" within {} after {after}{}", duration(limit_ns), if stays { ", and stays" } else { "" }));
    }
    let edge = |time: Option<TimeRef>, else_words: &str| time.map_or(else_words.to_owned(), |time| time_words(plan, time));
    words.push_str(&format!(", from {} to {}", edge(expectation.from, "its start"), edge(expectation.to, "its end")));
    if matches!(expectation.form, Form::Always | Form::Never) {
        words.push_str(&format!(", sampled every {}", duration(expectation.sampled_every_ns)));
    }
    words
}
