//! Flows and services over HTTP/1.1 and HTTP/2, through hyper and h2. In: a connection of a flow or of a listener, what is asked or answered. Out:
//! transactions as over TCP, checked: status, length and filling of bodies. Opens no connection, paces nothing.
//!
//! A flow says its request by options, or by a pattern whose texts are messages in the form of HTTP/1.1; a service answers by path,
//! or plays a pattern. A pattern is played by the same session as over TCP, on a stream that turns its texts into messages and back.
//!
//! ```text
//! client place --> Talk --request by options---> Link ==socket== server --> answer by path
//!                     \--Session on an Exchange--/                    \--> Session on a Message, or on a visit
//! ```
//!
//! A connection of HTTP/2 has as many who talk on it as the flow says `streams`: each has a `Link` that is a branch of the `Carrier`.
//!
//! A pattern of one request is played anew for each; of one with several, whose steps know of each other, the server's side is a visit that
//! outlives the request.
//!
//! Our own servers add two headers, so that they are known behind a proxy too: [`NODE`] tells who answers, [`FILLING`] that the body
//! is filling, and of what length. A third, [`LENGTH`], is in messages of either end whose pattern says no length. Messages of filling are numbered in each transaction by itself, since a proxy mixes connections.

mod alone;
mod answers;
mod below;
mod body;
mod branch;
mod check;
mod exchange;
mod form;
mod link;
mod message;
mod request;
pub mod server;
mod talk;
mod tasks;
mod visit;

use std::sync::Arc;

use hyper::header::HeaderName;
use scn_grammar::scenario::pattern::Pattern;
use scn_grammar::scenario::transport::{Http, HttpVersion, Listener, Transport};

pub use answers::Answers;
pub use branch::{Carrier, UNTOLD_STREAMS};
pub use link::Link;
pub use request::Request;
pub use talk::Talk;

use crate::plan::types::{Plan, PlannedFlow, PlannedListener};

/// The header in which a server of ours tells its node's name.
pub static NODE: HeaderName = HeaderName::from_static("scn-node");
/// The header that announces a body of filling: its length in bytes.
pub static FILLING: HeaderName = HeaderName::from_static("scn-filling");
/// The header that tells requests of one connection apart which belong to transactions of several: a number for each that is under way at once.
pub const STREAM: &str = "scn-stream";
/// The header of an answer whose `Connection: close` is no word of a pattern.
pub const CLOSES: &str = "scn-closes";
/// The header of a message whose `Content-Length` is no word of a pattern: it is that of the body that was sent.
pub const LENGTH: &str = "scn-length";

/// Whether a flow is one of these.
pub fn carries(flow: &PlannedFlow) -> bool {
    matches!(flow.transport, Transport::Http { .. })
}

/// Whether requests share a connection.
pub fn is_multiplexed(transport: &Transport) -> bool {
    matches!(transport, Transport::Http { http: Http { version: HttpVersion::V2, .. }, .. })
}

/// How many requests of one connection are under way at once.
pub fn streams(transport: &Transport) -> u64 {
    if let Transport::Http { http, .. } = transport { http.streams.max(1) } else { 1 }
}

/// Whether a listener is.
pub fn listens(listener: &PlannedListener) -> bool {
    matches!(listener.listener, Listener::Http { .. })
}

/// What a request said by options, and an answer by path, play: nothing.
pub fn no_pattern() -> Pattern {
    Pattern { name: String::new(), steps: Vec::new() }
}

/// What is asked and answered, made ready before anything is sent.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// By flow; `None`: no request said by options.
    pub requests: Vec<Option<Arc<Request>>>,
    /// By listener; `None`: it does not answer by path.
    pub answers: Vec<Option<Arc<Answers>>>,
}

impl Prepared {
    /// Of a whole plan.
    ///
    /// # Errors
    /// Whose text is no part of a message, and why.
    pub fn new(plan: &Plan) -> Result<Prepared, (String, String)> {
        let requests =
            plan.flows.iter().map(|flow| Request::of(flow).map(|request| request.map(Arc::new)).map_err(|why| (flow.name.clone(), why)));
        let answers = |listener: &PlannedListener| Answers::of(listener).map(|answers| answers.map(Arc::new));
        let answers = plan.listeners.iter().map(|listener| answers(listener).map_err(|why| (listener.name.clone(), why)));
        Ok(Prepared { requests: requests.collect::<Result<_, _>>()?, answers: answers.collect::<Result<_, _>>()? })
    }
}
