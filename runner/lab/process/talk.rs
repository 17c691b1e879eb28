//! The runner's end of a guard's socket. In: a connected socket. Out: a half that orders are written to, and the guard's words one by one.
//! Understands nothing of them.

use std::io;
use std::os::unix::net::UnixStream as Socket;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::message::{FromGuard, HEAD, MAX_BYTES, ToGuard};

/// Words that may wait; then the guard waits.
const WAITING: usize = 64;

/// Takes a socket over. To be called inside the runtime.
pub(super) fn listen(socket: Socket) -> io::Result<(OwnedWriteHalf, Receiver<FromGuard>)> {
    socket.set_nonblocking(true)?;
    let (read, write) = UnixStream::from_std(socket)?.into_split();
    let (tell, words) = channel(WAITING);
    tokio::spawn(pass_on(read, tell));
    Ok((write, words))
}

async fn pass_on(mut socket: OwnedReadHalf, tell: Sender<FromGuard>) {
    while let Some(word) = next(&mut socket).await {
        if tell.send(word).await.is_err() {
            return;
        }
    }
}

async fn next(socket: &mut OwnedReadHalf) -> Option<FromGuard> {
    let mut head = [0u8; HEAD];
    socket.read_exact(&mut head).await.ok()?;
    let length = u32::from_le_bytes(head) as usize;
    let mut body = vec![0u8; (length <= MAX_BYTES).then_some(length)?];
    socket.read_exact(&mut body).await.ok()?;
    serde_json::from_slice(&body).ok()
}

/// Tells the guard something.
pub(super) async fn say(socket: &mut OwnedWriteHalf, order: &ToGuard) -> io::Result<()> {
    let body = serde_json::to_vec(order)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut message = length.to_le_bytes().to_vec();
    message.extend(body);
    socket.write_all(&message).await
}
