use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Set(u32, u64),
    Reset(u32, u64),
    Remove(u32),
    Pop(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u32..20, 0_u64..1000).prop_map(|(slot, at)| Step::Set(slot, at)),
        1 => (0_u32..20, 0_u64..1000).prop_map(|(slot, at)| Step::Reset(slot, at)),
        1 => (0_u32..20).prop_map(Step::Remove),
        2 => (0_u64..1000).prop_map(Step::Pop),
    ]
}

proptest! {
    #[test]
    fn deadlines_pop_in_order_and_never_late(steps in prop::collection::vec(step(), 0..200)) {
        let mut deadlines = Deadlines::default();
        let mut model = BTreeMap::<u32, u64>::new();
        for step in steps {
            match step {
                Step::Set(slot, at) => {
                    deadlines.set(slot, Instant::from_nanos(at));
                    let earliest = model.entry(slot).or_insert(at);
                    *earliest = at.min(*earliest);
                }
                Step::Reset(slot, at) => {
                    deadlines.reset(slot, Instant::from_nanos(at));
                    model.insert(slot, at);
                }
                Step::Remove(slot) => {
                    deadlines.remove(slot);
                    model.remove(&slot);
                }
                Step::Pop(now) => {
                    let next = model.iter().map(|(slot, at)| (*at, *slot)).min();
                    let due = next.filter(|(at, _)| *at <= now).map(|(_, slot)| slot);
                    prop_assert_eq!(deadlines.pop(Instant::from_nanos(now)), due);
                    due.map(|slot| model.remove(&slot));
                }
            }
            let next = model.values().min().copied().map(Instant::from_nanos);
            prop_assert_eq!(deadlines.next(), next);
            prop_assert_eq!(deadlines.heap.len(), model.len());
        }
    }
}

#[test]
fn room_for_slots_that_are_gone_is_given_back_and_what_is_due_stays() {
    let mut deadlines = Deadlines::default();
    let at = |slot: u32| Instant::EPOCH + std::time::Duration::from_secs(u64::from(slot));
    (0..5000).for_each(|slot| deadlines.set(slot, at(slot)));
    (3..5000).for_each(|slot| deadlines.remove(slot));
    deadlines.give_back(3);
    assert!(deadlines.heap.capacity() <= KEPT_SLOTS && deadlines.places.capacity() <= KEPT_SLOTS);
    // Slots that come again are as good as new.
    deadlines.set(4000, at(1));
    let due: Vec<_> = std::iter::from_fn(|| deadlines.pop(at(2))).collect();
    assert_eq!(due, [0, 1, 4000, 2]);
}
