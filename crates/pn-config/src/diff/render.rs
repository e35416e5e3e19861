//! A difference for people.

use super::{Change, Diff, Fate, State, What};
use std::fmt;

/// One node a line, `+` added, `-` dropped, `~` altered, and below it what becomes of its state.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("nothing changes its meaning\n");
        }
        self.changes.iter().try_for_each(|change| change.fmt(f))?;
        let of = |what| self.changes.iter().filter(|change| change.what == what).count();
        let (added, dropped, altered) = (of(What::Added), of(What::Dropped), of(What::Altered));
        writeln!(f, "{added} added, {dropped} dropped, {altered} altered; all other state goes on")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.what {
            What::Added => '+',
            What::Dropped => '-',
            What::Altered => '~',
        };
        write!(f, "{sign} {}", self.kind)?;
        if !self.name.is_empty() {
            write!(f, " {}", self.name)?;
        }
        if !self.fields.is_empty() {
            write!(f, ": {}", self.fields.join(", "))?;
        }
        writeln!(f)?;
        self.state.iter().try_for_each(|state| writeln!(f, "    {state}"))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = match self.fate {
            Fate::Kept => "kept",
            Fate::Reset => "start anew",
            Fate::Drained => "drained, then gone",
            Fate::Restart => "waits for a restart",
        };
        write!(f, "{}: {fate}", self.of)
    }
}
