//! A packet number space: its packets and its keys (RFC 9000 §12.3).

use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;
use std::time::Duration;

use rustls::quic::Keys;

use super::versions::OtherInitial;
use crate::config::TransportConfig;
use crate::crypto::{OneRttKeys, OpenError, Opened, SealError, open, seal};
use crate::instant::Instant;
use crate::memory;
use crate::recovery::{ReceivedPackets, SentPackets};
use crate::wire::SpaceId;

/// What was sent and received in one packet number space.
#[derive(Debug)]
pub(super) struct PacketNumberSpace {
    pub(super) sent: SentPackets,
    pub(super) received: ReceivedPackets,
    /// Ack-eliciting packets to send whatever the congestion window says (RFC 9002 §6.2.4).
    pub(super) probes: u8,
    /// A PING is to be sent.
    pub(super) ping: bool,
    /// Packets in a row that the peer will not acknowledge.
    pub(super) acks_in_a_row: u8,
}

/// Packets in a row that only acknowledge, after which one elicits an acknowledgment itself.
pub(super) const MAXIMUM_ACKS_IN_A_ROW: u8 = 32;

impl PacketNumberSpace {
    /// Heap of a space at the most, in bytes.
    pub(super) fn worst_case_bytes(config: &TransportConfig, space: SpaceId) -> u64 {
        memory::sum([
            memory::boxes::<Self>(1),
            SentPackets::worst_case_bytes(config, space),
            ReceivedPackets::worst_case_bytes(),
        ])
    }

    fn new(space: SpaceId, max_ack_delay: Duration) -> Self {
        Self {
            sent: SentPackets::new(),
            received: ReceivedPackets::new(space, max_ack_delay),
            probes: 0,
            ping: false,
            acks_in_a_row: 0,
        }
    }
}

/// A place for a packet number space, which takes memory only once something happens in it, and
/// until its keys are discarded.
#[derive(Debug)]
pub(super) struct SpaceSlot {
    used: Option<Box<PacketNumberSpace>>,
    space: SpaceId,
    /// What this end announces, in milliseconds.
    max_ack_delay: u16,
}

/// What a space looks like in which nothing happened.
static UNUSED: LazyLock<PacketNumberSpace> =
    LazyLock::new(|| PacketNumberSpace::new(SpaceId::Initial, Duration::ZERO));

impl SpaceSlot {
    /// `max_ack_delay` is what this end announces, in whole milliseconds (RFC 9000 §18.2).
    pub(super) fn new(space: SpaceId, max_ack_delay: Duration) -> Self {
        let max_ack_delay = u16::try_from(max_ack_delay.as_millis()).unwrap_or(u16::MAX);
        Self { used: None, space, max_ack_delay }
    }

    /// What happened in the space, if anything did.
    pub(super) fn used_mut(&mut self) -> Option<&mut PacketNumberSpace> {
        self.used.as_deref_mut()
    }

    /// Gives up what happened in the space; returns the bytes that were in flight on path `path`.
    pub(super) fn discard(&mut self, path: u32) -> u64 {
        self.used.take().map_or(0, |mut space| space.sent.discard(path))
    }
}

impl Deref for SpaceSlot {
    type Target = PacketNumberSpace;

    #[inline]
    fn deref(&self) -> &PacketNumberSpace {
        match &self.used {
            Some(space) => space,
            None => &UNUSED,
        }
    }
}

impl DerefMut for SpaceSlot {
    #[inline]
    fn deref_mut(&mut self) -> &mut PacketNumberSpace {
        let Self { used, space, max_ack_delay } = self;
        let max_ack_delay = Duration::from_millis((*max_ack_delay).into());
        used.get_or_insert_with(|| Box::new(PacketNumberSpace::new(*space, max_ack_delay)))
    }
}

/// The keys of every encryption level that this connection has now (RFC 9001 §4.9).
#[derive(Default)]
pub(super) struct Keychain {
    pub(super) initial: Option<Box<Keys>>,
    /// For Initial packets of another version, as long as the handshake may bring them.
    pub(super) other_initial: Option<Box<OtherInitial>>,
    pub(super) handshake: Option<Box<Keys>>,
    pub(super) one_rtt: Option<Box<OneRttKeys>>,
}

impl Keychain {
    /// Opens a packet of `space`, but 0-RTT; `None` if its keys are not there. See
    /// [`OneRttKeys::open`].
    #[expect(clippy::too_many_arguments, reason = "those of the keys, and which keys")]
    pub(super) fn open<'a>(
        &mut self,
        now: Instant,
        space: SpaceId,
        packet: &'a mut [u8],
        number_offset: usize,
        largest_received: Option<u64>,
    ) -> Option<Result<Opened<'a>, OpenError>> {
        let keys = match space {
            SpaceId::Initial => self.initial.as_ref()?,
            SpaceId::Handshake => self.handshake.as_ref()?,
            SpaceId::Application => {
                let keys = self.one_rtt.as_mut()?;
                return Some(keys.open(now, packet, number_offset, largest_received));
            }
        };
        Some(open(&keys.remote, packet, number_offset, largest_received))
    }

    /// Protects a packet of `space`, whose keys are there. See [`OneRttKeys::seal`].
    #[expect(clippy::too_many_arguments, reason = "those of the keys, and which keys")]
    pub(super) fn seal(
        &mut self,
        space: SpaceId,
        packet: &mut [u8],
        number_offset: usize,
        number_length: usize,
        number: u64,
    ) -> Result<(), SealError> {
        let keys = match space {
            SpaceId::Initial => self.initial.as_ref(),
            SpaceId::Handshake => self.handshake.as_ref(),
            SpaceId::Application => {
                let keys = self.one_rtt.as_mut().ok_or(SealError::Length)?;
                return keys.seal(packet, number_offset, number_length, number);
            }
        };
        let keys = keys.ok_or(SealError::Length)?;
        seal(&keys.local, packet, number_offset, number_length, number)
    }

    /// Whether packets of `space` can be sealed.
    pub(super) fn can_seal(&self, space: SpaceId) -> bool {
        match space {
            SpaceId::Initial => self.initial.is_some(),
            SpaceId::Handshake => self.handshake.is_some(),
            SpaceId::Application => self.one_rtt.is_some(),
        }
    }
}

impl std::fmt::Debug for Keychain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keychain")
            .field("initial", &self.initial.is_some())
            .field("other_initial", &self.other_initial.is_some())
            .field("handshake", &self.handshake.is_some())
            .field("one_rtt", &self.one_rtt.is_some())
            .finish()
    }
}
