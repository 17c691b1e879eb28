//! Looks a name up as a program of a node would: in the node's network, with its `/etc/hosts`, by the machine's own resolver, which may block
//! for many seconds. So a process of its own asks it, and tells the runner. In: a name. Out: addresses in the resolver's order, or why there
//! are none. Keeps no answers.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use scn_grammar::scenario::NodeId;

use super::Tools;
use super::message::{FromGuard, send};
use super::room::Room;
use super::talk;

/// Of a name that has more addresses the first so many are kept.
const MOST_ADDRESSES: usize = 64;

/// A name to look up.
#[derive(Debug)]
pub(crate) struct Query {
    /// Where.
    pub(crate) node: NodeId,
    /// The name.
    pub(crate) name: String,
    /// The answer comes within this time, or it is none.
    pub(crate) limit: Duration,
}

/// The process that asks. `room`: `None` for a node without surroundings of its own, this machine itself.
pub(super) fn serve(runner: &UnixStream, room: Option<&Room>, name: &str, limit_s: u32) -> io::Result<()> {
    // Whoever waited has gone then: the kernel ends this process.
    nix::unistd::alarm::set(limit_s.max(1));
    if let Some(room) = room {
        room.enter()?;
    }
    let answer = match (name, 0).to_socket_addrs() {
        Ok(found) => FromGuard::Found(distinct(found.map(|found| found.ip()))),
        Err(cause) => FromGuard::Refused(in_words(&cause)),
    };
    send(runner, &answer, &[])
}

/// Each once, in their order.
fn distinct(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for address in found {
        if !addresses.contains(&address) && addresses.len() < MOST_ADDRESSES {
            addresses.push(address);
        }
    }
    addresses
}

/// The resolver's own words, without those that the standard library puts before them.
fn in_words(cause: &io::Error) -> String {
    let text = cause.to_string();
    text.strip_prefix("failed to lookup address information: ").map_or(text.clone(), str::to_owned)
}

/// Asks, from the runner's side.
pub(super) async fn ask(tools: &Tools, query: &Query, here: bool) -> io::Result<Vec<IpAddr>> {
    let limit_s = u32::try_from(query.limit.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    let node = (!here).then(|| query.node.index());
    let socket = tools.look_up(node, &query.name, limit_s).map_err(io::Error::other)?;
    let (_held, mut words) = talk::listen(socket)?;
    match tokio::time::timeout(query.limit, words.recv()).await {
        Ok(Some(FromGuard::Found(addresses))) if addresses.is_empty() => Err(io::Error::other("it has no address")),
        Ok(Some(FromGuard::Found(addresses))) => Ok(addresses),
        Ok(Some(FromGuard::Refused(why))) => Err(io::Error::other(why)),
        Ok(_) => Err(io::Error::other("who was to ask for it ended without an answer")),
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_and_the_resolvers_words_told() {
        let (near, far) = UnixStream::pair().unwrap();
        serve(&far, None, "127.0.0.9", 60).unwrap();
        let (word, _) = super::super::message::receive::<FromGuard>(&near).unwrap().unwrap();
        assert_eq!(word, FromGuard::Found(vec!["127.0.0.9".parse().unwrap()]));
        nix::unistd::alarm::cancel();
        let cause = io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(in_words(&cause), "Name or service not known");
        assert_eq!(in_words(&io::Error::other("else")), "else");
    }

    #[test]
    fn an_address_that_is_told_twice_is_one() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let found = ["10.0.0.1", "fd00::1", "10.0.0.1"].map(address);
        assert_eq!(distinct(found.into_iter()), [address("10.0.0.1"), address("fd00::1")]);
        assert_eq!(distinct((0..100u8).map(|n| IpAddr::from([10, 0, 0, n]))).len(), MOST_ADDRESSES);
    }
}
