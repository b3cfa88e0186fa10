//! May anything be sent, and what: decided once per batch, as a value.

use super::{Path, Paths};
use crate::congestion::Pace;
use crate::instant::Instant;
use crate::net::SocketId;

/// Bytes below which no datagram is worth being sent under the amplification limit.
pub(super) const USEFUL_BYTES: u64 = 64;

/// Full datagrams that a probe or a close may send past congestion window and pacing.
const URGENT_DATAGRAMS: u64 = 2;

/// What the connection has to send besides ordinary packets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Wish {
    /// A probe is due (RFC 9002 §6.2.4). It ignores congestion window and pacing.
    pub(crate) probe: bool,
    /// A CONNECTION_CLOSE is due. It ignores congestion window and pacing.
    pub(crate) close: bool,
}

/// Why a packet cannot be sent now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Blocked {
    /// The address is not validated and three times the received bytes were sent (RFC 9000 §8.1).
    Amplification,
    /// The congestion window has no room for a datagram (RFC 9002 §7).
    Congestion,
    /// The pacer says: not before this (RFC 9002 §7.7).
    Pacing(Instant),
    /// The active path has another socket.
    OtherSocket,
}

/// What may be sent on the active path. Bytes are bytes of UDP payload for the whole batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Permit {
    /// Nothing.
    None(Blocked),
    /// Only packets that are not in flight: ACK and CONNECTION_CLOSE.
    AcksOnly {
        /// What the amplification limit leaves.
        bytes: u64,
        /// [`Blocked::Congestion`] or [`Blocked::Pacing`].
        blocked: Blocked,
    },
    /// Everything, up to `bytes`; packets that are not in flight count too.
    Any {
        /// The least of congestion window, pacing budget and amplification limit.
        bytes: u64,
        /// Length of a full datagram: the current MTU. The last one of the batch may have to be
        /// shorter, as `bytes` says.
        datagram_length: usize,
    },
}

impl Paths {
    /// Decides what may be sent on `socket`, for one batch.
    pub(crate) fn permit(&mut self, now: Instant, socket: SocketId, wish: Wish) -> Permit {
        let path = &mut self.active;
        if path.addresses.socket != socket {
            return Permit::None(Blocked::OtherSocket);
        }
        let allowance = path.amplification.allowance();
        //= https://www.rfc-editor.org/rfc/rfc9000#section-14.1
        //# The server MUST also limit the number of bytes it sends before
        //# validating the address of the client; see Section 8.
        if allowance < USEFUL_BYTES {
            return Permit::None(Blocked::Amplification);
        }
        let budget = budget(path, now, self.config.pacing);
        self.grant(budget, allowance, wish)
    }

    /// `budget` is what congestion window and pacing leave.
    pub(super) fn grant(
        &mut self,
        budget: Result<u64, Blocked>,
        allowance: u64,
        wish: Wish,
    ) -> Permit {
        self.pacing.cancel();
        let mtu = self.active.mtu.current();
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.5
        //# Probe packets MUST NOT be blocked by the congestion controller.
        let urgent = if wish.probe || wish.close { URGENT_DATAGRAMS * u64::from(mtu) } else { 0 };
        match budget {
            Err(blocked) if urgent == 0 => {
                if let Blocked::Pacing(until) = blocked {
                    self.pacing.set(until);
                }
                //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
                //# To avoid delaying their delivery to the peer, packets containing only
                //# ACK frames SHOULD therefore not be paced.
                Permit::AcksOnly { bytes: allowance, blocked }
            }
            budget => Permit::Any {
                bytes: budget.unwrap_or(0).max(urgent).min(allowance),
                //= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
                //# All QUIC packets that are not sent in a PMTU probe SHOULD be sized to
                //# fit within the maximum datagram size to avoid the datagram being
                //# fragmented or dropped [RFC8085].
                //= https://www.rfc-editor.org/rfc/rfc8899#section-3
                //# A PL MUST NOT send a datagram (other than a probe packet) with a size
                //# at the PL that is larger than the current PLPMTU.
                datagram_length: mtu.into(),
            },
        }
    }
}

/// What congestion window and pacing leave, in whole datagrams: what is left over for a shorter one
/// waits until it has grown, so that no batch ends in one.
fn budget(path: &mut Path, now: Instant, paced: bool) -> Result<u64, Blocked> {
    let window = path.window_available();
    let mtu = u64::from(path.mtu.current());
    let whole = |bytes: u64| bytes.checked_div(mtu).unwrap_or(0).saturating_mul(mtu);
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7
    //# An endpoint MUST NOT send a packet if it would cause bytes_in_flight
    //# (see Appendix B.2) to be larger than the congestion window, unless the
    //# packet is sent on a PTO timer expiration (see Section 6.2) or when
    //# entering recovery (see Section 7.3.2).
    if path.is_window_limited() {
        return Err(Blocked::Congestion);
    }
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
    //# Senders MUST either use pacing or limit such bursts.
    // RFC 9002 §7.7: a burst of the initial window needs no pacing, and until there is a sample of
    // the round-trip time, there is nothing to pace by.
    if !paced || path.rtt.first_sample().is_none() {
        return Ok(whole(window));
    }
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
    //# A sender SHOULD pace sending of all in-flight packets based on input
    //# from the congestion controller.
    let pace = Pace::of(&*path.congestion, &path.rtt);
    match path.pacer.budget(now, pace) {
        0 => {
            path.on_paced(now);
            Err(Blocked::Pacing(path.pacer.next_send_time(pace)))
        }
        budget => Ok(whole(window.min(budget))),
    }
}
