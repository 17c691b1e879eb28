//! Problems with names: not there, there twice, of the wrong kind. In: facts. Out: diagnostics.

use crate::diagnostics::problem::{at, problems};
use crate::source::Span;

problems! {
    /// What can be wrong with a name.
    ResolveError {
        /// A name that nothing in scope has.
        UnknownName { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_name" {
            at(span, format!("nothing is called `{name}` here"), "not known").maybe_help(help)
        }
        /// A function that the language does not have.
        UnknownFunction { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_function" {
            at(span, format!("no function is called `{name}`"), "not known").maybe_help(help)
        }
        /// A node that the topology does not have.
        UnknownNode { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_node" {
            at(span, format!("no node is called `{name}`"), "no such node in the topology").maybe_help(help)
        }
        /// A fault on something that is not there.
        UnknownTarget { what: String, name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_target" {
            at(span, format!("no {what} is called `{name}`"), "not in the scenario").maybe_help(help)
        }
        /// An interface that its node does not have.
        UnknownInterface { node: String, name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_interface" {
            at(span, format!("`{node}` has no interface `{name}`"), "no link ends here").maybe_help(help)
        }
        /// A flow that is not declared.
        UnknownFlow { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_flow" {
            at(span, format!("no flow is called `{name}`"), "not declared in this scenario").maybe_help(help)
        }
        /// Neither a flow nor a service, nor anything else that can be started.
        UnknownStartable { what: String, name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_startable" {
            at(span, format!("no {what} is called `{name}`"), "not declared in this scenario").maybe_help(help)
        }
        /// Nothing that a flow can go to.
        UnknownDestination { what: String, name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_destination" {
            at(span, format!("no {what} is called `{name}`"), "a flow goes to a node, a service or an address with a port").maybe_help(help)
        }
        /// A thing of another kind than its place needs.
        WrongKind { name: String, is: &'static str, wanted: String, span: Span, declared: Span } Error "scn::resolve::wrong_kind" {
            at(span, format!("`{name}` is {is}, and {wanted} is needed here"), format!("this is {is}")).also(declared, "declared here")
        }
        /// A pattern that is neither declared nor imported.
        UnknownPattern { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_pattern" {
            at(span, format!("no pattern is called `{name}`"), "neither declared nor imported").maybe_help(help)
        }
        /// An event that no entry makes.
        UnknownEvent { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_event" {
            at(span, format!("no entry of the timeline makes the event `{name}`"), "not an event")
                .help("name an entry of the timeline with `as`, or make the event with `mark`").maybe_help(help)
        }
        /// A metric that such a thing does not have.
        UnknownMetric { of: &'static str, name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_metric" {
            at(span, format!("{of} has no metric `{name}`"), "not a metric").maybe_help(help)
        }
        /// A module that does not exist.
        UnknownModule { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_module" {
            at(span, format!("no module is called `{name}`"), "not part of the standard library").maybe_help(help)
        }
        /// A module of the standard library that the file does not use.
        NotImported { name: String, span: Span } Error "scn::resolve::not_imported" {
            at(span, format!("the module `{name}` is not in use here"), "not in use").help(format!("add `use {name}` at the top of the file"))
        }
        /// A name that a module does not have.
        UnknownImport { module: String, name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_import" {
            at(span, format!("`{module}` declares nothing called `{name}`"), "not in that module").maybe_help(help)
        }
        /// `-p` for a parameter that no scenario has.
        UnknownParameter { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_parameter" {
            at(span, format!("no scenario of this file has a parameter `{name}`"), "not a parameter").maybe_help(help)
        }
        /// An argument that the pattern does not take.
        UnknownArgument { pattern: String, name: String, span: Span, declared: Span, help: Option<String> } Error "scn::resolve::unknown_argument" {
            at(span, format!("`{pattern}` has no parameter `{name}`"), "not a parameter").also(declared, "declared here").maybe_help(help)
        }
        /// An option that the language does not have.
        UnknownOption { what: &'static str, name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_option" {
            at(span, format!("{what} has no option `{name}`"), "not an option").maybe_help(help)
        }
        /// A verb that the timeline does not have.
        UnknownVerb { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_verb" {
            at(span, format!("the timeline has no verb `{name}`"), "not a verb").maybe_help(help)
        }
        /// A type that does not exist.
        UnknownType { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_type" {
            at(span, format!("no type is called `{name}`"), "not a type").maybe_help(help)
        }
        /// A transport that does not exist.
        UnknownTransport { name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_transport" {
            at(span, format!("no transport is called `{name}`"), "not a transport").maybe_help(help)
        }
        /// A name that was taken.
        Redefined { name: String, span: Span, first: Span } Error "scn::resolve::redefined" {
            at(span, format!("`{name}` is defined twice"), "defined again here")
                .also(first, "first defined here").help("give one of them another name: nothing is redefined or shadowed")
        }
        /// A name without an index in a loop.
        RepeatedInLoop { name: String, span: Span, index: String } Error "scn::resolve::redefined" {
            at(span, format!("`{name}` is defined in each round of the loop"), "the same name again").help(format!("write `{name}[{index}]`: each round declares its own"))
        }
        /// A name of another kind.
        NotAValue { name: String, what: &'static str, span: Span, declared: Span } Error "scn::resolve::not_a_value" {
            at(span, format!("`{name}` is {what}, not a value"), "a value is needed here").also(declared, "declared here")
        }
        /// A name that its file keeps to itself.
        Private { name: String, span: Span, declared: Span } Error "scn::resolve::private_name" {
            at(span, format!("`{name}` is private to its file"), "can't be imported").also(declared, "declared here")
                .help("names that start with `_` are private; take the `_` away to share it")
        }
        /// Files that use each other.
        ImportCycle { chain: String, span: Span } Error "scn::resolve::import_cycle" {
            at(span, format!("files use each other in a circle: {chain}"), "this closes the circle")
                .help("move what both need into a third file")
        }
        /// A file that could not be read.
        UnreadableFile { name: String, reason: String, span: Span } Error "scn::resolve::unreadable_file" {
            at(span, format!("can't read `{name}`: {reason}"), "used here").help("the path counts from the folder of the file that uses it")
        }
        /// A module of a dependency that could not be had.
        UnreadableModule { name: String, reason: String, span: Span } Error "scn::resolve::unreadable_module" {
            at(span, format!("can't use `{name}`: {reason}"), "used here")
                .help("modules that are not of `std` come from the project's own library or a dependency that `scn.toml` names")
        }
        /// A function's name that the language has itself.
        OfTheLanguage { name: String, span: Span } Error "scn::resolve::of_the_language" {
            at(span, format!("`{name}` is a function of the language"), "taken").help("give it another name: nothing is redefined or shadowed")
        }
        /// A function or template that comes back to itself.
        CallCycle { what: &'static str, chain: String, span: Span, declared: Span } Error "scn::resolve::call_cycle" {
            at(span, format!("{what} that uses itself never ends: {chain}"), "this closes the circle").also(declared, "declared here")
                .help("nothing is called from within itself; say with `for` how often something is repeated")
        }
        /// A template that is neither declared nor imported.
        UnknownTemplate { what: &'static str, name: String, span: Span, help: Option<String> } Error "scn::resolve::unknown_template" {
            at(span, format!("no {what} is called `{name}`"), "neither declared nor imported").maybe_help(help)
        }
        /// A declaration of one kind where another is used.
        WrongDeclaration { name: String, is: &'static str, wanted: String, span: Span, declared: Span } Error "scn::resolve::wrong_declaration" {
            at(span, format!("`{name}` is {is}, and {wanted} is needed here"), format!("this is {is}")).also(declared, "declared here")
        }
        /// A name without the index it needs.
        NeedsIndex { name: String, span: Span, first: i64, last: i64 } Error "scn::resolve::needs_index" {
            at(span, format!("`{name}` stands for several, `{name}[{first}]` to `{name}[{last}]`"), "which of them?")
                .help(format!("write `{name}[{first}]` for one or `{name}[*]` for all of them"))
        }
        /// An index on something that has none.
        NotReplicated { name: String, span: Span, declared: Span } Error "scn::resolve::not_replicated" {
            at(span, format!("`{name}` is only one and takes no index"), "no index here").also(declared, "declared here")
        }
        /// An index outside what was declared.
        IndexOutOfRange { name: String, index: i64, there: String, span: Span, declared: Span } Error "scn::resolve::index_out_of_range" {
            at(span, format!("there is no `{name}[{index}]`"), there).also(declared, "declared here")
        }
        /// Several where only one can stand.
        OnlyOne { name: String, span: Span } Error "scn::resolve::only_one" {
            at(span, format!("only one can stand here, and `{name}` are several"), "several").help("write one index, as in `client[1]`")
        }
    }
}
