//! Messages in the form of HTTP/1.1, as the texts of patterns have them. In: texts, or heads from hyper. Out: the other. What hyper
//! writes to the wire is hyper's own. Header names come out as they are usually written: `Content-Length`.

use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};

use super::body::Outgoing;
use super::{CLOSES, FILLING, LENGTH, NODE, STREAM};

/// Headers of one message.
const MOST_HEADERS: usize = 100;
/// Names that are not written with a capital after each hyphen alone.
const IRREGULAR: &[(&str, &str)] = &[("etag", "ETag"), ("te", "TE"), ("www-authenticate", "WWW-Authenticate")];
/// Headers that speak of one connection of HTTP/1.1, which HTTP/2 has not (RFC 9113, 8.2.2).
const OF_CONNECTIONS: &[&str] = &["connection", "te", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"];

/// A request in text form.
pub fn request(text: &[u8]) -> Result<Request<Outgoing>, String> {
    let mut room = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut room);
    let length = whole(parsed.parse(text), "request")?;
    version(parsed.version)?;
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes()).map_err(|error| error.to_string())?;
    let target: Uri = parsed.path.unwrap_or_default().parse().map_err(|error| format!("its target is wrong: {error}"))?;
    let mut headers = headers(parsed.headers)?;
    let body = Bytes::copy_from_slice(&text[length..]);
    if !body.is_empty() || headers.contains_key(CONTENT_LENGTH) {
        settle_length(&mut headers, body.len())?;
    }
    let mut message = Request::new(Outgoing::Bytes(body));
    (*message.method_mut(), *message.uri_mut(), *message.headers_mut()) = (method, target, headers);
    Ok(message)
}

/// An answer in text form, to a request of this method.
pub fn response(text: &[u8], to: &Method) -> Result<Response<Outgoing>, String> {
    let mut room = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Response::new(&mut room);
    let length = whole(parsed.parse(text), "answer")?;
    version(parsed.version)?;
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|error| error.to_string())?;
    let mut headers = headers(parsed.headers)?;
    let body = Bytes::copy_from_slice(&text[length..]);
    let bodiless = to == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    match bodiless {
        true if !body.is_empty() => return Err(format!("an answer with status {status} to {to} has no body")),
        true => {}
        false => settle_length(&mut headers, body.len())?,
    }
    let mut message = Response::new(Outgoing::Bytes(body));
    (*message.status_mut(), *message.headers_mut()) = (status, headers);
    Ok(message)
}

/// A request as HTTP/2 has it: it says where it goes (scheme and authority) in place of its `Host`, and nothing of its connection.
pub fn absolute(mut request: Request<Outgoing>, secured: bool) -> Result<Request<Outgoing>, String> {
    let host = request.headers_mut().remove(HOST);
    OF_CONNECTIONS.iter().for_each(|name| drop(request.headers_mut().remove(*name)));
    let host = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let scheme = if secured { "https" } else { "http" };
    let built = Uri::builder().scheme(scheme).authority(host).path_and_query(target).build();
    *request.uri_mut() = built.map_err(|error| format!("{host:?} is no host that a request of HTTP/2 can go to: {error}"))?;
    *request.version_mut() = Version::HTTP_2;
    let length = request.body().left();
    if length > 0 && !request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    Ok(request)
}

fn whole(parsed: httparse::Result<usize>, what: &str) -> Result<usize, String> {
    match parsed {
        Ok(httparse::Status::Complete(length)) => Ok(length),
        Ok(httparse::Status::Partial) => {
            Err(format!("the pattern's text is no whole {what} of HTTP/1.1: the empty line after its headers is missing"))
        }
        Err(error) => Err(format!("the pattern's text is no {what} of HTTP/1.1: {error}")),
    }
}

fn version(version: Option<u8>) -> Result<(), String> {
    match version {
        Some(1) => Ok(()),
        _ => Err("the pattern's text says another version than HTTP/1.1".to_owned()),
    }
}

fn headers(parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(parsed.len());
    for header in parsed {
        let name: HeaderName = header.name.parse().map_err(|_| format!("{:?} is no name of a header", header.name))?;
        headers.append(name, HeaderValue::from_bytes(header.value).map_err(|error| error.to_string())?);
    }
    Ok(headers)
}

/// The length that a message says is that of what the pattern sends. Of one that says none it is told that the length is no word of its own.
fn settle_length(headers: &mut HeaderMap, length: usize) -> Result<(), String> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err("the pattern's text says Transfer-Encoding: a body of a pattern has a Content-Length".to_owned());
    }
    let said = headers.get(CONTENT_LENGTH).map(|value| value.to_str().ok().and_then(|value| value.parse::<usize>().ok()));
    match said {
        None => {
            headers.insert(LENGTH, HeaderValue::from_static("1"));
            Ok(())
        }
        Some(Some(said)) if said == length => Ok(()),
        Some(_) => Err(format!("the pattern's text says another Content-Length than the {length} bytes that the pattern sends after it")),
    }
}

/// The head of a request as a text.
pub fn request_head(head: &hyper::http::request::Parts) -> Vec<u8> {
    let target = head.uri.path_and_query().map_or(head.uri.path(), |target| target.as_str());
    text(format!("{} {target} HTTP/1.1\r\n", head.method), &head.headers)
}

/// The head of an answer as a text.
pub fn response_head(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    text(format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default()), headers)
}

fn text(first: String, headers: &HeaderMap) -> Vec<u8> {
    let mut text = first.into_bytes();
    // What our own ends tell each other is no word of the pattern.
    let ours = |name: &HeaderName| {
        name == NODE
            || name == FILLING
            || name == STREAM
            || name == CLOSES
            || name == LENGTH
            || (name == CONNECTION && headers.contains_key(CLOSES))
            || (name == CONTENT_LENGTH && headers.contains_key(LENGTH))
    };
    for (name, value) in headers.iter().filter(|(name, _)| !ours(name)) {
        text.extend_from_slice(written(name.as_str()).as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// A header's name as it is usually written.
fn written(name: &str) -> String {
    if let Some((_, irregular)) = IRREGULAR.iter().find(|(plain, _)| *plain == name) {
        return (*irregular).to_owned();
    }
    let mut capital = true;
    let letter = |c: char| {
        let written = if capital { c.to_ascii_uppercase() } else { c };
        capital = c == '-';
        written
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_messages_and_texts_again() {
        let text = b"POST /a?b=c HTTP/1.1\r\nHost: s1\r\nContent-Length: 5\r\nETag: \"1\"\r\n\r\n";
        let message = request(&[&text[..], b"hello"].concat()).unwrap();
        let (head, body) = message.into_parts();
        assert_eq!(request_head(&head), text);
        assert_eq!(body.left(), 5);
        let text = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n";
        let mut message = response(text, &Method::GET).unwrap();
        for (name, value) in [(NODE.as_str(), "s1"), (FILLING.as_str(), "5"), (CLOSES, "1"), (CONNECTION.as_str(), "close")] {
            message.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(response_head(message.status(), message.headers()), text);
    }

    #[test]
    fn a_length_is_shown_where_the_text_says_it() {
        // As hyper sends it: with the length of what it has to send.
        let asked = |text: &str| {
            let (mut head, body) = request(text.as_bytes()).unwrap().into_parts();
            if body.left() > 0 && !head.headers.contains_key(CONTENT_LENGTH) {
                head.headers.insert(CONTENT_LENGTH, body.left().into());
            }
            (String::from_utf8(request_head(&head)).unwrap(), head.headers.contains_key(LENGTH))
        };
        let answered = |text: &str, to: Method| {
            let (mut head, body) = response(text.as_bytes(), &to).unwrap().into_parts();
            if to != Method::HEAD && !head.headers.contains_key(CONTENT_LENGTH) {
                head.headers.insert(CONTENT_LENGTH, body.left().into());
            }
            (String::from_utf8(response_head(head.status, &head.headers)).unwrap(), head.headers.contains_key(LENGTH))
        };
        for (text, body, marked) in [
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "hello", true),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "hello", false),
            // Without a body there is no length to add.
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", false),
        ] {
            assert_eq!(asked(&format!("{text}{body}")), (text.to_owned(), marked), "{text}");
        }
        for (text, body, to, marked) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "hello", Method::GET, true),
            ("HTTP/1.1 200 OK\r\nX-Word: a\r\n\r\n", "", Method::GET, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello", Method::GET, false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "", Method::HEAD, false),
            ("HTTP/1.1 200 OK\r\n\r\n", "", Method::HEAD, false),
        ] {
            assert_eq!(answered(&format!("{text}{body}"), to), (text.to_owned(), marked), "{text}");
        }
        // What another server says of its length is seen.
        let theirs = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("7"))]);
        assert_eq!(response_head(StatusCode::OK, &theirs), b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
    }

    #[test]
    fn what_is_no_message_is_told() {
        let wrong = |text: &str| request(text.as_bytes()).unwrap_err();
        assert!(wrong("hello\n").contains("no request of HTTP/1.1"), "{}", wrong("hello\n"));
        assert!(wrong("GET / HTTP/1.1\r\nHost: a\r\n").contains("the empty line"));
        assert!(wrong("GET / HTTP/1.0\r\n\r\n").contains("another version"));
        assert!(wrong("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nfour").contains("than the 4 bytes"));
        assert!(wrong("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfour").contains("Transfer-Encoding"));
        let wrong = response(b"HTTP/1.1 204 No Content\r\n\r\nbody", &Method::GET).unwrap_err();
        assert!(wrong.contains("has no body"), "{wrong}");
        assert!(response(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &Method::HEAD).is_ok());
    }
}
