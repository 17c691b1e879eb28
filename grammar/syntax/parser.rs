//! The only file that names pest. In: one statement's words and which rule reads them. Out: a small tree of [`Node`]s, or
//! the place where it went wrong with what could have stood there, in words for people. Knows no blocks and no files.

use std::sync::LazyLock;

use pest::Parser as _;
use pest::error::ErrorVariant;
use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};

use super::tree::BinaryOperator;

/// How deep an expression may be: nested operators, parentheses and calls together.
pub(super) const EXPRESSION_DEPTH: u16 = 200;

/// The words for what `expects` takes.
const EXPECTED: &str = "what is expected: a size such as `1KiB`, a text, a regex such as `/^250/` or `any`";
/// The words for "nothing more".
pub(super) const END: &str = "the end of the statement";

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
    /// It could stand in so many places that naming it helps nobody.
    pub minor: bool,
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
    expect_line ExpectLine, hole Hole, fn_line FnLine, secret_line SecretLine, template_line TemplateLine, needs_line NeedsLine,
    matrix_line MatrixLine, except_line ExceptLine, for_line ForLine, if_line IfLine, else_line ElseLine,
    interface_line InterfaceLine, instance_line InstanceLine, process_line ProcessLine, process_part ProcessPart,
    stress_line StressLine, branch_line BranchLine, entry_tail EntryTail,
    for_head ForHead, if_head IfHead, need Need, instance_name InstanceName, run_part RunPart, file_part FilePart,
    env_part EnvPart, ready_part ReadyPart, ready_tcp ReadyTcp, ready_udp ReadyUdp, ready_log ReadyLog, ready_run ReadyRun,
    stop_part StopPart, every Every,
    version_number Version, use_file UseFile, use_module UseModule, use_alias UseAlias, use_names UseNames, params Params,
    param Param, default Default, link_name LinkName, link_end LinkEnd, end_point EndPoint, option Option, small_word SmallWord,
    listen Listen, listen_at ListenAt, port Port, serve Serve, pattern_call PatternCall, pattern_path PatternPath,
    flow_over FlowOver, flow_via FlowVia, target Target, target_port TargetPort, over Over,
    pattern_use PatternUse, sends Sends, sends_file SendsFile, expects Expects, echoes Echoes, pauses Pauses, closes Closes,
    resets Resets, half_closes HalfCloses, step_pause StepPause, within Within, at At, condition Condition, moment Moment,
    lasts Lasts, tail_over TailOver, as_name AsName, verb Verb, operand_word OperandWord, during During, before Before, after After,
    within_after WithinAfter, stays Stays, sampled Sampled,
    kw_node NodeWord, kw_router RouterWord, kw_bridge BridgeWord, kw_external ExternalWord, kw_host HostWord,
    kw_remote RemoteWord, kw_link LinkWord, kw_vxlan VxlanWord, kw_interface InterfaceWord, kw_vlan VlanWord, kw_bond BondWord,
    kw_macvlan MacvlanWord, kw_tool ToolWord, kw_kernel KernelWord,
    kw_client ClientWord, kw_server ServerWord,
    kw_random RandomWord, kw_any AnyWord, kw_line LineWord, kw_timeout TimeoutWord, kw_tolerance ToleranceWord,
    kw_require RequireWord, kw_note NoteWord, kw_always AlwaysWord, kw_never NeverWord,
    name Name, text Text, raw_text RawText, bytes Bytes, regex Regex, mac Mac, address6 Address6, address4 Address4,
    number Number, list List, parenthesis Parenthesis, conditional Conditional, call_or_path CallOrPath, path Path,
    indexed Indexed, index Index, all All, arguments Arguments, argument Argument, argument_name ArgumentName, negative Negative,
}

impl Kind {
    /// A statement whose words a block must follow.
    pub fn has_block(self) -> bool {
        use Kind::{
            BareLine, BranchLine, ElseLine, ForLine, IfLine, PatternLine, ProcessLine, RepeatLine, ScenarioLine, ServiceLine, StressLine,
            TemplateLine,
        };
        matches!(
            self,
            BareLine
                | BranchLine
                | ElseLine
                | ForLine
                | IfLine
                | PatternLine
                | ProcessLine
                | RepeatLine
                | ScenarioLine
                | ServiceLine
                | StressLine
                | TemplateLine
        )
    }

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

/// Rules that are one word.
fn is_name(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::word
            | Rule::name
            | Rule::new_name
            | Rule::module_name
            | Rule::type_name
            | Rule::tag_name
            | Rule::interface_name
            | Rule::transport_name
            | Rule::event_name
            | Rule::option_name
            | Rule::verb_name
            | Rule::node_word
            | Rule::flow_word
            | Rule::pattern_word
            | Rule::variable_name
            | Rule::signal_name
            | Rule::needed_name
    )
}

/// Rules that are operators and operands in a row.
fn is_value(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::value
            | Rule::expr
            | Rule::duration_value
            | Rule::duration_choice
            | Rule::count_value
            | Rule::time_value
            | Rule::address_value
            | Rule::prefix_value
            | Rule::condition_value
            | Rule::sent_value
            | Rule::expected_value
            | Rule::operand_value
            | Rule::text_value
            | Rule::regex_value
            | Rule::ratio_value
            | Rule::values_value
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
            _ if is_value(rule) => {
                let node = self.value(pair);
                out.push(node);
            }
            _ if is_name(rule) => {
                let (start, end) = self.place(&pair);
                out.push(self.node(Kind::Name, start, end, Vec::new()));
            }
            Rule::first | Rule::node_name | Rule::own_name | Rule::flow_name | Rule::event_own | Rule::point_part => {
                self.keep(Kind::Indexed, pair, out);
            }
            Rule::lower_end => self.keep(Kind::LinkEnd, pair, out),
            Rule::said_text | Rule::needed_text => self.keep(Kind::Text, pair, out),
            _ => {
                if let Some(kind) = kind_of(rule) {
                    self.keep(kind, pair, out);
                }
            }
        }
    }

    /// An expression, or a range of two.
    fn value(&mut self, pair: Pair<'_, Rule>) -> Node {
        let (start, end) = self.place(&pair);
        let mut pairs: Vec<Pair<'_, Rule>> = pair.into_inner().collect();
        let dots = pairs.iter().position(|p| p.as_rule() == Rule::dotdot);
        let Some(dots) = dots else { return self.expression(pairs, start, end) };
        let upper = pairs.split_off(dots + 1);
        pairs.truncate(dots);
        let ends = vec![self.expression(pairs, start, end), self.expression(upper, start, end)];
        self.node(Kind::Range, start, end, ends)
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

    /// Operators and operands in a row, from `start` to `end`.
    fn expression(&mut self, mut pairs: Vec<Pair<'_, Rule>>, start: usize, end: usize) -> Node {
        let nothing = || Node { kind: Kind::Hole, start, end, children: Vec::new(), depth: 1 };
        pairs.retain(|p| p.as_rule() != Rule::COMMENT);
        if pairs.len() == 1
            && let Some(only) = pairs.pop()
        {
            let mut nodes = Vec::with_capacity(1);
            self.read(only, &mut nodes);
            return nodes.pop().unwrap_or_else(nothing);
        }
        if longest_prefix_chain(&pairs) > usize::from(EXPRESSION_DEPTH) {
            self.too_deep = true;
            return nothing();
        }
        let offset = self.offset;
        let reader = std::cell::RefCell::new(self);
        PRATT
            .map_primary(|primary| {
                let mut nodes = Vec::with_capacity(1);
                reader.borrow_mut().read(primary, &mut nodes);
                nodes.pop().unwrap_or_else(nothing)
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
            .parse(pairs.into_iter())
    }
}

/// How many prefixes follow one another at most; each costs the Pratt parser a call.
fn longest_prefix_chain(pairs: &[Pair<'_, Rule>]) -> usize {
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
            && !wanted.iter().any(|w| w.words == new.words)
        {
            wanted.push(new);
        }
    }
    wanted.sort_by_key(|w| w.keyword.is_some());
    Failure::Expected { at: offset + at + blanks, wanted }
}

/// A rule in words for people. Rules that nobody would write on purpose have none.
fn wanted_of(rule: Rule) -> Option<Wanted> {
    let named = format!("{rule:?}");
    if let Some(word) = named.strip_prefix("kw_") {
        if rule == Rule::kw_line {
            return None;
        }
        if rule == Rule::kw_any {
            return Some(Wanted { words: EXPECTED.to_owned(), keyword: None, minor: false });
        }
        let minor = matches!(rule, Rule::kw_and | Rule::kw_or | Rule::kw_matches | Rule::kw_not | Rule::kw_if);
        return Some(Wanted { words: format!("`{word}`"), keyword: Some(word.to_owned()), minor });
    }
    let minor = matches!(
        rule,
        Rule::open_paren | Rule::open_bracket | Rule::colon | Rule::dotdot | Rule::arguments | Rule::option | Rule::option_name
    );
    let words = role_words(rule).or_else(|| sign_words(rule))?;
    Some(Wanted { words: words.to_owned(), keyword: None, minor })
}

/// Names, values and statements in words.
fn role_words(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::name | Rule::new_name | Rule::own_name => "a name",
        Rule::module_name | Rule::use_module => "a module such as `std.patterns`",
        Rule::type_name => "a type: count, number, duration, size, bandwidth, rate or ratio",
        Rule::tag_name => "a tag",
        Rule::interface_name => "an interface's name such as `eth0`",
        Rule::transport_name => "a transport such as `tcp`",
        Rule::event_name | Rule::event_own => "a name for the event",
        Rule::node_name | Rule::node_word | Rule::end_point | Rule::link_end | Rule::lower_end => "a node's name",
        Rule::variable_name => "an environment variable's name such as `LANG`",
        Rule::signal_name => "a signal such as `SIGTERM`",
        Rule::needed_name | Rule::needed_text => "a tool's or a kernel feature's name",
        Rule::target => "a node, a service or an address with a port such as `10.0.0.1:80`",
        Rule::flow_name | Rule::flow_word => "the flow's name",
        Rule::duration_value | Rule::duration_choice => "a duration such as `200ms`",
        Rule::count_value => "a count such as `3`",
        Rule::time_value | Rule::moment => "a time such as `3s` or `failure + 200ms`",
        Rule::address_value => "an address such as `10.0.0.1/24`",
        Rule::prefix_value => "a prefix such as `10.0.0.0/24`",
        Rule::condition_value => "what must hold, such as `steady.loss == 0%`",
        Rule::sent_value => "what is sent: a size such as `1KiB`, a text or bytes",
        Rule::expected_value => EXPECTED,
        Rule::text_value => "a text such as `\"...\"`",
        Rule::regex_value => "a regex such as `/listening/`",
        Rule::ratio_value => "a share such as `70%`",
        Rule::values_value => "a range such as `1..3` or a list",
        Rule::need => "`tool` or `kernel` and a name",
        Rule::verb | Rule::verb_name => "what happens (`start`, `down`, `mark`)",
        Rule::operand_value => "what it acts on",
        Rule::operand_word => "`from`, `to`, `on`",
        Rule::value
        | Rule::expr
        | Rule::argument
        | Rule::call_or_path
        | Rule::path
        | Rule::first
        | Rule::word
        | Rule::text
        | Rule::raw_text
        | Rule::number
        | Rule::no_value
        | Rule::no_name
        | Rule::hole
        | Rule::list => "a value",
        Rule::version_number => "the language version, `1`",
        Rule::use_file => "a file such as `\"./topologies.scn\"`",
        Rule::option | Rule::option_name => "an option",
        Rule::port => "a port such as `5003`",
        Rule::listen_at => "where to listen: `:PORT` or `ADDRESS:PORT`",
        Rule::pattern_call | Rule::pattern_path | Rule::pattern_word => "a pattern such as `sym(1KiB)`",
        Rule::said_text => "a text for people",
        Rule::expect_line => "what must hold, such as `steady.loss == 0%`",
        Rule::timeline_line => "when something happens: `at 3s`, `failure + 200ms` or `when` and a condition",
        Rule::flow_part | Rule::service_part | Rule::options_line | Rule::process_part => "an option",
        _ => return None,
    })
}

/// Signs in words.
fn sign_words(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::arrow => "`<->` and the other end of the link",
        Rule::equals | Rule::default => "`=` and a value",
        Rule::comma => "`,`",
        Rule::colon => "`:`",
        Rule::dotdot => "`..`",
        Rule::open_paren | Rule::params | Rule::arguments => "`(`",
        Rule::use_names => "names in parentheses",
        Rule::close_paren => "`)`",
        Rule::open_bracket => "`[`",
        Rule::close_bracket => "`]`",
        Rule::end | Rule::EOI => END,
        Rule::hole_end => "`}`",
        _ => return None,
    })
}
