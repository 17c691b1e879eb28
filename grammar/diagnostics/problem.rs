//! The form every stage's enum of problems has. In: variants with facts. Out: the enum, its codes and the way to a [`Diagnostic`].
//! Holds no problem of its own.

use super::{Diagnostic, Severity};
use crate::source::Span;

/// Starts the picture of a problem; [`problems!`] fills in code and severity.
pub(crate) fn at(span: Span, message: impl Into<String>, label: impl Into<String>) -> Diagnostic {
    Diagnostic::error("", span, message, label)
}

/// Gives a problem its code and severity.
pub(crate) fn sealed(mut diagnostic: Diagnostic, code: &'static str, severity: Severity) -> Diagnostic {
    diagnostic.code = code;
    diagnostic.severity = severity;
    diagnostic
}

impl Diagnostic {
    /// Says what to write instead, if anything is known.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// Declares the problems of one stage: each variant holds facts and says how it reads.
macro_rules! problems {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident { $($field:ident: $kind:ty),* $(,)? } $severity:ident $code:literal $body:block)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub enum $name {
            $($(#[$doc])* $variant {
                $(#[doc = concat!("The fact `", stringify!($field), "` of the message.")] $field: $kind,)*
            },)*
        }

        impl $name {
            /// Every code of this stage; each has a page.
            pub const CODES: &'static [&'static str] = &[$($code),*];
        }

        impl From<$name> for $crate::diagnostics::Diagnostic {
            fn from(problem: $name) -> Self {
                match problem {
                    $($name::$variant { $($field),* } => {
                        $crate::diagnostics::problem::sealed($body, $code, $crate::diagnostics::Severity::$severity)
                    })*
                }
            }
        }
    };
}
pub(crate) use problems;
