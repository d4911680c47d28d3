//! All consumer groups, and the waiting that their requests do.
//!
//! One lock and one bell for all of them: a development broker has a handful of members.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::codes::ErrorCode;
use super::group::{Caller, Described, Group, Join, Joined};

/// The longest a waiting request goes without looking whether the broker is being stopped.
const LOOK_UP: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Groups {
    by_name: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    groups: BTreeMap<String, Group>,
    stopped: bool,
}

impl Groups {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every waiting request returns, and every later one.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Runs `act` on a group that is up to date, and wakes whoever waits for what it changed.
    pub(super) fn with<T>(&self, name: &str, act: impl FnOnce(&mut Group, Instant) -> T) -> T {
        let mut state = self.lock();
        let now = Instant::now();
        let group = state.groups.entry(name.to_owned()).or_default();
        group.advance(now);
        let result = act(group, now);
        group.advance(now);
        self.changed.notify_all();
        result
    }

    /// The names of all groups.
    pub(super) fn names(&self) -> Vec<String> {
        self.lock().groups.keys().cloned().collect()
    }

    /// A group as it is now, if it was ever asked for.
    pub(super) fn described(&self, name: &str) -> Option<Described> {
        let mut state = self.lock();
        let group = state.groups.get_mut(name)?;
        group.advance(Instant::now());
        Some(group.described())
    }

    /// Returns when the generation that the member joins has begun, with the member's id.
    pub(super) fn join(&self, name: &str, join: Join) -> Result<(String, Joined), ErrorCode> {
        let (member, generation) = self.with(name, |group, now| {
            let generation = group.generation();
            group.join(join, now).map(|member| (member, generation))
        })?;
        let joined = self.wait(name, &member, |group| group.joined(&member, generation))?;
        Ok((member, joined))
    }

    /// Returns the member's assignment when the leader has assigned.
    pub(super) fn sync(
        &self,
        name: &str,
        caller: &Caller,
        assignments: Vec<(String, Vec<u8>)>,
    ) -> Result<Vec<u8>, ErrorCode> {
        self.with(name, |group, now| group.sync(caller, assignments, now))?;
        self.wait(name, &caller.member, |group| group.synced(caller))
    }

    fn wait<T>(
        &self,
        name: &str,
        member: &str,
        look: impl Fn(&Group) -> Result<Option<T>, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return Err(ErrorCode::CoordinatorNotAvailable);
            }
            let now = Instant::now();
            let group = state.groups.entry(name.to_owned()).or_default();
            group.advance(now);
            if let Some(result) = look(group).transpose() {
                group.answered(member, now);
                self.changed.notify_all();
                return result;
            }
            let due = group.due().map(|due| due.saturating_duration_since(now));
            let patience = due.unwrap_or(LOOK_UP).min(LOOK_UP);
            state = self
                .changed
                .wait_timeout(state, patience.max(Duration::from_millis(1)))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
