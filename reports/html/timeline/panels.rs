//! The plots of one flow: completed transactions per second, latency, open connections. In: a flow and the axis of time. Out:
//! shapes, and the place below them.

use super::super::curves::{self, Curves};
use super::super::svg::{Anchor, Look, Svg, at};
use super::{Axis, FAINT, GRID, LEFT, RIGHT, WIDTH};
use crate::record::flow::FlowRecord;
use crate::words;

/// Heights of the plots, px.
const RATE: f64 = 92.0;
const LATENCY: f64 = 92.0;
const ACTIVE: f64 = 46.0;
/// Over each plot: its title.
const TITLE: f64 = 19.0;
/// Steps of the curve of connections.
const MAX_STEPS: usize = 290;

const DONE: Look = Look::line("done", "#0067a5", 1.6);
const AREA: Look = Look::fill("done-area", "#0067a5").faint(0.14);
const LOST: Look = Look::fill("lost", "#d55e00");
const SLOW: Look = Look::line("slow", "#d08700", 1.3);
const OPEN: Look = Look::line("open", "#007a5e", 1.5);
const PLOT: Look = Look::fill("plot", "none").outlined("#dde2e9", 1.0);

pub(super) fn draw(svg: &mut Svg, flow: &FlowRecord, axis: Axis, top: f64) -> f64 {
    let curves = curves::of(flow, axis.span_ns);
    let name = words::shortened(&flow.name, 60);
    let about = words::shortened(&flow.description, 120);
    let begin = LEFT + 4.0 + super::text_width(&name, 13.0) * 1.12 + 14.0;
    svg.rimmed_text((LEFT + 4.0, top + 14.0), 13.0, Look::fill("ink strong", "#1b2330"), &name);
    svg.rimmed_text((begin, top + 14.0), 11.0, FAINT, &about);
    let mut y = rate(svg, flow, &curves, axis, top + 18.0);
    if curves.slowest.iter().any(Option::is_some) {
        y = latency(svg, &curves, axis, y);
    }
    if flow.datagrams.is_none() && !flow.connections.is_empty() {
        y = active(svg, flow, axis, y);
    }
    y + 10.0
}

/// The frame of a plot with its title.
fn frame(svg: &mut Svg, top: f64, height: f64, title: &[(&str, Look)]) -> f64 {
    let mut x = LEFT + 4.0;
    for (text, look) in title {
        svg.rimmed_text((x, top + 13.0), 11.0, *look, text);
        x += super::text_width(text, 11.0) + 12.0;
    }
    svg.rect((LEFT, top + TITLE), (WIDTH - LEFT - RIGHT, height), 0.0, PLOT, "");
    top + TITLE
}

/// A horizontal line of the grid with its label.
fn level(svg: &mut Svg, y: f64, label: &str) {
    svg.line((LEFT, y), (WIDTH - RIGHT, y), GRID, "");
    svg.text((LEFT - 7.0, y + 3.5), Anchor::End, 10.5, FAINT, label);
}

fn ink(look: Look) -> Look {
    let colour = if look.stroke == "none" { look.fill } else { look.stroke };
    Look { opacity: 1.0, ..Look::fill(if look.class == "done" { "done-text" } else { look.class }, colour) }
}

fn rate(svg: &mut Svg, flow: &FlowRecord, curves: &Curves, axis: Axis, top: f64) -> f64 {
    let offered = (flow.interval_ns > 0).then(|| 1e9 / flow.interval_ns as f64);
    let (ceiling, cut) = rate_ceiling(curves, offered);
    let bin = words::duration(u64::try_from(curves.bin_ns).unwrap_or(0));
    let title = format!("completed per second, in bins of {bin}");
    let lost = curves.lost.iter().any(|count| *count > 0);
    let mut titles: Vec<(&str, Look)> = vec![(&title, ink(DONE))];
    if lost {
        titles.push(("failed or dropped", LOST));
    }
    let above = format!("up to {} beyond the plot", short(cut.unwrap_or_default()));
    if cut.is_some() {
        titles.push((&above, FAINT));
    }
    if offered.is_some() {
        titles.push(("- - offered", FAINT));
    }
    let plot = frame(svg, top, RATE, &titles);
    let y = |value: f64| plot + RATE - (value / ceiling).min(1.0) * RATE;
    for part in [0.0, 0.5, 1.0] {
        level(svg, y(ceiling * part), &short(ceiling * part));
    }
    if let Some((from, to)) = curves.gap {
        let title = format!("nothing was completed from {} to {}", words::instant(from), words::instant(to));
        let (x, end) = (axis.x(from), axis.x(to));
        svg.rect((x, plot), (end - x, RATE), 0.0, LOST.faint(0.22), &title);
    }
    let (line, area) = steps(curves, axis, y, plot + RATE);
    svg.path(&area, AREA, "");
    svg.path(&line, DONE, &format!("{}: completed transactions per second", flow.name));
    if let Some(offered) = offered {
        let title = format!("offered: {}/s", short(offered));
        svg.line((LEFT, y(offered)), (WIDTH - RIGHT, y(offered)), Look::line("faint-line", "#5b6675", 1.0).dashed(), &title);
    }
    for (bin, count) in curves.lost.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (from, to) = ((bin as i64).saturating_mul(curves.bin_ns), (bin as i64 + 1).saturating_mul(curves.bin_ns));
        let value = (f64::from(*count) / (curves.bin_ns as f64 / 1e9)).min(ceiling);
        let title = format!("{count} failed or dropped from {} to {}", words::instant(from), words::instant(to));
        let height = (plot + RATE - y(value)).max(2.0);
        svg.rect((axis.x(from), plot + RATE - height), ((axis.x(to) - axis.x(from)).max(1.0), height), 0.0, LOST, &title);
    }
    plot + RATE + 4.0
}

/// The end of the rate's axis. A short burst after an outage would flatten everything else: it is cut off, and how far it went is
/// told.
fn rate_ceiling(curves: &Curves, offered: Option<f64>) -> (f64, Option<f64>) {
    let mut values: Vec<f64> = curves.done.iter().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    let most = values.last().copied().unwrap_or(0.0);
    let usual = values.get(values.len() * 19 / 20).copied().unwrap_or(0.0).max(offered.unwrap_or(0.0));
    let cut = usual > 0.0 && most > usual * 3.0;
    let shown = if cut { usual * 1.9 } else { most.max(offered.unwrap_or(0.0)) * 1.08 };
    (curves::ceiling(shown.max(1.0)), cut.then_some(most))
}

/// The rate as steps, and the same closed down to the floor.
fn steps(curves: &Curves, axis: Axis, y: impl Fn(f64) -> f64, floor: f64) -> (String, String) {
    let (mut line, mut area) = (String::new(), String::new());
    let mut pen_down = false;
    for (bin, value) in curves.done.iter().enumerate() {
        let x = axis.x((bin as i64).saturating_mul(curves.bin_ns));
        match value {
            Some(value) => {
                let end = axis.x((bin as i64 + 1).saturating_mul(curves.bin_ns));
                let height = at(y(*value));
                if pen_down {
                    line.push_str(&format!("V{height}H{}", at(end)));
                } else {
                    line.push_str(&format!("M{} {height}H{}", at(x), at(end)));
                    area.push_str(&format!("M{} {}", at(x), at(floor)));
                }
                area.push_str(&format!("V{height}H{}", at(end)));
                pen_down = true;
            }
            None if pen_down => {
                area.push_str(&format!("V{}Z", at(floor)));
                pen_down = false;
            }
            None => {}
        }
    }
    if pen_down {
        area.push_str(&format!("V{}Z", at(floor)));
    }
    (line, area)
}

fn latency(svg: &mut Svg, curves: &Curves, axis: Axis, top: f64) -> f64 {
    let values = || curves.median.iter().chain(&curves.slowest).flatten().map(|ns| (*ns).max(1_000) as f64);
    let low = values().fold(f64::INFINITY, f64::min).log10().floor();
    let high = values().fold(0.0, f64::max).log10().ceil().max(low + 1.0);
    let plot = frame(
        svg,
        top,
        LATENCY,
        &[("latency from the intended start: median", ink(DONE)), ("slowest of each bin", ink(SLOW)), ("(logarithmic)", FAINT)],
    );
    let y = |ns: i64| plot + LATENCY - ((ns.max(1_000) as f64).log10() - low) / (high - low) * LATENCY;
    let mut decade = low;
    while decade <= high + 0.01 {
        let ns = 10f64.powf(decade) as i64;
        level(svg, y(ns), &words::duration(u64::try_from(ns).unwrap_or(0)));
        decade += 1.0;
    }
    svg.path(&polyline(&curves.slowest, curves.bin_ns, axis, y), SLOW, "slowest transaction of each bin");
    svg.path(&polyline(&curves.median, curves.bin_ns, axis, y), DONE, "median latency of each bin");
    plot + LATENCY + 4.0
}

/// Bin centres joined; a bin without a value breaks the line, and a lone value is a short dash.
fn polyline(values: &[Option<i64>], bin_ns: i64, axis: Axis, y: impl Fn(i64) -> f64) -> String {
    let mut path = String::new();
    for (bin, value) in values.iter().enumerate() {
        let Some(value) = value else { continue };
        let x = axis.x((bin as i64).saturating_mul(bin_ns).saturating_add(bin_ns / 2));
        let follows = bin > 0 && values[bin - 1].is_some();
        let lone = !follows && values.get(bin + 1).is_none_or(Option::is_none);
        path.push_str(&format!("{}{} {}", if follows { 'L' } else { 'M' }, at(x), at(y(*value))));
        if lone {
            path.push_str("h3");
        }
    }
    path
}

fn active(svg: &mut Svg, flow: &FlowRecord, axis: Axis, top: f64) -> f64 {
    let changes = curves::active(flow, axis.span_ns, MAX_STEPS);
    let most = changes.iter().map(|change| change.1).max().unwrap_or(0).max(1);
    let ceiling = curves::ceiling((most as f64 * 1.08).max(2.0));
    let plot = frame(svg, top, ACTIVE, &[("open connections", ink(OPEN))]);
    let y = |count: i64| plot + ACTIVE - count as f64 / ceiling * ACTIVE;
    for part in [0.0, 1.0] {
        level(svg, y((ceiling * part) as i64), &short(ceiling * part));
    }
    let mut path = format!("M{} {}", at(axis.x(0)), at(y(0)));
    for (when, count) in &changes {
        path.push_str(&format!("H{}V{}", at(axis.x(*when)), at(y(*count))));
    }
    path.push_str(&format!("H{}", at(axis.x(axis.span_ns))));
    svg.path(&path, OPEN, &format!("{}: open connections, at most {most}", flow.name));
    plot + ACTIVE + 4.0
}

/// A number of an axis: `400`, `1.5k`, `20M`.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e4 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let text = format!("{value:.1}");
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}
