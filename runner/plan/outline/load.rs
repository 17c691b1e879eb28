//! How much traffic a flow makes, and when, in words. In: its load. Out: lines.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::flow::{Arrivals, Change, Load, Phase};
use scn_grammar::scenario::transport::Transport;

use super::Line;
use super::words::{count, duration, quantity, varying};

/// A line whose words are its meaning.
fn says(key: &str, words: String) -> Line {
    Line::new(key, words.clone(), words)
}

/// How much, and when. `interval_ns` lies between two intended starts; a tool keeps its own time.
pub(super) fn load(load: &Load, interval_ns: u64, over: &Transport, by_tool: bool) -> Vec<Line> {
    let Load {
        connections,
        total,
        transactions,
        rate_nano,
        rate_change,
        opens_nano,
        opens_change,
        bandwidth_bps,
        bandwidth_change,
        arrivals,
        burst,
        phase,
        interval_ns: pause_ns,
        duration_ns,
        size,
    } = load;
    if over.watches() {
        return expected(load, interval_ns);
    }
    let connected = over.kind().has_connections();
    let mut lines = match (by_tool, connected) {
        (false, true) => vec![says("connections", held(*connections, *total, *transactions))],
        (false, false) => items(*connections, *total, duration_ns.is_some()),
        (true, _) => of_tool(*connections, *total, *transactions),
    };
    let (what, item) = if connected { ("transactions", "a transaction") } else { ("items", "an item") };
    match rate_nano {
        Some(rate) => {
            let every = if interval_ns == 0 { String::new() } else { format!(", one every {}", duration(interval_ns)) };
            let rate = changing(*rate, rate_change.as_ref(), Dimension::Rate);
            lines.push(Line::new("rate", rate.clone(), format!("open loop: {what} start at {rate}{every}")));
        }
        None if by_tool || opens_nano.is_some() || bandwidth_bps.is_some() => {}
        None => lines.push(says("rate", format!("closed loop: {item} starts when the one before it ends"))),
    }
    if let Some(opens) = opens_nano {
        let opens = changing(*opens, opens_change.as_ref(), Dimension::Rate);
        lines.push(Line::new("opens", opens.clone(), format!("open loop: connections start at {opens}")));
    }
    if let Some(bandwidth) = bandwidth_bps {
        let bandwidth = changing(*bandwidth, bandwidth_change.as_ref(), Dimension::Bandwidth);
        lines.push(Line::new("bandwidth", bandwidth.clone(), format!("sends {bandwidth} of payload")));
    }
    lines.extend(match arrivals {
        Arrivals::Constant => None,
        Arrivals::Poisson => Some(Line::pair("arrivals", "poisson")),
    });
    lines.extend((*burst > 1).then(|| Line::new("burst", burst.to_string(), format!("in bursts of {burst}"))));
    lines.extend(match phase {
        Phase::Even => None,
        Phase::Random => Some(Line::new("phase", "random", "each connection keeps a clock of its own, begun at a random moment")),
    });
    if *pause_ns > 0 {
        let words = format!("at least {} between a connection and its successor", duration(*pause_ns));
        lines.push(Line::new("interval", duration(*pause_ns), words));
    }
    lines.extend(size.as_ref().map(|size| Line::pair("size", varying(size, Dimension::Size))));
    lines.extend(duration_ns.map(|length| Line::new("duration", duration(length), format!("ends {} after its start", duration(length)))));
    lines
}

/// How fast an open loop goes, in a few words: `10/s..100/s within 5s`, `poisson`. Empty: it is a closed loop.
pub fn tempo(load: &Load) -> Vec<String> {
    let said = [
        load.rate_nano.map(|rate| changing(rate, load.rate_change.as_ref(), Dimension::Rate)),
        load.opens_nano.map(|opens| format!("opens {}", changing(opens, load.opens_change.as_ref(), Dimension::Rate))),
        load.bandwidth_bps.map(|bits| changing(bits, load.bandwidth_change.as_ref(), Dimension::Bandwidth)),
        (load.arrivals == Arrivals::Poisson).then(|| "poisson".to_owned()),
        (load.burst > 1).then(|| format!("in bursts of {}", load.burst)),
        (load.phase == Phase::Random).then(|| "each by its own clock".to_owned()),
    ];
    said.into_iter().flatten().collect()
}

/// How often something is expected that others send, and how long it is looked for.
fn expected(load: &Load, interval_ns: u64) -> Vec<Line> {
    let rate = load.rate_nano.map(|rate| {
        let rate = changing(rate, load.rate_change.as_ref(), Dimension::Rate);
        let every = if interval_ns == 0 { String::new() } else { format!(", one every {}", duration(interval_ns)) };
        Line::new("rate", rate.clone(), format!("frames are expected at {rate}{every}"))
    });
    let lasts =
        load.duration_ns.map(|length| Line::new("duration", duration(length), format!("ends {} after its start", duration(length))));
    rate.into_iter().chain(lasts.or_else(|| Some(Line::new("total", "", "watches until it is stopped")))).collect()
}

/// What is alive at once, and how long.
fn held(connections: u64, total: Option<u64>, transactions: Option<u64>) -> String {
    let held = format!("{} at once", count(connections, "connection", "connections"));
    let each = |each: u64| count(each, "transaction", "transactions");
    match (total, transactions) {
        (None, None) => format!("{held}, held, repeating the transaction"),
        (None, Some(number)) => format!("{held}, each replaced after {}", each(number)),
        (Some(total), number) => format!("{held}, {total} in all, each for {}", each(number.unwrap_or(1))),
    }
}

/// How many items there are, and from how many sockets.
fn items(sockets: u64, total: Option<u64>, ends: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    match total {
        Some(total) => lines.push(Line::new("total", total.to_string(), format!("{} in all", count(total, "item", "items")))),
        None if ends => {}
        None => lines.push(Line::new("total", "", "items until it is stopped")),
    }
    lines.extend((sockets > 1).then(|| Line::new("connections", sockets.to_string(), format!("from {sockets} sockets"))));
    lines
}

/// What a tool is told.
fn of_tool(connections: u64, total: Option<u64>, transactions: Option<u64>) -> Vec<Line> {
    let said = [("connections", Some(connections).filter(|number| *number != 1)), ("total", total), ("transactions", transactions)];
    said.into_iter().filter_map(|(key, value)| Some(Line::pair(key, value?.to_string()))).collect()
}

/// A rate and how it changes while the flow runs.
fn changing(first: u64, change: Option<&Change>, dimension: Dimension) -> String {
    let one = |value: u64| quantity(dimension, value);
    match change {
        None => one(first),
        Some(Change::Ramp { to, within_ns }) => format!("{}..{} within {}", one(first), one(*to), duration(*within_ns)),
        Some(Change::Steps { then, every_ns }) => {
            let steps: Vec<String> = std::iter::once(first).chain(then.iter().copied()).map(one).collect();
            format!("[{}] every {}", steps.join(", "), duration(*every_ns))
        }
    }
}
