//! The top level. In: statements. Out: the document. Looks up no names.

use std::ops::Range;

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Document, FunctionDecl, Item, ItemKind, Name, ParamDecl, ScenarioDecl, Template, Use, UseFrom};
use super::words::Place;
use crate::source::Spanned;

/// The version of the language that this program knows.
const VERSION: u32 = 1;

impl Builder<'_> {
    /// All of a text.
    pub fn document(&mut self, statements: &[Statement], comments: &[Range<usize>]) -> Document {
        let comments = comments.iter().map(|c| Spanned::new(self.text[c.clone()].to_owned(), self.bytes(c.start, c.end))).collect();
        let mut document = Document { file: self.file, version: None, items: Vec::new(), comments };
        let rest = match statements {
            [first, rest @ ..] if self.first_word(first).eq_ignore_ascii_case("scn") => {
                document.version = self.version(first);
                if document.version.as_ref().is_some_and(|v| v.value != VERSION) {
                    // What a later version may say here would only be noise.
                    return document;
                }
                rest
            }
            all => {
                let span = all.first().map_or(self.bytes(0, 0), |s| self.first_word_span(s));
                self.report(SyntaxError::MissingVersion { span });
                all
            }
        };
        for statement in rest {
            if self.full() {
                break;
            }
            if let Some(item) = self.top_level(statement) {
                document.items.push(item);
            }
        }
        document
    }

    fn version(&mut self, statement: &Statement) -> Option<Spanned<u32>> {
        // What follows on the same line, with its block, is told by the head.
        let head = self.head(Kind::ScnLine, statement)?;
        self.no_block(statement);
        let number = head.child(Kind::Version)?;
        let (span, words) = (self.span(number), self.words(number));
        let value = words.parse().unwrap_or(u32::MAX);
        if value != VERSION {
            self.report(SyntaxError::NewerVersion { span, number: words.to_owned() });
        }
        Some(Spanned::new(value, span))
    }

    fn top_level(&mut self, statement: &Statement) -> Option<Item> {
        match self.first_word(statement) {
            "use" => self.use_item(statement),
            "let" | "fn" | "secret" | "pattern" | "action" | "check" => self.item(statement),
            "topology" => {
                let (head, body) = (self.template_head(statement), self.topology(statement));
                let (name, params) = head?;
                let kind = ItemKind::Topology(Template { name, params, body });
                Some(Item { doc: statement.doc.clone(), span: self.whole(statement), kind })
            }
            word @ ("for" | "if" | "else") => {
                let (span, word) = (self.first_word_span(statement), word.to_owned());
                self.report(SyntaxError::Misplaced { span, word, place: Place::Top.words(), belongs: "inside the block of a declaration" });
                None
            }
            "scenario" => {
                let name = self.head(Kind::ScenarioLine, statement).and_then(|head| self.name_in(&head));
                let body = self.scenario_body(statement);
                let kind = ItemKind::Scenario(ScenarioDecl { name: name?, body });
                Some(Item { doc: statement.doc.clone(), span: self.whole(statement), kind })
            }
            "scn" => {
                let span = self.first_word_span(statement);
                self.report(SyntaxError::VersionNotFirst { span });
                None
            }
            word if self.stray && Place::Scenario.statements().contains(&word) => {
                // A `}` too many ended the scenario above; its problem is reported.
                self.scenario_part(statement, &mut Vec::new());
                None
            }
            _ => {
                self.unknown_statement(statement, Place::Top);
                None
            }
        }
    }

    /// What can be declared at top level and in a scenario.
    pub fn item(&mut self, statement: &Statement) -> Option<Item> {
        let kind = match self.first_word(statement) {
            "let" => {
                self.no_block(statement);
                let head = self.head(Kind::LetLine, statement)?;
                let value = self.value_in(&head)?;
                ItemKind::Let { name: self.name_in(&head)?, value }
            }
            "fn" => {
                let head = self.head(Kind::FnLine, statement)?;
                self.no_block(statement);
                let (name, params) = (self.name_in(&head)?, self.params(&head));
                ItemKind::Function(FunctionDecl { name, params, value: self.value_in(&head)? })
            }
            "secret" => {
                self.no_block(statement);
                let head = self.head(Kind::SecretLine, statement)?;
                let mut names = self.names_in(&head).into_iter();
                ItemKind::Secret { name: names.next()?, variable: names.next()? }
            }
            "action" => {
                let (head, body) = (self.template_head(statement), self.timeline(statement));
                let (name, params) = head?;
                ItemKind::Action(Template { name, params, body })
            }
            "check" => {
                let (head, body) = (self.template_head(statement), self.expectations(statement));
                let (name, params) = head?;
                ItemKind::Check(Template { name, params, body })
            }
            _ => ItemKind::Pattern(self.pattern(statement)?),
        };
        Some(Item { doc: statement.doc.clone(), span: self.whole(statement), kind })
    }

    /// `topology NAME(params)`.
    fn template_head(&mut self, statement: &Statement) -> Option<(Name, Vec<ParamDecl>)> {
        let head = self.head(Kind::TemplateLine, statement)?;
        Some((self.name_in(&head)?, self.params(&head)))
    }

    fn use_item(&mut self, statement: &Statement) -> Option<Item> {
        self.no_block(statement);
        let head = self.head(Kind::UseLine, statement)?;
        let from = match (head.child(Kind::UseFile), head.child(Kind::UseModule)) {
            (Some(node), _) => {
                let span = self.span(node);
                UseFrom::File(Spanned::new(self.plain_text(node, "a file such as `\"./topologies.scn\"`, without `${}`")?, span))
            }
            (None, module) => UseFrom::Module(self.names_in(module?)),
        };
        let alias = head.child(Kind::UseAlias).and_then(|a| self.name_in(a));
        let names = head.child(Kind::UseNames).map(|n| self.names_in(n)).unwrap_or_default();
        let kind = ItemKind::Use(Use { from, alias, names });
        Some(Item { doc: statement.doc.clone(), span: self.whole(statement), kind })
    }

    /// `size: size = 1KiB`.
    pub fn param(&mut self, node: &Node) -> Option<ParamDecl> {
        let mut names = self.names_in(node).into_iter();
        let (name, kind) = (names.next()?, names.next());
        let default = self.value_of(node, Kind::Default);
        Some(ParamDecl { doc: Vec::new(), name, kind, default, span: self.span(node) })
    }

    /// `(size: size = 1KiB, ...)` in a head.
    pub fn params(&mut self, head: &Node) -> Vec<ParamDecl> {
        let Some(params) = head.child(Kind::Params) else { return Vec::new() };
        params.children.iter().filter_map(|p| self.param(p)).collect()
    }
}
