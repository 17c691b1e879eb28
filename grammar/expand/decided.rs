//! Flows and services whose `over`, `pattern`, `listen` or `serve` stands under an `if` or a `for`. In: a declaration. Out: the same
//! declaration with those of the blocks that stand. What is not under a block is left as it is.

use std::borrow::Cow;

use super::draft::Draft;
use super::error::ExpandError;
use crate::source::Span;
use crate::syntax::tree::{Block, Call, Expr, ExprKind, FlowDecl, Nested, Over, ServiceDecl, ServicePart, TreeOption, each};

impl<'a> Draft<'_, 'a> {
    /// The flow with the transport and the pattern of the blocks that stand.
    pub(super) fn decided_flow(&mut self, flow: &'a FlowDecl) -> Cow<'a, FlowDecl> {
        let mut waits = false;
        each(&flow.options, &mut |option: &TreeOption| waits |= matches!(option.name.text.as_str(), "over" | "pattern"));
        if !waits {
            return Cow::Borrowed(flow);
        }
        let mut decided = flow.clone();
        self.each(&flow.options, |draft, option| match option.name.text.as_str() {
            "over" => {
                draft.said_once("over", decided.over.as_ref().map(|over| over.span), option.span);
                decided.over = decided.over.take().or_else(|| over_of(option));
            }
            "pattern" => {
                draft.said_once("pattern", decided.pattern.as_ref().map(|call| call.span), option.span);
                decided.pattern = decided.pattern.take().or_else(|| option.values.first().and_then(call_of));
            }
            _ => {}
        });
        without(&mut decided.options);
        Cow::Owned(decided)
    }

    /// The service with what the blocks that stand say.
    pub(super) fn decided_service(&mut self, service: &'a ServiceDecl) -> Cow<'a, ServiceDecl> {
        if service.under.is_empty() {
            return Cow::Borrowed(service);
        }
        let mut decided = service.clone();
        self.each(&service.under, |draft, part| match part {
            ServicePart::Listen(listen) => {
                draft.said_once("listen", decided.listen.as_ref().map(|listen| listen.span), listen.span);
                decided.listen.get_or_insert_with(|| listen.clone());
            }
            ServicePart::Serve(call) => {
                draft.said_once("serve", decided.serve.as_ref().map(|call| call.span), call.span);
                decided.serve.get_or_insert_with(|| call.clone());
            }
        });
        Cow::Owned(decided)
    }

    /// Reports what is said a second time.
    fn said_once(&mut self, name: &str, first: Option<Span>, span: Span) {
        if let Some(first) = first {
            self.context.raise(ExpandError::OptionTwice { name: name.into(), span, first });
        }
    }
}

/// Takes `over` and `pattern` out of the options.
fn without(block: &mut Block<TreeOption>) {
    block.retain_mut(|nested| match nested {
        Nested::Statement(option) => !matches!(option.name.text.as_str(), "over" | "pattern"),
        Nested::For(inner) => {
            without(&mut inner.body);
            true
        }
        Nested::If(inner) => {
            without(&mut inner.then);
            without(&mut inner.otherwise);
            true
        }
    });
}

/// `over tcp { ... }` that was read as an option.
fn over_of(option: &TreeOption) -> Option<Over> {
    match option.values.first().map(|value| &value.kind) {
        Some(ExprKind::Path(parts)) => {
            parts.first().map(|first| Over { transport: first.name.clone(), options: option.block.clone(), span: option.span })
        }
        _ => None,
    }
}

/// `sym(1KiB)` that was read as a value.
fn call_of(value: &Expr) -> Option<Call> {
    let (path, arguments) = match &value.kind {
        ExprKind::Path(path) => (path, Vec::new()),
        ExprKind::Call(path, arguments) => (path, arguments.clone()),
        _ => return None,
    };
    Some(Call { path: path.iter().map(|part| part.name.clone()).collect(), arguments, span: value.span })
}
