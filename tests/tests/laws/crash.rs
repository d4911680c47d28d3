//! L3: wherever an owner dies, the next one says from the commit on exactly what would have been said.
//!
//! An owner reads, commits, decrees, takes checkpoints and dies at random; the next one has the same volume or another, on which
//! old checkpoints lie. What is sent after a commit and before a death comes again, so everything that any owner says is compared
//! with what an undisturbed lane says at that place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseResult, TestRunner};
use stream_core::{
    Decree, Emissions, EventTime, Lane, LaneState, Offset, Point, Program, Progress, Window, WindowContent,
};
use tests::model::History;
use tests::worlds::{Cutting, Drive, Run, Said, arb_cutting, arb_run, point_at};

use crate::{cases, unexpected};

/// What happens to the owner of the partition.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// It reads a fetch, or decrees where a decree is due.
    Work,
    /// It commits, unless it is replaying.
    Commit,
    /// It takes a checkpoint.
    Save,
    /// It dies, and another one takes over, with one of two volumes.
    Die(usize),
}

/// What an undisturbed lane says, and what it would commit at each (position, number of decrees made).
struct Truth {
    said: Said,
    progress: BTreeMap<(i64, usize), (Progress, Place)>,
    /// The decrees as they were made.
    decrees: Vec<Decree>,
}

/// How many items and how many dead letters have been said.
type Place = (usize, usize);

/// A commit, and what is known of it: the decrees made, and what had been said.
#[derive(Clone)]
struct Commit {
    progress: Progress,
    decrees: usize,
    place: Place,
}

struct Owner<'a> {
    run: &'a Run,
    truth: &'a Truth,
    drive: Drive<'a>,
    /// Whether it has looked at the log since it took over.
    looked: bool,
    decrees: usize,
    place: Place,
    commit: Commit,
    /// The commit's position then.
    taken_over_at: i64,
    volumes: Volumes,
    /// Whether a checkpoint is used that does not lead to the commit.
    careless: bool,
}

/// Two volumes, each with its last checkpoint, and the one in use.
#[derive(Clone, Default)]
struct Volumes {
    used: usize,
    kept: [Option<(LaneState, Vec<WindowContent>)>; 2],
    /// What has been saved of each window since the owner took over, what it was restored from included.
    windows: BTreeMap<Window, WindowContent>,
}

/// How many owners began at a checkpoint, in this process.
static BEGAN_AT_CHECKPOINT: AtomicUsize = AtomicUsize::new(0);

impl Volumes {
    fn save(&mut self, lane: &mut Lane) -> Result<(), stream_core::Error> {
        let Some(state) = lane.state() else { return Ok(()) };
        for change in lane.changes(|window| window.start.0 % 3 == 0)? {
            let content = self.windows.entry(change.window).or_default();
            if change.whole {
                content.ids.clear();
            }
            if change.whole_rows {
                content.rows.clear();
            }
            content.ids.extend(change.ids);
            content.rows.push(change.rows);
        }
        let contents = state.windows.iter().map(|open| self.windows[&open.window].clone()).collect();
        self.kept[self.used] = Some((state, contents));
        Ok(())
    }

    /// A lane at the checkpoint, if that leads to `progress`.
    fn load(
        &mut self,
        program: &Arc<Program>,
        progress: &Progress,
        careless: bool,
    ) -> Result<Option<Lane>, stream_core::Error> {
        self.windows.clear();
        let kept = self.kept[self.used].clone();
        let on_the_way =
            |state: &LaneState| state.leads_to(program, progress) || (careless && state.position <= progress.position);
        let Some((state, contents)) = kept.filter(|(state, _)| on_the_way(state)) else { return Ok(None) };
        self.windows = state.windows.iter().map(|open| open.window).zip(contents.iter().cloned()).collect();
        BEGAN_AT_CHECKPOINT.fetch_add(1, Ordering::Relaxed);
        Lane::resume_at(program.clone(), progress, state, contents).map(Some)
    }
}

impl Truth {
    fn of(run: &Run) -> Result<Self, TestCaseError> {
        let mut truth = Self { said: Said::default(), progress: BTreeMap::new(), decrees: Vec::new() };
        let mut drive = Drive::start(&run.log, &run.program()).map_err(|error| unexpected(&error))?;
        let note = |step: tests::worlds::Step<'_>| {
            truth.said.add(step.emissions);
            if step.decrees > truth.decrees.len() {
                truth.decrees.push(Decree { at: step.lane.position(), watermark: step.lane.watermark() });
            }
            let place = (truth.said.items.len(), truth.said.refused.len());
            truth.progress.insert((step.lane.position().0, step.decrees), (step.lane.progress(), place));
        };
        drive.run(&run.decrees, &mut Cutting::single(), note).map_err(|error| unexpected(&error))?;
        Ok(truth)
    }
}

impl<'a> Owner<'a> {
    fn first(run: &'a Run, truth: &'a Truth) -> Result<Self, TestCaseError> {
        let start = Progress::start(Offset(run.log.start()));
        let commit = Commit { progress: start, decrees: 0, place: (0, 0) };
        Self::take_over(run, truth, commit, Volumes::default(), false)
    }

    fn take_over(
        run: &'a Run,
        truth: &'a Truth,
        commit: Commit,
        mut volumes: Volumes,
        careless: bool,
    ) -> Result<Self, TestCaseError> {
        let program = run.program();
        let loaded = volumes.load(&program, &commit.progress, careless).map_err(|error| unexpected(&error))?;
        let drive = match loaded {
            Some(lane) => Drive::with(&run.log, lane),
            None => Drive::resume(&run.log, &program, &commit.progress).map_err(|error| unexpected(&error))?,
        };
        let (decrees, place, taken_over_at) = (commit.decrees, commit.place, commit.progress.position.0);
        Ok(Self { run, truth, drive, looked: false, decrees, place, commit, taken_over_at, volumes, careless })
    }

    fn act(&mut self, act: Act, cutting: &mut Cutting) -> TestCaseResult {
        match act {
            Act::Work => self.work(cutting),
            Act::Commit => self.commit(),
            Act::Save => self.volumes.save(&mut self.drive.lane).map_err(|error| unexpected(&error)),
            Act::Die(volume) => {
                let volumes = Volumes { used: volume, ..self.volumes.clone() };
                *self = Self::take_over(self.run, self.truth, self.commit.clone(), volumes, self.careless)?;
                Ok(())
            }
        }
    }

    fn work(&mut self, cutting: &mut Cutting) -> TestCaseResult {
        let position = self.drive.lane.position().0;
        let next = self.run.decrees.get(self.decrees).copied();
        let due = next.filter(|next| self.looked && !self.is_replaying() && next.at == position);
        let emissions = if let Some(decree) = due {
            let decreed = self.drive.lane.decree(EventTime(decree.to)).map_err(|error| unexpected(&error))?;
            self.decrees += 1;
            // Committed before it is sent.
            self.committed(decreed.progress)?;
            decreed.emissions
        } else {
            self.looked = true;
            let known_end = self.run.log.end().max(self.commit.progress.position.0).max(position);
            let until = next.map_or(known_end, |next| next.at);
            self.drive.step(until, cutting).map_err(|error| unexpected(&error))?
        };
        self.say(&emissions)
    }

    fn say(&mut self, emissions: &Emissions) -> TestCaseResult {
        let (items, refused) = self.place;
        self.place = (items + emissions.items.len(), refused + emissions.refused.len());
        let said = &self.truth.said;
        prop_assert_eq!(Some(&emissions.items[..]), said.items.get(items..self.place.0), "from item {} on", items);
        prop_assert_eq!(Some(&emissions.refused[..]), said.refused.get(refused..self.place.1), "refused");
        Ok(())
    }

    fn commit(&mut self) -> TestCaseResult {
        if self.is_replaying() {
            return Ok(());
        }
        let (progress, judged) = (self.drive.lane.progress(), self.drive.lane.verdicts().consumed());
        let since = self.run.log.from(self.taken_over_at).take_while(|offset| *offset < progress.position.0);
        prop_assert_eq!(judged, since.count() as u64, "replayed records are not counted again");
        if progress.decree_pending {
            prop_assert_eq!(&progress, &self.commit.progress, "what is not sent stays to be sent");
        } else if let Some((expected, _)) = self.truth.progress.get(&(progress.position.0, self.decrees)) {
            prop_assert_eq!(&progress, expected, "an owner knows what an undisturbed one knows");
        }
        self.committed(progress)
    }

    /// L5 of what is committed: the anchor does not go back either.
    fn committed(&mut self, progress: Progress) -> TestCaseResult {
        prop_assert!(progress.anchor.offset >= self.commit.progress.anchor.offset, "the anchor goes back");
        self.commit = Commit { progress, decrees: self.decrees, place: self.place };
        Ok(())
    }

    fn is_replaying(&self) -> bool {
        self.drive.lane.is_replaying()
    }

    fn is_done(&self) -> bool {
        let at_end = self.drive.lane.position().0 >= self.run.log.end();
        self.looked && at_end && self.decrees == self.run.decrees.len() && !self.is_replaying()
    }
}

fn arb_acts() -> impl Strategy<Value = Vec<Act>> {
    let die = prop_oneof![3 => Just(0_usize), 1 => Just(1)].prop_map(Act::Die);
    let act = prop_oneof![6 => Just(Act::Work), 3 => Just(Act::Commit), 2 => Just(Act::Save), 2 => die];
    proptest::collection::vec(act, 0..60)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn l3_no_death_changes_what_is_said(run in arb_run(), mut cutting in arb_cutting(), acts in arb_acts()) {
        let truth = Truth::of(&run)?;
        let mut owner = Owner::first(&run, &truth)?;
        for act in acts {
            owner.act(act, &mut cutting)?;
        }
        while !owner.is_done() {
            owner.work(&mut cutting)?;
        }
        prop_assert_eq!(owner.place, (truth.said.items.len(), truth.said.refused.len()), "something was not said");
    }

    /// Every commit of a run, each taken over by a new owner that reads the rest in one fetch.
    #[test]
    fn l3_every_commit_will_do(run in arb_run()) {
        let truth = Truth::of(&run)?;
        for ((_, decrees), (progress, place)) in &truth.progress {
            let commit = Commit { progress: progress.clone(), decrees: *decrees, place: *place };
            let mut owner = Owner::take_over(&run, &truth, commit, Volumes::default(), false)?;
            while !owner.is_done() {
                owner.work(&mut Cutting::whole())?;
            }
            prop_assert_eq!(owner.place, (truth.said.items.len(), truth.said.refused.len()));
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    /// An anchor that was good for a position is good for every later one, with the decrees made behind it: the state at the earlier
    /// position is right, and so is what follows from it. Therefore an owner may keep the largest anchor that was committed.
    #[test]
    fn l3_an_anchor_stays_good(run in arb_run()) {
        expect_to_stay_good(&run)?;
    }

    /// An owner whose checkpoint is older than the last decree knows only an anchor from before it. It does not commit that.
    #[test]
    fn l5_no_checkpoint_takes_the_anchor_back(run in arb_run()) {
        let truth = Truth::of(&run)?;
        let mut owner = Owner::first(&run, &truth)?;
        while !owner.is_done() {
            for act in [Act::Save, Act::Work, Act::Commit, Act::Die(0), Act::Commit] {
                owner.act(act, &mut Cutting::single())?;
            }
            owner.work(&mut Cutting::single())?;
            while owner.is_replaying() {
                owner.work(&mut Cutting::single())?;
            }
        }
        prop_assert_eq!(owner.place, (truth.said.items.len(), truth.said.refused.len()));
    }
}

proptest! {
    #![proptest_config(cases(64))]

    /// Two decrees at one position, a checkpoint between them, and a death before the later is sent: whoever commits next still
    /// commits both, for the one after may have no checkpoint, and says of each what was said.
    #[test]
    fn l3_two_decrees_at_one_position_both_stay(mut run in arb_run(), more in 1_i64..20) {
        let twice = |decree: &tests::model::Decree| [*decree, tests::model::Decree { to: decree.to + more, ..*decree }];
        run.decrees = run.decrees.iter().flat_map(twice).collect();
        let truth = Truth::of(&run)?;
        for volume_after in [0, 1] {
            let mut owner = Owner::first(&run, &truth)?;
            while !owner.is_done() {
                owner.work(&mut Cutting::whole())?;
                if owner.decrees % 2 == 0 {
                    continue;
                }
                for act in [Act::Save, Act::Work, Act::Die(0), Act::Commit, Act::Die(volume_after)] {
                    owner.act(act, &mut Cutting::whole())?;
                }
                while owner.is_replaying() {
                    owner.work(&mut Cutting::whole())?;
                }
            }
            prop_assert_eq!(owner.place, (truth.said.items.len(), truth.said.refused.len()), "volume {}", volume_after);
        }
    }
}

/// Takes each commit over with the anchor of each earlier one, and the decrees made behind that.
fn expect_to_stay_good(run: &Run) -> TestCaseResult {
    let truth = Truth::of(run)?;
    let commits: Vec<_> = truth.progress.iter().collect();
    for (index, ((_, made_before), (earlier, _))) in commits.iter().enumerate() {
        for ((_, decrees), (progress, place)) in commits[index..].iter().step_by(7) {
            let since = &truth.decrees[*made_before..*decrees];
            // Of two decrees at one position the last is enough.
            let listed = earlier.decrees.iter().chain(since).map(|decree| (decree.at, *decree));
            let listed: BTreeMap<Offset, Decree> = listed.collect();
            let decrees_since = listed.into_values().collect();
            let progress = Progress { anchor: earlier.anchor, decrees: decrees_since, ..progress.clone() };
            let commit = Commit { progress, decrees: *decrees, place: *place };
            let mut owner = Owner::take_over(run, &truth, commit, Volumes::default(), false)?;
            while !owner.is_done() {
                owner.work(&mut Cutting::whole())?;
            }
            prop_assert_eq!(owner.place, (truth.said.items.len(), truth.said.refused.len()));
        }
    }
    Ok(())
}

/// Whether some commit of `run` goes wrong when its replay begins at `from` instead of the anchor.
fn goes_wrong(run: &Run, from: impl Fn(&Progress) -> Point) -> Result<bool, TestCaseError> {
    let truth = Truth::of(run)?;
    for ((_, decrees), (progress, place)) in &truth.progress {
        let progress = Progress { anchor: from(progress), ..progress.clone() };
        let mut owner = Owner::take_over(
            run,
            &truth,
            Commit { progress, decrees: *decrees, place: *place },
            Volumes::default(),
            false,
        )?;
        while !owner.is_done() {
            if owner.work(&mut Cutting::whole()).is_err() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Each part of the anchor is needed: without it some commit of many random worlds goes wrong. With it, none does.
#[test]
fn l3_fails_with_less_than_the_anchor() {
    let mut runner = TestRunner::deterministic();
    let mut wrong = [0; 5];
    for _ in 0..60 {
        let run = arb_run().new_tree(&mut runner).expect("no filters in the strategy").current();
        let history = History::new(&run.setting.params, &run.log.records, &run.decrees);
        let point = |offset| point_at(&run, &history, offset);
        let theorem = |progress: &Progress| history.rebuild_point(progress.position.0);
        let shorter: [&dyn Fn(&Progress) -> Point; 5] = [
            &|progress| progress.anchor,
            &|progress| point(progress.position.0),
            &|progress| point(theorem(progress).for_verdicts),
            &|progress| point(theorem(progress).for_windows),
            &|progress| Point { watermark: EventTime::NEVER, ..progress.anchor },
        ];
        for (wrong, from) in wrong.iter_mut().zip(shorter) {
            *wrong += u32::from(goes_wrong(&run, from).expect("an undisturbed lane works"));
        }
    }
    assert_eq!(wrong[0], 0, "the anchor is enough");
    assert!(wrong[1..].iter().all(|worlds| *worlds >= 3), "worlds of 60 that go wrong: {wrong:?}");
}

/// Whether an owner that dies again and again on two volumes says something else than an undisturbed one.
fn differs(run: &Run, acts: &[Act], careless: bool) -> Result<bool, TestCaseError> {
    let truth = Truth::of(run)?;
    let mut owner = Owner { careless, ..Owner::first(run, &truth)? };
    let mut cutting = Cutting::new(vec![(1, 0), (3, 1)]);
    for act in acts {
        if owner.act(*act, &mut cutting).is_err() {
            return Ok(true);
        }
    }
    while !owner.is_done() {
        if owner.work(&mut cutting).is_err() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Checkpoints are used, and one that the commit does not continue must not be: a decree that it never heard of is missing in it.
#[test]
fn l3_fails_with_a_checkpoint_of_another_history() {
    let mut runner = TestRunner::deterministic();
    let (mut used, mut wrong) = (0, 0);
    for _ in 0..400 {
        let run = arb_run().new_tree(&mut runner).expect("no filters in the strategy").current();
        let acts = arb_acts().new_tree(&mut runner).expect("no filters in the strategy").current();
        let before = BEGAN_AT_CHECKPOINT.load(Ordering::Relaxed);
        assert!(!differs(&run, &acts, false).expect("an undisturbed lane works"), "with care nothing differs");
        used += usize::from(BEGAN_AT_CHECKPOINT.load(Ordering::Relaxed) > before);
        wrong += usize::from(differs(&run, &acts, true).expect("an undisturbed lane works"));
    }
    assert!(used >= 40, "{used} runs of 400 began at a checkpoint");
    assert!(wrong >= 3, "{wrong} runs of 400 go wrong without care");
}
