//! Top level and scenarios. In: statements. Out: the document. Looks up no names.

use std::ops::Range;

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Document, Item, ItemKind, ParamDecl, ScenarioDecl, ScenarioPart, TextPart, Use, UseFrom};
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
            [first, rest @ ..] if self.first_word(first) == "scn" => {
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
        self.no_block(statement);
        let head = self.head(Kind::ScnLine, statement)?;
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
            "let" | "pattern" => self.item(statement),
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
                self.scenario_part(statement);
                None
            }
            _ => {
                self.unknown_statement(statement, Place::Top);
                None
            }
        }
    }

    /// `let` and `pattern`, at top level or in a scenario.
    fn item(&mut self, statement: &Statement) -> Option<Item> {
        let kind = if self.first_word(statement) == "let" {
            self.no_block(statement);
            let head = self.head(Kind::LetLine, statement)?;
            let value = self.value_in(&head)?;
            ItemKind::Let { name: self.name_in(&head)?, value }
        } else {
            ItemKind::Pattern(self.pattern(statement)?)
        };
        Some(Item { doc: statement.doc.clone(), span: self.whole(statement), kind })
    }

    fn use_item(&mut self, statement: &Statement) -> Option<Item> {
        self.no_block(statement);
        let head = self.head(Kind::UseLine, statement)?;
        let from = match (head.child(Kind::UseFile), head.child(Kind::UseModule)) {
            (Some(node), _) => {
                let span = self.span(node);
                let text = self.text(node);
                match text.parts.as_slice() {
                    [TextPart::Literal(path)] => UseFrom::File(Spanned::new(path.clone(), span)),
                    _ => {
                        let wanted = "a file such as `\"./topologies.scn\"`, without `${}`".to_owned();
                        let found = format!("`{}`", self.words(node));
                        self.report(SyntaxError::Expected { span, wanted, found, help: None });
                        return None;
                    }
                }
            }
            (None, module) => UseFrom::Module(self.names_in(module?)),
        };
        let alias = head.child(Kind::UseAlias).and_then(|a| self.name_in(a));
        let names = head.child(Kind::UseNames).map(|n| self.names_in(n)).unwrap_or_default();
        let kind = ItemKind::Use(Use { from, alias, names });
        Some(Item { doc: statement.doc.clone(), span: self.whole(statement), kind })
    }

    fn scenario_body(&mut self, statement: &Statement) -> Vec<ScenarioPart> {
        let mut body = Vec::new();
        for part in self.block(statement) {
            if self.full() {
                break;
            }
            if let Some(part) = self.scenario_part(part) {
                body.push(part);
            }
        }
        body
    }

    fn scenario_part(&mut self, statement: &Statement) -> Option<ScenarioPart> {
        match self.first_word(statement) {
            "tags" => {
                self.no_block(statement);
                let head = self.head(Kind::TagsLine, statement)?;
                Some(ScenarioPart::Tags(self.names_in(&head)))
            }
            "timeout" | "tolerance" => {
                self.no_block(statement);
                let head = self.head(Kind::SettingLine, statement)?;
                let word = head.children.first()?;
                let (name, value) = (self.name(word), self.value_in(&head)?);
                Some(ScenarioPart::Setting { name, value })
            }
            "param" => {
                self.no_block(statement);
                let head = self.head(Kind::ParamLine, statement)?;
                let mut param = self.param(head.child(Kind::Param)?)?;
                param.doc.clone_from(&statement.doc);
                param.span = self.whole(statement);
                Some(ScenarioPart::Param(param))
            }
            "let" | "pattern" => self.item(statement).map(ScenarioPart::Item),
            "topology" => {
                self.bare_head(statement);
                Some(ScenarioPart::Topology(self.topology(statement)))
            }
            "service" => self.service(statement).map(ScenarioPart::Service),
            "flow" => self.flow(statement).map(ScenarioPart::Flow),
            "timeline" => {
                self.bare_head(statement);
                Some(ScenarioPart::Timeline(self.timeline(statement)))
            }
            "expect" => {
                self.bare_head(statement);
                Some(ScenarioPart::Expect(self.expectations(statement)))
            }
            _ => {
                self.unknown_statement(statement, Place::Scenario);
                None
            }
        }
    }

    /// A head that is its keyword alone.
    fn bare_head(&mut self, statement: &Statement) {
        self.head(Kind::BareLine, statement);
    }

    /// `size: size = 1KiB`.
    fn param(&mut self, node: &Node) -> Option<ParamDecl> {
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
