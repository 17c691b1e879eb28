//! The picture of a run: events, the flows' curves and the expectations over one axis of time, faults shaded. In: a record. Out:
//! SVG. Draws the first flows only when there are many.

mod panels;

use super::svg::{Anchor, Look, Markup, Svg, at, text_width};
use crate::record::{EventKind, EventRecord, ExpectationRecord, RunRecord, Verdict};
use crate::{suite, words};

/// Width of the picture, px.
const WIDTH: f64 = 1080.0;
/// Left of the plots: room for the axis labels.
const LEFT: f64 = 62.0;
/// Right of the plots.
const RIGHT: f64 = 14.0;
/// Flows that are drawn.
const MAX_FLOWS: usize = 8;
/// Events that are drawn.
const MAX_EVENTS: usize = 200;
/// Rows of event labels; what finds no room has only a mark with a tooltip.
const MAX_ROWS: usize = 5;
/// Expectations that are drawn.
const MAX_EXPECTATIONS: usize = 16;

pub(super) const INK: Look = Look::fill("ink", "#1b2330");
pub(super) const FAINT: Look = Look::fill("faint", "#5b6675");
pub(super) const GRID: Look = Look::line("grid", "#dde2e9", 1.0);
const FAULT: Look = Look::fill("fault", "#d55e00");

/// Time to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    /// The last instant, ns.
    pub span_ns: i64,
}

impl Axis {
    /// The pixel of an instant, inside the plot.
    pub fn x(self, ns: i64) -> f64 {
        LEFT + (ns.clamp(0, self.span_ns) as f64 / self.span_ns as f64) * (WIDTH - LEFT - RIGHT)
    }
}

/// The picture, and a note on what it leaves out.
pub(super) fn draw(record: &RunRecord) -> Option<(Markup, String)> {
    let last_event = record.events.iter().map(|event| event.done_ns).max().unwrap_or(0);
    let last_stop = record.flows.iter().flat_map(|flow| &flow.ran_ns).map(|ran| ran.1).max().unwrap_or(0);
    let span_ns = i64::try_from(record.duration_ns).unwrap_or(i64::MAX).max(last_event).max(last_stop);
    if span_ns <= 0 || (record.events.is_empty() && record.flows.is_empty()) {
        return None;
    }
    let axis = Axis { span_ns };
    let mut front = Svg::default();
    let mut back = Svg::default();

    let events: Vec<&EventRecord> = record.events.iter().take(MAX_EVENTS).collect();
    let lanes = event_lanes(&mut front, &events, axis);
    let top = lanes + 10.0;
    let mut y = top;
    for flow in record.flows.iter().take(MAX_FLOWS) {
        y = panels::draw(&mut front, flow, axis, y);
    }
    let bottom = y;
    behind(&mut back, &events, axis, top, bottom);
    y = time_axis(&mut back, &mut front, axis, top, bottom);
    over(&mut front, &events, record, axis, (top, bottom));
    y = expectation_rows(&mut front, record, axis, y);

    let mut note = Vec::new();
    for (count, max, what) in [(record.flows.len(), MAX_FLOWS, "flow"), (record.events.len(), MAX_EVENTS, "event")] {
        if count > max {
            note.push(format!("the first {max} of {} are drawn", words::plural(count, what)));
        }
    }
    let name = format!("{} over time: events, rate, latency and connections", record.scenario.name);
    Some((back.followed_by(front).finish(WIDTH, y + 6.0, &name), note.join("; ")))
}

fn colour(kind: EventKind) -> Look {
    match kind {
        EventKind::Fault => FAULT,
        EventKind::Heal => Look::fill("heal", "#007a5e"),
        EventKind::Change => Look::fill("change", "#7a3e9d"),
        EventKind::Start | EventKind::Stop | EventKind::Mark => Look::fill("mark", "#4a5565"),
    }
}

fn event_title(event: &EventRecord) -> String {
    let name = event.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let error = event.error.as_ref().map(|error| format!(", could not be done: {error}")).unwrap_or_default();
    format!("{} {}{name}{error}", words::instant(event.asked_ns), event.text)
}

/// Labels of events above the plots, in rows so that they do not overlap. Gives the height used.
fn event_lanes(svg: &mut Svg, events: &[&EventRecord], axis: Axis) -> f64 {
    const ROW: f64 = 17.0;
    let mut ends: Vec<f64> = Vec::new();
    let mut placed = Vec::new();
    // From the right: a label's stem then passes only labels that begin left of it, in rows below its own.
    for event in events.iter().rev() {
        let label = words::shortened(&event_title(event), 64);
        let wide = text_width(&label, 11.0) + 14.0;
        let x = axis.x(event.asked_ns);
        let flipped = x + wide > WIDTH;
        let (from, to) = if flipped { (x - wide, x + 4.0) } else { (x, x + wide) };
        let row = match ends.iter().position(|begin| to <= *begin) {
            Some(row) => row,
            None if ends.len() < MAX_ROWS => {
                ends.push(f64::INFINITY);
                ends.len() - 1
            }
            None => continue,
        };
        ends[row] = from;
        placed.push((event, label, x, flipped, row));
    }
    let height = ends.len() as f64 * ROW;
    for (event, label, x, flipped, row) in placed.iter().rev() {
        let y = 14.0 + *row as f64 * ROW;
        let look = colour(event.kind);
        svg.line((*x, y - 4.0), (*x, height + 10.0), Look::line(look.class, look.fill, 1.0).faint(0.6), "");
        svg.circle((*x, y - 4.0), 3.2, look, &event_title(event));
        let (anchor, shift) = if *flipped { (Anchor::End, -7.0) } else { (Anchor::Start, 7.0) };
        svg.text((x + shift, y), anchor, 11.0, look, label);
    }
    height
}

/// Faults as shaded spans, behind the curves.
fn behind(svg: &mut Svg, events: &[&EventRecord], axis: Axis, top: f64, bottom: f64) {
    for event in events.iter().filter(|event| event.kind == EventKind::Fault && event.error.is_none()) {
        let until = event.until_ns.unwrap_or(axis.span_ns);
        let (from, to) = (axis.x(event.asked_ns), axis.x(until));
        let title = format!("{}, until {}", event_title(event), words::instant(until));
        svg.rect((from, top), ((to - from).max(1.5), bottom - top), 0.0, FAULT.faint(0.09), &title);
    }
}

/// Lines of events and of the instants that decided, over the curves.
fn over(svg: &mut Svg, events: &[&EventRecord], record: &RunRecord, axis: Axis, (top, bottom): (f64, f64)) {
    for event in events {
        let x = axis.x(event.asked_ns);
        let look = colour(event.kind);
        svg.line((x, top), (x, bottom), Look::line(look.class, look.fill, 1.0).faint(0.55), &event_title(event));
    }
    for expectation in record.expectations.iter().filter(|e| suite::needs_attention(e)) {
        if let Some((outcome, decided)) = expectation.outcome.as_ref().and_then(|o| o.decided_ns.map(|at| (o, at))) {
            let look = verdict_look(Some(outcome.verdict));
            let title = format!("decided at {}: {}", words::instant(decided), expectation.name);
            svg.line((axis.x(decided), top), (axis.x(decided), bottom), Look::line(look.class, look.fill, 1.2).dashed(), &title);
        }
    }
}

/// The axis of time with its grid. Gives the place below it.
fn time_axis(back: &mut Svg, front: &mut Svg, axis: Axis, top: f64, bottom: f64) -> f64 {
    let step = super::curves::nice(axis.span_ns as f64 / 12.0);
    let decimals = if step >= 1e9 { 0 } else { (9.0 - step.log10()).ceil().clamp(0.0, 9.0) as usize };
    let mut tick = 0.0;
    while tick <= axis.span_ns as f64 {
        let x = axis.x(tick as i64);
        back.line((x, top), (x, bottom), GRID, "");
        let label = if axis.span_ns < 1_000_000_000 { words::duration(tick as u64) } else { format!("{:.decimals$}s", tick / 1e9) };
        front.text((x, bottom + 15.0), Anchor::Middle, 11.0, FAINT, &label);
        tick += step;
    }
    front.line((LEFT, bottom), (WIDTH - RIGHT, bottom), Look::line("axis", "#8a94a3", 1.0), "");
    bottom + 24.0
}

pub(super) fn verdict_look(verdict: Option<Verdict>) -> Look {
    match verdict {
        Some(Verdict::Pass) => Look::fill("pass", "#0067a5"),
        Some(Verdict::Fail) => Look::fill("fail", "#c2410c"),
        Some(Verdict::Inconclusive) => Look::fill("inconclusive", "#8a6100"),
        Some(Verdict::Error) => Look::fill("error", "#8b2a8b"),
        None => Look::fill("none", "#5b6675"),
    }
}

/// One row an expectation: the window that was judged, and the instant that decided.
fn expectation_rows(svg: &mut Svg, record: &RunRecord, axis: Axis, top: f64) -> f64 {
    const ROW: f64 = 19.0;
    let mut list: Vec<&ExpectationRecord> = suite::attention(record);
    list.extend(record.expectations.iter().filter(|e| !suite::needs_attention(e)));
    let mut y = top;
    for expectation in list.iter().take(MAX_EXPECTATIONS).filter(|e| e.outcome.is_some()) {
        let Some(outcome) = &expectation.outcome else { continue };
        let look = if suite::counts(expectation) { verdict_look(Some(outcome.verdict)) } else { verdict_look(None) };
        let (from, to) = outcome.window_ns.unwrap_or((0, axis.span_ns));
        let (x, end) = (axis.x(from), axis.x(to));
        let title = format!("{} {}: {}", words::verdict(Some(outcome.verdict)), expectation.name, outcome.measured);
        svg.rect((x, y), ((end - x).max(2.0), ROW - 4.0), 3.0, look.faint(0.16), &title);
        svg.text((LEFT - 8.0, y + 11.5), Anchor::End, 11.0, look, words::symbol(Some(outcome.verdict), true));
        let label = words::shortened(&expectation.name, 90);
        let room_right = x + 8.0 + text_width(&label, 11.0) < WIDTH;
        let (anchor, place) = if room_right { (Anchor::Start, x + 6.0) } else { (Anchor::End, end - 6.0) };
        svg.text((place, y + 11.5), anchor, 11.0, INK, &label);
        if let Some(decided) = outcome.decided_ns {
            let (x, middle) = (axis.x(decided), y + (ROW - 4.0) / 2.0);
            let title = format!("decided at {}: {title}", words::instant(decided));
            svg.path(&format!("M{} {}l5 5l-5 5l-5-5z", at(x), at(middle - 5.0)), look, &title);
        }
        y += ROW;
    }
    y
}
