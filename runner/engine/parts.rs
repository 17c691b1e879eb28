//! What the engine drives, as traits: the network with its faults and programs, and the traffic. In: nothing. Out: the traits. The kernel's
//! lab and the real traffic implement them in `run`; tests implement them on paper.

use regex::Regex;
use scn_grammar::scenario::expect::Metric;
use scn_grammar::scenario::text::Text;
use scn_grammar::scenario::timeline::{Action, StressSetting};
use scn_grammar::scenario::{FlowId, NodeId, ServiceId, StressId};

pub use crate::lab::News;
use crate::plan::turns::Turn;
pub use crate::traffic::strike::{Blow, Struck};

/// The network under test.
pub trait Network {
    /// Carries out a fault, its end, or a change of addresses. Other actions are never handed over. Gives what a reader should
    /// know, such as that a fault changed nothing.
    ///
    /// # Errors
    /// What could not be done, and why, for people.
    fn apply(&mut self, action: &Action) -> Result<Vec<String>, String>;

    /// Begins the command of an entry on a node; its end will be news.
    fn command(&mut self, entry: usize, node: NodeId, command: &Text);

    /// The next thing that programs and commands did unasked; pending while there is none. Dropping it loses nothing.
    fn news(&mut self) -> impl Future<Output = News>;

    /// Undoes an action whose undoing hangs on what was before it. `None`: it is not of that sort, another action undoes it.
    ///
    /// # Errors
    /// What could not be done, and why, for people.
    fn undo(&mut self, action: &Action) -> Result<Option<Vec<String>>, String>;

    /// A counter, a gauge or a truth (1 or 0) of the network or a program at this moment; of a text whether it matches. `None`: it is not
    /// known.
    fn value(&self, metric: &Metric, regex: Option<&Regex>) -> Option<f64>;

    /// Takes note of what is counted at this moment.
    fn look(&mut self);

    /// What broke in the network that no fault of the scenario did, if anything.
    fn trouble(&self) -> Option<String>;
}

/// The traffic over it.
pub trait Load {
    /// Starts a flow whose schedule counts from `at_ns`; its end will be told. `false`: it runs already and goes on as it was.
    fn start(&mut self, flow: FlowId, at_ns: i64) -> bool;
    /// Stops a flow; its end is told later.
    fn stop(&mut self, flow: FlowId, at_ns: i64);
    /// Does to a flow what an entry of the timeline says: a pause, its end, another value of its load.
    fn turn(&mut self, flow: FlowId, turn: Turn);
    /// Does something to a stress at an instant; its end is told later. `false`: it had no effect.
    fn order(&mut self, stress: StressId, order: StressOrder, at_ns: i64) -> bool;
    /// A counter or gauge of a stress at this moment, by its metric's name.
    fn stress_value(&self, stress: StressId, metric: &str) -> Option<u64>;
    /// Takes note of what is counted at this moment.
    fn look(&mut self);
    /// Closes a service's listeners and each of its connections after the current transaction.
    fn close_service(&mut self, service: ServiceId, nodes: &[NodeId]);
    /// Opens a service's listeners again.
    ///
    /// # Errors
    /// The kernel's words when a port cannot be bound.
    fn open_service(&mut self, service: ServiceId, nodes: &[NodeId]) -> impl Future<Output = Result<(), String>>;
    /// Strikes listeners and the clients of flows, at once; `at_ns` is the instant that was meant. The end of a flow whose client is killed
    /// is told later. Gives those that it met.
    ///
    /// # Errors
    /// When the traffic does not answer.
    fn strike(&mut self, whom: &Struck, blow: Blow, at_ns: i64) -> impl Future<Output = Result<Struck, String>>;
    /// Closes listeners, and each of their connections after the current transaction.
    fn close(&mut self, listeners: &[usize]);
    /// Opens listeners again that were struck.
    ///
    /// # Errors
    /// The kernel's words when a port cannot be bound.
    fn open(&mut self, listeners: &[usize]) -> impl Future<Output = Result<(), String>>;
    /// A counter or gauge of a flow at this moment, by its metric's name.
    fn value(&self, flow: FlowId, metric: &str) -> Option<u64>;
    /// Whether changes of counters are to be told.
    fn watch(&mut self, on: bool);
    /// The next thing that the traffic has to tell; pending while there is none.
    fn notice(&mut self) -> impl Future<Output = Notice>;
}

/// What is done to a stress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StressOrder {
    /// It starts.
    Start,
    /// It stops with all its streams.
    Stop,
    /// All its streams end and none starts.
    Pause,
    /// Streams start again.
    Resume,
    /// A value of it is another.
    Set(Turn, StressSetting),
}

/// What the traffic tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A flow has done all it had to, or was stopped, and its connections are closed.
    Ended(FlowId),
    /// A stress has done all it had to, or was stopped and its streams have ended.
    StressEnded(StressId),
    /// A counter changed since the last notice of this kind.
    Changed,
    /// A step of a transaction, for the observer.
    Told(String),
    /// Something broke that is not the system under test.
    Broken(String),
}
