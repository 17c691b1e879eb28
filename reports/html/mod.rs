//! One self-contained page. In: suites. Out: HTML that reads without script, without style, and under a policy that allows
//! neither inline style nor script. The page is a function of the records alone.

mod accounts;
mod curves;
mod flows;
mod programs;
mod source;
mod svg;
mod timeline;
mod topology;
mod view;

use handlebars::Handlebars;

use crate::suite::Suite;
pub use topology::{MAX_NODES, Network};

/// The style sheet: in the page, and to be written beside it under [`STYLE_FILE`] for servers that forbid inline style. It is the
/// same for every page of a version, so that a policy can allow it by its hash.
pub const STYLE: &str = include_str!("style.css");
/// The name under which the page looks for its style sheet.
pub const STYLE_FILE: &str = "scn-report.css";

const TEMPLATES: [(&str, &str); 7] = [
    ("page", include_str!("templates/page.hbs")),
    ("scenario", include_str!("templates/scenario.hbs")),
    ("problem", include_str!("templates/problem.hbs")),
    ("flow", include_str!("templates/flow.hbs")),
    ("programs", include_str!("templates/programs.hbs")),
    ("accounts", include_str!("templates/accounts.hbs")),
    ("record", include_str!("templates/record.hbs")),
];

/// A template asked for what its view does not have: a mistake of this program.
#[derive(Debug)]
pub struct TemplateError(String);

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the page could not be made, which is a mistake in scn: {}", self.0)
    }
}

impl std::error::Error for TemplateError {}

/// The page over all suites; those that need attention first.
///
/// # Errors
/// When a template and its view do not fit, which tests rule out.
pub fn render(suites: &[Suite<'_>]) -> Result<String, TemplateError> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.set_prevent_indent(true);
    for (name, text) in TEMPLATES {
        registry.register_template_string(name, text).map_err(|e| TemplateError(e.to_string()))?;
    }
    registry.render("page", &view::page(suites)).map_err(|e| TemplateError(e.to_string()))
}

/// A network alone as SVG; `None` when it has no node, or more than [`MAX_NODES`].
#[must_use]
pub fn network(network: Network<'_>) -> Option<String> {
    topology::draw(network).map(|markup| format!("{}\n", markup.into_text()))
}

#[cfg(test)]
mod tests;
