//! What a client does on an established connection, whatever it runs over. In: starts. Out: transactions played, and what to report of
//! them. Opens and counts nothing: that is the place's part, in `client`.

use std::rc::Rc;
use std::task::{Context, Poll};

use scn_grammar::source::Span;

use super::control::Broken;
use super::limits::Quiet;
use super::pacer::NEVER_DUE;
use super::pattern::session::{Cut, Played, Progress, Session};
use super::wire::{Buffers, Transport};

/// A connection on which transactions are played.
pub trait Conversation {
    /// Plays one transaction; `number` counts those of the connection from 0.
    async fn play(&mut self, number: u64) -> Result<Played, Cut>;

    /// What the transaction that was played last moved.
    fn progress(&self) -> Progress;

    /// The status of the answer that came last (HTTP); 0: none.
    fn status(&self) -> u16 {
        0
    }

    /// The node in what came last; `u16::MAX`: none.
    fn peer_node(&self) -> u16;

    /// Who answers.
    fn know_server(&mut self, name: &str);

    /// The client sends before it receives anything.
    fn speaks_first(&self) -> bool;

    /// How many may carry transactions at once on the connection, as the peer says at this moment.
    fn most_at_once(&mut self) -> u64 {
        u64::MAX
    }

    /// Watches the connection between two transactions, until it ends.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Broken>;

    /// How long nothing may come, and when something last came.
    fn quiet(&self) -> Quiet;

    /// From now on nothing has to have come before.
    fn heard(&mut self);

    /// Either end may end the connection between two transactions.
    fn may_end(&self) -> bool;

    /// A step by its number: its text and its place.
    fn step(&self, step: u32) -> (String, Option<Span>);

    /// Ends the connection; its buffers serve the next one.
    fn close(self) -> Buffers;
}

/// One that has memory of its own: what is handed from one task to the next is small, and a task that holds it is.
impl<C: Conversation> Conversation for Box<C> {
    async fn play(&mut self, number: u64) -> Result<Played, Cut> {
        (**self).play(number).await
    }

    fn progress(&self) -> Progress {
        (**self).progress()
    }

    fn status(&self) -> u16 {
        (**self).status()
    }

    fn peer_node(&self) -> u16 {
        (**self).peer_node()
    }

    fn know_server(&mut self, name: &str) {
        (**self).know_server(name);
    }

    fn speaks_first(&self) -> bool {
        (**self).speaks_first()
    }

    fn most_at_once(&mut self) -> u64 {
        (**self).most_at_once()
    }

    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        (**self).poll_idle(context)
    }

    fn quiet(&self) -> Quiet {
        (**self).quiet()
    }

    fn heard(&mut self) {
        (**self).heard();
    }

    fn may_end(&self) -> bool {
        (**self).may_end()
    }

    fn step(&self, step: u32) -> (String, Option<Span>) {
        (**self).step(step)
    }

    fn close(self) -> Buffers {
        (*self).close()
    }
}

impl<S: Transport> Conversation for Session<S> {
    async fn play(&mut self, number: u64) -> Result<Played, Cut> {
        Session::play(self, number).await
    }

    fn progress(&self) -> Progress {
        self.progress
    }

    fn peer_node(&self) -> u16 {
        self.peer_node
    }

    fn know_server(&mut self, name: &str) {
        if self.identity.server_name.is_empty() {
            self.identity.server_name = name.into();
        }
    }

    fn speaks_first(&self) -> bool {
        self.program().speaks_first
    }

    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        let worker = Rc::clone(&self.worker);
        while self.wire.has_room() {
            match self.wire.poll_more(context) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => self.hears(),
                // Something came since the limit was set.
                Poll::Ready(Err(Broken::TimedOut)) if self.hush().broken(worker.pacer.now_ns()).is_none() => {
                    worker.limit(self.wire.control(), self.hush().until(NEVER_DUE));
                }
                Poll::Ready(Err(broken)) => return Poll::Ready(broken),
            }
        }
        Poll::Pending
    }

    fn quiet(&self) -> Quiet {
        self.hush()
    }

    fn heard(&mut self) {
        self.hears();
    }

    fn may_end(&self) -> bool {
        false
    }

    fn step(&self, step: u32) -> (String, Option<Span>) {
        self.program().step(step)
    }

    fn close(self) -> Buffers {
        self.wire.close()
    }
}
