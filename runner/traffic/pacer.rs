//! A worker's precise timer: a heap of deadlines over one timerfd (about 50 us on an idle core; tokio's own timers know only whole
//! milliseconds). In: instants on the run's clock. Out: futures that complete at them. Knows nothing of flows.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use nix::time::{ClockId, clock_gettime};

use super::timer::Timer;
use crate::engine::clock::Clock;

/// Fewer sleeps that were given up are not looked for.
const MOST_GIVEN_UP: usize = 4096;

/// No deadline.
pub const NEVER_DUE: i64 = i64::MAX;

/// The timer of one worker. Clones are the same timer.
#[derive(Clone)]
pub struct Pacer {
    inner: Rc<Inner>,
}

struct Inner {
    timer: Timer,
    clock: Cell<Clock>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Deadline, number of the sleep, place of the sleep. Sleeps that were given up stay here until they are due, or too many.
    heap: BinaryHeap<Reverse<(i64, u64, usize)>>,
    /// Those of them that were given up.
    given_up: usize,
    places: Vec<Place>,
    free: Vec<usize>,
    numbers: u64,
    armed_ns: Option<i64>,
}

struct Place {
    number: u64,
    due: bool,
    waker: Option<Waker>,
}

impl State {
    /// Keeps only what somebody waits for: limits that are far off and never reached would fill the heap, and all fall due at once.
    fn forget_given_up(&mut self) {
        let places = &self.places;
        self.heap.retain(|Reverse((_, number, place))| places[*place].number == *number);
        self.given_up = 0;
    }
}

impl Pacer {
    /// A timer on this clock, inside a tokio runtime with io enabled. Somebody must run [`Pacer::drive`].
    pub fn new(clock: Clock) -> io::Result<Pacer> {
        Ok(Pacer { inner: Rc::new(Inner { timer: Timer::new()?, clock: Cell::new(clock), state: RefCell::default() }) })
    }

    /// Nanoseconds after the timeline's start.
    pub fn now_ns(&self) -> i64 {
        self.inner.clock.get().now_ns()
    }

    /// Takes the timeline's clock over. What sleeps already goes on to sleep for the same time.
    pub fn set_clock(&self, clock: Clock) {
        let shift = clock.now_ns() - self.now_ns();
        self.inner.clock.set(clock);
        let mut state = self.inner.state.borrow_mut();
        let old = std::mem::take(&mut state.heap);
        state.heap = old.into_iter().map(|Reverse((at, number, place))| Reverse((at.saturating_add(shift), number, place))).collect();
        let next = state.heap.peek().map(|Reverse((at, ..))| *at);
        drop(state);
        self.arm(next);
    }

    /// Completes at this instant, at once if it is past.
    pub fn sleep_until(&self, at_ns: i64) -> Sleep<'_> {
        Sleep { pacer: self, at_ns, place: None }
    }

    /// Serves the timer; never completes.
    pub async fn drive(&self) -> io::Error {
        loop {
            if let Err(error) = self.inner.timer.goes_off().await {
                return error;
            }
            self.wake_due();
        }
    }

    fn wake_due(&self) {
        let mut state = self.inner.state.borrow_mut();
        state.armed_ns = None;
        let now = self.now_ns();
        while let Some(&Reverse((at, number, place))) = state.heap.peek() {
            if at > now {
                break;
            }
            state.heap.pop();
            let sleeper = &mut state.places[place];
            if sleeper.number == number {
                sleeper.due = true;
                if let Some(waker) = sleeper.waker.take() {
                    waker.wake();
                }
            } else {
                state.given_up -= 1;
            }
        }
        let next = state.heap.peek().map(|Reverse((at, ..))| *at);
        drop(state);
        self.arm(next);
    }

    /// Sets the timer to the next deadline, given as an absolute instant so that nothing is lost between here and the kernel.
    fn arm(&self, next: Option<i64>) {
        self.inner.state.borrow_mut().armed_ns = next;
        let Some(at_ns) = next else { return };
        let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return };
        let monotonic = now.tv_sec() * 1_000_000_000 + now.tv_nsec();
        let at = monotonic.saturating_add(at_ns.saturating_sub(self.now_ns()));
        self.inner.timer.set(at);
    }
}

/// Waits for an instant; see [`Pacer::sleep_until`].
pub struct Sleep<'a> {
    pacer: &'a Pacer,
    at_ns: i64,
    place: Option<usize>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let inner = &self.pacer.inner;
        if let Some(place) = self.place {
            let mut state = inner.state.borrow_mut();
            let sleeper = &mut state.places[place];
            if sleeper.due {
                return Poll::Ready(());
            }
            if !sleeper.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                sleeper.waker = Some(context.waker().clone());
            }
            return Poll::Pending;
        }
        if self.at_ns == NEVER_DUE {
            return Poll::Pending;
        }
        if self.pacer.now_ns() >= self.at_ns {
            return Poll::Ready(());
        }
        let mut state = inner.state.borrow_mut();
        state.numbers += 1;
        let number = state.numbers;
        let sleeper = Place { number, due: false, waker: Some(context.waker().clone()) };
        let place = match state.free.pop() {
            Some(place) => {
                state.places[place] = sleeper;
                place
            }
            None => {
                state.places.push(sleeper);
                state.places.len() - 1
            }
        };
        state.heap.push(Reverse((self.at_ns, number, place)));
        let earlier = state.armed_ns.is_none_or(|armed| self.at_ns < armed);
        drop(state);
        if earlier {
            self.pacer.arm(Some(self.at_ns));
        }
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let mut state = self.pacer.inner.state.borrow_mut();
            let left = std::mem::replace(&mut state.places[place], Place { number: 0, due: false, waker: None });
            state.free.push(place);
            state.given_up += usize::from(!left.due);
            if state.given_up > MOST_GIVEN_UP && state.given_up > state.heap.len() / 2 {
                state.forget_given_up();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn sleeps_that_are_given_up_do_not_pile_up() {
        let pacer = Pacer::new(Clock::starting_at(std::time::Instant::now())).unwrap();
        let far = pacer.now_ns() + 3600 * 1_000_000_000;
        let mut kept = std::pin::pin!(pacer.sleep_until(pacer.now_ns() + 2_000_000));
        assert!(kept.as_mut().now_or_never().is_none());
        for _ in 0..20 * MOST_GIVEN_UP {
            assert!(pacer.sleep_until(far).now_or_never().is_none());
        }
        let (waiting, places) = (pacer.inner.state.borrow().heap.len(), pacer.inner.state.borrow().places.len());
        assert!(waiting <= 2 * MOST_GIVEN_UP && places == 2, "{waiting} in {places} places");
        // One that is waited for is still there.
        tokio::select! {
            () = kept => {}
            error = pacer.drive() => panic!("{error}"),
        }
    }
}
