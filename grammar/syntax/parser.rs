//! The only file that names pest. In: one statement's words and which rule reads them. Out: a small tree of [`Node`]s, or
//! the place where it went wrong with what could have stood there, in words for people. Knows no blocks and no files.

use std::sync::LazyLock;

use pest::Parser as _;
use pest::error::ErrorVariant;
use pest::iterators::{Pair, Pairs};
use pest::pratt_parser::{Assoc, Op, PrattParser};

use super::tree::BinaryOperator;

/// How deep an expression may be: nested operators, parentheses and calls together.
pub(super) const EXPRESSION_DEPTH: u16 = 200;

#[derive(pest_derive::Parser)]
#[grammar = "syntax/scn.pest"]
struct ScnParser;

/// A piece of a statement: bytes `start..end` of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    pub children: Vec<Node>,
    depth: u16,
}

impl Node {
    /// The first child of a kind.
    pub fn child(&self, kind: Kind) -> Option<&Node> {
        self.children.iter().find(|c| c.kind == kind)
    }

    /// The children that are expressions, in order.
    pub fn values(&self) -> impl Iterator<Item = &Node> {
        self.children.iter().filter(|c| c.kind.is_expression())
    }
}

/// Why a statement could not be read.
#[derive(Debug)]
pub(super) enum Failure {
    /// Something else should stand at this byte.
    Expected {
        at: usize,
        wanted: Vec<Wanted>,
    },
    TooDeep,
}

/// One thing that could have stood at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// In words for people: "a duration such as `200ms`".
    pub words: String,
    /// The keyword, if it is one.
    pub keyword: Option<String>,
    /// What came before was complete without it: operators, commas, further options.
    pub optional: bool,
}

/// Reads a statement by the rule of `entry`. `offset` is added to every place.
pub(super) fn parse(entry: Kind, text: &str, offset: usize) -> Result<Node, Failure> {
    let pairs = ScnParser::parse(rule_of(entry), text).map_err(|error| failure(&error, text, offset))?;
    let mut reader = Reader { offset, too_deep: false };
    let mut nodes = Vec::with_capacity(1);
    for pair in pairs {
        reader.read(pair, &mut nodes);
    }
    if reader.too_deep {
        return Err(Failure::TooDeep);
    }
    nodes.pop().ok_or(Failure::Expected { at: offset, wanted: Vec::new() })
}

/// Declares [`Kind`] beside the rules it comes from.
macro_rules! kinds {
    ($($rule:ident $kind:ident,)*) => {
        /// What a [`Node`] is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Kind { $($kind,)* Range, Not, Binary(BinaryOperator) }

        /// The kind of a rule that keeps a node of its own.
        fn kind_of(rule: Rule) -> Option<Kind> {
            match rule { $(Rule::$rule => Some(Kind::$kind),)* _ => None }
        }

        /// The rule that reads a whole statement.
        fn rule_of(kind: Kind) -> Rule {
            match kind { $(Kind::$kind => Rule::$rule,)* Kind::Range => Rule::value, Kind::Not | Kind::Binary(_) => Rule::expr }
        }
    };
}

kinds! {
    scn_line ScnLine, use_line UseLine, let_line LetLine, pattern_line PatternLine, scenario_line ScenarioLine, tags_line TagsLine,
    setting_line SettingLine, param_line ParamLine, bare_line BareLine, nodes_line NodesLine, link_line LinkLine,
    route_line RouteLine, routing_line RoutingLine, options_line OptionsLine, service_line ServiceLine, service_part ServicePart,
    flow_line FlowLine, flow_part FlowPart, step_line StepLine, repeat_line RepeatLine, timeline_line TimelineLine,
    expect_line ExpectLine, hole Hole,
    version_number Version, use_file UseFile, use_module UseModule, use_alias UseAlias, use_names UseNames, params Params,
    param Param, default Default, link_name LinkName, link_end LinkEnd, end_point EndPoint, option Option, small_word SmallWord,
    listen Listen, listen_at ListenAt, port Port, serve Serve, pattern_call PatternCall, pattern_path PatternPath,
    flow_name FlowName, flow_over FlowOver, flow_via FlowVia, target Target, target_port TargetPort, over Over,
    pattern_use PatternUse, sends Sends, sends_file SendsFile, expects Expects, echoes Echoes, pauses Pauses, closes Closes,
    resets Resets, half_closes HalfCloses, step_pause StepPause, within Within, at At, condition Condition, moment Moment,
    lasts Lasts, as_name AsName, verb Verb, operand_word OperandWord, during During, before Before, after After,
    within_after WithinAfter, stays Stays, sampled Sampled,
    kw_node NodeWord, kw_router RouterWord, kw_bridge BridgeWord, kw_client ClientWord, kw_server ServerWord,
    kw_random RandomWord, kw_any AnyWord, kw_line LineWord, kw_timeout TimeoutWord, kw_tolerance ToleranceWord,
    kw_require RequireWord, kw_note NoteWord, kw_always AlwaysWord, kw_never NeverWord,
    name Name, text Text, raw_text RawText, bytes Bytes, regex Regex, mac Mac, address6 Address6, address4 Address4,
    number Number, list List, parenthesis Parenthesis, conditional Conditional, call_or_path CallOrPath, path Path,
    indexed Indexed, index Index, all All, arguments Arguments, argument Argument, argument_name ArgumentName, negative Negative,
}

impl Kind {
    /// It is a value.
    fn is_expression(self) -> bool {
        use Kind::{
            Address4, Address6, Binary, Bytes, CallOrPath, Conditional, List, Mac, Negative, Not, Number, Parenthesis, Range, RawText,
            Regex, Text,
        };
        matches!(
            self,
            Address4
                | Address6
                | Binary(_)
                | Bytes
                | CallOrPath
                | Conditional
                | List
                | Mac
                | Negative
                | Not
                | Number
                | Parenthesis
                | Range
                | RawText
                | Regex
                | Text
        )
    }
}

/// Rules without a node of their own whose insides count.
fn is_transparent(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::duration_value
            | Rule::duration_choice
            | Rule::count_value
            | Rule::time_value
            | Rule::address_value
            | Rule::prefix_value
            | Rule::condition_value
            | Rule::sent_value
            | Rule::expected_value
            | Rule::operand_value
            | Rule::new_name
            | Rule::module_name
            | Rule::type_name
            | Rule::tag_name
            | Rule::interface_name
            | Rule::transport_name
            | Rule::event_name
            | Rule::node_name
            | Rule::option_name
            | Rule::verb_name
    )
}

/// Binding of operators, the loosest first.
static PRATT: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    PrattParser::new()
        .op(Op::infix(Rule::kw_or, Assoc::Left))
        .op(Op::infix(Rule::kw_and, Assoc::Left))
        .op(Op::prefix(Rule::kw_not))
        .op(Op::infix(Rule::equal, Assoc::Left)
            | Op::infix(Rule::not_equal, Assoc::Left)
            | Op::infix(Rule::less, Assoc::Left)
            | Op::infix(Rule::less_equal, Assoc::Left)
            | Op::infix(Rule::greater, Assoc::Left)
            | Op::infix(Rule::greater_equal, Assoc::Left)
            | Op::infix(Rule::kw_matches, Assoc::Left))
        .op(Op::infix(Rule::plus, Assoc::Left) | Op::infix(Rule::minus, Assoc::Left))
        .op(Op::infix(Rule::times, Assoc::Left) | Op::infix(Rule::divide, Assoc::Left))
        .op(Op::prefix(Rule::negative))
});

fn operator(rule: Rule) -> Option<BinaryOperator> {
    Some(match rule {
        Rule::plus => BinaryOperator::Add,
        Rule::minus => BinaryOperator::Subtract,
        Rule::times => BinaryOperator::Multiply,
        Rule::divide => BinaryOperator::Divide,
        Rule::equal => BinaryOperator::Equal,
        Rule::not_equal => BinaryOperator::NotEqual,
        Rule::less => BinaryOperator::Less,
        Rule::less_equal => BinaryOperator::LessEqual,
        Rule::greater => BinaryOperator::Greater,
        Rule::greater_equal => BinaryOperator::GreaterEqual,
        Rule::kw_and => BinaryOperator::And,
        Rule::kw_or => BinaryOperator::Or,
        Rule::kw_matches => BinaryOperator::Matches,
        _ => return None,
    })
}

/// Turns pest's pairs into nodes.
struct Reader {
    offset: usize,
    too_deep: bool,
}

impl Reader {
    /// Adds what a pair stands for: no node, one, or those of its insides.
    fn read(&mut self, pair: Pair<'_, Rule>, out: &mut Vec<Node>) {
        let rule = pair.as_rule();
        match rule {
            Rule::expr | Rule::sum => out.push(self.expression(pair)),
            Rule::value => {
                let (start, end) = self.place(&pair);
                let mut ends = Vec::with_capacity(1);
                for inner in pair.into_inner() {
                    self.read(inner, &mut ends);
                }
                if ends.len() == 2 {
                    out.push(self.node(Kind::Range, start, end, ends));
                } else {
                    out.append(&mut ends);
                }
            }
            Rule::word | Rule::name => {
                let (start, end) = self.place(&pair);
                out.push(self.node(Kind::Name, start, end, Vec::new()));
            }
            Rule::first => self.keep(Kind::Indexed, pair, out),
            _ if is_transparent(rule) => {
                for inner in pair.into_inner() {
                    self.read(inner, out);
                }
            }
            _ => {
                if let Some(kind) = kind_of(rule) {
                    self.keep(kind, pair, out);
                }
            }
        }
    }

    fn keep(&mut self, kind: Kind, pair: Pair<'_, Rule>, out: &mut Vec<Node>) {
        let (start, end) = self.place(&pair);
        let mut children = Vec::new();
        for inner in pair.into_inner() {
            self.read(inner, &mut children);
        }
        let node = self.node(kind, start, end, children);
        out.push(node);
    }

    /// Bytes of a pair without the blanks that pest lets a rule end with.
    fn place(&self, pair: &Pair<'_, Rule>) -> (usize, usize) {
        let start = self.offset + pair.as_span().start();
        (start, start + pair.as_str().trim_end().len())
    }

    fn node(&mut self, kind: Kind, start: usize, end: usize, mut children: Vec<Node>) -> Node {
        let mut depth = 1 + children.iter().map(|c| c.depth).max().unwrap_or(0);
        if depth > EXPRESSION_DEPTH {
            self.too_deep = true;
            children = Vec::new();
            depth = 1;
        }
        Node { kind, start, end, children, depth }
    }

    fn expression(&mut self, pair: Pair<'_, Rule>) -> Node {
        let (start, end) = self.place(&pair);
        let pairs = pair.into_inner();
        if let (1, Some(only)) = (pairs.len(), pairs.clone().next()) {
            let mut nodes = Vec::with_capacity(1);
            self.read(only, &mut nodes);
            return nodes.pop().unwrap_or(Node { kind: Kind::Hole, start, end, children: Vec::new(), depth: 1 });
        }
        if longest_prefix_chain(pairs.clone()) > usize::from(EXPRESSION_DEPTH) {
            self.too_deep = true;
            return Node { kind: Kind::Hole, start, end, children: Vec::new(), depth: 1 };
        }
        let offset = self.offset;
        let reader = std::cell::RefCell::new(self);
        PRATT
            .map_primary(|primary| {
                let mut nodes = Vec::with_capacity(1);
                reader.borrow_mut().read(primary, &mut nodes);
                nodes.pop().unwrap_or(Node { kind: Kind::Hole, start, end, children: Vec::new(), depth: 1 })
            })
            .map_prefix(|op, operand| {
                let kind = if op.as_rule() == Rule::kw_not { Kind::Not } else { Kind::Negative };
                let (start, end) = (offset + op.as_span().start(), operand.end);
                reader.borrow_mut().node(kind, start, end, vec![operand])
            })
            .map_infix(|left, op, right| {
                let kind = operator(op.as_rule()).map_or(Kind::Hole, Kind::Binary);
                let (start, end) = (left.start, right.end);
                reader.borrow_mut().node(kind, start, end, vec![left, right])
            })
            .parse(pairs)
    }
}

/// How many prefixes follow one another at most; each costs the Pratt parser a call.
fn longest_prefix_chain(pairs: Pairs<'_, Rule>) -> usize {
    let (mut longest, mut chain) = (0, 0);
    for pair in pairs {
        chain = if matches!(pair.as_rule(), Rule::negative | Rule::kw_not) { chain + 1 } else { 0 };
        longest = longest.max(chain);
    }
    longest
}

fn failure(error: &pest::error::Error<Rule>, text: &str, offset: usize) -> Failure {
    let at = match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    };
    let positives = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
        ErrorVariant::CustomError { .. } => &[],
    };
    // pest may stop at a blank before the word that does not fit.
    let blanks = text[at..].len() - text[at..].trim_start().len();
    let mut wanted: Vec<Wanted> = Vec::new();
    for rule in positives {
        if let Some(new) = wanted_of(*rule)
            && !wanted.contains(&new)
        {
            wanted.push(new);
        }
    }
    Failure::Expected { at: offset + at + blanks, wanted }
}

/// A rule in words for people. Rules that nobody would write on purpose have none.
fn wanted_of(rule: Rule) -> Option<Wanted> {
    let named = format!("{rule:?}");
    if let Some(word) = named.strip_prefix("kw_") {
        let optional = matches!(rule, Rule::kw_and | Rule::kw_or | Rule::kw_matches | Rule::kw_not);
        return Some(Wanted { words: format!("`{word}`"), keyword: Some(word.to_owned()), optional });
    }
    let (words, optional) = match rule {
        Rule::name | Rule::word | Rule::new_name => ("a name", false),
        Rule::module_name => ("a module's name such as `std.patterns`", false),
        Rule::type_name => ("a type: count, number, duration, size, bandwidth, rate or ratio", false),
        Rule::tag_name => ("a tag", false),
        Rule::interface_name => ("an interface's name such as `eth0`", false),
        Rule::transport_name => ("a transport such as `tcp`", false),
        Rule::event_name => ("a name for the event", false),
        Rule::node_name | Rule::end_point | Rule::link_end | Rule::indexed => ("a node's name", false),
        Rule::target => ("a node, a service or an address with a port such as `10.0.0.1:80`", false),
        Rule::flow_name => ("the flow's name", false),
        Rule::duration_value | Rule::duration_choice => ("a duration such as `200ms`", false),
        Rule::count_value => ("a count such as `3`", false),
        Rule::time_value | Rule::moment => ("a time such as `3s` or `failure + 200ms`", false),
        Rule::address_value => ("an address such as `10.0.0.1/24`", false),
        Rule::prefix_value => ("a prefix such as `10.0.0.0/24`", false),
        Rule::condition_value => ("what must hold, such as `steady.loss == 0%`", false),
        Rule::sent_value => ("what is sent: a size such as `1KiB`, a text or bytes", false),
        Rule::expected_value => ("what is expected: a size such as `1KiB`, a text, a regex such as `/^250/`, or `any`", false),
        Rule::sends | Rule::expects | Rule::echoes | Rule::pauses | Rule::closes | Rule::resets | Rule::half_closes => {
            ("what the side does: `sends`, `expects`, `echoes`, `pauses`, `closes`, `resets` or `half closes`", false)
        }
        Rule::verb | Rule::verb_name => ("what happens, such as `start`, `down` or `mark`", false),
        Rule::operand_value => ("what it acts on", true),
        Rule::operand_word => ("a word such as `from` or `to`", true),
        Rule::value | Rule::expr | Rule::sum | Rule::call_or_path | Rule::argument => ("a value", false),
        Rule::version_number => ("the language version, `1`", false),
        Rule::use_file | Rule::use_module => ("a module such as `std.patterns`, or a file such as `\"./topologies.scn\"`", false),
        Rule::option | Rule::option_name => ("an option", true),
        Rule::port => ("a port such as `5003`", false),
        Rule::listen_at => ("where to listen: `:PORT` or `ADDRESS:PORT`", false),
        Rule::listen => ("`listen`", false),
        Rule::serve => ("`serve`", false),
        Rule::pattern_call | Rule::pattern_path => ("a pattern such as `sym(1KiB)`", false),
        Rule::arrow => ("`<->` and the other end of the link", false),
        Rule::equals | Rule::default => ("`=` and a value", rule == Rule::default),
        Rule::comma => ("`,`", true),
        Rule::colon => ("`:`", true),
        Rule::dotdot => ("`..` and the range's end", true),
        Rule::open_paren => ("`(`", false),
        Rule::close_paren => ("`)`", false),
        Rule::open_bracket => ("`[`", false),
        Rule::close_bracket => ("`]`", false),
        Rule::end | Rule::EOI => ("the end of the statement", false),
        Rule::within | Rule::within_after => ("`within`", true),
        Rule::during => ("`during`", true),
        Rule::before => ("`before`", true),
        Rule::after => ("`after`", true),
        Rule::sampled => ("`sampled every`", true),
        Rule::stays => ("`and stays`", true),
        Rule::lasts => ("`for` and a duration", true),
        Rule::as_name => ("`as` and a name", true),
        Rule::use_alias => ("`as`", true),
        Rule::use_names | Rule::params | Rule::arguments => ("`(`", true),
        Rule::flow_over => ("`over`", true),
        Rule::text | Rule::raw_text => ("a text", true),
        _ => return None,
    };
    Some(Wanted { words: words.to_owned(), keyword: None, optional })
}
