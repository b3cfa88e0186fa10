//! Trains of datagrams, split where the connection ID changes.

use crate::net::{EcnCodepoint, PathAddresses, UdpDatagram};
use crate::wire::ConnectionId;
use crate::wire::header::destination_id;

/// The first datagrams of a train, as many as have the same destination, and the rest of it.
#[derive(Debug)]
pub(super) struct Split<'a> {
    /// Where the datagrams are for; `None` if that cannot be read.
    pub(super) id: Option<ConnectionId>,
    pub(super) first: UdpDatagram<'a>,
    pub(super) rest: Option<UdpDatagram<'a>>,
}

/// Splits a train; `None` if there is nothing in it.
pub(super) fn split(train: UdpDatagram<'_>, local_id_length: usize) -> Option<Split<'_>> {
    let UdpDatagram { path, ecn, payload, segment_length } = train;
    let total = payload.len();
    // A length of 0 would make no progress.
    let step = segment_length.filter(|length| (1..total).contains(length)).unwrap_or(total);
    let id = destination_id(payload.get(..step)?, local_id_length);
    let mut segments = payload.chunks(step.max(1)).skip(1);
    let same = segments
        .by_ref()
        .take_while(|segment| destination_id(segment, local_id_length) == id)
        .count();
    let length = step.saturating_mul(same.saturating_add(1)).min(total);
    let (first, rest) = payload.split_at_mut_checked(length)?;
    let part = |payload, segment_length| UdpDatagram { path, ecn, payload, segment_length };
    (total > 0).then(|| Split {
        id,
        first: part(first, (length > step).then_some(step)),
        rest: (length < total).then(|| part(rest, (total - length > step).then_some(step))),
    })
}

/// One datagram of a train, to be looked at and not to be decrypted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) path: PathAddresses,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) bytes: &'a [u8],
}

/// The datagrams of a train, one by one.
pub(super) fn segments<'a>(train: &'a UdpDatagram<'_>) -> impl Iterator<Item = Segment<'a>> {
    let step = train.segment_length.unwrap_or(train.payload.len()).max(1);
    let (path, ecn) = (train.path, train.ecn);
    train.payload.chunks(step).map(move |bytes| Segment { path, ecn, bytes })
}
