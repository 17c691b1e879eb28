//! What a server does for each request of a connection of HTTP/2, carried on by the connection's own task: it stands still and ends as a
//! whole. In: what hyper begins. Out: progress. Spawns nothing.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hyper::rt::Executor;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Where hyper leaves what is to be carried on.
#[derive(Clone, Default)]
pub struct Tasks(Rc<RefCell<Vec<Task>>>);

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.0.borrow_mut().push(Box::pin(task));
    }
}

/// What is carried on.
pub struct Streams {
    begun: Tasks,
    at_work: FuturesUnordered<Task>,
}

impl Streams {
    /// Of what is left there.
    pub fn of(begun: Tasks) -> Streams {
        Streams { begun, at_work: FuturesUnordered::new() }
    }

    /// Goes on with a connection and with all that it has begun.
    pub fn go_on<C: Future>(&mut self, mut connection: Pin<&mut C>, context: &mut Context<'_>) -> Poll<C::Output> {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                return Poll::Ready(ended);
            }
            self.at_work.extend(self.begun.0.borrow_mut().drain(..));
            let mut came_to_an_end = false;
            while let Poll::Ready(Some(())) = self.at_work.poll_next_unpin(context) {
                came_to_an_end = true;
            }
            // An answer goes out with the connection's next turn.
            if !came_to_an_end {
                return Poll::Pending;
            }
        }
    }

    /// The connection has ended: gives all that it has begun one turn more, in which it ends.
    pub fn finish(&mut self, context: &mut Context<'_>) {
        self.at_work.extend(self.begun.0.borrow_mut().drain(..));
        while let Poll::Ready(Some(())) = self.at_work.poll_next_unpin(context) {}
    }
}
