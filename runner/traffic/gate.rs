//! Lets a task drive parts that wake each other. In: a step that polls them all. Out: readiness. What the parts wake while the task polls them it does at once,
//! in the same turn: without it the task would be woken, queued and polled once more for each of them. What wakes them at any other time is news: who has found
//! nothing need not look again before there is some.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Steps in a row, before others get their turn.
const MOST_STEPS: u32 = 16;

thread_local! {
    /// The gate whose task is at it on this thread. It is compared alone: what is woken on another thread, or between two turns, never finds itself here.
    static INSIDE: Cell<*const State> = const { Cell::new(ptr::null()) };
}

/// Between a task and the parts that it drives.
pub struct Gate {
    state: Arc<State>,
    /// What the parts wake.
    waker: Waker,
    /// The task as the state knows it, to be compared without a lock.
    task: RefCell<Option<Waker>>,
}

/// Whether something has come for the parts; of a gate, from wherever it is asked.
#[derive(Clone)]
pub struct News(Arc<State>);

#[derive(Default)]
struct State {
    task: Mutex<Option<Waker>>,
    /// A part was woken by another while the task was at it.
    woken: AtomicBool,
    /// How often one was woken otherwise.
    news: AtomicU64,
}

impl State {
    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if ptr::eq(INSIDE.get(), Arc::as_ptr(self)) {
            // By the task itself, which looks when it is done.
            self.woken.store(true, Ordering::Relaxed);
            return;
        }
        self.news.fetch_add(1, Ordering::Release);
        if let Some(task) = &*self.task() {
            task.wake_by_ref();
        }
    }
}

impl Default for Gate {
    fn default() -> Gate {
        let state = Arc::new(State::default());
        Gate { waker: Waker::from(Arc::clone(&state)), state, task: RefCell::default() }
    }
}

impl News {
    /// Counts it: it stays the same for as long as nothing has come.
    pub fn count(&self) -> u64 {
        self.0.news.load(Ordering::Acquire)
    }
}

/// The task is at it until this is dropped.
struct Inside(*const State);

impl Inside {
    fn new(state: &Arc<State>) -> Inside {
        Inside(INSIDE.replace(Arc::as_ptr(state)))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.0);
    }
}

impl Gate {
    /// What comes for the parts.
    pub fn news(&self) -> News {
        News(Arc::clone(&self.state))
    }

    /// This task is woken from now on.
    pub fn register(&self, context: &Context<'_>) {
        let mut known = self.task.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            *known = Some(context.waker().clone());
            let before = std::mem::replace(&mut *self.state.task(), known.clone());
            drop(before);
        }
    }

    /// Polls the parts, again for as long as they wake each other. Who gets something out of it comes back before the task waits for anything else: a part that
    /// was woken meanwhile is not told of otherwise.
    pub fn pass<T>(&self, context: &Context<'_>, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.register(context);
        let mut own = Context::from_waker(&self.waker);
        let inside = Inside::new(&self.state);
        for _ in 0..MOST_STEPS {
            self.state.woken.store(false, Ordering::Relaxed);
            let polled = step(&mut own);
            if polled.is_ready() || !self.state.woken.load(Ordering::Relaxed) {
                return polled;
            }
        }
        drop(inside);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Does something of which the parts learn when they are polled next, as they are before the task waits.
    pub fn quietly<T>(&self, act: impl FnOnce() -> T) -> T {
        let _inside = Inside::new(&self.state);
        act()
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
        assert_eq!(gate.news().count(), 0);
        kept.unwrap().wake();
        assert_eq!((task.0.load(Ordering::SeqCst), gate.news().count()), (1, 1));
        let mut steps = 0;
        let polled = gate.pass(&context, |own| -> Poll<()> {
            steps += 1;
            own.waker().wake_by_ref();
            Poll::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((steps, task.0.load(Ordering::SeqCst)), (MOST_STEPS, 2));
        assert_eq!(gate.news().count(), 1, "what the task does itself is none");
    }

    #[test]
    fn what_another_thread_wakes_meanwhile_wakes_the_task() {
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let (context, gate) = (Context::from_waker(&waker), Gate::default());
        let polled = gate.pass(&context, |own| -> Poll<()> {
            let own = own.waker().clone();
            std::thread::spawn(move || own.wake()).join().unwrap();
            Poll::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((task.0.load(Ordering::SeqCst), gate.news().count()), (1, 1));
    }

    #[test]
    fn the_task_that_polled_last_is_woken() {
        let tasks = [Arc::new(Task::default()), Arc::new(Task::default())];
        let gate = Gate::default();
        for task in &tasks {
            let waker = Waker::from(Arc::clone(task));
            assert!(gate.pass(&Context::from_waker(&waker), |_| Poll::<()>::Pending).is_pending());
        }
        gate.waker.wake_by_ref();
        assert_eq!(tasks.map(|task| task.0.load(Ordering::SeqCst)), [0, 1]);
    }
}
