//! Random logs: gaps, repeated events and ids, late, future, invalid, undecodable and filtered records, quiet stretches.
//!
//! A log follows from its seed, and a shorter one is the beginning of a longer one, so that a failing run can be made small.
//! Event times aim at what matters: window boundaries, the watermark's crossing of them, the allowed skew.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::domain::{Domain, Entry, Sale};

/// The first `count` records of a partition whose log begins at about the log time `from`.
pub fn draw(domain: &Domain, seed: u64, partition: usize, count: usize, from: i64) -> Vec<Entry> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(partition as u64));
    let mut offset = if rng.random_bool(0.7) { 0 } else { rng.random_range(0..40) };
    let mut clock = from + rng.random_range(0..domain.params.window);
    let mut log: Vec<Entry> = Vec::with_capacity(count);
    for number in 0..count {
        let params = &domain.params;
        clock += match rng.random_range(0..100) {
            0..50 => 0,
            50..88 => rng.random_range(0..=params.window / 3),
            88..97 => rng.random_range(0..=params.window),
            _ => rng.random_range(0..=params.delay + 3 * params.window),
        };
        offset += match rng.random_range(0..20) {
            0..17 => 0,
            17..19 => rng.random_range(1..4),
            _ => rng.random_range(4..20),
        };
        let sale = match rng.random_range(0..100) {
            0..4 => None,
            4..14 if !log.is_empty() => {
                let back = rng.random_range(1..=log.len().min(9));
                log[log.len() - back].sale.clone()
            }
            _ => Some(sale(domain, &mut rng, partition, number, clock)),
        };
        log.push(Entry { offset, log_time: clock, sale });
        offset += 1;
    }
    log
}

fn sale(domain: &Domain, rng: &mut ChaCha8Rng, partition: usize, number: usize, clock: i64) -> Sale {
    let at = event_time(domain, rng, clock);
    let id = match rng.random_range(0..20) {
        0 => None,
        1..6 => Some(format!("pool-{partition}-{}", rng.random_range(0..4))),
        _ => Some(format!("new-{partition}-{number}")),
    };
    let regions = [Some("eu"), Some("eu"), Some("us"), Some("us"), Some("us"), None, Some("mars")];
    let kinds = ["sale", "sale", "sale", "refund", "refund", "test"];
    let amount = match rng.random_range(0..20) {
        0 => None,
        1 => Some(rng.random_range(-500..0)),
        _ => Some(rng.random_range(0..100_000)),
    };
    let got = rng.random_bool(0.8).then(|| clock - rng.random_range(0..500));
    Sale {
        id,
        at,
        got,
        region: *regions.choose(rng).expect("not empty"),
        kind: kinds.choose(rng).expect("not empty"),
        amount,
    }
}

fn event_time(domain: &Domain, rng: &mut ChaCha8Rng, clock: i64) -> Option<i64> {
    let params = &domain.params;
    let boundary = params.boundary(clock);
    Some(match rng.random_range(0..100) {
        0..2 => return None,
        2..62 => clock - rng.random_range(0..params.window),
        62..76 => clock + rng.random_range(-params.delay - 2 * params.window..=params.max_future_skew),
        76..88 => boundary + rng.random_range(-2..=1) * params.window + rng.random_range(-1..=1),
        88..97 => boundary + rng.random_range(-2..=0) * params.window + params.delay + rng.random_range(-1..=1),
        _ => match rng.random_range(-1..=2) {
            // Far out of the calendar, on either side.
            2 if clock % 2 == 0 => i64::MIN,
            2 => i64::MAX,
            by => clock + params.max_future_skew + by,
        },
    })
}
