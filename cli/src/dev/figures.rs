//! Numbers for people: thousands apart, shares, rates, lengths of time.

use std::time::Duration;

/// `1,234,567`.
pub fn grouped(number: impl std::fmt::Display) -> String {
    let text = number.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let mut grouped = String::with_capacity(text.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

/// `0.30 %`; nothing of nothing is `-`.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.2} %", part as f64 * 100.0 / whole as f64) }
}

/// Whole things per second.
pub fn per_second(count: u64, time: Duration) -> u64 {
    if time.is_zero() { 0 } else { (count as f64 / time.as_secs_f64()).round() as u64 }
}

/// `8.4 s`, `2 min 05 s`.
pub fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 120 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// The CPU time of this process so far, all threads; none where the system does not tell.
pub fn cpu_time() -> Option<Duration> {
    /// Clock ticks per second in `/proc`, the same on every Linux.
    const TICKS: u64 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit(')').next()?;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 1_000 / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(grouped(-1234), "-1,234");
        assert_eq!((share(3, 1_000), share(0, 0)), ("0.30 %".to_owned(), "-".to_owned()));
        assert_eq!(length(Duration::from_millis(8_400)), "8.4 s");
        assert_eq!(length(Duration::from_secs(125)), "2 min 05 s");
        assert_eq!(per_second(10, Duration::from_millis(2_500)), 4);
    }
}
