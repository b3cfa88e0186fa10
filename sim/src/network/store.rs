//! The memory of datagrams, which is used again and again.

use std::net::SocketAddr;

use quic_core::EcnCodepoint;

use super::HostId;
use super::link::Way;

/// Names a datagram in the [`Store`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Slot(usize);

/// A datagram in the network.
#[derive(Debug)]
pub(super) struct Packet {
    /// Where it comes from and goes to, as everybody outside of NATs sees it.
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Whom it goes to.
    pub(super) host: HostId,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) payload: Vec<u8>,
    /// Of the payload.
    pub(super) hash: u64,
    /// What the link drew for it.
    pub(super) way: Way,
    /// Its number in the trace, if it is there.
    pub(super) number: u64,
    /// It does not arrive, whatever the link does.
    pub(super) is_dead: bool,
}

impl Clone for Packet {
    fn clone(&self) -> Self {
        Self { payload: self.payload.clone(), ..*self }
    }

    /// Keeps the memory of the payload.
    fn clone_from(&mut self, other: &Self) {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clone_from(&other.payload);
        *self = Self { payload, ..*other };
    }
}

/// Datagrams. Their memory is kept when they are gone, so that a network that is warm allocates
/// nothing for them.
#[derive(Debug, Default)]
pub(super) struct Store {
    packets: Vec<Packet>,
    free: Vec<Slot>,
}

impl Store {
    /// Keeps a datagram with this payload. What `packet` has for a payload does not count.
    pub(super) fn put(&mut self, packet: Packet, payload: &[u8]) -> Slot {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.packets[slot.0];
            let memory = std::mem::take(&mut place.payload);
            *place = packet;
            place.payload = memory;
            place.payload.clear();
            place.payload.extend_from_slice(payload);
            return slot;
        }
        self.packets.push(Packet { payload: payload.to_vec(), ..packet });
        Slot(self.packets.len() - 1)
    }

    pub(super) fn get(&self, slot: Slot) -> &Packet {
        &self.packets[slot.0]
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Packet {
        &mut self.packets[slot.0]
    }

    /// The same datagram once more.
    pub(super) fn copy(&mut self, slot: Slot) -> Slot {
        let Some(other) = self.free.pop() else {
            self.packets.push(self.get(slot).clone());
            return Slot(self.packets.len() - 1);
        };
        let places = self.packets.get_disjoint_mut([slot.0, other.0]);
        let [packet, copy] = places.expect("one is free, and the other is not");
        copy.clone_from(packet);
        other
    }

    pub(super) fn give_back(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    /// Datagrams that there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.packets.len() - self.free.len()
    }

    /// Datagrams that there have been at a time.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.packets.len()
    }
}
