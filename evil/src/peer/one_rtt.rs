//! Keys of 1-RTT packets, all generations of them (RFC 9001 §6).

use std::mem;

use quic_core::crypto::packet_protection::{self, OpenError};
use quic_core::wire::RangeSet;
use rustls::quic::{DirectionalKeys, Keys, PacketKey, Secrets};

/// A packet that was opened.
#[derive(Debug)]
pub(super) struct OpenedPacket {
    pub(super) number: u64,
    pub(super) payload: Vec<u8>,
}

/// The keys of both directions.
pub(super) struct OneRtt {
    local: DirectionalKeys,
    remote: DirectionalKeys,
    secrets: Secrets,
    /// The packet keys of the generations after the first; those in use are swapped into the above
    /// for as long as they are used.
    later: Vec<(Box<dyn PacketKey>, Box<dyn PacketKey>)>,
    /// What we send with.
    pub(super) generation: usize,
    /// The newest that the target was seen to send with.
    pub(super) target_generation: usize,
}

impl OneRtt {
    pub(super) fn new(keys: Keys, secrets: Secrets) -> Self {
        Self {
            local: keys.local,
            remote: keys.remote,
            secrets,
            later: Vec::new(),
            generation: 0,
            target_generation: 0,
        }
    }

    fn provide(&mut self, generation: usize) {
        while self.later.len() < generation {
            let set = self.secrets.next_packet_keys();
            self.later.push((set.local, set.remote));
        }
    }

    /// Protects a packet with keys of this generation.
    pub(super) fn seal(
        &mut self,
        generation: usize,
        packet: &mut [u8],
        (number_offset, number_length): (usize, usize),
        number: u64,
    ) -> bool {
        self.provide(generation);
        let Self { local, later, .. } = self;
        let later = generation.checked_sub(1).and_then(|at| later.get_mut(at));
        with(local, later.map(|(local, _)| local), |keys| {
            packet_protection::seal(keys, packet, number_offset, number_length, number).is_ok()
        })
    }

    /// Opens a packet of the target with whatever generation it was made.
    pub(super) fn open(
        &mut self,
        packet: &[u8],
        number_offset: usize,
        received: &RangeSet,
    ) -> Option<OpenedPacket> {
        let largest = received.iter().next_back().map(|range| range.end - 1);
        let newest = self.target_generation.max(self.generation);
        self.provide(newest + 1);
        for generation in (0..=newest + 1).rev() {
            let Self { remote, later, .. } = self;
            let later = generation.checked_sub(1).and_then(|at| later.get_mut(at));
            let opened = with(remote, later.map(|(_, remote)| remote), |keys| {
                open(keys, packet, number_offset, largest).ok()
            });
            if opened.is_some() {
                self.target_generation = self.target_generation.max(generation);
                // Who receives newer keys answers with them (RFC 9001 §6.2).
                self.generation = self.generation.max(self.target_generation);
                return opened;
            }
        }
        None
    }
}

/// Lends the keys with another packet key in them.
fn with<T>(
    keys: &mut DirectionalKeys,
    mut packet_key: Option<&mut Box<dyn PacketKey>>,
    act: impl FnOnce(&DirectionalKeys) -> T,
) -> T {
    if let Some(key) = &mut packet_key {
        mem::swap(&mut keys.packet, key);
    }
    let result = act(keys);
    if let Some(key) = &mut packet_key {
        mem::swap(&mut keys.packet, key);
    }
    result
}

/// Opens a copy of a packet.
pub(super) fn open(
    keys: &DirectionalKeys,
    packet: &[u8],
    number_offset: usize,
    largest: Option<u64>,
) -> Result<OpenedPacket, OpenError> {
    let mut copy = packet.to_vec();
    let opened = packet_protection::open(keys, &mut copy, number_offset, largest)?;
    Ok(OpenedPacket { number: opened.number, payload: opened.payload.to_vec() })
}
