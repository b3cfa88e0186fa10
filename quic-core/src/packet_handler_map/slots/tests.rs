use super::*;
use crate::packet_handler_map::PacketHandler;

fn insert(slots: &mut Slots<u32>, value: u32) -> ConnectionHandle {
    let handle = slots.next_handle().unwrap();
    slots.insert(handle, PacketHandler::Connection(value));
    handle
}

#[test]
fn a_handle_never_comes_back() {
    let mut slots = Slots::new(7);
    let mut seen = std::collections::BTreeSet::new();
    for value in 0..100 {
        let handle = insert(&mut slots, value);
        assert!(seen.insert(handle));
        assert_eq!(handle.slot, 0, "the memory is used again");
        assert!(slots.remove(handle).is_some());
        assert!(slots.get(handle).is_none() && slots.remove(handle).is_none());
    }
    assert_eq!(slots.length(), 0);
}

#[test]
fn a_slot_whose_generations_are_used_up_is_given_up() {
    let mut slots = Slots::new(0);
    let first = insert(&mut slots, 1);
    slots.remove(first);
    slots.entries[0].generation = u32::MAX - 1;
    let last = insert(&mut slots, 2);
    assert_eq!(last.slot, 0);
    slots.remove(last);
    assert_eq!(insert(&mut slots, 3).slot, 1);
}

#[test]
fn what_many_handlers_took_is_given_back_and_no_handle_comes_back() {
    let mut slots = Slots::new(0);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let handles: Vec<_> = (0..5000).map(|value| insert(&mut slots, value)).collect();
        // What is in use stays where it is.
        for (removed, handle) in handles.iter().enumerate() {
            assert!(seen.insert(*handle), "{handle:?} came back");
            assert!(slots.get(*handle).is_some() && slots.remove(*handle).is_some());
            assert!(handles.iter().skip(removed + 1).take(3).all(|h| slots.get(*h).is_some()));
        }
        assert_eq!((slots.room(), slots.free.len()), (0, 0));
        assert!(slots.entries.capacity() <= KEPT_ENTRIES);
    }
}

#[test]
fn handlers_that_stay_at_the_end_cost_no_search_at_each_removal() {
    let mut slots = Slots::new(0);
    let handles: Vec<_> = (0..4096).map(|value| insert(&mut slots, value)).collect();
    let (last, others) = handles.split_last().unwrap();
    let mut searches = 0;
    for handle in others {
        let before = slots.give_back_at;
        slots.remove(*handle);
        searches += usize::from(slots.give_back_at != before);
    }
    assert!((1..=12).contains(&searches), "{searches} searches");
    assert!(slots.get(*last).is_some());
    slots.remove(*last);
    assert_eq!(slots.room(), 0);
}

#[test]
fn handles_of_other_managers_lead_nowhere() {
    let (mut one, mut other) = (Slots::new(1), Slots::new(2));
    let handle = insert(&mut one, 1);
    insert(&mut other, 2);
    assert!(other.get(handle).is_none());
    assert!(other.get_mut(handle).is_none());
    assert!(other.remove(handle).is_none());
}
