//! The flows' numbers and failures on a terminal. In: a record. Out: tables for [`super::render`]. Measures nothing: the numbers
//! are those of the record's summaries; a record without them shows plain counts of its items.

use super::{Style, Tone};
use crate::record::RunRecord;
use crate::record::flow::{Failure, FlowRecord, ItemOutcome, NEVER};
use crate::words;

/// The numbers that the terminal shows, in this order.
const SHOWN: [&str; 14] = [
    "sent",
    "transactions",
    "failed_transactions",
    "dropped",
    "rate",
    "latency.p50",
    "latency.p99",
    "rtt.p50",
    "owd.p50",
    "forward.loss",
    "back.loss",
    "outage.max",
    "connections",
    "failed_connections",
];
/// Flows shown before the rest is only counted.
const MAX_FLOWS: usize = 20;
/// Kinds of failures shown for each flow.
const MAX_FAILURES: usize = 8;

/// Each flow with its most wanted numbers.
pub(super) fn table(out: &mut String, record: &RunRecord, style: Style) {
    for flow in record.flows.iter().take(MAX_FLOWS) {
        let about = words::visible(&flow.description);
        out.push('\n');
        for (at, part) in
            words::wrap(&style.plain(&format!("{}  {about}", words::visible(&flow.name))), style.width() - 2).iter().enumerate()
        {
            out.push_str(&format!("  {}\n", style.paint(if at == 0 { Tone::Strong } else { Tone::Faint }, part)));
        }
        grid(out, &numbers(flow), style);
        if let Some(found) = words::lookups(flow) {
            super::indented(out, style, Tone::Faint, &found);
        }
        if let Some(at) = flow.truncated_at_ns {
            let why = words::cut(flow);
            super::indented(out, style, Tone::Doubt, &format!("the series end at {}: {why}", words::instant(at)));
        }
    }
    if record.flows.len() > MAX_FLOWS {
        out.push_str(&format!("  and {} more\n", words::plural(record.flows.len() - MAX_FLOWS, "flow")));
    }
}

/// Names and values, as many beside each other as there is room for.
pub(super) fn grid(out: &mut String, numbers: &[(String, String)], style: Style) {
    let cells: Vec<(String, String)> = numbers.iter().map(|(name, value)| (name.clone(), style.plain(value))).collect();
    let name_width = cells.iter().map(|(name, _)| words::columns(name)).max().unwrap_or(0);
    let value_width = cells.iter().map(|(_, value)| words::columns(value)).max().unwrap_or(0);
    let cell = name_width + 2 + value_width + 4;
    let per_row = ((style.width().saturating_sub(4)) / cell.max(1)).clamp(1, 4);
    let rows = cells.len().div_ceil(per_row);
    for row in 0..rows {
        let mut line = "   ".to_owned();
        for (name, value) in cells.iter().skip(row).step_by(rows) {
            let gap = " ".repeat(name_width - words::columns(name) + 2);
            let rest = " ".repeat(value_width - words::columns(value) + 4);
            line.push_str(&format!(" {}{gap}{value}{rest}", style.paint(Tone::Faint, name)));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// The wanted numbers of a summary, or counts when there is none.
fn numbers(flow: &FlowRecord) -> Vec<(String, String)> {
    // Of a tool everything is shown that it told, and of a flow that only watches what it has.
    let whole = flow.tool.is_some() || flow.datagrams.as_ref().is_some_and(|datagrams| datagrams.received_only);
    let told = flow.summary.iter().map(|m| m.name.as_str()).filter(|_| whole);
    let shown = SHOWN.iter().copied().filter(|_| !whole).chain(told);
    let mut list: Vec<(String, String)> = shown
        .filter_map(|name| flow.summary.iter().find(|m| m.name == name))
        .map(|m| {
            let error = words::error(&m.error);
            (m.name.clone(), format!("{}{error}", words::visible(&m.value)))
        })
        .collect();
    if list.is_empty() {
        list = counts(flow);
    }
    list
}

/// What can be counted in the series without measuring.
pub(crate) fn counts(flow: &FlowRecord) -> Vec<(String, String)> {
    let of = |outcome| flow.items.iter().filter(|item| item.outcome == outcome).count() as u64;
    let sent = flow.items.iter().filter(|item| item.sent_ns != NEVER).count() as u64;
    [
        ("sent", sent),
        ("transactions", of(ItemOutcome::Done)),
        ("failed_transactions", of(ItemOutcome::Failed)),
        ("dropped", of(ItemOutcome::Dropped)),
        ("unfinished", of(ItemOutcome::Unfinished)),
        ("connections", flow.connections.len() as u64),
    ]
    .map(|(name, value)| (name.to_owned(), words::count(value)))
    .to_vec()
}

/// What went wrong, flow by flow.
pub(super) fn failures(out: &mut String, record: &RunRecord, style: Style) {
    for flow in record.flows.iter().filter(|flow| !flow.failures.is_empty() || !flow.corrupt.is_empty()) {
        out.push_str(&format!("\n  {}\n", style.paint(Tone::Strong, &format!("what went wrong in {}", words::visible(&flow.name)))));
        kinds(out, &flow.failures, style);
        for corrupt in flow.corrupt.iter().take(MAX_FAILURES) {
            let text =
                format!("wrong content at {}, byte {}: {}", words::instant(corrupt.at_ns), corrupt.offset, words::visible(&corrupt.detail));
            entry(out, style, "     !", &text);
        }
    }
}

/// Failures by kind: how often and when.
pub(super) fn kinds(out: &mut String, failures: &[Failure], style: Style) {
    for failure in failures.iter().take(MAX_FAILURES) {
        let line = if failure.line > 0 { format!(" (line {})", failure.line) } else { String::new() };
        let when = if failure.count == 1 {
            format!("at {}", words::instant(failure.first_ns))
        } else {
            format!("from {} to {}", words::instant(failure.first_ns), words::instant(failure.last_ns))
        };
        let text = format!("{}: {}{line}, {when}", words::visible(&failure.step), words::visible(&failure.what));
        entry(out, style, &format!("{:>6}", format!("{}×", words::count(failure.count))), &text);
    }
    if failures.len() > MAX_FAILURES {
        let rest: u64 = failures.iter().skip(MAX_FAILURES).map(|failure| failure.count).sum();
        entry(out, style, &format!("{:>6}", format!("{}×", words::count(rest))), "other failures");
    }
}

fn entry(out: &mut String, style: Style, mark: &str, text: &str) {
    let mark = style.plain(mark);
    let indent = words::columns(&mark) + 4;
    for (at, part) in words::wrap(&style.plain(text), style.width().saturating_sub(indent)).iter().enumerate() {
        let lead = if at == 0 { format!("  {}  ", style.paint(Tone::Bad, &mark)) } else { " ".repeat(indent) };
        out.push_str(&format!("{lead}{part}\n"));
    }
}
