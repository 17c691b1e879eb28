//! Which connection a server's end belongs to. In: what the client knows right after `connect`. Out: the same, looked up by the two
//! addresses. A proxy in between hides it; then the header of the first payload tells.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::task::AtomicWaker;

/// No node has answered yet.
pub const NOBODY: u16 = u16::MAX;

/// One connection of ours, seen from both ends.
#[derive(Debug)]
pub struct Entry {
    /// The flow.
    pub flow: u16,
    /// The connection, as the client numbers them.
    pub connection: u32,
    /// What its draws depend on.
    pub key: u64,
    /// The worker of the client's end; the server's end goes to the same one, so that no transaction crosses threads.
    pub worker: usize,
    /// The node that accepted it.
    pub backend: AtomicU16,
    /// Transactions that the client has begun: a server that speaks first waits for it from the second one on.
    pub begun: AtomicU64,
    /// The server that waits for that; of datagrams, the client that waits for word of what arrived.
    pub waiting: AtomicWaker,
    /// The same of its streams but the first.
    pub streams: Box<[Begun]>,
    /// Of datagrams: what the server has to tell the client.
    pub inbox: Inbox,
    /// The client has ended it.
    pub over: AtomicBool,
}

/// How far a client is on a stream.
#[derive(Debug, Default)]
pub struct Begun {
    count: AtomicU64,
    waiting: AtomicWaker,
}

/// A transaction whose last datagram the server has received.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// Its number.
    pub number: u64,
    /// When, ns.
    pub at_ns: i64,
    /// The server's node.
    pub node: u16,
}

/// Word from a server to a client in the same process, of what nothing answers.
#[derive(Debug, Default)]
pub struct Inbox {
    some: AtomicBool,
    told: Mutex<Vec<Told>>,
}

impl Inbox {
    /// Tells what transactions are complete, and empties the list.
    pub fn tell(&self, told: &mut Vec<Told>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).append(told);
        self.some.store(true, Ordering::Release);
    }

    /// There is something in it.
    pub fn has_some(&self) -> bool {
        self.some.load(Ordering::Acquire)
    }

    /// Takes everything out, into an empty list whose room the inbox takes over.
    pub fn take(&self, into: &mut Vec<Told>) {
        if self.some.swap(false, Ordering::AcqRel) {
            std::mem::swap(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner), into);
        }
    }
}

impl Entry {
    /// Transactions that the client has begun on a stream, and the server that waits for that.
    pub fn begun_on(&self, stream: u64) -> (&AtomicU64, &AtomicWaker) {
        let other = stream.checked_sub(1).and_then(|other| self.streams.get(usize::try_from(other).ok()?));
        other.map_or((&self.begun, &self.waiting), |other| (&other.count, &other.waiting))
    }

    /// The node that accepted it; [`NOBODY`] before.
    pub fn backend(&self) -> u16 {
        self.backend.load(Ordering::Relaxed)
    }

    /// The client has ended it, and its port may be another connection's by now.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// Ended connections that are still known: a server may take one in after its client has closed it.
const RETIRED: usize = 4096;

type Addresses = (SocketAddr, SocketAddr);

/// Connections by client's and server's address.
#[derive(Debug, Default)]
pub struct Registry {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Addresses, Arc<Entry>>,
    retired: VecDeque<(Addresses, Arc<Entry>)>,
    /// Sockets of datagram flows, by flow and number: a header tells these behind a proxy too.
    numbers: HashMap<(u16, u32), Arc<Entry>>,
}

/// IPv4 in IPv6 clothes is IPv4, and scopes do not count.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A port at any of a node's addresses.
pub fn anywhere(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}

/// The registry while nobody else looks into it.
#[derive(Debug)]
pub struct Held<'a>(MutexGuard<'a, Known>);

impl Held<'_> {
    /// Tells of a connection.
    pub fn insert(&mut self, client: SocketAddr, server: SocketAddr, entry: Arc<Entry>) {
        self.0.entries.insert((plain(client), plain(server)), entry);
    }
}

impl Registry {
    /// Tells of a connection. An older one between the same addresses is over.
    pub fn insert(&self, client: SocketAddr, server: SocketAddr, entry: Arc<Entry>) {
        self.hold().insert(client, server, entry);
    }

    /// Keeps everybody from looking until a connection is told of: a server that speaks first may take it in before `connect` returns
    /// to the client, and must know by then which branches it takes.
    pub fn hold(&self) -> Held<'_> {
        Held(self.lock())
    }

    /// Looks a connection up.
    pub fn find(&self, client: SocketAddr, server: SocketAddr) -> Option<Arc<Entry>> {
        self.lock().entries.get(&(plain(client), plain(server))).cloned()
    }

    /// A connection is over: it is forgotten a while later, unless the addresses have a newer one.
    pub fn retire(&self, client: SocketAddr, server: SocketAddr, entry: &Arc<Entry>) {
        entry.over.store(true, Ordering::Release);
        let mut known = self.lock();
        known.retired.push_back(((plain(client), plain(server)), Arc::clone(entry)));
        if known.retired.len() > RETIRED
            && let Some((addresses, oldest)) = known.retired.pop_front()
            && known.entries.get(&addresses).is_some_and(|entry| Arc::ptr_eq(entry, &oldest))
        {
            known.entries.remove(&addresses);
        }
    }

    /// Tells of a socket of a datagram flow.
    pub fn insert_number(&self, entry: &Arc<Entry>) {
        self.lock().numbers.insert((entry.flow, entry.connection), Arc::clone(entry));
    }

    /// Looks a socket of a datagram flow up.
    pub fn find_number(&self, flow: u16, connection: u32) -> Option<Arc<Entry>> {
        self.lock().numbers.get(&(flow, connection)).cloned()
    }

    /// A socket of a datagram flow is closed.
    pub fn remove_number(&self, entry: &Entry) {
        self.lock().numbers.remove(&(entry.flow, entry.connection));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
