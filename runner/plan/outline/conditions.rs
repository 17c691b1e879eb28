//! Conditions in words, as they would be written. In: a plan and a condition. Out: words. Judges nothing.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::expect::{Condition, Fold, Metric, Subject, Value};

use super::super::types::Plan;
use super::times::event_name;

/// A condition in words; in brackets where it is part of another.
pub(super) fn condition_words(plan: &Plan, condition: &Condition, part: bool) -> String {
    let joined = |list: &[Condition], word: &str| {
        let words = list.iter().map(|condition| condition_words(plan, condition, true)).collect::<Vec<_>>().join(word);
        if part { format!("({words})") } else { words }
    };
    match condition {
        Condition::Compare { operator, left, right } => {
            format!("{} {} {}", value_words(plan, left, false), operator.sign(), value_words(plan, right, false))
        }
        Condition::Holds(metric) => metric_words(plan, metric),
        Condition::Matches { metric, regex } => format!("{} matches /{regex}/", metric_words(plan, metric)),
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
            let words = format!("{} {} {}", value_words(plan, left, true), operator.sign(), value_words(plan, right, true));
            if part { format!("({words})") } else { words }
        }
        Value::Fold { fold, values } => {
            let name = match fold {
                Fold::Min => "min",
                Fold::Max => "max",
                Fold::Sum => "sum",
                Fold::Mean => "mean",
                Fold::Median => "median",
            };
            let words: Vec<String> = values.iter().map(|value| value_words(plan, value, false)).collect();
            format!("{name}({})", words.join(", "))
        }
    }
}

/// What a metric belongs to.
fn subject_words(plan: &Plan, subject: &Subject) -> String {
    let found = match subject {
        Subject::Flow(flow) => plan.flows.get(flow.index()).map(|flow| flow.name.clone()),
        Subject::Link(link) => plan.links.get(link.index()).map(|link| link.name.clone()),
        Subject::Interface(node, name) => Some(format!("{}.{name}", super::name(plan, *node))),
        Subject::Process(process) => plan.processes.get(process.index()).map(|process| process.name.clone()),
        Subject::Stress(stress) => plan.stresses.get(stress.index()).map(|stress| stress.stress.name.clone()),
        Subject::Output(event) => Some(event_name(plan, *event).to_owned()),
    };
    found.unwrap_or_else(|| "?".to_owned())
}

fn metric_words(plan: &Plan, metric: &Metric) -> String {
    let subject = subject_words(plan, &metric.subject);
    let event = metric.event.map(|event| format!("({})", event_name(plan, event))).unwrap_or_default();
    format!("{subject}.{}{event}", metric.name)
}
