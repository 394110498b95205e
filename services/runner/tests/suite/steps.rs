//! Every fault at every step of rows → checkpoint → commit.

use std::{collections::BTreeMap, sync::Arc};

use yiping_window::{Counters, Domain};

use crate::{
    for_every_domain,
    play::paused,
    scene::{Fault, Scene, Step, What},
    slice::{HOUR, Slice},
    support::{Merged, WindowId},
};

/// Nothing of a slice is late then.
pub const LATENESS: i64 = 24 * HOUR;
/// So many polls bring the slice of one partition.
const POLLS: usize = 6;

pub fn at_once<D: Domain>(slice: &Slice<D>) -> usize {
    slice.lines.len().div_ceil(POLLS)
}

pub fn straight<D: Domain + Send + Sync + 'static>(slice: &Slice<D>, partitions: u32) -> Arc<Scene> {
    paused(slice.play(Scene::new(None, at_once(slice)), partitions))
}

/// What is left when everything is over: every window, zeros included; every entity; where every record went.
#[derive(PartialEq)]
pub struct End {
    pub windows: BTreeMap<WindowId, Merged>,
    pub live: BTreeMap<(String, String), (bool, String)>,
    pub counters: Counters,
}

impl End {
    pub fn of<D: Domain + Send + Sync + 'static>(slice: &Slice<D>, scene: &Scene) -> Self {
        let live = scene
            .store
            .look(|kept| kept.live.iter().map(|(id, row)| (id.clone(), (row.gone, row.attrs.clone()))).collect());
        End { windows: scene.store.every_window(), live, counters: slice.counters(scene) }
    }

    /// Fails where the two differ, and says in what.
    pub fn assert_same(&self, straight: &End, when: &str) {
        if self == straight {
            return;
        }
        for (id, merged) in &straight.windows {
            assert_eq!(self.windows.get(id), Some(merged), "{when}: {id:?}");
        }
        assert_eq!(self.windows.len(), straight.windows.len(), "{when}: windows that the straight run has not");
        assert_eq!(self.live, straight.live, "{when}");
        assert_eq!(self.counters, straight.counters, "{when}");
    }
}

for_every_domain!(i3_the_straight_run_says_what_the_batch_job_and_the_golden_file_say, super::LATENESS);

fn i3_the_straight_run_says_what_the_batch_job_and_the_golden_file_say<D: Domain + Send + Sync + 'static>(
    slice: &Slice<D>,
) {
    let scene = straight(slice, 1);
    let published = slice.published(&scene.store);
    let computed = slice.computed(1);
    assert_eq!(slice.counters(&scene), computed.counters);
    assert_eq!(published, slice.expected(1), "the service differs from the batch job");
    let text = slice.golden_text(&published, computed.counters);
    let file = slice.golden_file();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap();
    for (line, (says, said)) in text.lines().zip(golden.lines()).enumerate().skip(5) {
        assert_eq!(says, said, "line {} of {}", line + 1, file.display());
    }
    assert!(text == golden, "the rows are not those of {}: see its head", file.display());
}

for_every_domain!(i4_every_fault_at_every_step_leaves_the_same_rows, super::LATENESS);

fn i4_every_fault_at_every_step_leaves_the_same_rows<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    let undisturbed = straight(slice, 1);
    every_fault(slice, &undisturbed, 1, &What::ALL);
}

for_every_domain!(i4_crashes_on_three_partitions_leave_the_same_rows, super::LATENESS);

fn i4_crashes_on_three_partitions_leave_the_same_rows<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    let undisturbed = straight(slice, 3);
    assert!(undisturbed.store.merged() == straight(slice, 1).store.merged());
    every_fault(slice, &undisturbed, 3, &[What::CrashAfter]);
}

/// Plays the slice with each fault at each call that the undisturbed run makes.
fn every_fault<D: Domain + Send + Sync + 'static>(
    slice: &Slice<D>,
    undisturbed: &Scene,
    partitions: u32,
    whats: &[What],
) {
    let end = End::of(slice, undisturbed);
    assert_eq!(sum(end.counters), slice.events(), "every record went somewhere");
    let calls = undisturbed.calls();
    for step in [Step::Write, Step::Checkpoint, Step::Append, Step::Commit] {
        assert!(calls.get(&step).is_some_and(|calls| *calls > 0), "the straight run has no {step:?}");
    }
    for (step, calls) in calls {
        for number in 1..=calls {
            for what in whats.iter().copied().filter(|what| what.is_of(step)) {
                let fault = Fault { step, number, what };
                let scene = paused(async {
                    let scene = slice.play(Scene::new(Some(fault), at_once(slice)), partitions).await;
                    if what == What::Repeated {
                        // what is stale now is what the next owner finds
                        End::of(slice, &scene).assert_same(&end, &format!("{fault:?}, before a restart"));
                        slice.drain(&scene, &scene.heads()).await;
                    }
                    scene
                });
                assert!(scene.fired(), "{fault:?} did not happen");
                End::of(slice, &scene).assert_same(&end, &format!("{fault:?}"));
            }
        }
    }
}

fn sum(counters: Counters) -> u64 {
    let Counters { accepted, duplicates, late, quarantined, rejected } = counters;
    accepted + duplicates + late + quarantined + rejected
}

for_every_domain!(i4_a_restart_after_every_kth_record_changes_nothing, super::LATENESS);

/// The machine itself, taken down to a checkpoint's bytes and read back.
fn i4_a_restart_after_every_kth_record_changes_nothing<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    let specs = slice.catalogue.specs(slice.stream, None);
    let rows = |every: usize| {
        let mut machine = yiping_window::Machine::<D>::new(slice.stream, &specs, slice.settings.clone()).unwrap();
        let mut out = yiping_window::Output::default();
        for (offset, line) in (0..).zip(&slice.lines) {
            let input = yiping_window::Input { offset, append: None, payload: line.as_bytes() };
            machine.apply(input, &mut out);
            if (offset as usize + 1).is_multiple_of(every) {
                let (core, seen) = machine.state();
                let bytes = yiping_window::checkpoint::write(core).unwrap();
                let core = yiping_window::checkpoint::read(yiping_window::checkpoint::FORMAT, &bytes).unwrap();
                let mut dedup = yiping_window::dedup::Dedup::default();
                seen.slices().for_each(|(slice, ids)| dedup.restore(slice, ids.to_vec()));
                machine = yiping_window::Machine::restore(slice.stream, &specs, core, dedup).unwrap();
            }
        }
        (out.rows, machine.counters())
    };
    let straight = rows(usize::MAX);
    for every in [1, 2, 7, 50] {
        assert!(rows(every) == straight, "restored after every {every}. record");
    }
}

for_every_domain!(i8_one_three_and_eight_partitions_say_the_same, super::LATENESS);

fn i8_one_three_and_eight_partitions_say_the_same<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    let one = straight(slice, 1);
    for partitions in [3, 8] {
        let more = straight(slice, partitions);
        assert!(more.store.merged() == one.store.merged(), "{partitions} partitions");
        assert_eq!(slice.counters(&more), slice.counters(&one), "{partitions} partitions");
    }
}
