//! Problems with values, topologies and traffic: facts in, diagnostics out. Names are `resolve`'s; time and expectations have their own file.

use crate::diagnostics::problem::{at, problems};
use crate::source::Span;

problems! {
    /// What can be wrong with what a scenario says.
    ExpandError {
        /// A value of another type than its place needs.
        WrongType { expected: String, found: String, span: Span, help: Option<String> } Error "scn::expand::wrong_type" {
            at(span, format!("{expected} is needed here, and this is {found}"), format!("this is {found}")).maybe_help(help)
        }
        /// A number where a count is needed.
        NotWhole { value: String, span: Span } Error "scn::expand::wrong_type" {
            at(span, format!("a count is needed here, and {value} is not whole"), format!("this is {value}"))
                .help("make it whole with `round(...)`, `floor(...)` or `ceil(...)`")
        }
        /// A parameter's value of another type than its declaration says.
        ParameterType { name: String, expected: String, found: String, span: Span, declared: Span } Error "scn::expand::parameter_type" {
            at(span, format!("`{name}` is {expected}, and this is {found}"), format!("this is {found}")).also(declared, format!("declared as {expected}"))
        }
        /// An operation that these two can't take part in.
        DimensionMismatch { verb: &'static str, left: String, right: String, operator: Span, left_span: Span, right_span: Span } Error "scn::expand::dimension_mismatch" {
            let _ = operator;
            let one_is = |words: &str| left == words || right == words;
            let help = if left == right {
                if verb == "compare" { "these compare with `==` and `!=` alone" } else { "nothing that is measured is made of these two" }
            } else if one_is("a number") && one_is("a ratio") {
                "one count over another is a number: `0.01`; a ratio is `1%`"
            } else if one_is("a count") || one_is("a number") {
                "write the unit too, as in `10ms`, `1KiB`, `50/s`, `2%`"
            } else {
                "both sides must measure the same thing"
            };
            at(left_span, format!("can't {verb} {left} and {right}"), format!("this is {left}"))
                .also(right_span, format!("this is {right}")).help(help)
        }
        /// More than 63 bits.
        Overflow { span: Span } Error "scn::expand::overflow" {
            at(span, "the result is too large to be kept", "larger than 2^63 base units")
        }
        /// Division by zero.
        DivisionByZero { span: Span } Error "scn::expand::division_by_zero" {
            at(span, "this divides by zero", "is zero")
        }
        /// A value outside what makes sense.
        OutOfRange { what: String, value: String, least: String, most: String, span: Span } Error "scn::expand::out_of_range" {
            at(span, format!("{what} can't be {value}"), format!("allowed: {least} to {most}"))
        }
        /// A range that ends before it begins.
        BackwardRange { first: String, last: String, span: Span } Error "scn::expand::backward_range" {
            at(span, format!("the range {first}..{last} ends before it begins"), "backwards").help(format!("write {last}..{first}"))
        }
        /// An expression nested too deep.
        TooDeep { span: Span, limit: usize } Error "scn::expand::too_deep" {
            at(span, format!("this is nested deeper than {limit} levels"), "too deep").help("give parts of it a name with `let`")
        }
        /// More than one run can hold.
        TooLarge { what: &'static str, count: u64, limit: u64, span: Span } Error "scn::expand::too_large" {
            at(span, format!("this makes {count} {what}"), format!("at most {limit} {what}"))
        }
        /// More problems than anybody reads.
        TooMany { span: Span, limit: usize } Error "scn::expand::too_large" {
            at(span, format!("more than {limit} errors"), "from here on not shown").help("mend the errors above first")
        }
        /// A parameter without a value.
        MissingParameter { name: String, span: Span } Error "scn::expand::missing_parameter" {
            at(span, format!("the parameter `{name}` has no value"), "no default").help(format!("set it with `-p {name}=...` or give it a default"))
        }
        /// A parameter whose text is no value.
        BadParameter { name: String, span: Span } Error "scn::expand::bad_parameter" {
            at(span, format!("the value of `-p {name}=...` is not one value of the language"), "not a value")
                .help("write it as in a scenario: `-p clients=50`, `-p budget=1.5s`, `-p greeting='\"hello\"'`")
        }
        /// A parameter whose text stands without quotes.
        UnquotedParameter { name: String, text: String, span: Span } Error "scn::expand::bad_parameter" {
            at(span, format!("nothing is called `{text}`: a text stands in quotes"), "not a value").help(format!("write `-p {name}='\"{text}\"'`"))
        }
        /// A parameter that says neither type nor default.
        UntypedParameter { name: String, span: Span } Error "scn::expand::untyped_parameter" {
            at(span, format!("`{name}` has neither a type nor a default"), "what is it?").help(format!("write `{name}: duration` or `{name} = 3s`"))
        }
        /// A pattern's parameter that got nothing.
        MissingArgument { pattern: String, name: String, span: Span, declared: Span } Error "scn::expand::missing_argument" {
            at(span, format!("`{pattern}` needs a value for `{name}`"), "not given").also(declared, "declared here, without a default")
        }
        /// More arguments than parameters.
        TooManyArguments { name: String, takes: usize, span: Span } Error "scn::expand::too_many_arguments" {
            at(span, format!("`{name}` takes {takes} argument{}", if takes == 1 { "" } else { "s" }), "one too many")
        }
        /// Fewer arguments than a function needs.
        TooFewArguments { name: String, takes: usize, span: Span } Error "scn::expand::too_few_arguments" {
            at(span, format!("`{name}` needs {takes} argument{}", if takes == 1 { "" } else { "s" }), "too few")
        }
        /// A value from outside that a matrix has not.
        NotInMatrix { name: String, all: String, span: Span, declared: Span } Error "scn::expand::not_in_matrix" {
            at(span, format!("the matrix `{name}` has no such value"), "not among its values").also(declared, "declared here")
                .help(format!("its values are {all}"))
        }
        /// A matrix that makes no variant.
        EmptyMatrix { why: String, span: Span } Error "scn::expand::empty_matrix" {
            at(span, format!("{why}: nothing of it would run"), "leaves nothing").help("give the matrix at least one value, and let `except` leave one combination")
        }
        /// A secret where people would read it.
        SecretShown { span: Span } Error "scn::expand::secret_shown" {
            at(span, "a secret can't stand here: this text is shown to people", "a secret").help("leave it out, or name what it is for")
        }
        /// A declaration that must not depend on a loop or a condition.
        NotInBlock { what: &'static str, block: &'static str, span: Span } Error "scn::expand::not_in_block" {
            at(span, format!("a `{what}` can't stand in {block}"), "not here").help(format!("put it outside of {block}"))
        }
        /// One parameter, two values.
        ArgumentTwice { name: String, span: Span, first: Span } Error "scn::expand::argument_twice" {
            at(span, format!("`{name}` gets two values"), "the second").also(first, "the first")
        }
        /// One option, said twice.
        OptionTwice { name: String, span: Span, first: Span } Error "scn::expand::option_twice" {
            at(span, format!("`{name}` is said twice"), "again").also(first, "first said here")
        }
        /// Two options that exclude each other.
        OptionConflict { message: String, span: Span, other: Span, help: String } Error "scn::expand::option_conflict" {
            at(span, message, "this").also(other, "and this").help(help)
        }
        /// An option with the wrong words after it.
        OptionForm { name: String, form: String, span: Span } Error "scn::expand::option_form" {
            at(span, format!("`{name}` is not said this way"), "not understood").help(format!("write `{form}`"))
        }
        /// A service without an address to listen on, or without an answer.
        Incomplete { what: String, missing: &'static str, span: Span, form: &'static str } Error "scn::expand::incomplete" {
            at(span, format!("{what} says nothing of what it {missing}"), "incomplete").help(format!("write `{form}`"))
        }
        /// Two listeners on one port.
        PortTwice { node: String, port: u16, span: Span, first: Span } Error "scn::expand::port_twice" {
            at(span, format!("port {port} of `{node}` is taken"), "listens there too").also(first, "listens there already")
                .help("give one of them another port, or an address of its own")
        }
        /// An address without a port.
        MissingPort { span: Span, target: String } Error "scn::expand::missing_port" {
            at(span, format!("which port of {target}?"), "no port").help(format!("write `{target}:5003`"))
        }
        /// A service with a port behind it.
        PortOfService { name: String, span: Span, declared: Span } Error "scn::expand::port_of_service" {
            at(span, format!("the service `{name}` has its own port"), "leave the port out").also(declared, "its port is said here")
        }
        /// A bridge where a host is needed.
        NotAHost { name: String, what: &'static str, span: Span, declared: Span } Error "scn::expand::not_a_host" {
            at(span, format!("`{name}` is a bridge and can't {what}"), "a bridge").also(declared, "declared here").help("use a `node` or a `router`")
        }
        /// A link that ends where it starts.
        LinkToItself { name: String, span: Span, other: Span } Error "scn::expand::link_to_itself" {
            at(span, format!("this links `{name}` to itself"), "one end").also(other, "the other end")
        }
        /// Several on both ends.
        LinkOfMany { span: Span, other: Span } Error "scn::expand::link_of_many" {
            at(span, "both ends of this link stand for several nodes", "several").also(other, "several too")
                .help("let one end be a single node or a bridge: `link client[*] <-> lan`")
        }
        /// One address for several.
        AddressOfMany { span: Span, address: Span } Error "scn::expand::address_of_many" {
            at(address, "an address can't be given to several links at once", "one address").also(span, "several links")
                .help("leave the address out: the planner gives each its own")
        }
        /// One address, two places.
        AddressTwice { address: String, span: Span, first: Span } Error "scn::expand::address_twice" {
            at(span, format!("the address {address} is used twice"), "used again").also(first, "first used here")
        }
        /// An address that no host can have.
        NotAHostAddress { address: String, what: String, span: Span, help: Option<String> } Error "scn::expand::not_a_host_address" {
            at(span, format!("{address} is {what}, not the address of a host"), what.clone()).maybe_help(help)
        }
        /// An address that nobody on its wire can reach.
        OutsideSubnet { address: String, subnet: String, span: Span, other: Span } Error "scn::expand::outside_subnet" {
            at(span, format!("{address} is outside its link's subnet {subnet}"), "another subnet")
                .also(other, format!("this says {subnet}")).help("ends of one link, and of one bridge, share a subnet")
        }
        /// IPv4 here, IPv6 there.
        MixedFamilies { span: Span, other: Span } Error "scn::expand::mixed_families" {
            at(span, "one is IPv4 and the other IPv6", "this family").also(other, "that family")
        }
        /// A name that the kernel does not take.
        InterfaceName { name: String, reason: &'static str, span: Span } Error "scn::expand::interface_name" {
            at(span, format!("`{name}` can't be an interface's name: {reason}"), "not possible")
        }
        /// One interface, two links.
        InterfaceTwice { node: String, name: String, span: Span, first: Span } Error "scn::expand::interface_twice" {
            at(span, format!("`{node}` has `{name}` on two links"), "again").also(first, "first here")
        }
        /// A regex that can't be compiled.
        BadRegex { reason: String, span: Span } Error "scn::expand::bad_regex" {
            at(span, format!("this regex does not work: {reason}"), "not a regex")
        }
        /// A hole that is filled later or never.
        CaptureBeforeUse { name: String, side: &'static str, span: Span, captured: Option<Span>, help: Option<String> } Error "scn::expand::capture_before_use" {
            let label = format!("the {side} has not captured `{name}` here");
            let shown = at(span, format!("`${{{name}}}` is used before the {side} captured it"), label).maybe_help(help);
            match captured { Some(place) => shown.also(place, "captured here"), None => shown }
        }
        /// Two sides that wait for each other.
        Deadlock { first: Span, second: Span, first_side: &'static str, second_side: &'static str } Error "scn::expand::deadlock" {
            at(first, "both ends wait for each other", format!("the {first_side} waits here"))
                .also(second, format!("the {second_side} waits here")).help("let one of them send before it waits")
        }
        /// A wait for what never comes.
        NeverSent { waits: &'static str, sends: &'static str, span: Span } Warning "scn::expand::never_sent" {
            at(span, format!("the {waits} waits for something that the {sends} never sends"), "waits in vain")
                .help(format!("say before it what the {sends} sends"))
        }
        /// A step after a side closed.
        AfterClose { side: &'static str, span: Span, closed: Span } Error "scn::expand::after_close" {
            at(span, format!("the {side} acts after the connection's end"), "too late").also(closed, "ended here")
        }
        /// A send back of nothing.
        EchoOfNothing { side: &'static str, other: &'static str, span: Span } Error "scn::expand::echo_of_nothing" {
            at(span, format!("the {side} echoes, and the {other} has sent nothing before"), "nothing to send back")
        }
        /// A pattern that moves no byte.
        NothingSent { pattern: String, span: Span } Warning "scn::expand::nothing_sent" {
            at(span, format!("`{pattern}` sends nothing"), "no step sends anything")
        }
    }
}
