//! Problems with networks, services, flows and processes: facts in, diagnostics out.

use crate::diagnostics::problem::{at, problems};
use crate::source::Span;

problems! {
    /// What can be wrong with what a network has and what crosses it.
    NetError {
        /// A word that is none of those an option takes.
        UnknownChoice { what: String, name: String, span: Span, help: Option<String> } Error "scn::expand::unknown_choice" {
            at(span, format!("{what} can't be `{name}`"), "not one of its words").maybe_help(help)
        }
        /// An option that another transport or tool has.
        OptionOfTransport { option: String, transport: String, span: Span, said: Option<Span>, help: String } Error "scn::expand::option_of_transport" {
            let shown = at(span, format!("{transport} has no option `{option}`"), "not of this transport").help(help);
            match said { Some(place) => shown.also(place, "said here"), None => shown }
        }
        /// An option that means nothing without another.
        OptionNeeds { option: String, needs: String, span: Span, help: String } Error "scn::expand::option_needs" {
            at(span, format!("`{option}` needs {needs}"), "means nothing alone").help(help)
        }
        /// A pattern where nobody speaks one.
        NoPattern { what: String, span: Span, said: Option<Span> } Error "scn::expand::no_pattern" {
            let shown = at(span, format!("{what} takes no pattern"), "nobody speaks it").help("leave the pattern out");
            match said { Some(place) => shown.also(place, "said here"), None => shown }
        }
        /// A flow that speaks otherwise than the service it goes to.
        TransportOfService { service: String, listens: String, flow: String, span: Span, declared: Span, help: String } Error "scn::expand::transport_of_service" {
            at(span, format!("`{service}` listens with {listens}, and this flow comes over {flow}"), format!("over {flow}"))
                .also(declared, format!("listens with {listens}")).help(help)
        }
        /// A port, a service or a process where there are no ports.
        NoPort { transport: String, span: Span, help: String } Error "scn::expand::no_port" {
            at(span, format!("{transport} has no ports"), "a port").help(help)
        }
        /// A path that a file can't have.
        FilePath { path: String, reason: &'static str, span: Span } Error "scn::expand::file_path" {
            at(span, format!("`{path}` can't be the path of a file here: {reason}"), "not possible").help("write a path under the process's own folder, such as \"conf/haproxy.cfg\"")
        }
        /// Layers of a frame that do not follow each other.
        FrameLayer { layer: String, reason: String, span: Span, other: Option<Span>, help: String } Error "scn::expand::frame_layer" {
            let shown = at(span, format!("`{layer}` can't stand here: {reason}"), "this layer").help(help);
            match other { Some(place) => shown.also(place, "because of this"), None => shown }
        }
        /// One identifier, two networks.
        IdTwice { what: &'static str, id: u32, place: String, span: Span, first: Span } Error "scn::expand::id_twice" {
            at(span, format!("{place} has the {what} {id} twice"), "again").also(first, "first here").help("give one of them another identifier")
        }
        /// An interface on another node's.
        OtherNode { interface: String, node: String, span: Span, other: Span } Error "scn::expand::other_node" {
            at(other, format!("`{interface}` can't stand on an interface of another node"), format!("an interface of `{node}`"))
                .also(span, "this interface").help("name an interface of the same node after `on`")
        }
        /// Something said of what stands outside the run.
        External { what: String, reason: String, span: Span, declared: Span, help: String } Error "scn::expand::external" {
            at(span, format!("{what}: {reason}"), "not possible").also(declared, "declared here").help(help)
        }
    }
}
