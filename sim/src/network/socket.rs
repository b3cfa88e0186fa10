//! A socket: what arrived, up to a bound.

use std::collections::VecDeque;
use std::net::SocketAddr;

use quic_core::{EcnCodepoint, Instant};

use super::HostId;
use super::faults::Faults;
use super::random::Random;
use super::store::Slot;

/// Bytes that a socket's buffer has at first.
const RECEIVE_BUFFER: usize = 64 << 20;
/// What a datagram takes of the buffer besides its payload, in bytes.
const OVERHEAD: usize = 256;
/// Most datagrams, and bytes, that are received in one train, as in Linux.
pub(super) const MAX_TRAIN: usize = 64;
pub(super) const MAX_TRAIN_BYTES: usize = 65_535;

/// Names a bound socket of a [`Network`](super::Network).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PortId(pub(super) usize);

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Where to.
    pub to: SocketAddr,
    /// The ECN mark.
    pub ecn: Option<EcnCodepoint>,
    /// One datagram, or several one after the other.
    pub payload: &'a [u8],
    /// Length of each but the last of several; `None` if it is one.
    pub segment_length: Option<usize>,
}

impl<'a> Outgoing<'a> {
    /// One datagram without a mark.
    pub fn new(to: SocketAddr, payload: &'a [u8]) -> Self {
        Self { to, ecn: None, payload, segment_length: None }
    }
}

/// What was received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// Where from.
    pub from: SocketAddr,
    /// The address of the socket.
    pub to: SocketAddr,
    /// The ECN mark.
    pub ecn: Option<EcnCodepoint>,
    /// Length of each but the last datagram of a train (GRO); `None` if it is one datagram.
    pub segment_length: Option<usize>,
}

/// A bound socket.
#[derive(Debug)]
pub struct Socket {
    /// Bytes that its buffer holds, with 256 for each datagram. What arrives beyond that is lost.
    pub receive_buffer: usize,
    /// What goes wrong when something is to be sent.
    pub send_faults: Faults,
    /// What goes wrong when something is to be received.
    pub receive_faults: Faults,
    pub(super) host: HostId,
    pub(super) address: SocketAddr,
    pub(super) queue: VecDeque<Slot>,
    bytes: usize,
    overflows: u64,
    /// Whether it is among the ready ones already.
    pub(super) is_ready: bool,
    /// Until when it has no room.
    pub(super) blocked_until: Option<Instant>,
    pub(super) random: Random,
}

impl Socket {
    pub(super) fn new(host: HostId, address: SocketAddr, random: Random) -> Self {
        Self {
            receive_buffer: RECEIVE_BUFFER,
            send_faults: Faults::default(),
            receive_faults: Faults::default(),
            host,
            address,
            queue: VecDeque::new(),
            bytes: 0,
            overflows: 0,
            is_ready: false,
            blocked_until: None,
            random,
        }
    }

    /// Datagrams that found its buffer full.
    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    /// Datagrams in its buffer.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes a datagram of this length; returns whether there was room.
    pub(super) fn push(&mut self, slot: Slot, length: usize) -> bool {
        let bytes = self.bytes + length + OVERHEAD;
        if bytes > self.receive_buffer {
            self.overflows += 1;
            return false;
        }
        self.bytes = bytes;
        self.queue.push_back(slot);
        true
    }

    /// The next datagram is taken, which has this length.
    pub(super) fn pop(&mut self, length: usize) {
        self.queue.pop_front();
        self.bytes -= length + OVERHEAD;
    }
}
