//! The thread on which faults are done: it moves between namespaces, so nothing else runs on it. In: steps. Out: when they were
//! done, and what did not come up. Decides nothing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgePortState, InfoBridgePort, InfoPortData, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State, Stats64,
};
use netlink_packet_route::neighbour::NeighbourState;
use netlink_packet_route::tc::TcMessage;
use socket2::Socket;

use super::announce;
use super::error::LabError;
use super::messages;
use super::namespace::Namespace;
use super::netlink::Netlink;
use super::packet;

/// An interface has so long to come up once its peer is up.
const UP_WITHIN: Duration = Duration::from_secs(1);
/// Between two looks at an interface that is to come up.
const LOOK_AGAIN_AFTER: Duration = Duration::from_micros(100);
/// The kernel asks three times, a second apart.
const HEARD_WITHIN: Duration = Duration::from_secs(3);
/// Where a question or its answer may be lost, it is asked again so often that of 50 % nearly always one comes through.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// What a capture's socket may hold while nobody reads it, bytes. Who is not root gets as much of it as the machine allows.
const CAPTURE_BUFFER_BYTES: usize = 16 << 20;
/// An announcement is said so often: a frame may meet a full queue.
const ANNOUNCEMENTS: usize = 3;

/// A request to the kernel with the words for its failure.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// What is sent.
    pub(crate) message: RouteNetlinkMessage,
    /// The node or link.
    pub(crate) place: String,
    /// `add address 10.0.0.1/24 to eth0`.
    pub(crate) doing: String,
}

/// One thing to do.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Requests in one namespace.
    Netlink(usize, Vec<Request>),
    /// Puts something in the place of what is there, at once: of a route no packet is without one meanwhile.
    Replace(usize, Request),
    /// Wait until an interface carries frames; a port of a bridge until the bridge forwards there.
    Await(Awaited),
    /// Tell the neighbours which addresses an interface has.
    Announce(Interface),
    /// Interfaces ask for neighbours.
    Ask(usize, Vec<(u32, IpAddr)>),
    /// Wait until no interface of these namespaces asks any more.
    Heard(Vec<Hearing>),
    /// Remember which neighbours an interface has learned: it forgets them when its carrier goes.
    Remember(usize, u32),
    /// An interface knows again what it knew, and what it has asked for in vain and would ask for again a second later. Before its carrier
    /// is back: what the kernel has kept for those neighbours goes the way of everything sent while the link was down, and does not meet
    /// what is sent after it on another core.
    Answer {
        /// The namespace.
        slot: usize,
        /// The interface.
        index: u32,
        /// Who has which address.
        owners: Arc<BTreeMap<IpAddr, Interface>>,
    },
}

/// A namespace that has asked for neighbours.
#[derive(Debug, Clone)]
pub(crate) struct Hearing {
    /// The namespace.
    pub(crate) slot: usize,
    /// Of what it asks for: that over links on which the question or its answer may be lost.
    pub(crate) doubtful: Vec<Doubtful>,
}

/// A neighbour that is asked for and may not hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubtful {
    /// The interface that asks.
    pub(crate) index: u32,
    /// Its name, with its node's.
    pub(crate) place: String,
    /// The neighbour's address.
    pub(crate) address: IpAddr,
}

impl Doubtful {
    /// The warning that nothing came.
    pub(crate) fn unanswered(&self) -> String {
        let Doubtful { place, address, .. } = self;
        let protocol = if address.is_ipv4() { "ARP" } else { "neighbour discovery" };
        format!(
            "no answer to {protocol} for {address} came to {place} within {} s, over links that lose or corrupt packets: until one comes, what \
             {place} is to send there waits, and some of it is lost unsent",
            HEARD_WITHIN.as_secs()
        )
    }
}

/// An interface and the addresses it speaks for.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    /// The namespace.
    pub(crate) slot: usize,
    /// The interface.
    pub(crate) index: u32,
    /// Its hardware address.
    pub(crate) mac: [u8; 6],
    /// Its addresses.
    pub(crate) addresses: Vec<IpAddr>,
    /// The node, for words.
    pub(crate) place: String,
}

/// An interface that is to come up.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    /// The namespace.
    pub(crate) slot: usize,
    /// The interface.
    pub(crate) index: u32,
    /// It is a port whose bridge is to forward there.
    pub(crate) port: bool,
    /// The link, for words.
    pub(crate) place: String,
}

/// What the thread has at hand.
pub(crate) struct Bench {
    namespaces: Arc<Vec<Namespace>>,
    sockets: BTreeMap<usize, Netlink>,
    senders: BTreeMap<usize, Socket>,
    /// What interfaces without carrier knew: namespace and interface.
    known: BTreeMap<(usize, u32), BTreeSet<IpAddr>>,
}

impl Bench {
    /// Does all steps in order. Out: warnings.
    pub(crate) fn perform(&mut self, steps: Vec<Step>) -> Result<Vec<String>, LabError> {
        let mut warnings = Vec::new();
        let (until, heard_by) = (Instant::now() + UP_WITHIN, Instant::now() + HEARD_WITHIN);
        for step in steps {
            match step {
                Step::Netlink(slot, requests) => run(self.socket(slot)?, requests)?,
                Step::Replace(slot, Request { message, place, doing }) => {
                    let done = self.socket(slot)?.replace(message);
                    done.map_err(|refusal| LabError::netlink(place, doing, &refusal))?;
                }
                Step::Await(awaited) => {
                    if !await_up(self.socket(awaited.slot)?, &awaited, until)? {
                        warnings.push(format!("{} did not come up within {} s", awaited.place, UP_WITHIN.as_secs()));
                    }
                }
                Step::Announce(interface) => warnings.extend(self.announce(&interface)),
                Step::Ask(slot, asked) => {
                    for (index, address) in asked {
                        // Who may not ask now asks when there is something to send.
                        let _ = self.socket(slot)?.run(vec![messages::ask(index, address)]);
                    }
                }
                Step::Heard(all) => warnings.extend(self.hear(&all, heard_by)?),
                Step::Remember(slot, index) => {
                    use NeighbourState::{Delay, Incomplete, Probe, Reachable, Stale};
                    let known =
                        self.neighbours(slot, Some(index), |state| [Incomplete, Reachable, Stale, Delay, Probe].contains(&state))?;
                    self.known.insert((slot, index), known);
                }
                Step::Answer { slot, index, owners } => {
                    let mut asked = self.neighbours(slot, Some(index), |state| state == NeighbourState::Incomplete)?;
                    asked.extend(self.known.remove(&(slot, index)).unwrap_or_default());
                    let mut answers = Vec::new();
                    for (address, owner) in asked.iter().filter_map(|address| owners.get_key_value(address)) {
                        // A program may have moved it: who has it then is found by asking.
                        if self.has(owner.slot, *address)? {
                            let message = messages::neighbour(index, *address, owner.mac);
                            let doing = format!("make a neighbour know {address}");
                            answers.push(Request { message, place: owner.place.clone(), doing });
                        }
                    }
                    run(self.socket(slot)?, answers)?;
                }
            }
        }
        Ok(warnings)
    }

    /// Waits until nothing is asked for any more, and asks again where a question or an answer may have been lost. Out: warnings of what was not
    /// found there.
    fn hear(&mut self, all: &[Hearing], until: Instant) -> Result<Vec<String>, LabError> {
        let mut waiting: Vec<&Hearing> = all.iter().collect();
        let mut again_at = Instant::now() + ASK_AGAIN_AFTER;
        while !waiting.is_empty() && Instant::now() < until {
            let again = Instant::now() >= again_at;
            if again {
                again_at = Instant::now() + ASK_AGAIN_AFTER;
            }
            let mut still = Vec::with_capacity(waiting.len());
            for hearing in waiting {
                let silent = self.neighbours(hearing.slot, None, |state| state == NeighbourState::Incomplete)?;
                if again {
                    self.ask_again(hearing, &silent)?;
                }
                if !silent.is_empty() {
                    still.push(hearing);
                }
            }
            waiting = still;
            if !waiting.is_empty() {
                std::thread::sleep(LOOK_AGAIN_AFTER);
            }
        }
        // Not only of those still waited for: the kernel may have given some up.
        let mut warnings = Vec::new();
        for hearing in all.iter().filter(|hearing| !hearing.doubtful.is_empty()) {
            use NeighbourState::{Failed, Incomplete};
            let missing = self.neighbours(hearing.slot, None, |state| [Incomplete, Failed].contains(&state))?;
            let missing = hearing.doubtful.iter().filter(|doubtful| missing.contains(&doubtful.address));
            warnings.extend(missing.map(Doubtful::unanswered));
        }
        Ok(warnings)
    }

    /// Asks once more for those of the doubtful that have not answered: who is asked for already is asked again only when it was forgotten.
    fn ask_again(&mut self, hearing: &Hearing, silent: &BTreeSet<IpAddr>) -> Result<(), LabError> {
        for doubtful in hearing.doubtful.iter().filter(|doubtful| silent.contains(&doubtful.address)) {
            let (index, address) = (doubtful.index, doubtful.address);
            // A refusal of the one leaves the other done; what is not asked for now is asked for when there is something to send.
            let _ = self.socket(hearing.slot)?.run(vec![messages::forget(index, address), messages::ask(index, address)]);
        }
        Ok(())
    }

    /// A namespace has an address at this moment.
    fn has(&mut self, slot: usize, address: IpAddr) -> Result<bool, LabError> {
        let all = self.socket(slot)?.addresses();
        let all = all.map_err(|refusal| LabError::netlink("lab", "read a node's addresses", &refusal))?;
        Ok(all.iter().any(|prefix| prefix.address == address))
    }

    /// Addresses of neighbours in some state, of one interface or all.
    fn neighbours(
        &mut self,
        slot: usize,
        index: Option<u32>,
        is_meant: impl Fn(NeighbourState) -> bool,
    ) -> Result<BTreeSet<IpAddr>, LabError> {
        let found = self.socket(slot)?.neighbours();
        let found = found.map_err(|refusal| LabError::netlink("lab", "read its neighbours", &refusal))?;
        let meant = found.into_iter().filter(|(of, _, state)| index.is_none_or(|index| index == *of) && is_meant(*state));
        Ok(meant.map(|(_, address, _)| address).collect())
    }

    /// Packets that an interface has received.
    pub(crate) fn received(&mut self, slot: usize, index: u32) -> Result<u64, LabError> {
        self.counters(slot, index).map(|counts| counts.rx_packets)
    }

    /// All that an interface counts.
    pub(crate) fn counters(&mut self, slot: usize, index: u32) -> Result<Stats64, LabError> {
        let link = self.socket(slot)?.link(index);
        let link = link.map_err(|refusal| LabError::netlink("lab", "read an interface's counters", &refusal))?;
        let counts = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Stats64(counts) => Some(*counts),
            _ => None,
        });
        Ok(counts.unwrap_or_default())
    }

    /// What the kernel knows of a queue.
    pub(crate) fn queue(&mut self, slot: usize, wanted: TcMessage) -> Result<TcMessage, LabError> {
        let found = self.socket(slot)?.queue(wanted);
        found.map_err(|refusal| LabError::netlink("lab", "read a queue's counters", &refusal))
    }

    /// The routing socket of a namespace, opened when it is first needed.
    fn socket(&mut self, slot: usize) -> Result<&mut Netlink, LabError> {
        if !self.sockets.contains_key(&slot) {
            let opened = self.namespaces[slot].enter().and_then(|()| Netlink::open());
            let opened = opened.map_err(|cause| LabError::system("lab", "open a netlink socket", &cause))?;
            self.sockets.insert(slot, opened);
        }
        Ok(self.sockets.get_mut(&slot).expect("it was put there just now"))
    }

    /// Opens sockets that see what interfaces send and receive: namespace, index, and whether only what they send.
    pub(crate) fn capture(&mut self, places: Vec<(usize, u32, bool)>) -> io::Result<Vec<Socket>> {
        let open = |(slot, index, only_sent): (usize, u32, bool)| {
            self.namespaces[slot].enter()?;
            packet::observer(index, only_sent, CAPTURE_BUFFER_BYTES)
        };
        places.into_iter().map(open).collect()
    }

    /// Says where addresses live. Out: a warning if that failed; neighbours then find out by themselves.
    fn announce(&mut self, from: &Interface) -> Option<String> {
        let sent = self.sender(from.slot).and_then(|socket| {
            for _ in 0..ANNOUNCEMENTS {
                for frame in from.addresses.iter().flat_map(|address| announce::frames(from.mac, *address)) {
                    packet::send(socket, from.index, &frame)?;
                }
            }
            Ok(())
        });
        sent.err().map(|cause| format!("{} could not announce its addresses: {cause}", from.place))
    }

    /// The raw socket of a namespace, opened when it is first needed and kept: closing one takes some 10 ms.
    fn sender(&mut self, slot: usize) -> io::Result<&Socket> {
        match self.senders.entry(slot) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(free) => {
                self.namespaces[slot].enter()?;
                Ok(free.insert(packet::sender()?))
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        packet::close_all(std::mem::take(&mut self.senders).into_values().collect());
    }
}

/// Sends requests and puts words to a refusal.
pub(crate) fn run(socket: &mut Netlink, mut requests: Vec<Request>) -> Result<(), LabError> {
    let messages = requests.iter().map(|request| request.message.clone()).collect();
    socket.run(messages).map_err(|refusal| {
        let request = requests.swap_remove(refusal.message.min(requests.len() - 1));
        LabError::netlink(request.place, request.doing, &refusal)
    })
}

/// Waits until an interface is up; false: it did not come up in time.
pub(crate) fn await_up(socket: &mut Netlink, awaited: &Awaited, until: Instant) -> Result<bool, LabError> {
    loop {
        let link = socket.link(awaited.index);
        let link = link.map_err(|refusal| LabError::netlink(&awaited.place, "look whether it is up", &refusal))?;
        if is_up(&link, awaited.port) {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        std::thread::sleep(LOOK_AGAIN_AFTER);
    }
}

/// It has carrier and the kernel has drawn its conclusions; a port is let forward.
fn is_up(link: &LinkMessage, port: bool) -> bool {
    let carrier = link.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp);
    let operating = link.attributes.contains(&LinkAttribute::OperState(State::Up));
    carrier && operating && (!port || forwards(link))
}

fn forwards(link: &LinkMessage) -> bool {
    let infos = link.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    infos.flatten().any(|info| match info {
        LinkInfo::PortData(InfoPortData::BridgePort(facts)) => facts.contains(&InfoBridgePort::State(BridgePortState::Forwarding)),
        _ => false,
    })
}

/// Work for the thread.
type Job = Box<dyn FnOnce(&mut Bench) + Send>;

/// The thread's handle.
pub(crate) struct Keeper {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread.
    pub(crate) fn start(namespaces: Arc<Vec<Namespace>>) -> Result<Self, LabError> {
        let (jobs, todo) = channel::<Job>();
        let thread = std::thread::Builder::new().name("scn-lab".to_owned()).spawn(move || {
            let mut bench = Bench { namespaces, sockets: BTreeMap::new(), senders: BTreeMap::new(), known: BTreeMap::new() };
            while let Ok(job) = todo.recv() {
                job(&mut bench);
            }
        });
        let thread = thread.map_err(|cause| LabError::system("lab", "start its thread", &cause))?;
        Ok(Keeper { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs something there and waits for its answer.
    pub(crate) fn call<T: Send + 'static>(&self, job: impl FnOnce(&mut Bench) -> T + Send + 'static) -> Result<T, LabError> {
        let closed = || LabError::Closed { thread: "fault".to_owned(), why: String::new() };
        let (answer, result) = sync_channel(1);
        let job: Job = Box::new(move |bench| {
            let _ = answer.send(job(bench));
        });
        self.jobs.as_ref().ok_or_else(closed)?.send(job).map_err(|_| closed())?;
        result.recv().map_err(|_| closed())
    }

    /// Ends the thread.
    pub(crate) fn stop(&mut self) -> Result<(), LabError> {
        self.jobs = None;
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        ended.map_err(|_| LabError::Closed { thread: "fault".to_owned(), why: "It panicked (a bug in scn)".to_owned() })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
