//! Streams that a server opens, each for whom it is meant. In: a connection, which says a stream with its first bytes. Out: streams by their number. Waits for nothing by
//! itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use quinn::{Connection, ConnectionError};

use super::stream::{Both, Opening};

type Accepting = Pin<Box<dyn Future<Output = Result<Both, ConnectionError>>>>;

/// Who waits for the streams of a connection.
#[derive(Default)]
pub struct Arriving {
    accepting: Option<Accepting>,
    hall: Rc<RefCell<Hall>>,
}

/// Where both meet.
#[derive(Default)]
struct Hall {
    came: BTreeMap<u64, Both>,
    waiting: BTreeMap<u64, Waker>,
    lost: Option<ConnectionError>,
    /// Streams that somebody was promised.
    promised: u64,
}

impl Arriving {
    /// The stream with this number, when it comes.
    pub fn stream(&self, number: u64) -> Opening {
        let hall = Rc::clone(&self.hall);
        hall.borrow_mut().promised += 1;
        Box::pin(poll_fn(move |context| hall.borrow_mut().poll(number, context)))
    }

    /// Takes in what came.
    pub fn poll(&mut self, connection: &Connection, context: &mut Context<'_>) {
        let mut hall = self.hall.borrow_mut();
        while hall.promised > 0 && hall.lost.is_none() {
            let accepting = self.accepting.get_or_insert_with(|| {
                let connection = connection.clone();
                Box::pin(async move { connection.accept_bi().await })
            });
            let Poll::Ready(accepted) = accepting.as_mut().poll(context) else { return };
            self.accepting = None;
            match accepted {
                Ok(both) => {
                    let number = both.0.id().index();
                    hall.came.insert(number, both);
                    hall.promised -= 1;
                    hall.waiting.remove(&number).into_iter().for_each(Waker::wake);
                }
                Err(error) => {
                    hall.lost = Some(error);
                    std::mem::take(&mut hall.waiting).into_values().for_each(Waker::wake);
                }
            }
        }
    }
}

impl Hall {
    fn poll(&mut self, number: u64, context: &Context<'_>) -> Poll<Result<Both, ConnectionError>> {
        if let Some(both) = self.came.remove(&number) {
            return Poll::Ready(Ok(both));
        }
        if let Some(error) = &self.lost {
            return Poll::Ready(Err(error.clone()));
        }
        self.waiting.insert(number, context.waker().clone());
        Poll::Pending
    }
}
