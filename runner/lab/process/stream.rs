//! Plays one stream that a tool makes: reserves a port for its server, starts that and then the client, and ends both when their time is over. In: what to
//! run, and when to stop. Out: when the client began, and what both wrote. A task of the programs' thread; understands nothing of what they write.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use scn_grammar::scenario::NodeId;
use tokio::sync::mpsc::{UnboundedSender, WeakUnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::super::door::Door;
use super::Tools;
use super::tool::{Deed, Ended, Minder, Order, Ran, Task};
use crate::plan::types::{Plan, PlannedFlow};
use crate::traffic::sockets::{Sockets as _, Streams};
use crate::traffic::tools;

/// Ports of servers if the scenario says none: below those that the kernel gives away.
pub(crate) const PORTS: (u16, u16) = (20_000, 32_767);

/// Said of one whose task is gone.
const DESERTED: &str = "is minded by nobody any more (a bug in scn)";

/// A stream to play.
pub(crate) struct Play {
    /// The run's plan.
    pub(crate) plan: Arc<Plan>,
    /// The flow that it is.
    pub(crate) flow: PlannedFlow,
    /// The client is told to end so long after its start.
    pub(crate) stop_after: Duration,
    /// Its server takes one of these ports, both included.
    pub(crate) ports: (u16, u16),
    /// It does not begin before.
    pub(crate) from: Instant,
    /// Hears when its client was started.
    pub(crate) began: Arc<dyn Fn(Instant) + Send + Sync>,
    /// Hears when nothing of it lives any more.
    pub(crate) over: Box<dyn FnOnce(Fate) + Send>,
}

/// What became of a stream.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It was told to end before it had begun.
    Never,
    /// Its server could not be had, and why.
    NoServer(String),
    /// It ran.
    Ran(Box<Ran>),
}

/// What servers of tools there are, and how their nodes stand.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// Their nodes, and who minds them.
    minders: Vec<(NodeId, WeakUnboundedSender<Order>)>,
    /// Ports that streams hold.
    ports: BTreeSet<(NodeId, u16)>,
    /// Where the search for the next port begins.
    next: u16,
    /// Nodes whose programs were killed and not restarted.
    dead: BTreeSet<NodeId>,
    /// Nodes that stand still.
    frozen: BTreeSet<NodeId>,
}

/// The same, as all streams know them.
pub(super) type AllServers = Arc<Mutex<Servers>>;

/// Opens them.
pub(super) fn open(servers: &AllServers) -> MutexGuard<'_, Servers> {
    servers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Servers {
    /// Takes one in.
    pub(super) fn add(&mut self, node: NodeId, minder: &UnboundedSender<Order>) {
        self.minders.retain(|(_, minder)| minder.upgrade().is_some());
        self.minders.push((node, minder.downgrade()));
    }

    /// Something strikes these nodes. Out: who minds the servers there.
    pub(super) fn strike(&mut self, nodes: &[NodeId], deed: Deed, again: bool) -> Vec<UnboundedSender<Order>> {
        for node in nodes {
            _ = match deed {
                Deed::Kill(_) if again => self.dead.remove(node) | self.frozen.remove(node),
                Deed::Kill(_) => self.dead.insert(*node) | self.frozen.remove(node),
                Deed::Freeze => self.frozen.insert(*node),
                Deed::Thaw => self.frozen.remove(node),
                Deed::Signal(_) => false,
            };
        }
        self.minders.iter().filter(|(node, _)| nodes.contains(node)).filter_map(|(_, minder)| minder.upgrade()).collect()
    }

    /// The next port of a range that no stream holds at a node; each is tried once.
    fn candidates(&mut self, node: NodeId, (first, last): (u16, u16)) -> Vec<u16> {
        let (count, begin) = (u32::from(last - first) + 1, u32::from(self.next));
        self.next = self.next.wrapping_add(1);
        let port = |at: u32| u16::try_from(u32::from(first) + (begin + at) % count).unwrap_or(last);
        (0..count).map(port).filter(|port| !self.ports.contains(&(node, *port))).collect()
    }
}

/// A port that a stream holds.
struct Held {
    servers: AllServers,
    place: (NodeId, u16),
}

impl Drop for Held {
    fn drop(&mut self) {
        open(&self.servers).ports.remove(&self.place);
    }
}

/// Plays a stream to its end.
pub(super) async fn play(tools: Tools, servers: AllServers, mut stream: Box<Play>, mut stop: oneshot::Receiver<()>) {
    let fate = stream.run(&tools, &servers, &mut stop).await;
    (stream.over)(fate);
}

impl Play {
    async fn run(&mut self, tools: &Tools, servers: &AllServers, stop: &mut oneshot::Receiver<()>) -> Fate {
        tokio::select! {
            _ = &mut *stop => return Fate::Never,
            () = tokio::time::sleep_until(self.from.into()) => {}
        }
        let serves = tools::serves(&self.flow);
        let held = match serves {
            Some(node) => match hold(&tools.door, servers, &self.plan, node, self.ports).await {
                Some(held) => Some(held),
                None => return Fate::NoServer(format!("no port from {} to {} is free", self.ports.0, self.ports.1)),
            },
            None => None,
        };
        if let Some(held) = &held {
            self.flow.target.set_port(held.place.1);
        }
        let (shelf, (tell, mut ended)) = (Arc::<Mutex<Vec<Ran>>>::default(), unbounded_channel());
        let over = move |_| {
            // Nobody of a stream that is given up listens.
            let _ = tell.send(());
        };
        let told = Ended { shelf: Arc::clone(&shelf), tell: Arc::new(over), began: Arc::clone(&self.began) };
        let orders = match self.ready(tools, servers, serves, told, stop).await {
            Ok(orders) => orders,
            Err(fate) => return fate,
        };
        let _ = orders.send(Order::Start);
        let mut stopped = false;
        loop {
            tokio::select! {
                _ = &mut *stop, if !stopped => {
                    stopped = true;
                    let _ = orders.send(Order::Stop);
                }
                _ = ended.recv() => break,
            }
        }
        let ran = shelf.lock().unwrap_or_else(PoisonError::into_inner).pop();
        ran.map_or_else(|| Fate::NoServer(DESERTED.to_owned()), |ran| Fate::Ran(Box::new(ran)))
    }

    /// Starts the server, if there is one, and waits until it takes clients. Out: where orders go to who minds both programs.
    async fn ready(
        &mut self,
        tools: &Tools,
        servers: &AllServers,
        serves: Option<NodeId>,
        ended: Ended,
        stop: &mut oneshot::Receiver<()>,
    ) -> Result<UnboundedSender<Order>, Fate> {
        // On a node whose programs were killed none is started: its client tells that nobody answers.
        let (orders, heard) = unbounded_channel();
        let (serves, frozen) = {
            let mut servers = open(servers);
            let (alive, frozen) =
                (serves.filter(|node| !servers.dead.contains(node)), serves.is_some_and(|node| servers.frozen.contains(&node)));
            // Under the same lock, so that no strike comes in between.
            if let Some(node) = alive {
                servers.add(node, &orders);
            }
            (alive, frozen)
        };
        let task = Task::of(&self.plan, &self.flow, serves).ok_or_else(|| Fate::NoServer(DESERTED.to_owned()))?;
        tokio::spawn(Minder::new(Task { stop_after: Some(self.stop_after), once: true, ..task }, tools.clone(), ended).mind(heard));
        let (reply, ready) = oneshot::channel();
        let _ = orders.send(Order::Prepare(reply));
        // Whoever is given up ends with the last sender of orders.
        let ready = tokio::select! {
            _ = stop => return Err(Fate::Never),
            ready = ready => ready.unwrap_or_else(|_| Err(DESERTED.to_owned())),
        };
        ready.map_err(Fate::NoServer)?;
        if frozen {
            let (reply, _) = std::sync::mpsc::sync_channel(1);
            let _ = orders.send(Order::Server(Deed::Freeze, reply));
        }
        Ok(orders)
    }
}

/// Finds a port that nothing of the scenario takes and that can be bound, and lets it go for the server.
async fn hold(door: &Door, servers: &AllServers, plan: &Plan, node: NodeId, ports: (u16, u16)) -> Option<Held> {
    let listened = plan.listeners.iter().filter(|listener| listener.node == node).map(|listener| listener.port);
    let served = plan.flows.iter().filter(|flow| tools::serves(flow) == Some(node)).map(|flow| flow.target.port());
    let taken: BTreeSet<u16> = listened.chain(served).collect();
    let candidates = open(servers).candidates(node, ports);
    for port in candidates.into_iter().filter(|port| !taken.contains(port)) {
        if !open(servers).ports.insert((node, port)) {
            continue;
        }
        let held = Held { servers: Arc::clone(servers), place: (node, port) };
        let place = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
        // Of UDP too: some tools take both.
        if door.udp_listener(node, place).await.is_ok() && door.stream_listener(node, Streams::Tcp, place).await.is_ok() {
            return Some(held);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_go_round_and_those_that_are_held_are_left_out() {
        let mut servers = Servers::default();
        let of = |servers: &mut Servers| servers.candidates(NodeId(1), (5_001, 5_003));
        assert_eq!((of(&mut servers), of(&mut servers)), (vec![5_001, 5_002, 5_003], vec![5_002, 5_003, 5_001]));
        servers.ports.insert((NodeId(1), 5_003));
        servers.ports.insert((NodeId(2), 5_001));
        assert_eq!(of(&mut servers), [5_001, 5_002]);
        servers.next = u16::MAX;
        assert_eq!((of(&mut servers).len(), of(&mut servers).len()), (2, 2));
        assert_eq!(servers.candidates(NodeId(3), (1, u16::MAX)).len(), 65_535);
    }

    #[test]
    fn nodes_stand_as_they_were_struck() {
        let (mut servers, node) = (Servers::default(), NodeId(1));
        let (orders, heard) = unbounded_channel();
        servers.add(node, &orders);
        assert_eq!(servers.strike(&[NodeId(2)], Deed::Kill(false), false).len(), 0);
        assert_eq!(servers.strike(&[node], Deed::Freeze, false).len(), 1);
        assert!(servers.frozen.contains(&node));
        servers.strike(&[node], Deed::Kill(true), false);
        assert!(servers.dead.contains(&node) && servers.frozen.is_empty());
        servers.strike(&[node], Deed::Kill(false), true);
        assert!(!servers.dead.contains(&node), "it was restarted");
        drop((orders, heard));
        assert_eq!(servers.strike(&[node], Deed::Thaw, false).len(), 0);
        servers.add(node, &unbounded_channel().0);
        assert_eq!(servers.minders.len(), 1, "those that are gone are forgotten");
    }
}
