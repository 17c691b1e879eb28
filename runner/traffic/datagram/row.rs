//! A lane in the flow's table of connections, from its opening to its end. In: a lane. Out: rows, and the items whose fate was not seen. A
//! lane to a group has a row for each receiver.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64};

use futures_util::task::AtomicWaker;
use scn_reports::record::flow::{Connection, ConnectionEnd, ItemOutcome, NEVER};
use scn_reports::record::packet::Missed;

use super::exchange::Next;
use super::lane::Lane;
use super::run::Lanes;
use super::socket::thrown_away;
use crate::traffic::client::KILLED;
use crate::traffic::control::{Order, Start};
use crate::traffic::draw::Key;
use crate::traffic::flow;
use crate::traffic::registry::{Entry, Inbox, NOBODY};
use crate::traffic::sockets::Packets;

impl Lane {
    /// Ends it; the fate of what is under way was not seen.
    pub fn close(&self, lanes: &Lanes) {
        let Some(mut row) = self.row.borrow_mut().take() else { return };
        self.control.give(Order::Abort);
        lanes.worker.dismiss(self.member);
        let mut state = self.state.borrow_mut();
        let under_way = std::mem::take(&mut state.under_way);
        let transactions = std::mem::take(&mut state.transactions);
        drop(state);
        for exchange in under_way.into_values() {
            if exchange.is_unsent() {
                let start = Start { intended_ns: exchange.intended_ns, lag_ns: exchange.lag_ns };
                flow::unsent(&lanes.worker, lanes.run.flow, start, lanes.run.fate_of_waiting(&lanes.worker));
                lanes.over(exchange);
                continue;
            }
            // What waits for nothing may have arrived.
            if lanes.run.killed.get() && exchange.next != Next::Nothing {
                lanes.item(self, &exchange, ItemOutcome::Failed, lanes.worker.pacer.now_ns());
                let fault = exchange.failed(&self.stage(lanes, lanes.worker.pacer.now_ns()), KILLED.to_owned(), ConnectionEnd::Other);
                lanes.worker.fault(self.identity.flow, self.number + exchange.receiver, &lanes.program, *fault);
            } else {
                lanes.item(self, &exchange, ItemOutcome::Unfinished, NEVER);
            }
            lanes.over(exchange);
        }
        let target = lanes.target;
        if let Ok(local) = row.local.parse() {
            lanes.worker.shared.registry.retire(local, target, &self.entry);
        }
        lanes.worker.shared.registry.remove_number(&self.entry);
        if !lanes.worker.finishing.get() {
            (row.closed_ns, row.end) = (lanes.worker.pacer.now_ns(), ConnectionEnd::Closed);
        }
        row.backend = self.backend.get();
        row.transactions = transactions.first().copied().unwrap_or(0);
        self.control.socket.set(None);
        let lost = self.control.late_for(thrown_away(self.socket.as_fd()).saturating_sub(self.strange));
        let shared = &lanes.worker.shared;
        let lost = match lanes.kind {
            // What came with a wrong checksum is the network's.
            Packets::Udp { .. } => shared.overflows.limit(shared.plan.flows[lanes.run.flow].from, lost),
            Packets::Echo { .. } | Packets::Raw { .. } | Packets::Express => lost,
        };
        if lost > 0 {
            let missed = Missed { from_ns: row.opened_ns, to_ns: lanes.worker.pacer.now_ns(), count: u64::from(lost) };
            lanes.worker.parts.borrow_mut()[lanes.run.flow].thrown_away(missed);
            let name = &lanes.worker.shared.plan.flows[lanes.run.flow].name;
            lanes.worker.shared.warn(format!(
                "at least {lost} answers found no room in a socket of flow {name}: scn did not read them in time, and counts them as lost \
                 though they came; a larger `receive_buffer` holds more"
            ));
        }
        let part = &mut lanes.worker.parts.borrow_mut()[lanes.run.flow];
        for ((connection, node), count) in self.rows(lanes).zip(&lanes.receivers).zip(&transactions) {
            let backend = if *count > 0 { *node } else { NOBODY };
            part.connection(connection, Connection { backend, transactions: *count, ..row.clone() });
        }
        if lanes.receivers.is_empty() {
            part.connection(self.number, row);
        }
    }
}

/// What a lane tells the servers.
pub(super) fn entry(flow: usize, number: u32, key: Key, worker: usize) -> Entry {
    Entry {
        flow: flow as u16,
        connection: number,
        key: key.bits(),
        worker,
        backend: AtomicU16::new(NOBODY),
        begun: AtomicU64::new(0),
        streams: Box::default(),
        waiting: AtomicWaker::new(),
        inbox: Inbox::default(),
        over: AtomicBool::default(),
    }
}

/// A lane in the flow's table of connections: it is open from the beginning.
pub(super) fn row(now_ns: i64, remote: String) -> Connection {
    Connection {
        opened_ns: now_ns,
        established_ns: now_ns,
        handshake_ns: 0,
        closed_ns: NEVER,
        end: ConnectionEnd::Open,
        successor_of: u32::MAX,
        backend: NOBODY,
        transactions: 0,
        local: String::new(),
        remote,
    }
}
