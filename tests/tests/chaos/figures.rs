//! How long it took to recover, by kind of fault.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Times by kind; what another fault overtook has none.
#[derive(Debug, Default)]
pub struct Figures(BTreeMap<&'static str, (usize, Vec<Duration>)>);

impl Figures {
    /// A fault struck.
    pub fn struck(&mut self, kind: &'static str) {
        self.0.entry(kind).or_default().0 += 1;
    }

    /// The fault of this kind is recovered from.
    pub fn recovered(&mut self, kind: &'static str, after: Duration) {
        self.0.entry(kind).or_default().1.push(after);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<28} {:>6} {:>9} {:>10} {:>10}", "fault", "count", "measured", "median s", "longest s")?;
        for (kind, (count, times)) in &self.0 {
            let mut seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
            seconds.sort_by(f64::total_cmp);
            let cell = |value: Option<&f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
            let (median, longest) = (cell(seconds.get(seconds.len() / 2)), cell(seconds.last()));
            writeln!(f, "{kind:<28} {count:>6} {:>9} {median:>10} {longest:>10}", seconds.len())?;
        }
        Ok(())
    }
}
