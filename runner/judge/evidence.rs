//! All that is measured, asked in one way: flows, links, interfaces, programs under test, commands. In: a metric and a window. Out: its value,
//! its changes, when there was something to be measured. Decides nothing.

use std::ops::Deref;

use regex::Regex;
use scn_grammar::scenario::FlowId;
use scn_grammar::scenario::expect::{Metric, Subject};

use crate::measure::interfaces::Interfaces;
use crate::measure::links::Links;
use crate::measure::programs::Programs;
use crate::measure::stresses::Stresses;
use crate::measure::{self, Context, Measured, Series, Steps, Window};

/// A metric of a condition. Of a text it is asked whether it matches.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The metric.
    pub metric: &'a Metric,
    /// What a text is matched with; a regex that cannot be read matches nothing and is unknown.
    pub regex: Option<Regex>,
}

impl Deref for Asked<'_> {
    type Target = Metric;

    fn deref(&self) -> &Metric {
        self.metric
    }
}

/// What a run left behind.
pub(super) struct Evidence<'a> {
    /// Its flows, by id.
    pub flows: &'a [Series<'a>],
    /// Its links.
    pub links: Links<'a>,
    /// Its interfaces.
    pub interfaces: Interfaces<'a>,
    /// Its mixes of streams.
    pub stresses: Stresses<'a>,
    /// Its programs and commands.
    pub programs: Programs<'a>,
    /// Its events.
    pub context: &'a Context,
}

impl Evidence<'_> {
    fn flow(&self, flow: FlowId) -> Option<&Series<'_>> {
        self.flows.get(flow.index())
    }

    /// The name of what is measured.
    pub fn name(&self, subject: &Subject) -> String {
        match subject {
            Subject::Flow(flow) => self.flow(*flow).map_or_else(|| format!("flow {}", flow.0), |series| series.record.name.clone()),
            Subject::Link(link) => self.links.name(subject).unwrap_or_else(|| format!("link {}", link.0)),
            Subject::Interface(_, name) => self.interfaces.name(subject).unwrap_or_else(|| name.clone()),
            Subject::Stress(stress) => self.stresses.name(subject).unwrap_or_else(|| format!("stress {}", stress.0)),
            other => self.programs.name(other),
        }
    }

    /// When there is something to be measured: starts and last instants, in order.
    pub fn runs(&self, subject: &Subject) -> Vec<(i64, i64)> {
        match subject {
            Subject::Flow(flow) => self.flow(*flow).map_or_else(Vec::new, |series| series.runs.clone()),
            Subject::Link(_) => self.links.there(subject).into_iter().collect(),
            Subject::Interface(..) => self.interfaces.there(subject).into_iter().collect(),
            Subject::Stress(_) => self.stresses.runs(subject),
            other => self.programs.there(other).into_iter().collect(),
        }
    }

    /// A window cut to that time; empty if they share nothing.
    pub fn cut(&self, subject: &Subject, window: Window) -> Window {
        let runs = self.runs(subject);
        match (runs.first(), runs.last()) {
            (Some((from_ns, _)), Some((_, to_ns))) => Window { from_ns: *from_ns, to_ns: to_ns.saturating_add(1) }.common(window),
            _ => Window { to_ns: window.from_ns, ..window },
        }
    }

    /// A value over a window, which is cut to the time in which there is something.
    pub fn measure(&self, asked: &Asked<'_>, window: Window) -> Measured {
        match &asked.subject {
            Subject::Flow(flow) => match self.flow(*flow) {
                Some(series) => measure::measure(asked.metric, series, self.context, series.cut(window)),
                None => Measured::nothing("the record has no such flow"),
            },
            subject => {
                let window = self.cut(subject, window);
                if window.is_empty() {
                    return Measured::nothing("there was nothing of it in the window");
                }
                match subject {
                    Subject::Link(_) => self.links.measure(asked.metric, window),
                    Subject::Interface(..) => self.interfaces.measure(asked.metric, window),
                    Subject::Stress(_) => self.stresses.measure(asked.metric, window),
                    _ => self.programs.measure(asked.metric, asked.regex.as_ref(), window),
                }
            }
        }
    }

    /// What a text was at an instant, for people; empty if nothing was written, `None` if it is no text.
    pub fn text(&self, asked: &Asked<'_>, until_ns: i64) -> Option<String> {
        matches!(asked.subject, Subject::Process(_) | Subject::Output(_)).then(|| self.programs.text(asked.metric, until_ns))
    }

    /// Every change in a window; nothing if it cannot be told at one moment.
    pub fn steps(&self, asked: &Asked<'_>, window: Window) -> Steps {
        let steps = match &asked.subject {
            Subject::Flow(flow) => self.flow(*flow).and_then(|series| measure::steps(asked.metric, series, window)),
            Subject::Link(_) => self.links.steps(asked.metric, window),
            Subject::Interface(..) => self.interfaces.steps(asked.metric, window),
            Subject::Stress(_) => self.stresses.steps(asked.metric, window),
            _ => self.programs.steps(asked.metric, asked.regex.as_ref(), window),
        };
        steps.unwrap_or_default()
    }
}
