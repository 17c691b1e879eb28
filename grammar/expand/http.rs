//! HTTP: what a flow asks and what a service answers. In: options as said. Out: their types. Reads and sends nothing.

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::Scope;
use super::net_error::NetError;
use super::options::{Found, Known, Said};
use super::reading::Bounds;
use super::texts::User;
use super::value::Value;
use crate::quantity::{BILLION, Dimension};
use crate::scenario::text::{Text, TextPart};
use crate::scenario::transport::{Body, Http, HttpPath, HttpRequest, HttpVersion};
use crate::source::Span;
use crate::syntax::tree::Expr;

/// Bytes of one body.
const BODY: Bounds = Bounds(Dimension::Size, 0, 1 << 30);
/// Requests of one connection at once.
pub(super) const STREAMS: Bounds = Bounds(Dimension::Count, 1, 10_000);
/// Paths of one service: at most so many.
const PATH_LIMIT: usize = 1_000;
/// The options of a path of a service.
pub(crate) const PATH_OPTIONS: Known = Known { what: "`path`", once: &["body", "status"], many: &["header"] };
/// The options of `over http` that say a request.
const REQUEST: &[&str] = &["method", "path", "header", "body", "status"];

impl Draft<'_, '_> {
    /// The requests of a flow; `pattern` is where the flow's pattern is said.
    pub(super) fn http(&mut self, found: &Found<'_>, pattern: Option<Span>) -> Http {
        let version = found.get("version").and_then(|said| self.http_version(said)).unwrap_or(HttpVersion::V11);
        let streams = found.get("streams").and_then(|said| self.amount(said, STREAMS, "streams 10")).unwrap_or(1);
        if let (true, HttpVersion::V11, Some(said)) = (streams > 1, version, found.get("streams")) {
            let help = "add `version 2`: HTTP/1.1 has one request at a time".to_owned();
            self.context.raise(NetError::OptionNeeds { option: "streams".into(), needs: "HTTP/2".into(), span: said.span(), help });
        }
        let first = REQUEST.iter().find_map(|name| found.all(name).first());
        let request = match (first, pattern) {
            (None, Some(_)) => None,
            (Some(said), Some(other)) => {
                let message = "the pattern says the requests already".to_owned();
                let help = format!("leave `{}` or the pattern out", said.option.name.text);
                self.context.raise(ExpandError::OptionConflict { message, span: said.span(), other, help });
                None
            }
            (_, None) => Some(self.http_request(found)),
        };
        Http { version, streams, request }
    }

    fn http_request(&mut self, found: &Found<'_>) -> HttpRequest {
        let body = found.get("body").and_then(|said| self.http_body(said));
        let default = if body.is_some() { "POST" } else { "GET" };
        let path = found.get("path").and_then(|said| {
            let value = self.one(said, "path \"/\"")?;
            let path = self.kept_text(value, &said.scope, User::Other)?;
            self.is_path(&path, value).then_some(path)
        });
        HttpRequest {
            method: found.get("method").and_then(|said| self.method(said)).unwrap_or_else(|| default.to_owned()),
            path: path.unwrap_or_else(|| Text::literal("/")),
            headers: self.headers(found),
            body,
            status: found.get("status").and_then(|said| self.small(said, 100, 599, "status 200")),
        }
    }

    fn http_version(&mut self, said: &Said<'_>) -> Option<HttpVersion> {
        let value = self.one(said, "version 2")?;
        match self.context.base_units(value, Dimension::Number, &said.scope)? {
            number if number == 11 * BILLION / 10 => Some(HttpVersion::V11),
            number if number == 2 * BILLION => Some(HttpVersion::V2),
            _ => {
                let name = self.context.words(value.span);
                self.unknown_choice("version", &name, value, &["1.1", "2"]);
                None
            }
        }
    }

    /// `method POST`.
    fn method(&mut self, said: &Said<'_>) -> Option<String> {
        let value = self.one(said, "method POST")?;
        let method = self.word_of(value, &said.scope);
        match method {
            Some(word) if !word.is_empty() && word.len() <= 32 && word.chars().all(|c| c.is_ascii_uppercase()) => Some(word),
            Some(name) => {
                let help = Some(format!("write it in capitals: `{}`", name.to_uppercase()));
                self.context.raise(NetError::UnknownChoice { what: "`method`".into(), name, span: value.span, help });
                None
            }
            None => {
                self.wrong_form(said, "method POST");
                None
            }
        }
    }

    /// Reports a path that does not begin with `/`.
    fn is_path(&mut self, path: &Text, expr: &Expr) -> bool {
        let fine = match path.0.first() {
            Some(TextPart::Literal(start)) => {
                start.starts_with('/') && !path.to_string().contains(|c: char| c.is_control() || c == ' ' || c == '#')
            }
            Some(_) => true,
            None => false,
        };
        if !fine && !self.context.sampling {
            let help = Some("a path begins with `/` and has no blanks, `#` or control characters: \"/index.html\"".to_owned());
            let name = self.context.words(expr.span);
            self.context.raise(NetError::UnknownChoice { what: "the path of a request".into(), name, span: expr.span, help });
        }
        fine || self.context.sampling
    }

    /// `header "accept" = "text/html"`, several times.
    fn headers(&mut self, found: &Found<'_>) -> Vec<(String, Text)> {
        let mut headers = Vec::new();
        for said in found.all("header") {
            let [name, value] = said.option.values.as_slice() else {
                self.wrong_form(said, "header \"accept\" = \"text/html\"");
                continue;
            };
            let (Some(written), Some(value)) = (self.text_of(name, &said.scope), self.kept_text(value, &said.scope, User::Other)) else {
                continue;
            };
            let fine = !written.is_empty() && written.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
            if fine || self.context.sampling {
                headers.push((written, value));
            } else {
                let help = Some("write a name such as \"accept\"".to_owned());
                let what = "the name of a header".to_owned();
                self.context.raise(NetError::UnknownChoice { what, name: written, span: name.span, help });
            }
        }
        headers
    }

    /// `body 1KiB`, `body "text"`, `body hex"00"`.
    fn http_body(&mut self, said: &Said<'_>) -> Option<Body> {
        let value = self.one(said, "body 1KiB")?;
        self.http_body_of(value, &said.scope)
    }

    fn http_body_of(&mut self, expr: &Expr, scope: &Scope) -> Option<Body> {
        if matches!(super::evaluate::bare(expr).kind, crate::syntax::tree::ExprKind::Text(_)) {
            return self.kept_text(expr, scope, User::Other).map(Body::Text);
        }
        match self.context.evaluate(expr, scope)? {
            Value::Text(_) | Value::Masked(_) => self.kept_text(expr, scope, User::Other).map(Body::Text),
            Value::Bytes(bytes) => Some(Body::Bytes(bytes)),
            Value::Quantity(quantity) if quantity.dimension == Dimension::Size => {
                self.amount_of("body", expr, BODY, scope).map(Body::Filled)
            }
            other => {
                self.context.wrong_type("a size, a text or bytes", &other, expr.span);
                None
            }
        }
    }

    /// What a service answers, by path.
    pub(super) fn http_paths(&mut self, found: &Found<'_>) -> Vec<HttpPath> {
        let all = found.all("path");
        if let (Some(extra), true) = (all.get(PATH_LIMIT), all.len() > PATH_LIMIT) {
            let (count, limit, span) = (all.len() as u64, PATH_LIMIT as u64, extra.span());
            self.context.raise(ExpandError::TooLarge { what: "paths of one service", count, limit, span });
            return Vec::new();
        }
        let mut paths: Vec<(HttpPath, Span)> = Vec::new();
        for said in all {
            let [value] = said.option.values.as_slice() else {
                self.wrong_form(said, "path \"/\" { body 1KiB }");
                continue;
            };
            let Some(path) = self.text_of(value, &said.scope) else { continue };
            if !self.is_path(&Text::literal(path.clone()), value) {
                continue;
            }
            if let Some((_, first)) = paths.iter().find(|(known, _)| known.path == path) {
                let (name, first) = (path.clone(), *first);
                self.context.raise(ExpandError::OptionTwice { name, span: value.span, first });
                continue;
            }
            let inner = self.within_scope(&said.scope, |draft| draft.options(&said.option.block, &PATH_OPTIONS));
            let status = inner.get("status").and_then(|said| self.small(said, 200, 599, "status 200")).unwrap_or(200);
            let body = inner.get("body").and_then(|said| self.http_body(said));
            paths.push((HttpPath { path, status, headers: self.headers(&inner), body }, value.span));
        }
        paths.into_iter().map(|(path, _)| path).collect()
    }
}
