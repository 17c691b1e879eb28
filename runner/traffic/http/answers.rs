//! What a service answers by path. In: the plan's listener. Out: the answer for a request's path. Reads no request.

use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode, Uri};
use scn_grammar::scenario::transport::{HttpPath, Listener};

use super::FILLING;
use super::body::{Content, Outgoing};
use super::request::named;
use crate::plan::types::PlannedListener;
use crate::traffic::frame::Header;

/// The answers of a service.
#[derive(Debug)]
pub struct Answers(Vec<Answer>);

/// One of them.
#[derive(Debug)]
struct Answer {
    path: String,
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
}

impl Answers {
    /// Of a listener; `None`: it plays a pattern, or is no service of HTTP.
    ///
    /// # Errors
    /// What of them is no part of an answer.
    pub fn of(listener: &PlannedListener) -> Result<Option<Answers>, String> {
        let Listener::Http { paths, .. } = &listener.listener else { return Ok(None) };
        if listener.pattern.is_some() {
            return Ok(None);
        }
        paths.iter().map(Answer::of).collect::<Result<_, _>>().map(|answers| Some(Answers(answers)))
    }

    /// The answer to a request; `header` says who fills its body.
    pub fn message(&self, method: &Method, target: &Uri, header: Header) -> Response<Outgoing> {
        let mut message = Response::new(Outgoing::Bytes(Default::default()));
        let Some(answer) = self.find(target) else {
            *message.status_mut() = StatusCode::NOT_FOUND;
            return message;
        };
        *message.status_mut() = answer.status;
        *message.headers_mut() = answer.headers.clone();
        if !matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            *message.body_mut() = answer.content.body(header);
            if let (Some(length), true) = (answer.content.filling(), method != Method::HEAD) {
                message.headers_mut().insert(&FILLING, HeaderValue::from(length));
            }
        }
        message
    }

    /// The answer of its own that a path has, with its query or without, else that of the nearest path above it that ends in `/`.
    fn find(&self, target: &Uri) -> Option<&Answer> {
        let own = |path: &str| self.0.iter().find(|answer| answer.path == path);
        let above = || {
            let above = self.0.iter().filter(|answer| answer.path.ends_with('/') && target.path().starts_with(&answer.path));
            above.max_by_key(|answer| answer.path.len())
        };
        target.path_and_query().and_then(|whole| own(whole.as_str())).or_else(|| own(target.path())).or_else(above)
    }
}

impl Answer {
    fn of(said: &HttpPath) -> Result<Answer, String> {
        Ok(Answer {
            path: said.path.clone(),
            status: StatusCode::from_u16(said.status).map_err(|_| format!("{} is no status", said.status))?,
            headers: named(&said.headers)?,
            content: Content::of(said.body.as_ref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_answered_by_itself_or_by_the_nearest_above_it() {
        let path = |path: &str| {
            let path = path.to_owned();
            Answer { path, status: StatusCode::OK, headers: HeaderMap::new(), content: Content::of(None) }
        };
        let answers = Answers(vec![path("/a/"), path("/a/b/"), path("/a/b/c"), path("/q?x=1"), path("/q")]);
        let found = |target: &str| answers.find(&target.parse().unwrap()).map(|answer| answer.path.clone());
        for (target, answer) in [
            ("/a/", "/a/"),
            ("/a/x", "/a/"),
            ("/a/b/x/y", "/a/b/"),
            ("/a/b/c", "/a/b/c"),
            ("/a/b/c?k=v", "/a/b/c"),
            ("/a/b/c/d", "/a/b/"),
            ("/q?x=1", "/q?x=1"),
            ("/q?x=2", "/q"),
            ("http://site/a/b/c", "/a/b/c"),
        ] {
            assert_eq!(found(target).as_deref(), Some(answer), "{target}");
        }
        assert_eq!(found("/a"), None);
        assert_eq!(found("/"), None);
    }
}
