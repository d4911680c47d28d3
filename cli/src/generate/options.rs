//! What to generate: how many events, of which shares of trouble, and the windows that the truth is told for.
//!
//! Keeps true: `Default` and the flags' defaults are the same; options that pass [`Options::check`] can be generated
//! (every intended late record can be late, no ordinary one is).

use clap::Args;
use serde::Serialize;

use super::flags::{duration, instant, share};

/// 2026-11-23T06:00:00Z.
const DEFAULT_START: i64 = 1_795_413_600_000;
const MINUTE: i64 = 60_000;

/// Options that no stream can be generated from.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OptionsError {
    /// A share is no share.
    #[error("share '{name}' is {value}; allowed: 0 to 1, or 0% to 100%")]
    Share {
        /// The flag's name.
        name: &'static str,
        /// What was given.
        value: String,
    },
    /// The shares of exclusive kinds exceed the whole.
    #[error(
        "the shares of duplicates, late, invalid, future and poison are {percent} % together; allowed: at most 100 %"
    )]
    TooMuchTrouble {
        /// Their sum, in percent, rounded up.
        percent: u32,
    },
    /// A number is outside of its range.
    #[error("'{name}' is {value}; allowed: {allowed}")]
    Range {
        /// The flag's name.
        name: &'static str,
        /// What was given.
        value: i64,
        /// The range in words.
        allowed: &'static str,
    },
    /// An ordinary record could be late.
    #[error(
        "'jitter' is {jitter} ms but the watermark's delay is {delay} ms; allowed: a jitter shorter than the delay"
    )]
    JitterBeyondDelay {
        /// Given jitter.
        jitter: i64,
        /// Given delay.
        delay: i64,
    },
    /// Schema version 2 is wanted but has no id.
    #[error("'v2' is above 0 but no id of schema version 2 is known; register it or leave 'v2' at 0")]
    NoSecondSchema,
}

/// Everything that decides the stream: the same options and schema ids give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Options {
    /// Number of records, all kinds together.
    pub count: u64,
    /// Number of partitions of the topic.
    pub partitions: u32,
    /// The shape of the stream.
    pub shape: Shape,
    /// The windows of the pipeline that will read it.
    pub windows: Windows,
}

/// The shape of the stream; flags of `sluice generate` and of `sluice dev --generate`.
#[derive(Debug, Clone, PartialEq, Serialize, Args)]
#[command(next_help_heading = "Generated events")]
pub struct Shape {
    /// Seed of all chance: the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Event time of the first event
    #[arg(long, value_name = "TIME", default_value = "2026-11-23T06:00:00Z", value_parser = instant)]
    pub start: i64,
    /// Event time from the first event to the last, spread evenly over the count
    #[arg(long, value_name = "DURATION", default_value = "6h", value_parser = duration)]
    pub span: i64,
    /// Ordinary events are out of order by up to this; shorter than the watermark's delay
    #[arg(long, value_name = "DURATION", default_value = "8m", value_parser = duration)]
    pub jitter: i64,
    /// Number of accounts
    #[arg(long, default_value_t = 10_000)]
    pub accounts: u32,
    /// Skew of the accounts: 0 draws all alike, 1 is Zipf's law
    #[arg(long, default_value_t = 0.0)]
    pub skew: f64,
    /// Share of events sent again while their window is open
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = share)]
    pub duplicates: f64,
    /// Share of events whose window is closed already
    #[arg(long, value_name = "SHARE", default_value = "0.5%", value_parser = share)]
    pub late: f64,
    /// Share of events that break one of the quickstart's dead-letter rules, in turn
    #[arg(long, value_name = "SHARE", default_value = "0.3%", value_parser = share)]
    pub invalid: f64,
    /// Share of events stamped years ahead
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub future: f64,
    /// Share of records that no schema decodes
    #[arg(long, value_name = "SHARE", default_value = "0.01%", value_parser = share)]
    pub poison: f64,
    /// Share of events written with schema version 2
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub v2: f64,
    /// Share of ordinary events received later than the rule `fresh` allows (reported only)
    #[arg(long, value_name = "SHARE", default_value = "0.1%", value_parser = share)]
    pub stale: f64,
    /// Share of ordinary events of the free tier that cost something (reported only)
    #[arg(long, value_name = "SHARE", default_value = "0.1%", value_parser = share)]
    pub paid_free: f64,
    /// Share of nulls in each of plan tier, region and currency
    #[arg(long, value_name = "SHARE", default_value = "0.5%", value_parser = share)]
    pub nulls: f64,
}

/// The windows, delay and limits of the pipeline that reads the stream; the truth is told for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Args)]
#[command(next_help_heading = "Pipeline that the truth is told for")]
pub struct Windows {
    /// Size of the windows
    #[arg(long = "window", value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub size: i64,
    /// Offset of the windows from the epoch
    #[arg(long = "window-offset", value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub offset: i64,
    /// Delay of the watermark
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub delay: i64,
    /// How far an event time may be ahead of the log time
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub max_future_skew: i64,
    /// Latency that the rule `fresh` allows
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub max_latency: i64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            seed: 1,
            start: DEFAULT_START,
            span: 360 * MINUTE,
            jitter: 8 * MINUTE,
            accounts: 10_000,
            skew: 0.0,
            duplicates: 0.01,
            late: 0.005,
            invalid: 0.003,
            future: 0.0,
            poison: 0.0001,
            v2: 0.0,
            stale: 0.001,
            paid_free: 0.001,
            nulls: 0.005,
        }
    }
}

impl Default for Windows {
    /// The quickstart's.
    fn default() -> Self {
        Self { size: 5 * MINUTE, offset: 0, delay: 10 * MINUTE, max_future_skew: 5 * MINUTE, max_latency: 5 * MINUTE }
    }
}

impl Options {
    /// `count` records over `partitions`, otherwise as by default.
    pub fn new(count: u64, partitions: u32) -> Self {
        Self { count, partitions, shape: Shape::default(), windows: Windows::default() }
    }

    /// The event time that no ordinary event reaches: start and span.
    pub fn end(&self) -> i64 {
        self.shape.start.saturating_add(self.shape.span)
    }

    /// Refuses what cannot be generated.
    ///
    /// # Errors
    /// The first option that is out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        self.shape.check_shares()?;
        let Shape { span, jitter, accounts, start, .. } = self.shape;
        let numbers = [
            ("partitions", i64::from(self.partitions), (1..=100_000).contains(&self.partitions), "1 to 100000"),
            ("accounts", i64::from(accounts), (1..=1_000_000).contains(&accounts), "1 to 1000000"),
            ("window", self.windows.size, self.windows.size > 0, "longer than 0 ms"),
            ("delay", self.windows.delay, self.windows.delay >= 0, "0 ms or longer"),
            ("jitter", jitter, jitter >= 0, "0 ms or longer"),
            ("span", span, (0..=MAX_SPAN).contains(&span), "0 ms to 10000 days"),
            ("start", start, (0..MAX_START).contains(&start), "the years 1970 to 2200"),
        ];
        for (name, value, fits, allowed) in numbers {
            if !fits {
                return Err(OptionsError::Range { name, value, allowed });
            }
        }
        if jitter >= self.windows.delay.max(1) {
            return Err(OptionsError::JitterBeyondDelay { jitter, delay: self.windows.delay });
        }
        Ok(())
    }
}

const MAX_SPAN: i64 = 10_000 * 86_400_000;
const MAX_START: i64 = 7_258_118_400_000;

impl Shape {
    fn check_shares(&self) -> Result<(), OptionsError> {
        let exclusive = [
            ("duplicates", self.duplicates),
            ("late", self.late),
            ("invalid", self.invalid),
            ("future", self.future),
            ("poison", self.poison),
        ];
        let others = [("v2", self.v2), ("stale", self.stale), ("paid-free", self.paid_free), ("nulls", self.nulls)];
        for (name, value) in exclusive.into_iter().chain(others) {
            if !(0.0..=1.0).contains(&value) {
                return Err(OptionsError::Share { name, value: value.to_string() });
            }
        }
        let sum: f64 = exclusive.iter().map(|(_, value)| value).sum();
        if sum > 1.0 {
            return Err(OptionsError::TooMuchTrouble { percent: (sum * 100.0).ceil() as u32 });
        }
        if !(0.0..=10.0).contains(&self.skew) {
            return Err(OptionsError::Range { name: "skew", value: self.skew as i64, allowed: "0 to 10" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, OptionsError, Shape, Windows};
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        shape: Shape,
        #[command(flatten)]
        windows: Windows,
    }

    #[test]
    fn flags_and_default_agree() {
        let flags = Flags::try_parse_from(["generate"]).expect("all flags have defaults");
        assert_eq!(flags.shape, Shape::default());
        assert_eq!(flags.windows, Windows::default());
    }

    #[test]
    fn refuses_what_cannot_be_generated() {
        let baseline = Options::new(10, 3);
        assert_eq!(baseline.check(), Ok(()));
        let refused = |mutate: fn(&mut Options)| {
            let mut options = baseline.clone();
            mutate(&mut options);
            options.check().expect_err("the mutation is refused").to_string()
        };
        assert_eq!(refused(|o| o.shape.late = 1.5), "share 'late' is 1.5; allowed: 0 to 1, or 0% to 100%");
        assert_eq!(refused(|o| o.partitions = 0), "'partitions' is 0; allowed: 1 to 100000");
        assert_eq!(
            refused(|o| o.shape.jitter = 600_000),
            "'jitter' is 600000 ms but the watermark's delay is 600000 ms; allowed: a jitter shorter than the delay"
        );
        let greedy = |o: &mut Options| (o.shape.late, o.shape.duplicates) = (0.6, 0.6);
        let mut options = baseline.clone();
        greedy(&mut options);
        assert!(matches!(options.check(), Err(OptionsError::TooMuchTrouble { .. })));
    }
}
