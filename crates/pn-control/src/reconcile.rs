//! One change of the configuration: compile, certificates, prepare, commit. Whatever refuses, refuses all of it, and
//! everything stays as it was.

use crate::candidate::{Candidate, Finding, Severity};
use crate::follower::{Change, Follower};
use crate::history::{Entry, History};
use crate::issuing::Issuing;
use crate::status::{Reload, Status, StatusSource};
use crate::summary::{inventory, summary};
use pn_core::{
    CompileError, DataPlane, Factories, GraphPublisher, PrepareError, PrepareWarning, Prepared, RouterGraph,
    StateRegistry,
};
use pn_model::{NodePath, Runtime};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// Why the configuration is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Start,
    /// A file changed.
    Files,
    /// SIGHUP.
    Signal,
    /// The admin API, and so `proxy-now reload`.
    Api,
    Rollback,
    /// A start on broken files, from what was accepted last.
    LastGood,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Files => "files",
            Self::Signal => "signal",
            Self::Api => "api",
            Self::Rollback => "rollback",
            Self::LastGood => "last-good",
        })
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The new generation, and what it changed.
    Committed {
        generation: u64,
        summary: String,
    },
    /// It is what runs already.
    Unchanged {
        generation: u64,
    },
    Refused(Refusal),
}

/// Why a change was refused. The generation that ran before runs on.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub generation: u64,
    pub findings: Vec<Finding>,
}

impl Refusal {
    /// Of a first configuration that does not come as far as [`Control::start`](crate::Control::start); its log line is
    /// that of every refusal.
    pub fn logged_at_start(findings: Vec<Finding>) -> Self {
        let refusal = Self { generation: 0, findings };
        refusal.log(Trigger::Start);
        refusal
    }

    fn log(&self, trigger: Trigger) {
        let generation = self.generation;
        let stays = if generation == 0 { String::new() } else { format!(", generation {generation} stays") };
        tracing::error!(trigger = %trigger, generation, "configuration refused{stays}:\n{self}");
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.findings.iter().enumerate() {
            let gap = if i == 0 { "" } else { "\n" };
            write!(f, "{gap}{}", finding.rendered)?;
        }
        Ok(())
    }
}

pub(crate) struct Reconciler {
    pub(crate) publisher: GraphPublisher,
    pub(crate) factories: Factories,
    pub(crate) registry: StateRegistry,
    pub(crate) plane: Arc<dyn DataPlane>,
    pub(crate) followers: Vec<Arc<dyn Follower>>,
    pub(crate) issuing: Box<dyn Issuing>,
    pub(crate) history: History,
    pub(crate) board: StatusSource,
    /// What the process was started with; of it some cannot change.
    pub(crate) started_with: Runtime,
}

impl Reconciler {
    /// Makes the candidate the running configuration, unless it is already.
    pub(crate) fn apply(&mut self, candidate: Candidate, trigger: Trigger) -> Outcome {
        if self.runs(&candidate) {
            return self.unchanged(trigger);
        }
        self.change(candidate, trigger, None)
    }

    /// Goes back to an accepted configuration. See [`History::target`].
    pub(crate) fn roll_back(&mut self, generation: Option<u64>) -> Outcome {
        let Some(target) = self.history.target(generation) else {
            let message = match generation {
                Some(wanted) => format!("generation {wanted} is not among those that are kept"),
                None => "there is no earlier configuration".to_owned(),
            };
            return self.refuse(
                Trigger::Rollback,
                vec![nowhere(&message, "GET /api/history lists those that are kept")],
            );
        };
        self.change(target.candidate.clone(), Trigger::Rollback, Some(target.configuration))
    }

    /// Records that nothing could be read. The log is written last, so that whoever reads a line of it finds the
    /// status in step.
    pub(crate) fn refuse(&mut self, trigger: Trigger, findings: Vec<Finding>) -> Outcome {
        let refusal = Refusal { generation: self.generation(), findings };
        let now = SystemTime::now();
        let before = self.board.read();
        let count = refusal.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let summary = format!("refused: {count} {}", if count == 1 { "error" } else { "errors" });
        self.board.write(Status {
            last_failure: Some(now),
            refusals: before.refusals + 1,
            last_reload: Some(Reload {
                success: false,
                time: now,
                trigger,
                summary,
                findings: refusal.findings.clone(),
            }),
            ..Status::clone(&before)
        });
        refusal.log(trigger);
        Outcome::Refused(refusal)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.publisher.current().number()
    }

    pub(crate) fn is_rolled_back(&self) -> bool {
        self.board.read().rolled_back_to.is_some()
    }

    /// What runs.
    pub(crate) fn running(&self) -> Option<&Candidate> {
        self.history.newest().map(|entry| &entry.candidate)
    }

    fn runs(&self, candidate: &Candidate) -> bool {
        self.running().is_some_and(|now| now.content == candidate.content && now.model == candidate.model)
    }

    fn unchanged(&self, trigger: Trigger) -> Outcome {
        let generation = self.generation();
        let before = self.board.read();
        // Files are touched for all kinds of reasons. It is only news when they were refused before.
        if trigger == Trigger::Files && before.last_reload.as_ref().is_some_and(|last| last.success) {
            return Outcome::Unchanged { generation };
        }
        let now = SystemTime::now();
        let summary = "unchanged".to_owned();
        self.board.write(Status {
            last_success: Some(now),
            reloads: before.reloads + 1,
            last_reload: Some(Reload { success: true, time: now, trigger, summary, findings: Vec::new() }),
            ..Status::clone(&before)
        });
        tracing::info!(trigger = %trigger, generation, "configuration unchanged");
        Outcome::Unchanged { generation }
    }

    fn change(&mut self, candidate: Candidate, trigger: Trigger, configuration: Option<u64>) -> Outcome {
        match self.build(&candidate) {
            Ok(built) => self.commit(candidate, built, trigger, configuration),
            Err(findings) => self.refuse(trigger, findings),
        }
    }

    /// Everything that may fail. What it returns undoes itself when it is dropped.
    fn build(&mut self, candidate: &Candidate) -> Result<Built, Vec<Finding>> {
        let compiled =
            pn_core::compile(&candidate.model, &self.factories, &self.registry).map_err(|errors| {
                errors
                    .iter()
                    .map(|error| compile_finding(candidate, Severity::Error, error))
                    .collect::<Vec<_>>()
            })?;
        let mut warnings = candidate.warnings.clone();
        warnings.extend(
            compiled.warnings.iter().map(|warning| compile_finding(candidate, Severity::Warning, warning)),
        );
        let mut errors = self.issuing.ensure(&candidate.model).err().unwrap_or_default();
        let prepared = self.plane.prepare(&compiled.graph).map_err(|refused| errors.extend(refused));
        let mut changes = Vec::new();
        for follower in &self.followers {
            match follower.prepare(&compiled.graph) {
                Ok(change) => changes.push(change),
                Err(refused) => errors.extend(refused),
            }
        }
        match prepared {
            Ok(mut prepared) if errors.is_empty() => {
                add_new(&mut warnings, prepared.take_warnings(), candidate);
                Ok(Built { graph: compiled.graph, prepared, changes, warnings })
            }
            _ => {
                self.take_back_certificates();
                Err(errors.iter().map(|error| prepare_finding(candidate, error)).collect())
            }
        }
    }

    /// What was issued for a model that is refused goes again.
    fn take_back_certificates(&mut self) {
        if let Some(running) = self.history.newest() {
            self.issuing.settle(&running.candidate.model);
        }
    }

    fn commit(
        &mut self,
        candidate: Candidate,
        built: Built,
        trigger: Trigger,
        configuration: Option<u64>,
    ) -> Outcome {
        let before = self.board.read();
        let summary = match configuration {
            Some(of) => format!("back to generation {of}: {}", summary(&before.model, &candidate.model)),
            None if before.generation == 0 => inventory(&candidate.model),
            None => summary(&before.model, &candidate.model),
        };
        let generation = self.publisher.commit(built.graph, built.prepared);
        self.plane.await_serving(generation);
        built.changes.into_iter().for_each(|change| change());
        self.issuing.settle(&candidate.model);
        let now = SystemTime::now();
        let pending_restart = pending_restart(&self.started_with, &candidate.model.runtime)
            .iter()
            .map(|text| candidate.texts.finding(Severity::Warning, &NodePath::default(), text, None).message)
            .collect();
        let model = Arc::clone(&candidate.model);
        let entry = Entry {
            generation,
            time: now,
            trigger,
            summary: summary.clone(),
            candidate,
            configuration: configuration.unwrap_or(generation),
        };
        self.history.push(entry, model.runtime.history);
        let accepted =
            Reload { success: true, time: now, trigger, summary: summary.clone(), findings: Vec::new() };
        // That the last good configuration runs does not mend the files: they stay refused.
        let stand_in = trigger == Trigger::LastGood;
        self.board.write(Status {
            generation,
            model,
            warnings: built.warnings,
            last_reload: if stand_in { before.last_reload.clone() } else { Some(accepted) },
            last_success: if stand_in { before.last_success } else { Some(now) },
            last_failure: before.last_failure,
            reloads: before.reloads + 1,
            refusals: before.refusals,
            history: self.history.entries(),
            rolled_back_to: configuration,
            pending_restart,
        });
        tracing::info!(trigger = %trigger, generation, "configuration accepted: {summary}");
        for warning in &self.board.read().warnings {
            tracing::warn!(generation, "{}", warning.rendered);
        }
        Outcome::Committed { generation, summary }
    }
}

struct Built {
    graph: RouterGraph,
    prepared: Prepared,
    changes: Vec<Change>,
    warnings: Vec<Finding>,
}

fn compile_finding(candidate: &Candidate, severity: Severity, error: &CompileError) -> Finding {
    candidate.texts.finding(severity, &error.at, &error.message, error.help.as_deref())
}

fn prepare_finding(candidate: &Candidate, error: &PrepareError) -> Finding {
    candidate.texts.finding(Severity::Error, &error.at, &error.message, error.help.as_deref())
}

/// Reading and preparing look at the same certificates: what has been said of a place is not said again.
fn add_new(warnings: &mut Vec<Finding>, prepared: Vec<PrepareWarning>, candidate: &Candidate) {
    for PrepareWarning { at, message } in prepared {
        let found = candidate.texts.finding(Severity::Warning, &at, &message, None);
        if found.place.is_none() || warnings.iter().all(|known| known.place != found.place) {
            warnings.push(found);
        }
    }
}

fn nowhere(message: &str, help: &str) -> Finding {
    Finding::unplaced(Severity::Error, &NodePath::default(), message, Some(help))
}

fn pending_restart(running: &Runtime, wanted: &Runtime) -> Vec<String> {
    let mut pending = Vec::new();
    if running.workers != wanted.workers {
        pending.push(format!("runtime.workers: {} is asked for, {} run", workers(wanted), workers(running)));
    }
    if running.state_dir != wanted.state_dir {
        let shown = |runtime: &Runtime| {
            runtime
                .state_dir
                .as_ref()
                .map_or_else(|| "the default".to_owned(), |dir| dir.display().to_string())
        };
        pending.push(format!(
            "runtime.state-dir: {} is asked for, {} is in use",
            shown(wanted),
            shown(running)
        ));
    }
    pending
}

fn workers(runtime: &Runtime) -> String {
    if runtime.workers == 0 { "one a core".to_owned() } else { runtime.workers.to_string() }
}
