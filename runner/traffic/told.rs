//! What single transactions do, told as it happens, in runs that are made for a look at them. In: steps of flows and services. Out: lines for
//! people. Other runs pay a comparison for it.

use scn_reports::record::flow::{Item, ItemOutcome, NEVER};

use super::Notice;
use super::frame::Header;
use super::limits;
use super::pattern::session::shown;
use super::secrets;
use super::worker::Worker;

/// A payload for people: its first bytes, unless it is filling, which holds no words.
pub fn payload(bytes: &[u8]) -> String {
    if Header::decode(bytes).is_some() { "filling".to_owned() } else { shown(bytes) }
}

/// A time in whole us, for people.
pub fn time(ns: i64) -> String {
    limits::in_words(ns / 1000 * 1000)
}

impl Worker {
    /// This run is one of those.
    pub fn is_looked_at(&self) -> bool {
        self.shared.plan.once
    }

    /// Tells what happens to a flow, or at a server that does not know yet whose transaction it is.
    pub fn tell_step(&self, flow: usize, what: impl FnOnce() -> String) {
        if self.is_looked_at() {
            let at_us = self.pacer.now_ns() / 1000;
            let name = self.shared.plan.flows.get(flow).map_or("a flow", |flow| flow.name.as_str());
            let text = format!("{:>4}.{:06}s  {name}: {}", at_us / 1_000_000, at_us.rem_euclid(1_000_000), what());
            self.shared.tell(Notice::Told { text: secrets::masked(text) });
        }
    }

    /// Tells how a transaction ended.
    pub fn tell_item(&self, flow: usize, item: &Item) {
        self.tell_step(flow, || {
            let status = if item.status > 0 { format!(", status {}", item.status) } else { String::new() };
            let took = if item.done_ns == NEVER || item.sent_ns == NEVER {
                String::new()
            } else {
                format!(" after {}", time(item.done_ns - item.sent_ns))
            };
            match item.outcome {
                ItemOutcome::Done => {
                    format!("transaction done{took}: {}B to the server, {}B back{status}", item.forward_bytes, item.back_bytes)
                }
                ItemOutcome::Failed => format!("transaction failed{took}"),
                ItemOutcome::Dropped => "transaction not begun".to_owned(),
                ItemOutcome::Unfinished => "transaction not seen to its end".to_owned(),
            }
        });
    }
}
