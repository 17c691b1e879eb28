//! Several who carry transactions side by side on one connection, each on streams of its own. In: what keeps the connection going, who
//! talks on it. Out: how the connection ended. All of it is one task, which stands still and ends as a whole.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use scn_reports::record::flow::ConnectionEnd;

use super::lane::Lane;
use super::{Open, Place};
use crate::traffic::control::Control;
use crate::traffic::conversation::Conversation;
use crate::traffic::gate::Gate;
use crate::traffic::http;
use crate::traffic::limits::Quiet;
use crate::traffic::pattern::session::Identity;

impl Place<'_> {
    /// Requests over HTTP/2.
    pub(super) async fn multiplex(&mut self, mut carrier: http::Carrier, open: &Open, identity: &Identity, quiet: Quiet) -> ConnectionEnd {
        let (worker, socket) = (self.worker, carrier.socket());
        let heard = Rc::new(Cell::new(quiet));
        let flow = &worker.shared.plan.flows[self.run.flow];
        let streams = http::streams(&flow.transport);
        self.control.socket.set(Some(socket));
        let controls = self.controls(open, streams);
        let talks = controls.iter().zip(0..).map(|(control, stream)| {
            let identity = Identity { stream, ..identity.clone() };
            http::Talk::new(worker, control, carrier.link(), socket, identity, Rc::clone(&heard))
        });
        let talks = talks.collect();
        let mut told = false;
        let carry = |context: &mut Context<'_>| {
            let over = carrier.poll(context);
            let (most, is_other) = carrier.most_at_once();
            if is_other {
                worker.shared.flows[self.run.flow].server_takes.store(most, Ordering::Relaxed);
                controls.iter().for_each(|control| control.wake());
            }
            // It has said so before its first answer, if at all.
            if !told && most < controls.len() && (is_other || open.row.borrow().transactions > 0) {
                told = true;
                let what = format!("the server of {} takes {most} requests at once on a connection, not {}", flow.name, controls.len());
                worker.shared.warn(what);
            }
            over
        };
        let done = self.side_by_side(open, &controls, talks, carry).await;
        let end = self.closes(open);
        done.into_iter().for_each(|talk| drop(talk.close()));
        self.control.socket.set(None);
        end
    }

    /// The handles of so many who share a connection; no more than it has transactions. Orders reach each of them, as they do the place.
    pub(super) fn controls(&self, open: &Open, streams: u64) -> Vec<Rc<Control>> {
        let load = &self.worker.shared.plan.flows[self.run.flow].load;
        let most = load.transactions.or(load.total.map(|_| 1)).unwrap_or(u64::MAX);
        let controls = (0..streams.min(most)).map(|_| {
            let control = Rc::new(Control::new(self.run.role(), Some(self.run.flow)));
            control.give(self.control.order());
            // What the place heard last is the first that they have heard.
            control.stood_ns.set(self.control.stood_ns.get());
            control
        });
        let controls: Vec<Rc<Control>> = controls.collect();
        open.others.borrow_mut().extend(controls.iter().map(Rc::clone));
        controls
    }

    /// Lets them talk until all are done, and gives them back: the connection is still there. `carry` lets the connection send and receive; when it is ready nothing can begin on it any more.
    pub(super) async fn side_by_side<C: Conversation>(
        &self,
        open: &Open,
        controls: &[Rc<Control>],
        talks: Vec<C>,
        mut carry: impl FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> Vec<C> {
        let members: Vec<u64> = controls.iter().map(|control| self.worker.enlist(control)).collect();
        let lanes: Vec<Lane<'_>> = controls.iter().zip(0..).map(|(control, stream)| Lane { place: self, control, open, stream }).collect();
        let mut at_work: FuturesUnordered<_> = lanes.iter().zip(talks).map(|(lane, talk)| lane.converse(talk)).collect();
        let mut done = Vec::with_capacity(lanes.len());
        let mut told = false;
        let (mut given, gate) = (self.control.order(), Gate::default());
        poll_fn(|context| {
            self.control.register(context);
            // What the place alone was told holds for those who talk in its stead.
            if self.control.order() != given {
                given = self.control.order();
                controls.iter().for_each(|control| control.give(given));
            }
            gate.pass(context, |context| {
                loop {
                    if carry(context).is_ready() && !told {
                        told = true;
                        controls.iter().for_each(|control| control.wake());
                    }
                    match at_work.poll_next_unpin(context) {
                        Poll::Ready(Some(talk)) => done.push(talk),
                        Poll::Ready(None) => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
        })
        .await;
        drop(at_work);
        members.into_iter().for_each(|member| self.worker.dismiss(member));
        open.others.borrow_mut().clear();
        done
    }
}
