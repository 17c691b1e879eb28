//! A client's connection: its handshake, its streams, its end. In: a connected UDP socket, a configuration. Out: streams, or why there is no connection. Waits for nothing by
//! itself: limits and orders are looked at by who polls.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn::{ClientConfig, ConnectError, Connecting, Connection, Endpoint};

use super::arriving::Arriving;
use super::configure;
use super::driver::Driver;
use super::ends::{Gone, ORDERLY};
use super::stream::{Endings, Stream};
use super::udp::Udp;

/// A connection that is being opened.
pub struct Opening {
    driver: Driver,
    endpoint: Endpoint,
    connecting: Connecting,
    refused: Pin<Box<dyn Future<Output = io::Error>>>,
}

impl Opening {
    /// Begins to connect.
    ///
    /// # Errors
    /// The kernel's, or what can't be asked for.
    pub fn begin(socket: OwnedFd, dscp: u8, config: ClientConfig, target: SocketAddr, name: &str) -> io::Result<Opening> {
        let socket = Arc::new(Udp::new(socket.into(), dscp)?.one_by_one()?);
        let driver = Driver::default();
        let udp: Arc<Udp> = Arc::clone(&socket);
        let refused = Box::pin(async move { socket.is_refused().await });
        let endpoint = Endpoint::new_with_abstract_socket(configure::endpoint(), None, udp, driver.runtime())?;
        let connecting = endpoint.connect_with(config, target, name).map_err(|error: ConnectError| io::Error::other(error.to_string()))?;
        Ok(Opening { driver, endpoint, connecting, refused })
    }

    /// Goes on with the handshake until it is done.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        self.driver.poll(context);
        if let Poll::Ready(connected) = Pin::new(&mut self.connecting).poll(context) {
            return Poll::Ready(connected.map_err(|error| Gone::Connection(error).error()));
        }
        // After that the network's word is no end of a connection (RFC 9000, 14.2.1).
        self.refused.as_mut().poll(context).map(Err)
    }

    /// Gives it up, and says so to the peer.
    pub async fn give_up(mut self) {
        self.endpoint.close(ORDERLY, b"");
        self.driver.flush().await;
    }

    /// The connection that it became.
    pub fn link(self, connection: Connection) -> Link {
        Link { driver: self.driver, endpoint: self.endpoint, connection, endings: Endings::default(), arriving: Arriving::default() }
    }
}

/// A connection. Dropped as it is it ends without a word, as with a program that is killed.
pub struct Link {
    driver: Driver,
    endpoint: Endpoint,
    connection: Connection,
    endings: Endings,
    arriving: Arriving,
}

impl Link {
    /// Lets it send and receive.
    pub fn poll(&mut self, context: &mut Context<'_>) {
        self.driver.poll(context);
        self.arriving.poll(&self.connection, context);
    }

    /// So many streams. Where this end speaks first they are opened in this order, so that both ends number them alike; where the other does, it opens them so.
    ///
    /// # Errors
    /// When the peer takes fewer.
    pub fn streams(&mut self, count: usize, speaks_first: bool) -> io::Result<Vec<Stream>> {
        self.endings = Endings::of(count > 1);
        if !speaks_first && count == 1 {
            return Ok(vec![Stream::unopened(&self.connection, &self.endings)]);
        }
        if !speaks_first {
            let each = |number| Stream::opened_by(&self.connection, self.arriving.stream(number as u64), &self.endings);
            return Ok((0..count).map(each).collect());
        }
        let mut streams = Vec::with_capacity(count);
        let mut context = Context::from_waker(std::task::Waker::noop());
        for opened in 0..count {
            match pin!(self.connection.open_bi()).poll(&mut context) {
                Poll::Ready(Ok(both)) => streams.push(Stream::open(&self.connection, both, &self.endings)),
                Poll::Ready(Err(error)) => return Err(Gone::Connection(error).error()),
                Poll::Pending => {
                    return Err(io::Error::other(format!("the peer takes {opened} streams of a connection at once, not {count}")));
                }
            }
        }
        Ok(streams)
    }

    /// What was on its way when it ended has come (RFC 9000, 10.2).
    pub fn is_drained(&self) -> bool {
        self.endpoint.open_connections() == 0
    }

    /// Waits until the peer has got all that was said on streams that are closed, or never will.
    pub fn poll_settled(&self, context: &mut Context<'_>) -> Poll<()> {
        self.endings.poll(context)
    }

    /// Ends it, and says so to the peer.
    pub async fn close(&mut self) {
        self.endpoint.close(ORDERLY, b"");
        self.driver.flush().await;
    }
}
