//! Names that clients brought: what is under way for each, and the handshakes that wait for it. Without I/O: what is
//! asked, stored and ordered is `guests`'.

use super::door::Knock;
use crate::Time;
use pn_model::IssuerName;
use pn_model::limits::{ON_DEMAND_HANDSHAKES_PER_NAME, ON_DEMAND_NAMES, ON_DEMAND_ORDERS, ON_DEMAND_PENDING};
use pn_tls::NoCertificate;
use std::collections::{BTreeMap, VecDeque};

/// Longest that permission may take, and an order: what takes longer has come to nothing.
const ASKING: u64 = 120;
const OBTAINING: u64 = 20 * 60;

#[derive(Debug, Default)]
pub(super) struct Desk {
    guests: BTreeMap<String, Guest>,
    /// Allowed, and waiting for their turn to be ordered.
    allowed: VecDeque<String>,
    /// Those that had to make room.
    evicted: Vec<String>,
    asking: usize,
    obtaining: usize,
}

#[derive(Debug)]
struct Guest {
    issuer: IssuerName,
    state: State,
    /// Whether the storage knows it: it was allowed once.
    recorded: bool,
    /// As the storage knows it.
    used: Time,
    waiting: Vec<Knock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Asking {
        since: Time,
    },
    Allowed,
    Obtaining {
        since: Time,
    },
    /// Its certificate is served, and renewed for as long as somebody comes.
    Served,
    /// Nothing is done for it before this moment, and then only when somebody comes.
    Resting {
        until: Time,
    },
}

/// What to do with a handshake that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It was answered, or waits with others.
    Nothing,
    /// It is the first: somebody must be asked.
    Ask,
    TurnedAway,
}

impl Desk {
    pub(super) fn knocked(&mut self, knock: Knock, now: Time) -> Next {
        let full = self.under_way() >= ON_DEMAND_PENDING;
        let Some(guest) = self.guests.get_mut(&knock.name) else {
            if full || !self.make_room() {
                knock.answer(Err(NoCertificate::Unavailable));
                return Next::TurnedAway;
            }
            self.asking += 1;
            self.guests.insert(knock.name.clone(), Guest::new(knock, now));
            return Next::Ask;
        };
        match guest.state {
            State::Served => knock.answer(Ok(())),
            State::Resting { until } if now < until => knock.answer(Err(NoCertificate::Unavailable)),
            State::Resting { .. } if full => {
                knock.answer(Err(NoCertificate::Unavailable));
                return Next::TurnedAway;
            }
            State::Resting { .. } => {
                self.asking += 1;
                guest.issuer = knock.rules.open.issuer.clone();
                guest.state = State::Asking { since: now };
                guest.waiting.push(knock);
                return Next::Ask;
            }
            _ => return guest.wait(knock),
        }
        Next::Nothing
    }

    /// It is allowed and recorded: its turn comes by [`Self::next`].
    pub(super) fn allowed(&mut self, name: &str, now: Time) {
        let Some(guest) = self.asked(name) else { return };
        guest.state = State::Allowed;
        (guest.recorded, guest.used) = (true, now);
        self.allowed.push_back(name.to_owned());
    }

    /// It is not, or nobody knows.
    pub(super) fn refused(&mut self, name: &str, why: NoCertificate, now: Time) {
        let Some(guest) = self.asked(name) else { return };
        guest.state = State::Resting { until: now };
        guest.answer(Err(why));
        if !guest.recorded {
            self.guests.remove(name);
        }
    }

    fn asked(&mut self, name: &str) -> Option<&mut Guest> {
        let guest = self.guests.get_mut(name)?;
        matches!(guest.state, State::Asking { .. }).then(|| self.asking -= 1)?;
        Some(guest)
    }

    /// The next one whose certificate is to be obtained, and the issuer that was found for it.
    pub(super) fn next(&mut self, now: Time) -> Option<(String, IssuerName)> {
        if self.obtaining >= ON_DEMAND_ORDERS {
            return None;
        }
        let name = self.allowed.pop_front()?;
        let guest = self.guests.get_mut(&name)?;
        guest.state = State::Obtaining { since: now };
        self.obtaining += 1;
        Some((name, guest.issuer.clone()))
    }

    /// Its certificate is published. `true`: it was waited for.
    pub(super) fn served(&mut self, name: &str) -> bool {
        let Some(guest) = self.guests.get_mut(name) else { return false };
        let first = matches!(guest.state, State::Obtaining { .. });
        self.obtaining -= usize::from(first);
        guest.state = State::Served;
        guest.answer(Ok(()));
        first
    }

    /// Nothing more is done for it before `until`. `true`: it had been under way.
    pub(super) fn rest(&mut self, name: &str, until: Time) -> bool {
        let Some(guest) = self.guests.get_mut(name) else { return false };
        let first = matches!(guest.state, State::Obtaining { .. });
        self.obtaining -= usize::from(first);
        guest.state = State::Resting { until };
        guest.answer(Err(NoCertificate::Unavailable));
        first
    }

    /// Whether anything is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way() > 0
    }

    fn under_way(&self) -> usize {
        self.asking + self.allowed.len() + self.obtaining
    }

    pub(super) fn is_obtaining(&self, name: &str) -> bool {
        self.guests.get(name).is_some_and(|guest| matches!(guest.state, State::Obtaining { .. }))
    }

    /// What the storage knows of earlier days. `false`: there are too many.
    pub(super) fn remember(&mut self, name: String, issuer: IssuerName, used: Time) -> bool {
        if self.guests.len() >= ON_DEMAND_NAMES {
            return false;
        }
        let state = State::Resting { until: 0 };
        self.guests.entry(name).or_insert(Guest { issuer, state, recorded: true, used, waiting: Vec::new() });
        true
    }

    /// Names that were allowed once, with the issuer that they came to.
    pub(super) fn recorded(&self) -> Vec<(String, IssuerName)> {
        let recorded = self.guests.iter().filter(|(_, guest)| guest.recorded);
        recorded.map(|(name, guest)| (name.clone(), guest.issuer.clone())).collect()
    }

    /// Served, or about to be.
    pub(super) fn wanted(&self) -> Vec<(String, IssuerName)> {
        let wanted = |guest: &Guest| matches!(guest.state, State::Served | State::Obtaining { .. });
        let wanted = self.guests.iter().filter(|(_, guest)| wanted(guest));
        wanted.map(|(name, guest)| (name.clone(), guest.issuer.clone())).collect()
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.rest(name, 0);
        self.guests.remove(name);
    }

    /// When each that is served was last used, as far as `last` knows more than the storage: what to write down.
    pub(super) fn news(
        &mut self,
        last: impl Fn(&str) -> Option<Time>,
        apart: u64,
    ) -> Vec<(String, IssuerName)> {
        let mut news = Vec::new();
        for (name, guest) in self.guests.iter_mut().filter(|(_, guest)| guest.state == State::Served) {
            let Some(used) = last(name).filter(|used| *used >= guest.used.saturating_add(apart)) else {
                continue;
            };
            guest.used = used;
            news.push((name.clone(), guest.issuer.clone()));
        }
        news
    }

    /// Those that nobody came for since, and that are not served.
    pub(super) fn stale(&self, before: Time) -> Vec<String> {
        let stale = |guest: &Guest| {
            guest.used < before && matches!(guest.state, State::Resting { until } if until < before)
        };
        self.guests.iter().filter(|(_, guest)| stale(guest)).map(|(name, _)| name.clone()).collect()
    }

    /// Forgets handshakes that have ended, and names of which nothing was heard any more; returns these.
    pub(super) fn tidy(&mut self, now: Time) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, guest) in &mut self.guests {
            guest.waiting.retain(|knock| !knock.is_gone());
            let late = |since: Time, most: u64| now > since.saturating_add(most);
            match guest.state {
                State::Asking { since } if late(since, ASKING) => lost.push(name.clone()),
                State::Obtaining { since } if late(since, OBTAINING) => lost.push(name.clone()),
                _ => {}
            }
        }
        for name in &lost {
            self.refused(name, NoCertificate::Unavailable, now);
            self.rest(name, now + ASKING);
        }
        lost
    }

    /// A new name takes the place of one that came to nothing, where there are too many.
    fn make_room(&mut self) -> bool {
        if self.guests.len() < ON_DEMAND_NAMES {
            return true;
        }
        let resting = self.guests.iter().filter_map(|(name, guest)| match guest.state {
            State::Resting { until } => Some((until, name.clone())),
            _ => None,
        });
        match resting.min() {
            Some((_, name)) => {
                self.guests.remove(&name);
                self.evicted.push(name);
                true
            }
            None => false,
        }
    }

    pub(super) fn evicted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.evicted)
    }
}

impl Guest {
    fn new(knock: Knock, now: Time) -> Self {
        Self {
            issuer: knock.rules.open.issuer.clone(),
            state: State::Asking { since: now },
            recorded: false,
            used: 0,
            waiting: vec![knock],
        }
    }

    fn wait(&mut self, knock: Knock) -> Next {
        if self.waiting.len() >= ON_DEMAND_HANDSHAKES_PER_NAME {
            self.waiting.retain(|knock| !knock.is_gone());
        }
        if self.waiting.len() >= ON_DEMAND_HANDSHAKES_PER_NAME {
            knock.answer(Err(NoCertificate::Unavailable));
            return Next::TurnedAway;
        }
        self.waiting.push(knock);
        Next::Nothing
    }

    fn answer(&mut self, answer: Result<(), NoCertificate>) {
        self.waiting.drain(..).for_each(|knock| knock.answer(answer));
    }
}
