//! Options in blocks. In: statements. Out: pieces of the tree. Does not know which options there are.

use super::build::Builder;
use super::expected;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Block, Expr, ExprKind, Indexed, Nested, TreeOption};
use super::words::Place;

/// Words that begin statements with a block elsewhere and are no options.
const NO_OPTIONS: &[&str] = &["use", "param", "scenario", "topology", "service", "flow", "stress", "timeline", "expect"];

impl<'a> Builder<'a> {
    /// A block of options.
    pub fn options(&mut self, statements: &[Statement]) -> Block<TreeOption> {
        self.nested(statements, Place::Options, &mut |builder, statement, out| builder.options_line(statement, out))
    }

    fn options_line(&mut self, statement: &Statement, out: &mut Block<TreeOption>) {
        if self.out_of_place(statement, Place::Options, NO_OPTIONS) {
            return;
        }
        let Some(head) = self.head(Kind::OptionsLine, statement) else {
            self.options(self.optional_block(statement));
            return;
        };
        for (number, node) in head.children.iter().enumerate() {
            let last = number + 1 == head.children.len();
            let mut again = |builder: &mut Builder<'a>, statement: &Statement, out: &mut Block<TreeOption>| {
                builder.options_line(statement, out);
            };
            if self.trailing(node, statement, Place::Options, &mut again, out).is_none() {
                out.extend(self.option(node, statement, last).map(Nested::Statement));
            }
        }
    }

    /// One option. The last of a statement may have a block instead of values.
    pub fn option(&mut self, node: &Node, statement: &Statement, last: bool) -> Option<TreeOption> {
        let braces = statement.block.as_ref().filter(|_| last);
        let block = braces.map_or(Vec::new(), |braces| self.options(&braces.statements));
        let name = node.children.first().map(|n| self.name(n))?;
        // `delay 20 ms`: no option is called like a unit.
        if let Some((number, unit)) = expected::unit_after_blank(self.text, &statement.head, node.start)
            && expected::is_or_means_unit(number, unit)
        {
            let span = self.bytes(node.start, node.start + unit.len());
            self.report(expected::unit_problem(span, number, unit));
            return None;
        }
        let mut values = Vec::with_capacity(1);
        for child in &node.children[1..] {
            values.push(if child.kind == Kind::SmallWord { self.small_word(child) } else { self.expression(child) });
        }
        if values.is_empty() && braces.is_none() {
            self.missing_value(node, statement);
            return None;
        }
        let end = braces.map_or(node.end, |braces| braces.close);
        Some(TreeOption { name, values, block, span: self.bytes(node.start, end) })
    }

    /// `after`, `every`: kept as a path of one word.
    fn small_word(&self, node: &Node) -> Expr {
        let (name, span) = (self.name(node), self.span(node));
        Expr { span, kind: ExprKind::Path(vec![Indexed { name, index: None, span }]) }
    }

    fn missing_value(&mut self, node: &Node, statement: &Statement) {
        let word = self.words(node);
        let after = &self.text[node.end..statement.head.end];
        let token = after.split_whitespace().next().unwrap_or("");
        let found = if token.is_empty() { "the end of the statement".to_owned() } else { format!("`{token}`") };
        let (span, wanted) = (self.span(node), format!("a value after `{word}`"));
        self.report(SyntaxError::Expected { span, wanted, found, help: None });
    }
}
