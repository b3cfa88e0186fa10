//! Polling and deadlines.

use quic_core::Instant;

pub(crate) fn i15_nothing_is_left_to_poll(any: bool) -> Result<(), String> {
    if any { Err("I15: there is more to poll after there was nothing".to_owned()) } else { Ok(()) }
}

pub(crate) fn i16_deadlines_are_to_come(
    now: Instant,
    deadline: Option<Instant>,
) -> Result<(), String> {
    match deadline {
        Some(deadline) if deadline <= now => {
            Err(format!("I16: due at {deadline:?}, it is {now:?}"))
        }
        _ => Ok(()),
    }
}
