//! Expressions, paths and calls. In: nodes. Out: pieces of the tree. Gives no value to anything.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::tree::{Argument, BinaryOperator, Call, Expr, ExprKind, Index, Indexed, Name};
use crate::quantity::parse_literal;

impl Builder<'_> {
    /// A value.
    pub fn expression(&mut self, node: &Node) -> Expr {
        let span = self.span(node);
        let mut operands = node.children.iter();
        let mut operand = |builder: &mut Self| match operands.next() {
            Some(child) => Box::new(builder.expression(child)),
            None => Box::new(builder.broken(node.start, node.end)),
        };
        let kind = match node.kind {
            Kind::Number => self.number(node),
            Kind::Text | Kind::RawText => ExprKind::Text(self.text(node)),
            Kind::Bytes => self.hex(node),
            Kind::Regex => self.regex(node),
            Kind::Mac => self.mac(node),
            Kind::Address4 | Kind::Address6 => self.address(node),
            Kind::List => ExprKind::List(node.children.iter().map(|c| self.expression(c)).collect()),
            Kind::Parenthesis => ExprKind::Parenthesis(operand(self)),
            Kind::Negative => ExprKind::Negative(operand(self)),
            Kind::Not => ExprKind::Not(operand(self)),
            Kind::Range => ExprKind::Range(operand(self), operand(self)),
            Kind::Binary(BinaryOperator::Divide) if self.rate_with_blank(node) => ExprKind::Broken,
            Kind::Binary(operator) => ExprKind::Binary(operator, operand(self), operand(self)),
            Kind::Conditional => ExprKind::If(operand(self), operand(self), operand(self)),
            Kind::CallOrPath => self.call_or_path(node),
            _ => ExprKind::Broken,
        };
        Expr { span, kind }
    }

    /// Reports `5 /s`: a rate with a blank before its unit.
    fn rate_with_blank(&mut self, node: &Node) -> bool {
        let [left, right] = node.children.as_slice() else { return false };
        if left.kind != Kind::Number || right.kind != Kind::CallOrPath || left.end == right.start {
            return false;
        }
        let (number, between, time) = (self.words(left), &self.text[left.end..right.start], self.words(right));
        let unit = format!("/{time}");
        if !(between.starts_with(' ') && between.ends_with('/') && parse_literal(&format!("{number}{unit}")).is_ok()) {
            return false;
        }
        let span = self.bytes(right.start - 1, right.end);
        self.report(SyntaxError::BlankBeforeUnit { span, number: number.to_owned(), unit });
        true
    }

    /// A value that is missing or could not be read; its problem is reported.
    pub fn broken(&self, start: usize, end: usize) -> Expr {
        Expr { span: self.bytes(start, end), kind: ExprKind::Broken }
    }

    /// The first value among a node's children.
    pub fn value_in(&mut self, node: &Node) -> Option<Expr> {
        let value = node.values().next()?;
        Some(self.expression(value))
    }

    /// The value inside a child of a kind.
    pub fn value_of(&mut self, node: &Node, kind: Kind) -> Option<Expr> {
        self.value_in(node.child(kind)?)
    }

    fn number(&mut self, node: &Node) -> ExprKind {
        match parse_literal(self.words(node)) {
            Ok(quantity) => ExprKind::Quantity(quantity),
            Err(error) => {
                let span = self.span(node);
                self.report(SyntaxError::literal(span, error));
                ExprKind::Broken
            }
        }
    }

    fn call_or_path(&mut self, node: &Node) -> ExprKind {
        let path = match node.child(Kind::Path) {
            Some(path) => path.children.iter().filter_map(|part| self.indexed(part)).collect(),
            None => Vec::new(),
        };
        match node.child(Kind::Arguments) {
            Some(arguments) => ExprKind::Call(path, self.arguments(arguments)),
            None => ExprKind::Path(path),
        }
    }

    /// `client[7]`.
    pub fn indexed(&mut self, node: &Node) -> Option<Indexed> {
        let name = self.name_in(node)?;
        let index = node.child(Kind::Index).map(|index| self.index(index));
        Some(Indexed { name, index, span: self.span(node) })
    }

    /// The first child that is `client[7]` or the like.
    pub fn indexed_in(&mut self, node: &Node) -> Option<Indexed> {
        self.indexed(node.child(Kind::Indexed)?)
    }

    /// Children that are `client[7]` or the like.
    pub fn all_indexed(&mut self, node: &Node) -> Vec<Indexed> {
        node.children.iter().filter(|c| c.kind == Kind::Indexed).filter_map(|c| self.indexed(c)).collect()
    }

    fn index(&mut self, node: &Node) -> Index {
        match node.values().next() {
            None => Index::All,
            Some(value) => {
                let value = self.expression(value);
                match value.kind {
                    ExprKind::Range(from, to) => Index::Range(*from, *to),
                    _ => Index::One(value),
                }
            }
        }
    }

    fn arguments(&mut self, node: &Node) -> Vec<Argument> {
        let mut arguments = Vec::with_capacity(node.children.len());
        for argument in &node.children {
            let name = argument.child(Kind::ArgumentName).map(|n| self.name(n));
            let value = self.value_in(argument).unwrap_or_else(|| self.broken(argument.start, argument.end));
            arguments.push(Argument { name, value });
        }
        arguments
    }

    /// A call as a value: without parentheses a path.
    pub fn call_value(&self, call: Call) -> Expr {
        let plain = |name: Name| Indexed { span: name.span, name, index: None };
        let parenthesis = call.span.end > call.path.last().map_or(call.span.end, |name| name.span.end);
        let path = call.path.into_iter().map(plain).collect();
        let kind = if parenthesis { ExprKind::Call(path, call.arguments) } else { ExprKind::Path(path) };
        Expr { span: call.span, kind }
    }

    /// `sym(1KiB)` after `pattern` or `serve`.
    pub fn call(&mut self, node: &Node) -> Option<Call> {
        let call = node.child(Kind::PatternCall)?;
        let path: Vec<Name> = self.names_in(call.child(Kind::PatternPath)?);
        let arguments = match call.child(Kind::Arguments) {
            Some(arguments) => self.arguments(arguments),
            None => Vec::new(),
        };
        Some(Call { path, arguments, span: self.span(call) })
    }
}
