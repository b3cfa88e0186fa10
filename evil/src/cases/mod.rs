//! All cases, by topic.

mod flow_control;
mod frames;
mod handshake;
mod packets;
mod parameters;
mod short;
mod streams;

use crate::case::Case;

/// All cases.
pub fn all() -> impl Iterator<Item = &'static Case> {
    TOPICS.iter().copied().flatten()
}

const TOPICS: &[&[Case]] = &[
    frames::CASES,
    packets::CASES,
    parameters::CASES,
    handshake::CASES,
    streams::CASES,
    flow_control::CASES,
];
