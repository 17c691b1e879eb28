//! Carries on what quinn begins: endpoints and connections, which receive, send and keep time. In: what quinn would spawn. Out: progress, when the owner polls. Nothing of
//! it happens while the owner stands still, or once it is gone.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use futures_util::task::AtomicWaker;
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};

use super::udp::Udp;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where quinn leaves what is to be carried on.
#[derive(Default)]
pub struct Tasks {
    begun: Mutex<Vec<Task>>,
    owner: AtomicWaker,
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks")
    }
}

impl Tasks {
    fn take(&self) -> Vec<Task> {
        std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Runtime for Tasks {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Task) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        self.owner.wake();
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(Udp::new(socket, 0)?))
    }
}

/// What is carried on.
#[derive(Default)]
pub struct Driver {
    tasks: Arc<Tasks>,
    at_work: FuturesUnordered<Task>,
}

impl Driver {
    /// For quinn, which leaves its work there.
    pub fn runtime(&self) -> Arc<Tasks> {
        Arc::clone(&self.tasks)
    }

    /// Goes on as far as that is possible now.
    pub fn poll(&mut self, context: &mut Context<'_>) {
        self.tasks.owner.register(context.waker());
        loop {
            self.at_work.extend(self.tasks.take());
            // What ended has nothing to tell: connections say by themselves how they ended.
            if !matches!(self.at_work.poll_next_unpin(context), Poll::Ready(Some(()))) {
                return;
            }
        }
    }

    /// Sends what is to be sent now; waits for nothing.
    pub async fn flush(&mut self) {
        let once = poll_fn(|context| {
            self.poll(context);
            Poll::Ready(())
        });
        // The last word of a connection must not depend on what else the task did in its turn.
        tokio::task::unconstrained(once).await;
    }
}

/// What quinn left and nobody began holds the runtime, which holds it: sockets would outlive their owner.
impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.tasks.take());
    }
}
