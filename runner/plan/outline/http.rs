//! HTTP requests and answers in words. In: requests, headers, bodies. Out: lines and words.

use scn_grammar::scenario::text::Text;
use scn_grammar::scenario::transport::{Body, Http, HttpRequest, HttpVersion};

use super::Line;
use super::words::{hex, size, text};

/// What a flow asks for.
pub(super) fn http(http: &Http) -> Vec<Line> {
    let Http { version, streams, request } = http;
    let version = match version {
        HttpVersion::V11 => "1.1",
        HttpVersion::V2 => "2",
    };
    let mut lines = vec![Line::pair("version", version)];
    if *streams != 1 {
        lines.push(Line::pair("streams", format!("{streams} of a connection at once")));
    }
    lines.extend(request.as_ref().map(asked));
    lines
}

fn asked(request: &HttpRequest) -> Line {
    let HttpRequest { method, path, headers: added, body: sent, status } = request;
    let sent = sent.as_ref().map_or_else(|| "no body".to_owned(), body);
    let status = status.map_or_else(|| "200 to 399".to_owned(), |status| status.to_string());
    Line::pair("request", format!("{method} {}, {sent}, expects status {status}", text(path))).with(headers(added))
}

/// Headers that are added.
pub(super) fn headers(headers: &[(String, Text)]) -> Vec<Line> {
    headers.iter().map(|(name, value)| Line::pair(&format!("header {name}:"), text(value))).collect()
}

/// A body.
pub(super) fn body(body: &Body) -> String {
    match body {
        Body::Filled(bytes) => format!("body {} of filling", size(*bytes)),
        Body::Text(of) => format!("body {}", text(of)),
        Body::Bytes(bytes) => format!("body {}", hex(bytes)),
    }
}
