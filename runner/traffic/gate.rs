//! Lets a task drive parts that wake each other. In: a step that polls them all. Out: readiness. What the parts wake while the task polls them it does at once,
//! in the same turn: without it the task would be woken, queued and polled once more for each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Steps in a row, before others get their turn.
const MOST_STEPS: u32 = 16;

/// Between a task and the parts that it drives.
pub struct Gate {
    state: Arc<State>,
    /// What the parts wake.
    waker: Waker,
}

#[derive(Default)]
struct State {
    task: AtomicWaker,
    /// The task is at it.
    inside: AtomicBool,
    /// A part was woken.
    woken: AtomicBool,
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if !self.inside.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

impl Default for Gate {
    fn default() -> Gate {
        let state = Arc::new(State::default());
        Gate { waker: Waker::from(Arc::clone(&state)), state }
    }
}

impl Gate {
    /// Polls the parts, again for as long as they wake each other. Who gets something out of it comes back before the task waits for anything else: a part that
    /// was woken meanwhile is not told of otherwise.
    pub fn pass<T>(&self, context: &Context<'_>, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.state.task.register(context.waker());
        let mut own = Context::from_waker(&self.waker);
        self.state.inside.store(true, Ordering::SeqCst);
        let mut polled = Poll::Pending;
        for _ in 0..MOST_STEPS {
            self.state.woken.store(false, Ordering::SeqCst);
            polled = step(&mut own);
            if polled.is_ready() || !self.state.woken.load(Ordering::SeqCst) {
                break;
            }
        }
        self.state.inside.store(false, Ordering::SeqCst);
        if polled.is_pending() && self.state.woken.load(Ordering::SeqCst) {
            context.waker().wake_by_ref();
        }
        polled
    }

    /// Does something of which the parts learn when they are polled next, as they are before the task waits.
    pub fn quietly<T>(&self, act: impl FnOnce() -> T) -> T {
        self.state.inside.store(true, Ordering::SeqCst);
        let done = act();
        self.state.inside.store(false, Ordering::SeqCst);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[derive(Default)]
    struct Task(AtomicU32);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn parts_that_wake_each_other_are_polled_again_without_the_task() {
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let (context, gate) = (Context::from_waker(&waker), Gate::default());
        let mut steps = 0;
        let polled = gate.pass(&context, |own| {
            steps += 1;
            if steps == 3 {
                return Poll::Ready(steps);
            }
            own.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!((polled, task.0.load(Ordering::SeqCst)), (Poll::Ready(3), 0));
        gate.quietly(|| gate.waker.wake_by_ref());
        assert_eq!(task.0.load(Ordering::SeqCst), 0, "the task comes back anyway");
    }

    #[test]
    fn what_is_woken_later_or_without_end_wakes_the_task() {
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let (context, gate) = (Context::from_waker(&waker), Gate::default());
        let mut kept = None;
        assert!(
            gate.pass(&context, |own| -> Poll<()> {
                kept = Some(own.waker().clone());
                Poll::Pending
            })
            .is_pending()
        );
        assert_eq!(task.0.load(Ordering::SeqCst), 0);
        kept.unwrap().wake();
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
        let mut steps = 0;
        let polled = gate.pass(&context, |own| -> Poll<()> {
            steps += 1;
            own.waker().wake_by_ref();
            Poll::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((steps, task.0.load(Ordering::SeqCst)), (MOST_STEPS, 2));
    }
}
