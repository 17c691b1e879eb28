//! The request that a flow says by options. In: the plan's flow. Out: a request for hyper, again and again. Sends nothing.

use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri, Version};
use scn_grammar::scenario::text::Text;
use scn_grammar::scenario::transport::{Http, HttpVersion, Transport};

use super::body::{Content, Outgoing};
use super::{FILLING, form};
use crate::plan::types::PlannedFlow;
use crate::traffic::frame::{Header, Way};

/// The ports that a `Host` header leaves out.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Who fills a body that is only measured.
const NOBODYS: Header = Header { way: Way::Forward, flow: 0, run: 0, connection: 0, node: 0, sequence: 0, length: 0 };

/// A request.
#[derive(Debug)]
pub struct Request {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    content: Content,
    status: Option<u16>,
    version: Version,
    /// As a step of failures: `GET /`.
    pub words: String,
}

impl Request {
    /// The request of a flow; `None`: it says none by options.
    ///
    /// # Errors
    /// What of it is no part of a request.
    pub fn of(flow: &PlannedFlow) -> Result<Option<Request>, String> {
        let Transport::Http { http: Http { request: Some(said), version, .. }, tls, .. } = &flow.transport else { return Ok(None) };
        let path = said.path.to_string();
        let mut headers = named(&said.headers)?;
        if !headers.contains_key(HOST) {
            let (host, port) = (flow.host(), flow.target.port());
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            let usual = if tls.is_some() { HTTPS_PORT } else { HTTP_PORT };
            let host = if port == usual { host } else { format!("{host}:{port}") };
            headers.insert(HOST, value(&host)?);
        }
        let content = Content::of(said.body.as_ref());
        if let Some(length) = content.filling() {
            headers.insert(&FILLING, length.into());
        }
        let mut request = hyper::Request::new(content.body(NOBODYS));
        *request.method_mut() = Method::from_bytes(said.method.as_bytes()).map_err(|_| format!("{:?} is no method", said.method))?;
        *request.uri_mut() = path.parse().map_err(|error| format!("{path:?} is no path of a request: {error}"))?;
        *request.headers_mut() = headers;
        if *version == HttpVersion::V2 {
            request = form::absolute(request, tls.is_some())?;
        }
        let (head, _) = request.into_parts();
        Ok(Some(Request {
            method: head.method,
            target: head.uri,
            headers: head.headers,
            content,
            version: head.version,
            status: said.status,
            words: format!("{} {path}", said.method),
        }))
    }

    /// The message; `header` says who fills its body. `used` holds the headers of a message that is no more: where their room is, others find some too.
    pub fn message(&self, header: Header, mut used: HeaderMap) -> hyper::Request<Outgoing> {
        used.clear();
        for (name, value) in &self.headers {
            used.append(name, value.clone());
        }
        let mut message = hyper::Request::new(self.content.body(header));
        *message.method_mut() = self.method.clone();
        *message.uri_mut() = self.target.clone();
        *message.headers_mut() = used;
        *message.version_mut() = self.version;
        message
    }

    /// Its answers have no body.
    pub fn asks_for_the_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// What is wrong with a status.
    pub fn wrong(&self, status: StatusCode) -> Option<String> {
        let code = status.as_u16();
        let fine = self.status.map_or((200..400).contains(&code), |wanted| code == wanted);
        let expected = || self.status.map_or("200 to 399".to_owned(), |wanted| wanted.to_string());
        (!fine).then(|| format!("got status {status}, expected {}", expected()))
    }
}

/// Headers as a file says them.
pub fn named(said: &[(String, Text)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, text) in said {
        let name: HeaderName = name.parse().map_err(|_| format!("{name:?} is no name of a header"))?;
        headers.append(name, value(&text.to_string())?);
    }
    Ok(headers)
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| format!("{text:?} cannot stand in a header"))
}
