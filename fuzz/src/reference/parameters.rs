//! Transport parameters by RFC 9000 §7.4 and §18.2, RFC 9287 §3 and the drafts, in a table of
//! their own.

use std::collections::BTreeSet;

use super::frames::Cursor;

/// Whether a client has to refuse these parameters of a server, whatever else it says. Others may
/// follow unless they are `all`.
pub fn must_be_refused(bytes: &[u8], all: bool) -> bool {
    let mut cursor = Cursor(bytes);
    let mut seen = BTreeSet::new();
    while !cursor.0.is_empty() {
        let (Some(id), Some(value)) = (cursor.varint(), cursor.prefixed()) else { return all };
        if !is_allowed(id, value) || (is_known(id) && !seen.insert(id)) {
            return true;
        }
    }
    false
}

fn is_known(id: u64) -> bool {
    matches!(id, 0x00..=0x11 | 0x1d | 0x20 | 0x2ab2 | 0xff04_de1b)
}

fn is_allowed(id: u64, value: &[u8]) -> bool {
    let mut cursor = Cursor(value);
    let number = cursor.varint().filter(|_| cursor.0.is_empty());
    match id {
        0x01 | 0x04..=0x07 | 0x20 | 0xff04_de1b => number.is_some(),
        0x03 => number.is_some_and(|size| size >= 1200),
        0x08 | 0x09 => number.is_some_and(|count| count <= 1 << 60),
        0x0a => number.is_some_and(|exponent| exponent <= 20),
        0x0b => number.is_some_and(|delay| delay < 1 << 14),
        0x0e => number.is_some_and(|limit| limit >= 2),
        0x02 => value.len() == 16,
        0x0c | 0x1d | 0x2ab2 => value.is_empty(),
        0x00 | 0x0f | 0x10 => value.len() <= 20,
        // Two addresses with ports, an ID with its length, and a token.
        0x0d => match value.get(24) {
            Some(length @ 1..=20) => value.len() == 41 + usize::from(*length),
            _ => false,
        },
        0x11 => value.len() >= 4 && value.len().is_multiple_of(4),
        _ => true,
    }
}
