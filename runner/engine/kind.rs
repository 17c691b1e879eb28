//! What sort of event an action is, for pictures and tables. In: an action. Out: a kind. Does nothing.

use scn_grammar::scenario::timeline::Action;
use scn_reports::record::EventKind;

/// The picture's word for an action.
pub(super) fn kind_of(action: &Action) -> EventKind {
    match action {
        Action::Start(_)
        | Action::StartService(..)
        | Action::StartProcess(_)
        | Action::StartStress(_)
        | Action::Resume(_)
        | Action::ResumeStress(_)
        | Action::Restart(_) => EventKind::Start,
        Action::Stop(_)
        | Action::StopService(..)
        | Action::StopProcess(_)
        | Action::StopStress(_)
        | Action::Pause(_)
        | Action::PauseStress(_) => EventKind::Stop,
        Action::Down(_)
        | Action::Silence(_)
        | Action::Impair { .. }
        | Action::Partition(_)
        | Action::Isolate(_)
        | Action::Kill(_)
        | Action::Freeze(_)
        | Action::Vanish(_) => EventKind::Fault,
        Action::Up(_) | Action::Unsilence(_) | Action::Restore(_) | Action::Heal(_) | Action::Thaw(_) => EventKind::Heal,
        Action::AddAddress { .. }
        | Action::RemoveAddress { .. }
        | Action::MoveAddress { .. }
        | Action::Route { .. }
        | Action::Set { .. }
        | Action::SetStress { .. }
        | Action::Signal { .. }
        | Action::Run { .. }
        | Action::Capture { .. } => EventKind::Change,
        Action::Mark => EventKind::Mark,
    }
}
