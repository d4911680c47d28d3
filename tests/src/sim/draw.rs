//! Random scripts: seeded, at least five faults in each, most of them about something.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::wire::pieces::LEAST;

use super::domain::KINDS;
use super::script::{Action, Script, Verb};

/// Fewest faults of a script.
pub const FEWEST_FAULTS: usize = 5;

/// In one seed of so many the meaning changes.
const CHANGES_IN: u64 = 3;
/// In two seeds of so many logs lose their beginnings, in one of them the meaning changes as well.
const LOSES_IN: u64 = 12;
/// Most losses of a run.
const MOST_LOSSES: usize = 4;

/// The script of a seed.
pub fn draw(seed: u64) -> Script {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let kind = rng.random_range(0..KINDS);
    let partitions = rng.random_range(1..=3);
    let records = rng.random_range(8..60);
    let workers = rng.random_range(1..=3);
    let cut = [0, 500, 2000, 8000][rng.random_range(0..4)];
    let length = rng.random_range(40..170);
    let finish = if rng.random_bool(0.8) { length * rng.random_range(5..10) / 10 } else { usize::MAX };
    // A run is about a few kinds of faults, or about all.
    let favoured = rng.random_bool(0.5).then(|| rng.random_range(0..u32::MAX));
    let mut actions: Vec<Action> = Vec::with_capacity(length);
    for number in 0..length {
        if number == finish {
            actions.push(Action { verb: Verb::Finish, who: 0, n: 0, m: 0 });
        }
        actions.push(action(&mut rng, favoured));
    }
    while actions.iter().filter(|action| action.verb.is_fault()).count() < FEWEST_FAULTS {
        let at = rng.random_range(0..actions.len());
        let fault = action(&mut rng, None);
        if fault.verb.is_fault() {
            actions.insert(at, fault);
        }
    }
    if seed % CHANGES_IN == 1 {
        change(&mut ChaCha8Rng::seed_from_u64(!seed), &mut actions, workers);
    }
    if [2, 4].contains(&(seed % LOSES_IN)) {
        lose(&mut ChaCha8Rng::seed_from_u64(!seed), &mut actions);
    }
    let most = if (seed / 3).is_multiple_of(3) { LEAST } else { 0 };
    Script { seed, kind, partitions, records, workers, cut, most, actions }
}

/// Logs lose their beginnings, more or less of them, from the middle of the run on.
fn lose(rng: &mut ChaCha8Rng, actions: &mut Vec<Action>) {
    for _ in 0..rng.random_range(1..=MOST_LOSSES) {
        let at = rng.random_range(actions.len() / 4..=actions.len());
        let (who, n) = (rng.random_range(0..6), rng.random_range(0..28));
        actions.insert(at, Action { verb: Verb::Trim, who, n, m: 0 });
    }
}

/// In the middle of the run the meaning changes, and the workers are started anew one after the other.
fn change(rng: &mut ChaCha8Rng, actions: &mut Vec<Action>, workers: usize) {
    let end = actions.iter().position(|action| action.verb == Verb::Finish).unwrap_or(actions.len());
    let mut at = end * rng.random_range(10..70) / 100;
    actions.insert(at, Action { verb: Verb::Revise, who: 0, n: rng.random_range(0..30), m: rng.random_range(0..2) });
    for worker in 0..workers {
        at += 1 + if worker == 0 { rng.random_range(0..6) } else { rng.random_range(0..20) };
        let (who, m) = (rng.random_range(0..6), usize::from(rng.random_bool(0.2)));
        actions.insert(at.min(actions.len()), Action { verb: Verb::Roll, who, n: 0, m });
    }
}

fn action(rng: &mut ChaCha8Rng, favoured: Option<u32>) -> Action {
    let weight = |verb: Verb| match favoured {
        Some(bits) if verb.is_fault() && bits & (1 << (verb as u32 % 32)) == 0 => 0,
        Some(_) if verb.is_fault() => verb.weight() * 2,
        _ => verb.weight(),
    };
    let total: u32 = Verb::ALL.iter().map(|verb| weight(*verb)).sum();
    let mut left = rng.random_range(0..total);
    let verb = *Verb::ALL
        .iter()
        .find(|verb| {
            let weight = weight(**verb);
            let hit = left < weight;
            left = left.saturating_sub(weight);
            hit
        })
        .expect("the weights add up");
    let n = match verb {
        Verb::Tick => [5, 20, 100, 400][rng.random_range(0..4)],
        Verb::Turn | Verb::Zombie => [1, 2, 5, 12, 100][rng.random_range(0..5)],
        Verb::Publish => [1, 4, 20, 200][rng.random_range(0..4)],
        Verb::Produce => rng.random_range(1..16),
        Verb::CrashBefore | Verb::CrashAfter | Verb::PauseAt => rng.random_range(0..24),
        Verb::CrashAmid | Verb::LoseAck | Verb::Refuse => rng.random_range(0..3),
        Verb::BrokerAway | Verb::RegistryAway | Verb::StoreAway => rng.random_range(1..12),
        _ => rng.random_range(0..28),
    };
    Action { verb, who: rng.random_range(0..6), n, m: rng.random_range(0..12) }
}
