//! Which connection a server's end belongs to. In: what the client knows right after `connect`. Out: the same, looked up by the two
//! addresses. A proxy in between hides it; then the header of the first payload tells.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
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
    /// The server that waits for that.
    pub waiting: AtomicWaker,
}

impl Entry {
    /// The node that accepted it; [`NOBODY`] before.
    pub fn backend(&self) -> u16 {
        self.backend.load(Ordering::Relaxed)
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
}

/// IPv4 in IPv6 clothes is IPv4, and scopes do not count.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The registry while nobody else looks into it.
#[derive(Debug)]
pub struct Held<'a>(MutexGuard<'a, Known>);

impl Held<'_> {
    /// Tells of a connection, and lets others look again.
    pub fn insert(mut self, client: SocketAddr, server: SocketAddr, entry: Arc<Entry>) {
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
        let mut known = self.lock();
        known.retired.push_back(((plain(client), plain(server)), Arc::clone(entry)));
        if known.retired.len() > RETIRED
            && let Some((addresses, oldest)) = known.retired.pop_front()
            && known.entries.get(&addresses).is_some_and(|entry| Arc::ptr_eq(entry, &oldest))
        {
            known.entries.remove(&addresses);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
