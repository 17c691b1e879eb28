//! Problems with time and with what must hold: facts in, diagnostics out.

use crate::diagnostics::problem::{at, problems};
use crate::source::Span;

problems! {
    /// What can be wrong with a timeline or an expectation.
    MomentError {
        /// Events that wait for each other.
        EventCycle { chain: String, span: Span, other: Span } Error "scn::expand::event_cycle" {
            at(span, format!("events wait for each other: {chain}"), "waits for itself").also(other, "by way of this").help("give one of them a time of its own: `at 3s`")
        }
        /// A time before the start.
        BeforeStart { span: Span, by: String } Error "scn::expand::before_start" {
            at(span, format!("this is {by} before the timeline's start"), "too early")
        }
        /// An entry that the timeout cuts off.
        AfterTimeout { span: Span, instant: String, timeout: String } Warning "scn::expand::after_timeout" {
            at(span, format!("this never happens: the run is cut after {timeout}"), format!("at {instant}")).help(format!("make `timeout` longer than {instant}"))
        }
        /// A verb with the wrong operands.
        VerbForm { verb: String, form: &'static str, span: Span } Error "scn::expand::verb_form" {
            at(span, format!("`{verb}` is not said this way"), "not understood").help(format!("write `{form}`"))
        }
        /// `for D` on something that can't be undone.
        NothingToUndo { verb: String, span: Span } Error "scn::expand::nothing_to_undo" {
            at(span, format!("`{verb}` can't be undone, so it lasts for no time"), "undone when?").help("leave `for` out")
        }
        /// A signal to what knows only some.
        SignalOfNobody { signal: String, deaf: String, span: Span } Error "scn::expand::signal_of_nobody" {
            at(span, format!("nobody hears {signal}: {deaf}"), "means nothing here")
                .help("services and flows know SIGTERM (`stop`), SIGKILL (`kill`), SIGSTOP (`freeze`) and SIGCONT (`thaw`); others are for a `process`")
        }
        /// An address taken from a node that has it not.
        AddressNotThere { address: String, node: String, span: Span, label: &'static str, help: Option<String> } Error "scn::expand::address_not_there" {
            at(span, format!("`{node}` does not have {address}"), label).maybe_help(help)
        }
        /// A condition that looks at nothing.
        NothingMeasured { span: Span } Error "scn::expand::nothing_measured" {
            at(span, "this compares nothing that is measured", "known beforehand").help("compare what is measured: `steady.loss < 1%`")
        }
        /// A value that needs an interval where a moment is judged.
        NeedsMoment { who: &'static str, metric: String, span: Span } Error "scn::expand::needs_moment" {
            at(span, format!("`{who}` judges single moments, and `{metric}` is only known over an interval"), "needs an interval")
                .help(format!("use a counter or a level, such as `transactions` or `active`{}", if who == "require" { ", or leave `require` out" } else { "" }))
        }
        /// A family of metrics without the member.
        NeedsStatistic { metric: String, all: String, span: Span } Error "scn::expand::needs_statistic" {
            at(span, format!("which `{metric}`?"), "one of several").help(format!("write `{metric}.` and one of {all}"))
        }
        /// Something measured, and nothing said of it.
        NeedsMetric { thing: String, example: String, span: Span } Error "scn::expand::needs_metric" {
            at(span, format!("what of {thing}?"), "not a value").help(format!("name a metric: `{example}`"))
        }
        /// A metric of others than this.
        NotMeasured { metric: String, thing: String, reason: String, span: Span, help: Option<String> } Error "scn::expand::not_measured" {
            at(span, format!("{thing} has no `{metric}`: {reason}"), "never measured here").maybe_help(help)
        }
        /// A window in which nothing is measured.
        OutsideLife { thing: String, reason: String, span: Span, other: Span } Error "scn::expand::outside_life" {
            at(span, format!("{thing} measures nothing in this window: {reason}"), "no data").also(other, "because of this")
                .help("move the window, or start and stop the flow at other times")
        }
        /// A window without a duration.
        BackwardWindow { empty: bool, known: Option<(String, String)>, span: Span, other: Span } Error "scn::expand::backward_range" {
            let message = match known {
                _ if empty => "this window ends where it begins".to_owned(),
                Some((begin, end)) => format!("this window ends at {end}, before it begins at {begin}"),
                None => "this window ends before it begins".to_owned(),
            };
            at(span, message, "ends here").also(other, "begins here").help("let it end later than it begins")
        }
        /// A window shorter than what is looked at in it.
        ShortWindow { every: String, length: String, span: Span, help: String } Error "scn::expand::short_window" {
            at(span, format!("no whole interval of {every} fits into {length}: nothing can be judged"), format!("{length} at most")).help(help)
        }
        /// The kernel's counts before a connection ends.
        Unsampled { metric: String, flow: String, to: String, span: Span } Warning "scn::expand::few_samples" {
            at(span, format!("nothing is known of `{metric}` before {to}: `{flow}` holds its connections, and this is read when they end"), "not read in the window")
                .help("write `sample tcp_info every 100ms` in the flow")
        }
        /// A percentile of too few.
        FewSamples { metric: String, most: u64, least: u64, span: Span } Warning "scn::expand::few_samples" {
            at(span, format!("`{metric}` of at most {most} samples says no more than the largest of them"), "too few samples")
                .help(format!("let the flow make at least {least} in the window, or ask for a lower percentile"))
        }
        /// A choice by what is not known yet.
        MeasuredChoice { span: Span } Error "scn::expand::measured_choice" {
            at(span, "a measured value can't choose what is expected", "not known before the run")
                .help("join conditions with `and` and `or`: `steady.loss > 0% and steady.outage.max < 1s`")
        }
        /// An action that changes nothing.
        NoEffect { verb: String, reason: String, span: Span, other: Option<Span>, help: String } Warning "scn::expand::no_effect" {
            let shown = at(span, format!("this `{verb}` has no effect"), reason).help(help);
            match other { Some(place) => shown.also(place, "this is too late for it"), None => shown }
        }
        /// `set` of what a flow or a stress does not have.
        NothingToSet { kind: &'static str, of: String, setting: &'static str, reason: String, span: Span } Error "scn::expand::nothing_to_set" {
            at(span, format!("the {kind} `{of}` has no `{setting}` to change: {reason}"), "nothing to change")
                .help(format!("say `{setting}` in the {kind}, or change something else of it"))
        }
        /// A repetition whose number nobody knows.
        Uncountable { from: Span, to: Span } Error "scn::expand::uncountable" {
            at(to, "how often this happens is not known before the run", "counted from here").also(from, "from here")
                .help("count both from the start, or both from one event: `every 1s from failure to failure + 10s`")
        }
        /// `for` with a call, one of whose entries can't be undone then.
        UndoInCall { call: String, reason: String, span: Span, entry: Span } Error "scn::expand::undo_in_call" {
            at(span, format!("`{call}` can't be undone after this time: {reason}"), "undone when?").also(entry, "this entry of it")
                .help("say `for` with the entries of the action that need it")
        }
        /// A capture that can't be written there.
        CapturePath { path: String, reason: &'static str, span: Span } Error "scn::expand::capture_path" {
            at(span, format!("no capture can be written to `{path}`: {reason}"), "not possible").help("write a path in the run's own folder that ends in `.pcapng`: \"wan.pcapng\"")
        }
        /// A metric without its event, or with one that it does not take.
        MetricEvent { metric: String, takes: bool, span: Span } Error "scn::expand::metric_event" {
            let (message, help) = if takes {
                (format!("`{metric}` counts from an event"), format!("write `{metric}(failure)` with the event's name"))
            } else {
                (format!("`{metric}` takes no event"), format!("write `{metric}` without parentheses"))
            };
            at(span, message, "not this way").help(help)
        }
        /// A scenario that expects nothing.
        NoExpectations { name: String, span: Span } Warning "scn::expand::no_expectations" {
            at(span, format!("the scenario `{name}` expects nothing, so it passes whatever happens"), "no `expect`").help("add `expect { FLOW.failed_transactions == 0 }`")
        }
        /// The same expectation twice.
        RepeatedExpectation { span: Span, first: Span } Warning "scn::expand::repeated_expectation" {
            at(span, "this is expected twice", "again").also(first, "first here")
        }
        /// An expectation that always holds.
        CannotFail { span: Span, reason: String } Warning "scn::expand::cannot_fail" {
            at(span, "this expectation can't fail", reason)
        }
        /// Expectations of which one must fail.
        Contradiction { span: Span, other: Span } Warning "scn::expand::contradiction" {
            at(span, "this can't hold together with another expectation", "one of the two must fail").also(other, "the other one")
        }
        /// A budget that the flow is too slow to see.
        CoarseBudget { span: Span, interval: String, budget: String, least: String } Warning "scn::expand::coarse_budget" {
            at(span, format!("the flow sends every {interval}, too seldom to judge an outage of {budget}"), "coarser than a tenth of the budget")
                .help(format!("raise the flow's rate to at least {least}"))
        }
    }
}
