//! Verbs on what makes and answers traffic: `start`, `stop`, `pause`, `resume`, `set`. In: operands. Out: [`Action`]s.

use super::draft::Draft;
use super::moment_error::MomentError;
use super::targets::words;
use super::things::ThingKind;
use super::verbs::{Done, Wrong, flat};
use crate::quantity::Dimension;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::flow::Phase;
use crate::scenario::timeline::{Action, Setting, StressSetting};
use crate::scenario::{FlowId, ProcessId, ServiceId, StressId};
use crate::syntax::tree::Expr;

/// What `start` and `stop` act on.
const STARTED: &[ThingKind] = &[ThingKind::Flow, ThingKind::Service, ThingKind::Process, ThingKind::Stress];
/// What `set` changes of a flow, with its dimension and its least value in base units.
const FLOW_SETTINGS: &[(&str, Dimension, i64)] = &[
    ("rate", Dimension::Rate, 1),
    ("opens", Dimension::Rate, 1),
    ("bandwidth", Dimension::Bandwidth, 1),
    ("connections", Dimension::Count, 1),
    ("interval", Dimension::Duration, 0),
];
/// The same of a stress.
const STRESS_SETTINGS: &[(&str, Dimension, i64)] = &[("streams", Dimension::Count, 1), ("rate", Dimension::Rate, 1)];

/// Things of one sort that a sentence names, one after the other.
#[expect(clippy::large_enum_variant, reason = "one exists at a time")]
enum Named {
    Flows(Vec<FlowId>),
    Stresses(Vec<StressId>),
    /// What is done to each service or process already.
    Done(Action),
}

/// Adds things to those of the same sort that were named just before.
fn add(all: &mut Vec<Named>, kind: ThingKind, ids: &[u32]) {
    match (kind, all.last_mut()) {
        (ThingKind::Stress, Some(Named::Stresses(before))) => before.extend(ids.iter().copied().map(StressId)),
        (ThingKind::Stress, _) => all.push(Named::Stresses(ids.iter().copied().map(StressId).collect())),
        (_, Some(Named::Flows(before))) => before.extend(ids.iter().copied().map(FlowId)),
        (_, _) => all.push(Named::Flows(ids.iter().copied().map(FlowId).collect())),
    }
}

impl Draft<'_, '_> {
    pub(super) fn start_or_stop(&mut self, start: bool, what: &[&Expr], on: Option<&[&Expr]>) -> Done {
        let mut all: Vec<Named> = Vec::new();
        let mut fine = true;
        for expr in flat(what) {
            let Some(things) = self.things_in(expr, STARTED, "flow or service")? else {
                fine = false;
                continue;
            };
            match things.kind {
                ThingKind::Service => {
                    for id in things.ids.iter().copied().map(ServiceId) {
                        match self.service_nodes(id, on)? {
                            Some(nodes) if start => all.push(Named::Done(Action::StartService(id, nodes))),
                            Some(nodes) => all.push(Named::Done(Action::StopService(id, nodes))),
                            None => fine = false,
                        }
                    }
                }
                ThingKind::Process => match self.copies(things.ids.iter().copied().map(ProcessId), on)? {
                    Some(copies) if start => all.push(Named::Done(Action::StartProcess(copies))),
                    Some(copies) => all.push(Named::Done(Action::StopProcess(copies))),
                    None => fine = false,
                },
                _ if on.is_some() => return Err(Wrong::Form),
                kind => add(&mut all, kind, &things.ids),
            }
        }
        let action = |named| match named {
            Named::Flows(ids) if start => Action::Start(ids),
            Named::Flows(ids) => Action::Stop(ids),
            Named::Stresses(ids) if start => Action::StartStress(ids),
            Named::Stresses(ids) => Action::StopStress(ids),
            Named::Done(action) => action,
        };
        if fine { Ok(all.into_iter().map(action).collect()) } else { Err(Wrong::Reported) }
    }

    pub(super) fn pause_or_resume(&mut self, pause: bool, what: &[&Expr]) -> Done {
        let mut all: Vec<Named> = Vec::new();
        let mut fine = true;
        for expr in flat(what) {
            match self.things_in(expr, &[ThingKind::Flow, ThingKind::Stress], "flow or stress")? {
                Some(things) => add(&mut all, things.kind, &things.ids),
                None => fine = false,
            }
        }
        let action = |named| match named {
            Named::Flows(ids) if pause => Action::Pause(ids),
            Named::Flows(ids) => Action::Resume(ids),
            Named::Stresses(ids) if pause => Action::PauseStress(ids),
            Named::Stresses(ids) => Action::ResumeStress(ids),
            Named::Done(action) => action,
        };
        if fine { Ok(all.into_iter().map(action).collect()) } else { Err(Wrong::Reported) }
    }

    pub(super) fn set(&mut self, path: &Expr, value: &Expr, over: Option<&Expr>) -> Done {
        let parts = words(path).ok_or(Wrong::Form)?;
        let over_ns = match over {
            Some(over) => self.context.duration("`over`", over, 0, &self.scope),
            None => Some(0),
        };
        let found = self.thing_and_rest(parts, &[ThingKind::Flow, ThingKind::Stress], "flow or stress").ok_or(Wrong::Reported)?;
        let (things, rest) = found;
        let [setting] = rest else { return Err(Wrong::Form) };
        let (known, of) =
            if things.kind == ThingKind::Flow { (FLOW_SETTINGS, "`set` of a flow") } else { (STRESS_SETTINGS, "`set` of a stress") };
        let name = setting.name.text.as_str();
        let Some((name, dimension, least)) = known.iter().find(|(word, ..)| *word == name).copied() else {
            let help = suggest(name, known.iter().map(|(word, ..)| *word));
            self.context.raise(ResolveError::UnknownOption { what: of, name: name.into(), span: setting.span, help });
            return Err(Wrong::Reported);
        };
        let most = if dimension == Dimension::Duration { super::reading::DAY_NS } else { i64::MAX };
        let value = self.context.bounded(&format!("`{name}`"), value, dimension, (least, most), &self.scope);
        let (Some(value), Some(over_ns)) = (value, over_ns) else { return Err(Wrong::Reported) };
        if things.kind == ThingKind::Stress {
            let stresses: Vec<StressId> = things.ids.iter().copied().map(StressId).collect();
            let said = |id: &&StressId| self.scenario.stresses.get(id.index()).is_some_and(|stress| stress.rate_nano.is_some());
            if let Some(id) = stresses.iter().find(|id| name == "rate" && !said(id)) {
                let of = self.scenario.stresses.get(id.index()).map(|stress| stress.name.clone()).unwrap_or_default();
                let reason = "it says no `rate`".to_owned();
                self.context.raise(MomentError::NothingToSet { kind: "stress", of, setting: name, reason, span: setting.span });
                return Err(Wrong::Reported);
            }
            let setting = if name == "streams" { StressSetting::Streams(value) } else { StressSetting::RateNano(value) };
            return Ok(vec![Action::SetStress { stresses, setting, over_ns }]);
        }
        let flows: Vec<FlowId> = things.ids.iter().copied().map(FlowId).collect();
        let wrong = flows.iter().find_map(|id| Some((id, self.nothing_to_set(*id, name)?)));
        if let Some((id, reason)) = wrong {
            let flow = self.scenario.flows.get(id.index()).map(|flow| flow.name.clone()).unwrap_or_default();
            self.context.raise(MomentError::NothingToSet { kind: "flow", of: flow, setting: name, reason, span: setting.span });
            return Err(Wrong::Reported);
        }
        let setting = match name {
            "rate" => Setting::RateNano(value),
            "opens" => Setting::OpensNano(value),
            "bandwidth" => Setting::BandwidthBps(value),
            "connections" => Setting::Connections(value),
            _ => Setting::IntervalNs(value),
        };
        Ok(vec![Action::Set { flows, setting, over_ns }])
    }

    /// Why a flow has nothing that `set` could change, if so.
    fn nothing_to_set(&self, flow: FlowId, setting: &str) -> Option<String> {
        let flow = self.scenario.flows.get(flow.index())?;
        if let Some(tool) = &flow.tool {
            return Some(format!("`{}` can't be told while it runs", tool.kind.word()));
        }
        let kind = flow.transport.kind();
        match setting {
            "rate" if flow.load.rate_nano.is_none() => Some("it says no `rate`".into()),
            "opens" if flow.load.opens_nano.is_none() => Some("it says no `opens`".into()),
            "bandwidth" if flow.load.bandwidth_bps.is_none() => Some("it says no `bandwidth`".into()),
            "connections" if flow.load.phase == Phase::Random => {
                Some("each of them has a clock of its own, of its share of the rate (`phase random`)".into())
            }
            "interval" if flow.load.opens_nano.is_some() => Some("its connections are opened by the clock (`opens`)".into()),
            "connections" | "interval" if !kind.has_connections() => Some(format!("{} has no connections", kind.word())),
            _ => None,
        }
    }
}
