//! Looks whether a program is ready, again and again until it is. In: where to look. Out: nothing; it returns when the program is ready. Knows no
//! limit of time: whoever waits drops it.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use scn_grammar::scenario::NodeId;
use tokio::net::TcpSocket;

use super::super::door::Door;
use super::message::Start;
use super::{Tools, command};
use crate::traffic::sockets::{Sockets as _, Streams};

/// Between two looks.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// A connection that is not answered is tried anew after this long.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);

/// A connection from the node is taken there.
pub(super) async fn taken(door: Door, node: NodeId, target: SocketAddr) {
    loop {
        if let Ok(sockets) = door.streams(node, Streams::Tcp, target.is_ipv6(), 1).await
            && let Some(socket) = sockets.into_iter().next()
        {
            let connecting = TcpSocket::from_std_stream(TcpStream::from(socket)).connect(target);
            if matches!(tokio::time::timeout(CONNECT_LIMIT, connecting).await, Ok(Ok(_))) {
                return;
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// The command ends with 0.
pub(super) async fn succeeds(tools: Tools, start: Start) {
    while command::run(&tools, start.clone(), &mut |_| {}).await != Ok(0) {
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}
