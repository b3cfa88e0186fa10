//! How much heap containers take at the most, by how many entries they ever have.
//!
//! Sums of these are what configurations are documented to cost. All of them saturate: `u64::MAX`
//! says that nothing bounds the number of entries.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashMap;

/// A `Vec`, `VecDeque` or spilled `SmallVec`: they double when they are full, from four entries on.
pub(crate) const fn list<T>(entries: u64) -> u64 {
    let room = if entries > 2 { entries.saturating_mul(2) } else { 4 };
    room.saturating_mul(size_of::<T>() as u64)
}

/// A hash map whose entries come and go: a power of two of places, a byte of control for each, of
/// which entries that are gone can use up half before the map grows instead of being put in order.
pub(crate) const fn map<K, V>(entries: u64) -> u64 {
    /// Control bytes that are looked at together, and stand once more at the end.
    const GROUP: u64 = 16;
    let least = entries.saturating_mul(8) / 7 + 1;
    let places = match least.checked_next_power_of_two() {
        Some(places) => places.saturating_mul(2),
        None => u64::MAX,
    };
    places.saturating_mul(size_of::<(K, V)>() as u64 + 1).saturating_add(GROUP)
}

/// To be called after each removal: a map that has become nearly empty gives back most of its room.
///
/// Between two times that it does, near half of the entries have gone, so that a removal costs the
/// same in the long run; and as many again as are left fit in before it grows.
pub(crate) fn give_back<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    /// Room that is not worth giving back.
    const KEPT_PLACES: usize = 1024;
    let places = map.allocation_size() / (size_of::<(K, V)>() + 1);
    if places > KEPT_PLACES && map.len() < places / 8 {
        map.shrink_to((2 * map.len()).max(KEPT_PLACES / 2));
    }
}

/// So many values, each in an allocation of its own.
pub(crate) const fn boxes<T>(values: u64) -> u64 {
    values.saturating_mul(size_of::<T>() as u64)
}

/// The sum of the parts.
pub(crate) fn sum(parts: impl IntoIterator<Item = u64>) -> u64 {
    parts.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::hash::BuildHasherDefault;

    use hashbrown::HashMap;
    use siphasher::sip::SipHasher13;

    use super::{give_back, list, map, sum};

    type Hasher = BuildHasherDefault<SipHasher13>;

    #[test]
    fn lists_never_have_more_room_than_is_said() {
        for entries in 1..if cfg!(miri) { 70 } else { 3000_u64 } {
            let (mut vec, mut deque) = (Vec::new(), VecDeque::new());
            (0..entries).for_each(|entry| vec.push(entry));
            (0..entries).for_each(|entry| deque.push_back(entry));
            let room = vec.capacity().max(deque.capacity()) as u64 * 8;
            assert!(room <= list::<u64>(entries), "{room} bytes for {entries} entries");
        }
    }

    #[test]
    fn maps_never_have_more_room_than_is_said_however_entries_come_and_go() {
        for most in [1, 2, 3, 7, 28, 100, 448, 1000_u64] {
            let mut entries: HashMap<u64, u64, Hasher> = HashMap::default();
            for entry in 0..most * if cfg!(miri) { 2 } else { 50 } {
                entries.insert(entry, entry);
                entries.remove(&entry.wrapping_sub(most - 1));
                let taken = entries.allocation_size() as u64;
                assert!(taken <= map::<u64, u64>(most), "{taken} bytes for {most} entries");
            }
        }
    }

    #[test]
    fn a_map_that_empties_gives_its_room_back_at_few_of_the_removals() {
        let most = if cfg!(miri) { 4_000 } else { 100_000_u64 };
        let mut entries: HashMap<u64, u64, Hasher> = (0..most).map(|entry| (entry, 0)).collect();
        let mut times = 0;
        for entry in 0..most {
            entries.remove(&entry);
            let before = entries.allocation_size();
            give_back(&mut entries);
            times += usize::from(entries.allocation_size() < before);
            let (taken, left) = (entries.allocation_size() as u64, entries.len() as u64);
            assert!(taken <= map::<u64, u64>(4 * left.max(128)), "{taken} bytes for {left}");
        }
        assert!((1..=10).contains(&times), "{times} times");
    }

    #[test]
    fn what_nothing_bounds_is_the_largest_number_there_is() {
        assert_eq!(list::<u64>(1 << 61), u64::MAX);
        assert_eq!(map::<u64, u64>(1 << 63), u64::MAX);
        assert_eq!(sum([1, u64::MAX, 1]), u64::MAX);
    }
}
