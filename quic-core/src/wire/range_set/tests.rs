use std::collections::BTreeSet;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::RangeSet;

#[derive(Clone, Debug)]
enum Operation {
    Insert(Range<u64>),
    PopFirst,
    Remove(Range<u64>),
}

fn range() -> impl Strategy<Value = Range<u64>> {
    (0_u64..60, 0_u64..12).prop_map(|(start, length)| start..start + length)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => range().prop_map(Operation::Insert),
        3 => range().prop_map(Operation::Remove),
        1 => Just(Operation::PopFirst),
    ]
}

/// The ranges of consecutive numbers in `numbers`.
fn ranges_of(numbers: &BTreeSet<u64>) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(last) if last.end == *number => last.end += 1,
            _ => ranges.push(*number..number + 1),
        }
    }
    ranges
}

proptest! {
    #[test]
    fn it_holds_what_a_set_of_single_numbers_holds(operations in vec(operation(), 0..60)) {
        let mut set = RangeSet::default();
        let mut model = BTreeSet::new();
        for operation in operations {
            match operation {
                Operation::Insert(range) => {
                    let new = range.clone().filter(|number| model.insert(*number)).count() as u64;
                    prop_assert_eq!(set.insert(range), new);
                }
                Operation::Remove(range) => {
                    model.retain(|number| !range.contains(number));
                    set.remove(range);
                }
                Operation::PopFirst => {
                    let first = ranges_of(&model).first().cloned();
                    prop_assert_eq!(set.pop_first(), first.clone());
                    model.retain(|number| !first.clone().unwrap_or(0..0).contains(number));
                }
            }
            let ranges = ranges_of(&model);
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), ranges.clone());
            prop_assert_eq!(set.len(), ranges.len());
            prop_assert_eq!(set.first(), ranges.first().cloned());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            for number in 0..75 {
                prop_assert_eq!(set.contains(number), model.contains(&number));
            }
        }
    }

    #[test]
    fn any_ends_are_taken(ranges in vec(any::<(u64, u64)>(), 0..20)) {
        let mut set = RangeSet::default();
        for (start, end) in ranges {
            set.insert(start..end);
            set.remove(end..start);
            prop_assert!(set.iter().all(|range| range.start < range.end));
        }
    }
}

#[test]
fn ranges_that_touch_become_one() {
    let mut set = RangeSet::default();
    set.insert(0..2);
    set.insert(4..6);
    assert_eq!(set.insert(2..4), 2);
    assert_eq!((set.first(), set.len()), (Some(0..6), 1));
}
