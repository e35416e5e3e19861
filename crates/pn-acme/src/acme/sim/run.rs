//! Plays a machine against the simulated CA, in virtual time.

use super::super::fault::AcmeFault;
use super::super::machine::{Action, Input, Machine, Step, Time};
use super::SimCa;

/// Far above what the longest procedure takes.
const STEPS: u32 = 20_000;

/// To the end, with everything presented that the machine asks for. Requests take up to two seconds each.
pub(crate) fn run<M: Machine>(
    machine: &mut M,
    ca: &mut SimCa,
    now: &mut Time,
) -> Result<M::Output, AcmeFault> {
    present_by(machine, ca, now, |_| Ok(()))
}

/// The same with a presenter that may fail.
pub(crate) fn present_by<M: Machine>(
    machine: &mut M,
    ca: &mut SimCa,
    now: &mut Time,
    mut present: impl FnMut(&Action) -> Result<(), String>,
) -> Result<M::Output, AcmeFault> {
    let mut input = Input::Start;
    for _ in 0..STEPS {
        let action = match machine.advance(input, *now) {
            Step::Done(outcome) => return outcome,
            Step::Do(action) => action,
        };
        input = match &action {
            Action::Send(request) => {
                let answer = ca.answer(request, *now);
                *now += ca.throw(3);
                Input::Answer(answer)
            }
            Action::Wait { until } => {
                assert!(*until > *now, "a wait for what has passed");
                *now = *until;
                Input::Elapsed
            }
            Action::Present(challenges) => {
                let outcome = present(&action);
                if outcome.is_ok() {
                    ca.present(challenges);
                }
                Input::Presented(outcome)
            }
            Action::Withdraw(challenges) => {
                ca.withdraw(challenges);
                Input::Presented(Ok(()))
            }
        };
    }
    panic!("the machine does not come to an end");
}
