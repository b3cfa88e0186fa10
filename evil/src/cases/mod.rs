//! All cases, by topic.

mod acks;
mod closing;
mod datagrams;
mod extensions;
mod floods;
mod flow_control;
mod frames;
mod handshake;
mod headers;
mod ids;
mod keys;
mod packets;
mod parameters;
mod paths;
mod prelude;
mod streams;
mod tokens;
mod versions;
mod zero_rtt;

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
    ids::CASES,
    acks::CASES,
    keys::CASES,
    datagrams::CASES,
    extensions::CASES,
    headers::CASES,
    versions::CASES,
    tokens::CASES,
    paths::CASES,
    zero_rtt::CASES,
    closing::CASES,
    floods::CASES,
];
