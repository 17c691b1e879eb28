//! What a scenario says over `http` that can't be carried out. In: flows' and services' options, patterns. Out: what can't, in words.
//! Sends nothing.

use scn_grammar::scenario::pattern::{Pattern, Payload, Side, Step, StepKind};
use scn_grammar::scenario::text::{Text, TextPart};
use scn_grammar::scenario::transport::{Body, Http, HttpPath};

/// Of a flow.
pub(crate) fn asks(http: &Http, pattern: Option<&Pattern>) -> Vec<&'static str> {
    let secret = http.request.as_ref().is_some_and(|request| {
        is_secret(&request.path) || body_is_secret(request.body.as_ref()) || request.headers.iter().any(|(_, text)| is_secret(text))
    });
    let all = [secret.then_some("a secret in a request"), beyond(pattern)];
    all.into_iter().flatten().collect()
}

/// Of a service.
pub(crate) fn answers(paths: &[HttpPath], pattern: Option<&Pattern>) -> Vec<&'static str> {
    let secret = |path: &HttpPath| body_is_secret(path.body.as_ref()) || path.headers.iter().any(|(_, text)| is_secret(text));
    let all = [paths.iter().any(secret).then_some("a secret in an answer"), beyond(pattern)];
    all.into_iter().flatten().collect()
}

fn is_secret(text: &Text) -> bool {
    text.0.iter().any(|part| matches!(part, TextPart::Secret(_)))
}

fn body_is_secret(body: Option<&Body>) -> bool {
    matches!(body, Some(Body::Text(text)) if is_secret(text))
}

/// A pattern that is no request and its answer.
fn beyond(pattern: Option<&Pattern>) -> Option<&'static str> {
    let fits = pattern.is_none_or(|pattern| is_an_exchange(&pattern.steps));
    (!fits).then_some("a pattern over `http` that is not one request as a text and then its answer")
}

/// The client sends a text and what belongs to it; then the server does, or the client reads what another server answers; that is all.
fn is_an_exchange(steps: &[Step]) -> bool {
    let (mut asked, mut read, mut answered) = (false, false, false);
    for step in steps {
        match &step.kind {
            StepKind::Pause { .. } | StepKind::Expects { by: Side::Server, .. } => {}
            StepKind::Expects { by: Side::Client, .. } => read = true,
            StepKind::Sends { by: Side::Client, payload, .. } => {
                if read || answered || !(asked || is_text(payload)) {
                    return false;
                }
                asked = true;
            }
            StepKind::Sends { by: Side::Server, payload, .. } => {
                if !asked || !(answered || is_text(payload)) {
                    return false;
                }
                answered = true;
            }
            StepKind::Echoes { .. } | StepKind::Repeat { .. } | StepKind::Choose { .. } | StepKind::Closes { .. } => return false,
        }
    }
    asked && (answered || read)
}

fn is_text(payload: &Payload) -> bool {
    matches!(payload, Payload::Text(_) | Payload::Bytes(_) | Payload::File(_))
}
