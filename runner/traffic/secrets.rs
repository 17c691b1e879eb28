//! Secrets on the wire, and nowhere else. In: their values, which the lab reads, and a plan that knows their names. Out: a plan whose texts hold
//! the values, for those who send them; texts for people, in which nothing of them is left. Reads no environment.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use scn_grammar::scenario::pattern::{Expected, Pattern, Payload, Step, StepKind, TemplatePart};
use scn_grammar::scenario::text::{Text, TextPart};
use scn_grammar::scenario::transport::{Body, Listener, Transport};

use crate::plan::types::Plan;

/// Stands where a secret would.
const MASK: &str = "***";
/// Of a secret that is cut off by the edge of what is shown, so many bytes are told from chance.
const LEAST_PART: usize = 3;
/// The same of one that stands in the middle of it.
const LEAST_RUN: usize = 5;

thread_local! {
    /// What the texts of this thread must not hold: a worker is of one run.
    static HIDDEN: RefCell<Secrets> = const { RefCell::new(Secrets(BTreeMap::new())) };
}

/// Values of secrets by their names.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Of these values.
    #[must_use]
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Secrets(values)
    }

    /// The value; a secret that nobody declared is empty.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The values, the longest first: one may be a part of another.
    fn values(&self) -> Vec<&str> {
        let whole = || self.0.values().map(String::as_str).filter(|value| !value.is_empty());
        // Of a value of several lines each is a secret: programs are heard line by line.
        let lines = whole().filter(|value| value.contains('\n')).flat_map(str::lines).filter(|line| line.len() >= LEAST_PART);
        let mut values: Vec<&str> = whole().chain(lines).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values
    }

    /// The text with all secrets hidden, those too that were written with escapes.
    #[must_use]
    pub fn mask(&self, text: String) -> String {
        self.values().into_iter().fold(text, |text, value| {
            let forms = [value.to_owned(), value.escape_debug().to_string(), value.as_bytes().escape_ascii().to_string()];
            forms.iter().fold(text, |text, form| if text.contains(form) { text.replace(form, MASK) } else { text })
        })
    }

    /// The same of bytes that were cut out of something: what their edges leave of a secret is hidden too.
    fn mask_bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        self.values().into_iter().fold(Cow::Borrowed(bytes), |bytes, value| {
            let mut masked = replaced(&bytes, value.as_bytes());
            let parts = || (LEAST_PART..value.len()).rev();
            if let Some(length) = parts().find(|length| masked.ends_with(&value.as_bytes()[..*length])) {
                masked.truncate(masked.len() - length);
                masked.extend_from_slice(MASK.as_bytes());
            }
            if let Some(length) = parts().find(|length| masked.starts_with(&value.as_bytes()[value.len() - length..])) {
                masked.splice(..length, MASK.bytes());
            }
            let masked = without_parts(&masked, value.as_bytes());
            if masked == *bytes { bytes } else { Cow::Owned(masked) }
        })
    }

    /// The plan with the values in its patterns, requests and answers. It is for those who send them alone.
    #[must_use]
    pub fn filled<'p>(&self, plan: &'p Plan) -> Cow<'p, Plan> {
        if self.0.is_empty() {
            return Cow::Borrowed(plan);
        }
        let mut plan = plan.clone();
        for flow in &mut plan.flows {
            flow.pattern.iter_mut().for_each(|pattern| self.fill_pattern(pattern));
            if let Transport::Http { http, .. } = &mut flow.transport
                && let Some(request) = &mut http.request
            {
                self.fill_text(&mut request.path);
                self.fill_message(&mut request.headers, request.body.as_mut());
            }
        }
        for listener in &mut plan.listeners {
            listener.pattern.iter_mut().for_each(|pattern| self.fill_pattern(pattern));
            if let Listener::Http { paths, .. } = &mut listener.listener {
                paths.iter_mut().for_each(|path| self.fill_message(&mut path.headers, path.body.as_mut()));
            }
        }
        Cow::Owned(plan)
    }

    fn fill_pattern(&self, pattern: &mut Pattern) {
        self.fill_steps(&mut pattern.steps);
    }

    fn fill_steps(&self, steps: &mut [Step]) {
        for step in steps {
            match &mut step.kind {
                StepKind::Sends { payload: Payload::Text(text), .. } | StepKind::Expects { what: Expected::Text(text), .. } => {
                    for part in &mut text.0 {
                        if let TemplatePart::Secret(name) = part {
                            *part = TemplatePart::Literal(self.value(name).to_owned());
                        }
                    }
                }
                StepKind::Repeat { steps, .. } => self.fill_steps(steps),
                StepKind::Choose { branches } => branches.iter_mut().for_each(|branch| self.fill_steps(&mut branch.steps)),
                _ => {}
            }
        }
    }

    fn fill_message(&self, headers: &mut [(String, Text)], body: Option<&mut Body>) {
        headers.iter_mut().for_each(|(_, text)| self.fill_text(text));
        if let Some(Body::Text(text)) = body {
            self.fill_text(text);
        }
    }

    fn fill_text(&self, text: &mut Text) {
        for part in &mut text.0 {
            if let TextPart::Secret(name) = part {
                *part = TextPart::Literal(self.value(name).to_owned());
            }
        }
    }
}

/// What is left of a value around a byte that was damaged on its way, hidden.
fn without_parts(bytes: &[u8], value: &[u8]) -> Vec<u8> {
    let (mut masked, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let longest = (LEAST_RUN..=value.len().min(bytes.len() - at))
            .take_while(|length| value.windows(*length).any(|part| part == &bytes[at..at + length]))
            .last();
        match longest {
            Some(length) => {
                masked.extend_from_slice(MASK.as_bytes());
                at += length;
            }
            None => {
                masked.push(bytes[at]);
                at += 1;
            }
        }
    }
    masked
}

/// Each occurrence of a value, hidden.
fn replaced(bytes: &[u8], value: &[u8]) -> Vec<u8> {
    let (mut masked, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(value) {
            masked.extend_from_slice(MASK.as_bytes());
            at += value.len();
        } else {
            masked.push(bytes[at]);
            at += 1;
        }
    }
    masked
}

/// From now on nothing that this thread tells holds one of these.
pub fn hide(secrets: &Secrets) {
    HIDDEN.with_borrow_mut(|hidden| hidden.clone_from(secrets));
}

/// A text without the secrets of this thread's run.
pub fn masked(text: String) -> String {
    HIDDEN.with_borrow(|hidden| if hidden.0.is_empty() { text } else { hidden.mask(text) })
}

/// The first so many bytes and, before it is looked for secrets, as many as the longest of them has.
pub fn first_masked(bytes: &[u8], count: usize) -> Cow<'_, [u8]> {
    HIDDEN.with_borrow(|hidden| {
        let longest = hidden.0.values().map(String::len).max().unwrap_or(0);
        let window = &bytes[..bytes.len().min(count + longest)];
        match hidden.mask_bytes(window) {
            Cow::Borrowed(masked) => Cow::Borrowed(&masked[..masked.len().min(count)]),
            Cow::Owned(mut masked) => {
                masked.truncate(count);
                Cow::Owned(masked)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use scn_grammar::scenario::pattern::{Side, Template};
    use scn_grammar::source::Span;

    fn secrets(values: &[(&str, &str)]) -> Secrets {
        Secrets::new(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn nothing_of_a_secret_is_left_in_a_text() {
        let two = secrets(&[("short", "hunter"), ("long", "hunter2\"x")]);
        assert_eq!(two.mask("AUTH hunter2\"x, hunter".to_owned()), "AUTH ***, ***");
        assert_eq!(two.mask(format!("{:?} is none", "hunter2\"x")), "\"***\" is none");
        assert_eq!(secrets(&[("none", "")]).mask("as it is".to_owned()), "as it is");
    }

    #[test]
    fn nor_in_bytes_that_were_cut() {
        let one = secrets(&[("token", "correct horse")]);
        let masked = |text: &str| String::from_utf8(one.mask_bytes(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(masked("a correct horse, a correct horse"), "a ***, a ***");
        assert_eq!(masked("AUTH correct ho"), "AUTH ***");
        assert_eq!(masked("ect horse\r\n"), "***\r\n");
        assert_eq!(masked("is co"), "is co", "so little is chance");
        assert_eq!(masked("Xrect horse\r\n"), "X***\r\n", "a byte of it was damaged");
        let key = secrets(&[("key", "-----BEGIN KEY-----\nMIIEvQ\n")]);
        assert_eq!(key.mask("key: MIIEvQ".to_owned()), "key: ***", "programs are heard line by line");
        hide(&one);
        let long = format!("{}correct horse, and more", "x".repeat(60));
        assert_eq!(first_masked(long.as_bytes(), 64), format!("{}***,", "x".repeat(60)).as_bytes());
        assert_eq!(masked("correct horse"), "***");
        hide(&Secrets::default());
        assert_eq!(first_masked(b"correct horse", 7), &b"correct"[..]);
    }

    #[test]
    fn patterns_hold_values_in_the_copy_alone() {
        let text = || Template(vec![TemplatePart::Literal("AUTH ".to_owned()), TemplatePart::Secret("token".to_owned())]);
        let send = StepKind::Sends { by: Side::Client, payload: Payload::Text(text()), implicit: false };
        let step = |kind| Step { span: Span::default(), text: String::new(), kind };
        let again = StepKind::Repeat { count: scn_grammar::scenario::pattern::Varying::Fixed(2), steps: vec![step(send)] };
        let pattern = Pattern { name: "p".to_owned(), steps: vec![step(again)] };
        let target = "127.0.0.1:1";
        let flow = crate::plan::sample::flow(scn_grammar::scenario::FlowId(0), "f", target, pattern, Default::default());
        let plan = Plan { flows: vec![flow], ..Plan::default() };
        let filled = secrets(&[("token", "hunter2")]).filled(&plan).into_owned();
        assert!(format!("{filled:?}").contains("hunter2") && !format!("{filled:?}").contains("Secret("));
        assert!(!format!("{plan:?}").contains("hunter2"));
    }
}
