//! Parts of a file (RFC 9110 §14).

/// What a request wants of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// So many bytes, from the first named; at least one.
    Part { first: u64, length: u64 },
    /// Bytes that it does not have.
    Unsatisfiable,
}

/// What the field `Range` wants of a file of `length` bytes.
///
/// Several ranges, and what is none at all, count as the whole file, as they may (§14.2).
pub(super) fn wanted(field: &str, length: u64) -> Wanted {
    let range = field.strip_prefix("bytes=").and_then(|ranges| ranges.trim().split_once('-'));
    let Some((first, last)) = range else { return Wanted::Whole };
    let (first, last) = match (number(first), number(last)) {
        // The last so many bytes.
        (None, Some(0)) if first.is_empty() => return Wanted::Unsatisfiable,
        (None, Some(count)) if first.is_empty() => {
            (length.saturating_sub(count), length.saturating_sub(1))
        }
        (Some(first), Some(last)) if first <= last => (first, last),
        (Some(first), None) if last.is_empty() => (first, u64::MAX),
        _ => return Wanted::Whole,
    };
    if first >= length {
        return Wanted::Unsatisfiable;
    }
    let last = last.min(length.saturating_sub(1));
    Wanted::Part { first, length: (last - first).saturating_add(1) }
}

/// A number in digits alone.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Wanted, wanted};

    fn part(first: u64, length: u64) -> Wanted {
        Wanted::Part { first, length }
    }

    #[test]
    fn a_range_is_counted_from_either_end_and_cut_to_the_file() {
        assert_eq!(wanted("bytes=0-0", 10), part(0, 1));
        assert_eq!(wanted("bytes=2-5", 10), part(2, 4));
        assert_eq!(wanted("bytes=2-", 10), part(2, 8));
        assert_eq!(wanted("bytes=2-99", 10), part(2, 8));
        assert_eq!(wanted("bytes=-3", 10), part(7, 3));
        assert_eq!(wanted("bytes=-99", 10), part(0, 10));
        assert_eq!(wanted("bytes=0-18446744073709551615", 10), part(0, 10));
    }

    #[test]
    fn bytes_that_are_not_there_are_refused() {
        for range in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            assert_eq!(wanted(range, 10), Wanted::Unsatisfiable, "{range}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn what_is_no_single_range_means_the_whole_file() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=0-1,4-5",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=1-x",
            "bytes=x-1",
            "bytes=--1",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(wanted(range, 10), Wanted::Whole, "{range}");
        }
    }
}
