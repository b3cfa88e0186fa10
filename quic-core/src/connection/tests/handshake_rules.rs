//! Rules of the handshake: keys, limits, and what nobody may bring about by guessing.

use std::mem;
use std::time::Duration;

use super::Pair;
use super::pair::{DELAY, deliver, error_of, one_sent_by, sent_by};
use crate::connection::Connection;
use crate::error::TransportErrorCode;
use crate::net::SocketId;
use crate::transmit::TransmitBuffer;
use crate::wire::header::{Header, LongHeader, LongType, parse};
use crate::wire::{ConnectionId, Side, SpaceId};

const PING: &[u8] = &[0x01];

fn id(byte: u8) -> ConnectionId {
    ConnectionId::new(&[byte; 8]).unwrap()
}

#[test]
fn initial_keys_go_with_the_first_handshake_packet() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.2
    //= type=test
    //# An endpoint MUST discard its Handshake keys when the TLS handshake is confirmed
    //# (Section 4.1.2).
    let mut pair = Pair::started();
    assert!(pair.client.keys.initial.is_some() && pair.server.keys.initial.is_some());
    pair.carry_to_client();
    assert!(pair.client.keys.initial.is_some(), "the client has sent no Handshake packet");
    let flight = sent_by(&mut pair.client, pair.now);
    assert!(pair.client.keys.initial.is_none());
    assert!(pair.server.keys.initial.is_some());
    for datagram in flight {
        deliver(&mut pair.server, pair.now, &datagram);
    }
    assert!(pair.server.keys.initial.is_none() && pair.server.keys.handshake.is_none());
    assert!(pair.client.keys.handshake.is_some(), "the handshake is not confirmed there");
    pair.carry_to_client();
    assert!(pair.client.keys.handshake.is_none());
}

#[test]
fn a_server_has_no_initial_keys_once_it_processed_a_handshake_packet() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.1
    //= type=test
    //# Thus, a client MUST discard Initial keys when it first sends a
    //# Handshake packet and a server MUST discard Initial keys when it first
    //# successfully processes a Handshake packet.
    let mut pair = Pair::answered();
    let datagram = pair.client.forge(SpaceId::Handshake, PING);
    assert!(pair.server.keys.initial.is_some());
    deliver(&mut pair.server, pair.now, &datagram);
    assert!(pair.server.keys.initial.is_none() && pair.server.is_handshaking());
}

#[test]
fn a_server_handles_no_1_rtt_packet_before_the_handshake_is_complete() {
    let mut pair = Pair::answered();
    assert!(pair.client.keys.one_rtt.is_some());
    let early = pair.client.forge(SpaceId::Application, &[0x0a, 2, 1, 42]);
    let flight = sent_by(&mut pair.client, pair.now);
    let before = pair.server.statistics().packets_received;
    deliver(&mut pair.server, pair.now, &early);
    assert_eq!(pair.server.statistics().packets_received, before);
    for datagram in flight {
        deliver(&mut pair.server, pair.now, &datagram);
    }
    assert!(!pair.server.is_handshaking());
    let accepted = pair.server.accept_stream(crate::wire::Direction::Unidirectional);
    assert!(accepted.is_some(), "it was kept until then");
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14.1
//= type=test
//# The server MUST also limit the number of bytes it sends before
//# validating the address of the client; see Section 8.
#[test]
fn a_server_never_sends_more_than_three_times_what_it_received() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //= type=test
    //# Prior to validating the client address, servers MUST NOT send more than
    //# three times as many bytes as the number of bytes they have received.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //= type=test
    //# For the purposes of avoiding amplification prior to address validation,
    //# servers MUST count all of the payload bytes received in datagrams that
    //# are uniquely attributed to a single connection.
    let mut pair = Pair::started();
    let stream = crate::wire::Direction::Unidirectional;
    let _blocked = pair.server.open_stream(stream);
    let check = |server: &Connection| {
        let statistics = server.statistics();
        let (sent, received) = (statistics.bytes_sent, statistics.bytes_received);
        assert!(sent <= 3 * received, "{sent} for {received}");
    };
    // Nothing of the server arrives; the client's datagrams are of all sizes.
    for round in 0..40_usize {
        let _lost = sent_by(&mut pair.server, pair.now);
        check(&pair.server);
        let garbage = vec![0x40; 1 + round * 31 % 700];
        deliver(&mut pair.server, pair.now, &garbage);
        let _lost = sent_by(&mut pair.server, pair.now);
        check(&pair.server);
        pair.now += Duration::from_millis(200);
        pair.server.handle_timeout(pair.now);
        if round == 30 {
            pair.server.fail(pair.now, crate::error::TransportError::internal("enough"));
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2.1
//= type=test
//# When the PTO fires, the client MUST send a Handshake packet if it has
//# Handshake keys, otherwise it MUST send an Initial packet in a UDP
//# datagram with a payload of at least 1200 bytes.
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
//= type=test
//# When a PTO timer expires, a sender MUST send at least one
//# ack-eliciting packet in the packet number space as a probe.
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
//= type=test
//# When there is no data to send, the sender SHOULD send a PING or other
//# ack-eliciting frame in a single packet, rearming the PTO timer.
#[test]
fn a_client_speaks_up_until_the_server_can_have_validated_its_address() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //= type=test
    //# To prevent this deadlock, clients MUST send a packet on a Probe Timeout
    //# (PTO); see Section 6.2 of [QUIC-RECOVERY].
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //= type=test
    //# Specifically, the client MUST send an Initial packet in a UDP datagram
    //# that contains at least 1200 bytes if it does not have Handshake keys,
    //# and otherwise send a Handshake packet.
    let mut pair = Pair::started();
    // The server acknowledges the ClientHello, and then has to be silent.
    let sent = pair.client.space(SpaceId::Initial).sent.next_number();
    let last = u8::try_from(sent - 1).unwrap();
    let ack = pair.server.forge(SpaceId::Initial, &[0x02, last, 0, 0, last]);
    deliver(&mut pair.client, pair.now, &ack);
    let _nothing = sent_by(&mut pair.client, pair.now);
    assert!(!pair.client.space(SpaceId::Initial).sent.has_ack_eliciting_in_flight());
    for _ in 0..3 {
        pair.now = pair.client.recovery.deadline().expect("a probe timer");
        pair.client.handle_timeout(pair.now);
        let probe = one_sent_by(&mut pair.client, pair.now).expect("a probe");
        assert!(probe.len() >= 1200);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.1
//= type=test
//# A packet MUST NOT be acknowledged until packet protection has been
//# successfully removed and all frames contained in the packet have been
//# processed.
#[test]
fn packets_that_are_not_authentic_change_nothing_but_counters() {
    let mut pair = Pair::started();
    let mut datagram = pair.server.forge(SpaceId::Initial, PING);
    let end = datagram.len();
    datagram[end - 1] ^= 1;
    let before = (pair.client.poll_timeout(), *pair.client.remote_ids.active());
    deliver(&mut pair.client, pair.now, &datagram);
    assert_eq!(pair.client.ids_seen.peer_initial_source, None);
    assert_eq!((pair.client.poll_timeout(), *pair.client.remote_ids.active()), before);
    assert_eq!(pair.client.statistics().packets_discarded, 1);
    assert_eq!(sent_by(&mut pair.client, pair.now), Vec::<Vec<u8>>::new());
    datagram[end - 1] ^= 1;
    deliver(&mut pair.client, pair.now, &datagram);
    assert_eq!(sent_by(&mut pair.client, pair.now).len(), 1, "what is authentic is acknowledged");
}

#[test]
fn the_server_keeps_to_its_first_connection_id() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
    //= type=test
    //# A client MUST change the Destination Connection ID it uses for sending packets in
    //# response to only the first received Initial or Retry packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
    //= type=test
    //# Once a client has received a valid Initial packet from the server, it MUST discard any
    //# subsequent packet it receives on that connection with a different Source Connection
    //# ID.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
    //= type=test
    //# Any further changes to the Destination Connection ID are only permitted if the values
    //# are taken from NEW_CONNECTION_ID frames; if subsequent Initial packets include a
    //# different Source Connection ID, they MUST be discarded.
    for space in [SpaceId::Initial, SpaceId::Handshake] {
        let mut pair = Pair::answered();
        let known = pair.client.statistics().packets_received;
        let own = mem::replace(&mut pair.server.ids_seen.local_source, id(9));
        assert_eq!(*pair.client.remote_ids.active(), own);
        let datagram = pair.server.forge(space, PING);
        deliver(&mut pair.client, pair.now, &datagram);
        assert_eq!(pair.client.statistics().packets_received, known, "{space:?}");
        assert_eq!(*pair.client.remote_ids.active(), own, "{space:?}");
        pair.server.ids_seen.local_source = own;
        let datagram = pair.server.forge(space, PING);
        deliver(&mut pair.client, pair.now, &datagram);
        assert!(pair.client.statistics().packets_received > known, "{space:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
//= type=test
//# The payload of a packet that contains frames MUST contain at least one
//# frame, and MAY contain multiple frames and multiple frame types.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
//= type=test
//# The HANDSHAKE_DONE frame MUST be retransmitted until it is
//# acknowledged.
#[test]
fn every_handshake_survives_the_loss_of_any_single_datagram() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4
    //= type=test
    //# If QUIC needs to retransmit that data, it MUST use the same keys even if TLS has
    //# already updated to newer keys.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9
    //= type=test
    //# If packets from a lower encryption level contain CRYPTO frames, frames that retransmit
    //# that data MUST be sent at the same encryption level.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9
    //= type=test
    //# Though an endpoint might retain older keys, new data MUST be sent at the highest
    //# currently available encryption level.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.4
    //= type=test
    //# While waiting for TLS processing to complete, an endpoint SHOULD buffer received
    //# packets if they might be processed using keys that are not yet available.
    for lost in 0..12 {
        let mut pair = Pair::started();
        let mut sent = 0;
        for _ in 0..200 {
            for side in [Side::Server, Side::Client] {
                let now = pair.now;
                let datagrams = sent_by(pair.end(side), now);
                let arrive = datagrams.iter().zip(sent..).filter(|(_, at)| *at != lost);
                arrive.for_each(|(datagram, _)| deliver(pair.end(!side), now, datagram));
                sent += datagrams.len();
            }
            if pair.client.handshake.is_confirmed() && pair.server.handshake.is_confirmed() {
                break;
            }
            let next = [pair.client.poll_timeout(), pair.server.poll_timeout()];
            let next = next.into_iter().flatten().min().unwrap();
            pair.now = (pair.now + DELAY).max(next.min(pair.now + Duration::from_secs(2)));
            pair.client.handle_timeout(pair.now);
            pair.server.handle_timeout(pair.now);
        }
        assert!(pair.client.handshake.is_confirmed(), "datagram {lost}");
        assert!(pair.server.handshake.is_confirmed(), "datagram {lost}");
    }
}

#[test]
fn handshake_data_above_a_gap_of_a_level_that_tls_leaves_is_an_error() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.3
    //= type=test
    //# When TLS provides keys for a higher encryption level, if there is data
    //# from a previous encryption level that TLS has not consumed, this MUST be
    //# treated as a connection error of type PROTOCOL_VIOLATION.
    // One byte of CRYPTO data at 4,000.
    let beyond = [0x06, 0x4f, 0xa0, 1, 0];
    for (victim, space) in [
        (Side::Client, SpaceId::Initial),
        (Side::Client, SpaceId::Handshake),
        (Side::Server, SpaceId::Handshake),
    ] {
        let mut pair = Pair::started();
        if victim == Side::Server {
            pair.carry_to_client();
        }
        pair.attack(victim, space, &beyond);
        match victim {
            Side::Client => pair.carry_to_client(),
            Side::Server => pair.carry_to_server(),
        };
        let found = error_of(pair.end(victim));
        assert_eq!(found, Some(TransportErrorCode::PROTOCOL_VIOLATION), "{victim:?} {space:?}");
    }
}

#[test]
fn no_initial_packet_follows_the_first_handshake_packet_in_the_same_batch() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.1
    //= type=test
    //# Thus, a client MUST discard Initial keys when it first sends a
    //# Handshake packet and a server MUST discard Initial keys when it first
    //# successfully processes a Handshake packet.  Endpoints MUST NOT send
    //# Initial packets after this point.
    let mut pair = Pair::answered();
    for space in [SpaceId::Initial, SpaceId::Handshake] {
        pair.client.space_mut(space).probes = 2;
    }
    let mut memory = vec![0; 10 * 1200];
    let mut buffer = TransmitBuffer::new(&mut memory, 10);
    let sent = pair.client.poll_transmit(pair.now, SocketId(0), &mut buffer).unwrap();
    let mut first = true;
    for datagram in memory[..sent.length].chunks(sent.segment_length.unwrap_or(sent.length)) {
        let header = parse(datagram, 8);
        let is_initial =
            matches!(header, Ok(Header::Long(LongHeader { ty: LongType::Initial, .. })));
        assert_eq!(is_initial, first, "{header:?}");
        first = false;
    }
    assert!(pair.client.keys.initial.is_none());
}

#[test]
fn the_time_that_packets_wait_for_their_keys_is_no_time_of_the_path() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.5
    //= type=test
    //# However, endpoints SHOULD include buffering
    //# delays caused by unavailability of decryption keys, since these
    //# delays can be large and are likely to be non-repeating.
    //= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
    //= type=test
    //# In such cases, an endpoint SHOULD subtract such local
    //# delays from its RTT sample until the handshake is confirmed.
    const WAIT: Duration = Duration::from_secs(1);
    let mut pair = Pair::answered();
    // What the client sends after its Finished comes long before it.
    let flight = sent_by(&mut pair.client, pair.now);
    pair.server.ping();
    assert_eq!(pair.carry_to_client(), 1);
    let number = pair.client.space(SpaceId::Application).sent.next_number();
    pair.client.ping();
    let early = sent_by(&mut pair.client, pair.now);
    pair.now += DELAY;
    for datagram in &early {
        deliver(&mut pair.server, pair.now, datagram);
    }
    pair.now += WAIT;
    for datagram in &flight {
        deliver(&mut pair.server, pair.now, datagram);
    }
    assert!(pair.server.handshake.is_confirmed());
    let answer = sent_by(&mut pair.server, pair.now);
    assert!(pair.server.space(SpaceId::Application).received.is_duplicate(number));
    pair.now += DELAY;
    for datagram in &answer {
        deliver(&mut pair.client, pair.now, datagram);
    }
    assert_eq!(pair.server.paths.active().rtt.latest(), 2 * DELAY);
    assert!(pair.client.rtt() < 3 * DELAY, "{:?}", pair.client.rtt());
}

#[test]
fn a_server_that_may_send_nothing_waits_without_probing() {
    let mut pair = Pair::started();
    let _lost = sent_by(&mut pair.server, pair.now);
    assert!(pair.server.recovery.deadline().is_some());
    let amplification = &mut pair.server.paths.active_mut().amplification;
    amplification.sent(amplification.allowance());
    pair.server.update_recovery_timer(pair.now);
    assert_eq!(pair.server.recovery.deadline(), None);
}

#[test]
fn an_acknowledgment_in_a_handshake_packet_shows_that_the_address_is_validated() {
    for (space, shows) in [(SpaceId::Initial, false), (SpaceId::Handshake, true)] {
        let mut pair = if shows { Pair::answered() } else { Pair::started() };
        let _flight = sent_by(&mut pair.client, pair.now);
        pair.attack(Side::Client, space, &[0x02, 0, 0, 0, 0]);
        assert_eq!(pair.client.peer.completed_address_validation, shows, "{space:?}");
    }
}
