//! Streams of stresses that tools make: runs each, and tells the traffic when it began and how it went. In: streams to start and to stop, from the traffic.
//! Out: what their tools told, as counts. Understands no output: that is `traffic::tools`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::clock::Clock;
use super::tools::heard;
use crate::lab::{Fate, KernelLab, PORTS, Play, Player};
use crate::plan::types::{Plan, PlannedFlow};
use crate::traffic::Traffic;
use crate::traffic::stress::made::{Hears, Made, Makes, Outcome};
use crate::traffic::tools;

/// A stream: its stress's position and its number.
type Key = (usize, u64);

/// Those that are not over, and what stops each.
type Alive = Arc<Mutex<BTreeMap<Key, oneshot::Sender<()>>>>;

/// Runs the tools of streams.
struct Maker {
    plan: Arc<Plan>,
    clock: Clock,
    player: Player,
    hears: Hears,
    alive: Alive,
}

/// Lets the traffic have the streams that tools make, if there are any.
pub(super) fn begin(lab: &KernelLab, traffic: &Traffic, plan: &Arc<Plan>, clock: Clock) {
    let wanted = plan.stresses.iter().any(|stress| !stress.stress.tools.is_empty());
    if let Some(player) = lab.player().filter(|_| wanted) {
        traffic.made_by(Arc::new(Maker { plan: Arc::clone(plan), clock, player, hears: traffic.hears(), alive: Alive::default() }));
    }
}

fn open(alive: &Alive) -> MutexGuard<'_, BTreeMap<Key, oneshot::Sender<()>>> {
    alive.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Makes for Maker {
    fn start(&self, made: Made) {
        let key = (made.stress, made.number);
        let (clock, hears, told, of_over) = (self.clock, self.hears.clone(), self.hears.clone(), Arc::clone(&self.alive));
        let flow = made.flow.clone();
        let over = move |fate: Fate| {
            open(&of_over).remove(&key);
            // Long streams tell much, and others are not to wait until it is read.
            tokio::task::spawn_blocking(move || hears.over(key.0, key.1, clock.now_ns(), outcome(&flow, fate, clock)));
        };
        let play = Play {
            plan: Arc::clone(&self.plan),
            flow: made.flow,
            stop_after: Duration::from_nanos(made.stop_after_ns),
            ports: self.plan.stresses[key.0].stress.ports.unwrap_or(PORTS),
            from: clock.instant(made.from_ns),
            began: Arc::new(move |at| told.began(key.0, key.1, clock.ns_of(at))),
            over: Box::new(over),
        };
        // Under the lock, so that it is not over before it is known.
        let mut alive = open(&self.alive);
        alive.insert(key, self.player.play(play));
    }

    fn stop(&self, stress: usize, number: u64) {
        if let Some(stop) = open(&self.alive).remove(&(stress, number)) {
            let _ = stop.send(());
        }
    }
}

/// How a stream went; `None`: it never began.
fn outcome(flow: &PlannedFlow, fate: Fate, clock: Clock) -> Option<Outcome> {
    match fate {
        Fate::Never => None,
        Fate::NoServer(why) => Some(Outcome { began_ns: clock.now_ns(), cause: Some(format!("server: {why}")), ..Outcome::default() }),
        Fate::Ran(ran) => Some(tools::outcome(flow, &heard(&ran, clock))),
    }
}
