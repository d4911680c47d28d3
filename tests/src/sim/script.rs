//! What happens in a run, as lines that a person reads: who does what, and what goes wrong when.
//!
//! An action means something only in the world that it meets (numbers are taken modulo what there is), so any list of actions
//! is a run, and a failing one can be made small by leaving actions out.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};

macro_rules! verbs {
    ($($(#[doc = $doc:literal])* $verb:ident $name:literal $weight:literal $fault:literal;)*) => {
        /// The kinds of actions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Verb { $($(#[doc = $doc])* $verb,)* }

        impl Verb {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$verb,)*];

            /// Its name in a script.
            pub fn name(self) -> &'static str {
                match self { $(Self::$verb => $name,)* }
            }

            /// How often it is drawn, relative to the others.
            pub fn weight(self) -> u32 {
                match self { $(Self::$verb => $weight,)* }
            }

            /// Whether it is something that goes wrong.
            pub fn is_fault(self) -> bool {
                match self { $(Self::$verb => $fault,)* }
            }
        }
    };
}

verbs! {
    /// Partition `who` gets its next `n` records.
    Produce "produce" 14 false;
    /// `n` tenths of a second pass.
    Tick "tick" 10 false;
    /// Worker `who` takes a turn, reading at most `n` records of each partition.
    Turn "turn" 34 false;
    /// Worker `who`'s publisher takes in `n` messages of each output and writes what is complete; `m` odd: commits.
    Publish "publish" 14 false;
    /// `n` of what worker `who` sent to each output arrive.
    Deliver "deliver" 6 false;
    /// The group deals the partitions anew; `m` odd: who loses one is not asked in time.
    Rebalance "rebalance" 3 true;
    /// Worker `who` dies.
    Kill "kill" 2 true;
    /// Worker `who` is started.
    Start "start" 8 false;
    /// Worker `who` is asked to end, and ends.
    Stop "stop" 1 true;
    /// Worker `who` dies before its `n`th effect from now.
    CrashBefore "crash-before" 3 true;
    /// Worker `who` dies after its `n`th effect from now.
    CrashAfter "crash-after" 3 true;
    /// Worker `who` dies in its `n`th flush from now, `m` records having arrived.
    CrashAmid "crash-amid" 2 true;
    /// Worker `who` stands still at its `n`th effect from now, while `m` other things happen.
    PauseAt "pause-at" 3 true;
    /// Worker `who`'s session ends: its partitions go to the others, and it does not know.
    Expire "expire" 3 true;
    /// A worker that lost its place, or its successor came, goes on with what it thinks it has.
    Zombie "zombie" 8 true;
    /// Such a worker hears of it.
    Learn "learn" 2 false;
    /// Worker `who`'s `n`th commit from now is made and reported as failed.
    LoseAck "lose-ack" 2 true;
    /// Worker `who`'s `n`th commit from now is refused, for the group is being dealt anew.
    Refuse "refuse" 2 true;
    /// `n` records that the dead had sent arrive.
    Stray "stray" 4 true;
    /// A message of output `who` arrives a second time, the `n`th last.
    Duplicate "duplicate" 2 true;
    /// The broker is away while `n` things happen.
    BrokerAway "broker-away" 2 true;
    /// The registry is away while `n` things happen.
    RegistryAway "registry-away" 1 true;
    /// The store cannot be written to while `n` things happen.
    StoreAway "store-away" 2 true;
    /// Worker `who`'s volume is lost.
    LoseVolume "lose-volume" 1 true;
    /// Worker `who`'s volume becomes an earlier copy of itself, the `n`th last.
    StaleVolume "stale-volume" 2 true;
    /// The `n`th file of worker `who`'s volume is cut short.
    TearVolume "tear-volume" 1 true;
    /// A byte of the `n`th file of worker `who`'s volume is another.
    SpoilVolume "spoil-volume" 1 true;
    /// The volume that holds the tables is lost, with the worker that has it.
    LoseTables "lose-tables" 1 true;
    /// The source topic gets one more partition, and the partitions are dealt by `who`.
    Grow "grow" 1 true;
    /// The pipeline's meaning becomes another one, the `n`th, from the first window on behind everything that is known; `m` odd: where
    /// the windows of both begin. Only the first time.
    Revise "revise" 0 false;
    /// The `who`th worker that does not know of it is started anew with the new meaning; `m` odd: without having been asked to end.
    Roll "roll" 0 false;
    /// No more records will come: workers are started anew, to read to the end and drain.
    Finish "finish" 0 false;
    /// The log of partition `who` loses its beginning: of what is there, so many twenty-eighths and one more as `n` says.
    Trim "trim" 0 true;
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub verb: Verb,
    /// To whom.
    pub who: usize,
    /// How much.
    pub n: usize,
    /// And more.
    pub m: usize,
}

/// A run: the world it begins with, and everything that happens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Decides the log.
    pub seed: u64,
    /// Which pipeline.
    pub kind: usize,
    /// Source partitions.
    pub partitions: usize,
    /// Records of each.
    pub records: usize,
    /// Worker slots.
    pub workers: usize,
    /// Virtual milliseconds between cuts.
    pub cut: u64,
    /// Most bytes of a message of the partials topic; 0: any.
    pub most: usize,
    /// What happens, in order.
    pub actions: Vec<Action>,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.verb.name(), self.who, self.n, self.m)
    }
}

impl FromStr for Action {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        ensure!(words.len() == 4, "'{line}' is no action, expected a verb and three numbers");
        let verb = Verb::ALL.iter().find(|verb| verb.name() == words[0]);
        let verb = *verb.with_context(|| format!("there is no verb '{}'", words[0]))?;
        let [who, n, m] = [words[1], words[2], words[3]].map(str::parse);
        Ok(Self { verb, who: who?, n: n?, m: m? })
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, kind, partitions, records, workers, cut, most, actions } = self;
        writeln!(f, "seed {seed}\nkind {kind}\npartitions {partitions}\nrecords {records}")?;
        writeln!(f, "workers {workers}\ncut {cut}\nmost {most}")?;
        actions.iter().try_for_each(|action| writeln!(f, "{action}"))
    }
}

impl FromStr for Script {
    type Err = anyhow::Error;

    /// Lines that begin with `#`, and what follows a `#`, are for people.
    fn from_str(text: &str) -> Result<Self> {
        let mut script =
            Self { seed: 0, kind: 0, partitions: 1, records: 0, workers: 1, cut: 0, most: 0, actions: Vec::new() };
        for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [] => {}
                ["seed", value] => script.seed = value.parse()?,
                ["kind", value] => script.kind = value.parse()?,
                ["partitions", value] => script.partitions = value.parse()?,
                ["records", value] => script.records = value.parse()?,
                ["workers", value] => script.workers = value.parse()?,
                ["cut", value] => script.cut = value.parse()?,
                ["most", value] => script.most = value.parse()?,
                [_, _, _, _] => script.actions.push(line.parse()?),
                _ => bail!("'{line}' is neither a setting nor an action"),
            }
        }
        Ok(script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_comes_back_from_its_text() {
        let actions = Verb::ALL.iter().map(|verb| Action { verb: *verb, who: 1, n: 2, m: 3 }).collect();
        let script = Script { seed: 7, kind: 1, partitions: 2, records: 9, workers: 3, cut: 500, most: 512, actions };
        let text = script.to_string();
        assert_eq!(text.parse::<Script>().expect("parses"), script);
        assert!("leap 1 2 3".parse::<Script>().is_err());
    }
}
