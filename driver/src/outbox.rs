//! One batch of datagrams between the core and the socket.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;

use quic_core::{EMSGSIZE, EcnCodepoint, Transmit, TransmitBuffer};

use crate::socket::{Outgoing, Socket, SocketCounters};

/// Memory for one batch, and what of it the socket has not taken yet.
#[derive(Debug)]
pub(crate) struct Outbox {
    memory: Box<[u8]>,
    /// Whether the socket takes trains. Ends when trains fail where their datagrams do not.
    trains: Trains,
    departure: Option<Departure>,
    /// Bytes of the last batch.
    length: usize,
    /// Length of a datagram that the interface turned out not to carry.
    too_large: Option<usize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trains {
    Whole,
    Never,
}

/// Where the bytes in the memory go, from `start` to `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    pub(crate) destination: SocketAddr,
    pub(crate) source_ip: Option<IpAddr>,
    pub(crate) ecn: Option<EcnCodepoint>,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) segment_length: Option<usize>,
    /// Whether it goes as single datagrams, because the socket refused it as a train.
    pub(crate) split: bool,
    /// Whether the socket refused the next datagram once.
    pub(crate) refused_once: bool,
}

/// What became of the batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sent {
    /// It is gone.
    Gone,
    /// The socket has no room; the rest is kept.
    Blocked,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            memory: vec![0; BATCH_LENGTH].into_boxed_slice(),
            trains: Trains::Whole,
            departure: None,
            length: 0,
            too_large: None,
        }
    }

    /// Whether the socket still has to take something.
    pub(crate) fn is_empty(&self) -> bool {
        self.departure.is_none()
    }

    /// Bytes of the last batch, whether the socket took them or not.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Lets `poll` fill the memory, which is empty; returns whether it did.
    pub(crate) fn fill(
        &mut self,
        socket: &impl Socket,
        poll: impl FnOnce(&mut TransmitBuffer<'_>) -> Option<Transmit>,
    ) -> bool {
        let segments = match self.trains {
            Trains::Whole => socket.maximum_segments().get(),
            Trains::Never => 1,
        };
        let transmit = poll(&mut TransmitBuffer::new(&mut self.memory, segments));
        self.length = transmit.as_ref().map_or(0, |transmit| transmit.length);
        self.departure = transmit.map(|transmit| Departure {
            destination: transmit.path.remote,
            source_ip: transmit.path.local_ip,
            ecn: transmit.ecn,
            start: 0,
            end: transmit.length,
            segment_length: transmit.segment_length,
            split: false,
            refused_once: false,
        });
        self.departure.is_some()
    }

    /// Length of a datagram that the system refused because the interface does not carry it; told
    /// once. News of earlier datagrams is not among them, nor is anything that ICMP says.
    pub(crate) fn take_too_large(&mut self) -> Option<usize> {
        self.too_large.take()
    }

    /// Sends what is in the memory.
    pub(crate) fn send(&mut self, socket: &impl Socket, counters: &SocketCounters) -> Sent {
        let (mut taken, mut refused) = (0_usize, 0_usize);
        let mut unsupported = false;
        while let Some(departure) = &mut self.departure {
            let outgoing = departure.outgoing(&self.memory);
            let length = outgoing.contents.len();
            if length == 0 {
                break;
            }
            match socket.send(&outgoing) {
                Ok(()) => {
                    taken += usize::from(departure.split);
                    departure.advance(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Sent::Blocked,
                // What was refused as a whole may pass in parts: drivers without segmentation
                // offload answer with EIO or EINVAL, a path that became narrow with EMSGSIZE.
                Err(error) if outgoing.segment_length.is_some() => {
                    unsupported = means_unsupported(&error);
                    counters.trains_split.fetch_add(1, Ordering::Relaxed);
                    departure.split = true;
                }
                // What is said may be news of an earlier datagram (an ICMP message), which the
                // system tells once and by the way: then this one was not looked at yet.
                Err(_) if !departure.refused_once => departure.refused_once = true,
                // Unreachable, refused, too large, out of memory: lost, like anywhere on the way.
                Err(error) => {
                    if error.raw_os_error() == Some(EMSGSIZE) {
                        self.too_large = Some(length);
                    }
                    counters.datagrams_refused.fetch_add(1, Ordering::Relaxed);
                    refused += 1;
                    departure.advance(length);
                }
            }
        }
        self.departure = None;
        if unsupported && taken > 0 && refused == 0 {
            self.trains = Trains::Never;
        }
        Sent::Gone
    }
}

impl Departure {
    /// Goes on to the next datagram.
    fn advance(&mut self, length: usize) {
        self.start += length;
        self.refused_once = false;
    }

    fn outgoing<'a>(&self, memory: &'a [u8]) -> Outgoing<'a> {
        let rest = memory.get(self.start..self.end).unwrap_or_default();
        let (contents, segment_length) = match self.segment_length {
            Some(length) if self.split => (rest.get(..length).unwrap_or(rest), None),
            Some(length) if length < rest.len() => (rest, Some(length)),
            _ => (rest, None),
        };
        Outgoing {
            destination: self.destination,
            source_ip: self.source_ip,
            ecn: self.ecn,
            contents,
            segment_length,
        }
    }
}

/// Whether an error can mean that trains are not supported. Others strike any call: news of an
/// earlier datagram, a filter's verdict, a lack of memory.
fn means_unsupported(error: &io::Error) -> bool {
    /// What Linux says where a network driver cannot do it.
    const EIO: i32 = 5;
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(EIO)
}

/// The longest UDP payload that IPv4 and IPv6 both carry, a little less than 64 KiB.
const BATCH_LENGTH: usize = 65_487;

#[cfg(test)]
mod tests;
