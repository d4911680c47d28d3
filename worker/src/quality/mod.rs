//! Whether the data is good enough to go on: told by whoever reads batch reports, asked by lanes and publisher.
//!
//! The state is the core's [`Health`], a function of the reports in the partials topic; a restart reads them again
//! ([`watch`]), and until it has, nothing that the state could forbid is done.

mod details;
mod watch;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use plan::{OnCritical, Plan, RuleCheck};
use schemas::report::QualityReport;
use schemas::wire::BatchBody;
use stream_core::{BatchName, Health, HealthRules, Limits, LogTime, Offset, Partition, State, Tally};

use crate::status::Status;

use details::Details;
pub(crate) use watch::Watch;
pub use watch::WatchError;

/// The batches of the span: the state that follows from them, and what else they say.
struct Span {
    health: Health,
    details: Details,
}

impl Span {
    fn new(plan: &Plan) -> Self {
        Self { health: Health::new(rules(plan)), details: Details::default() }
    }

    /// Takes in the report of a batch; whether it changed anything.
    fn observe(&mut self, plan: &Plan, partition: i32, body: &BatchBody) -> bool {
        let batch = BatchName { partition: Partition(partition), first: Offset(body.first_offset) };
        let last = LogTime(body.last_log_time);
        let changed = self.health.observe(batch, last, tallies(plan, body));
        if let Some(newest) = self.health.newest().filter(|_| changed) {
            self.details.observe(batch, last, body, newest.0.saturating_sub(plan.thresholds.span_ms));
        }
        changed
    }

    fn report(&self, plan: &Plan) -> QualityReport {
        let (refusals, valueless) = (self.details.refusals(), self.details.valueless());
        QualityReport { refusals, valueless, ..words::report(plan, &self.health) }
    }
}

/// Shared by the tasks of a worker.
pub struct Quality {
    plan: Arc<Plan>,
    status: Arc<Status>,
    health: Mutex<Span>,
    /// Whether the reports of the last span have been read.
    known: AtomicBool,
    critical: AtomicBool,
}

impl Quality {
    /// Nothing known yet.
    pub fn new(plan: Arc<Plan>, status: Arc<Status>) -> Self {
        let health = Mutex::new(Span::new(&plan));
        Self { plan, status, health, known: AtomicBool::new(false), critical: AtomicBool::new(false) }
    }

    /// Takes in the report of a batch; one that is known already changes nothing.
    pub fn observe(&self, partition: i32, body: &BatchBody) {
        let mut span = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if span.observe(&self.plan, partition, body) {
            self.critical.store(span.health.state() == State::Critical, Ordering::Release);
            // Half of the past would be told as if it were all.
            if self.is_known() {
                self.status.set_quality(span.report(&self.plan));
            }
        }
    }

    /// The reports of the last span have been read.
    fn set_known(&self) {
        let span = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        self.status.set_quality(span.report(&self.plan));
        self.known.store(true, Ordering::Release);
    }

    /// The newest log time that counts.
    fn newest(&self) -> Option<LogTime> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).health.newest()
    }

    /// Whether the reports of the last span have been read.
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    /// Whether windows may be published. Tells when not.
    pub fn may_publish(&self) -> bool {
        let free = self.plan.thresholds.on_critical == OnCritical::Report;
        self.may(free, "output", "OutputHeld", "windows are not published")
    }

    /// Whether records may be read. Tells when not.
    pub fn may_read(&self) -> bool {
        let free = self.plan.thresholds.on_critical != OnCritical::Suspend;
        self.may(free, "quality", "QualitySuspended", "nothing is read until a person acts")
    }

    fn may(&self, free: bool, task: &str, reason: &str, what: &str) -> bool {
        if free {
            return true;
        }
        if !self.is_known() {
            return false;
        }
        if self.critical.load(Ordering::Acquire) {
            let why = words::doubts(&self.plan, &self.health.lock().unwrap_or_else(PoisonError::into_inner).health);
            self.status.trouble(task, reason, format!("{what}: {why}"));
            return false;
        }
        self.status.recovered(task);
        true
    }
}

/// The state of the data by these reports, each with its partition, in any order.
pub fn report(plan: &Plan, reports: &[(i32, BatchBody)]) -> QualityReport {
    let mut span = Span::new(plan);
    for (partition, body) in reports {
        span.observe(plan, *partition, body);
    }
    span.report(plan)
}

fn rules(plan: &Plan) -> HealthRules {
    let thresholds = &plan.thresholds;
    let limits = |threshold: plan::ThresholdPlan, at_least| Limits {
        warning: threshold.warning,
        critical: threshold.critical,
        at_least,
    };
    let rules = plan.rules.iter().map(|rule| match rule.check {
        // One batch says as much of itself as a thousand records do.
        RuleCheck::Volume(_) => limits(rule.threshold, 1),
        RuleCheck::Rows(_) | RuleCheck::Latency(_) | RuleCheck::Unique => {
            limits(rule.threshold, thresholds.min_records)
        }
    });
    HealthRules {
        span: thresholds.span_ms,
        ignore_before: thresholds.ignore_before_ms.map(LogTime),
        limits: std::iter::once(limits(thresholds.overall, thresholds.min_records)).chain(rules).collect(),
    }
}

/// Of the whole and of each rule. What a rule of another meaning found does not count for one of today's.
fn tallies(plan: &Plan, body: &BatchBody) -> Vec<Tally> {
    let ledger = &body.ledger;
    let whole = Tally { evaluated: ledger.records(), violations: ledger.invalid + ledger.undecodable };
    let rules = plan.rules.iter().map(|rule| {
        let found = body.rules.iter().find(|found| found.name == rule.name && found.fingerprint == rule.fingerprint);
        found.map_or_else(Tally::default, |found| Tally { evaluated: found.evaluated, violations: found.violations })
    });
    std::iter::once(whole).chain(rules).collect()
}
