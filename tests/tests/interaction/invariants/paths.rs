//! Addresses and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use quic_core::PathStatistics;

/// Bytes that came from each address and went to it, at a server.
#[derive(Debug, Default)]
pub(crate) struct Amplification {
    bytes: BTreeMap<SocketAddr, [u64; 2]>,
    proved: BTreeSet<SocketAddr>,
}

impl Amplification {
    /// A datagram came from there.
    pub(crate) fn on_received(&mut self, from: SocketAddr, length: usize) {
        self.bytes.entry(from).or_default()[0] += length as u64;
    }

    /// Somebody is there.
    pub(crate) fn on_proved(&mut self, address: SocketAddr) {
        self.proved.insert(address);
    }

    /// A datagram goes there.
    pub(crate) fn i1_at_most_three_times_what_came(
        &mut self,
        to: SocketAddr,
        length: usize,
    ) -> Result<(), String> {
        let [received, sent] = self.bytes.entry(to).or_default();
        *sent += length as u64;
        if self.proved.contains(&to) || *sent <= 3 * *received {
            Ok(())
        } else {
            Err(format!("I1: {sent} bytes to {to}, from where {received} came"))
        }
    }
}

/// Where the packets of one connection came from, and where its peer was taken to be.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Source of the newest packet that did more than probe. The server may follow later, when
    /// it has proved the path.
    newest: Option<SocketAddr>,
    known: BTreeSet<SocketAddr>,
    active: Option<SocketAddr>,
}

impl Sources {
    /// An authentic packet came from there; `moves` if the peer may be followed for it.
    pub(crate) fn on_received(&mut self, source: SocketAddr, moves: bool) {
        self.known.insert(source);
        if moves {
            self.newest = Some(source);
        }
    }

    /// The server sends there now. It was told since the last time, or not, that a path failed.
    pub(crate) fn i25_only_a_new_packet_moves_the_peer(
        &mut self,
        active: SocketAddr,
        failed: bool,
    ) -> Result<(), String> {
        let newest = self.newest;
        let before = self.active.replace(active);
        if before.is_none() {
            self.known.insert(active);
        }
        let is_back = failed && self.known.contains(&active);
        match before {
            Some(before) if before != active && !is_back && newest != Some(active) => Err(format!(
                "I25: moved from {before} to {active}, the newest packet came from {newest:?}"
            )),
            _ => Ok(()),
        }
    }
}

pub(crate) fn i27_the_window_holds_two_packets(path: &PathStatistics) -> Result<(), String> {
    // RFC 9002 §7.2.
    if path.congestion_window < 2 * 1200 {
        return Err(format!("I27: a window of {} bytes", path.congestion_window));
    }
    if path.bytes_in_flight > 1 << 32 {
        return Err(format!("I27: {} bytes in flight", path.bytes_in_flight));
    }
    Ok(())
}

pub(crate) fn i30_the_mtu_is_at_least_1200(path: &PathStatistics) -> Result<(), String> {
    if path.mtu >= 1200 { Ok(()) } else { Err(format!("I30: an MTU of {} bytes", path.mtu)) }
}
