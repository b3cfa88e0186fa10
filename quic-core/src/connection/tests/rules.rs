//! Rules of RFC 9000 to 9002 that only whole connections can keep or break.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::Pair;
use super::pair::{deliver, deliver_from, error_of, one_sent_by, path, sent_by};
use crate::config::TransportConfig;
use crate::error::{ConnectionError, TransportErrorCode};
use crate::event::Event;
use crate::net::{PathAddresses, SocketId};
use crate::packet::PacketWriter;
use crate::transmit::TransmitBuffer;
use crate::wire::frame::{Frame, FrameType, Frames, NewToken};
use crate::wire::{ConnectionId, Direction, Side, SpaceId, VarInt, Writer};

pub(super) const PING: &[u8] = &[0x01];

//= https://www.rfc-editor.org/rfc/rfc9000#section-14
//= type=test
//# Therefore, an endpoint MUST NOT close a connection when it receives a
//# datagram that does not meet size constraints; the endpoint MAY discard
//# such datagrams.
//= https://www.rfc-editor.org/rfc/rfc9000#section-14.1
//= type=test
//# A server MUST discard an Initial packet that is carried in a UDP
//# datagram with a payload that is smaller than the smallest allowed
//# maximum datagram size of 1200 bytes.
#[test]
fn a_server_discards_initials_in_small_datagrams() {
    let mut pair = Pair::started();
    let before = pair.server.statistics().packets_received;
    let small = pair.client.forge_with(SpaceId::Initial, PING, 1199, |_| {});
    deliver(&mut pair.server, pair.now, &small);
    assert_eq!(pair.server.statistics().packets_received, before);
    let large = pair.client.forge_with(SpaceId::Initial, PING, 1200, |_| {});
    deliver(&mut pair.server, pair.now, &large);
    assert_eq!(pair.server.statistics().packets_received, before + 1);
}

#[test]
fn a_client_discards_initials_with_a_token() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.2
    //= type=test
    //# Initial packets sent by the server MUST set the Token Length field to 0; clients that
    //# receive an Initial packet with a non-zero Token Length field MUST either discard the
    //# packet or generate a connection error of type PROTOCOL_VIOLATION.
    let mut pair = Pair::started();
    let with_token = pair.server.forge_long(SpaceId::Initial, &[1, 2, 3], PING);
    deliver(&mut pair.client, pair.now, &with_token);
    assert_eq!(pair.client.statistics().packets_received, 0);
    let without = pair.server.forge_long(SpaceId::Initial, &[], PING);
    deliver(&mut pair.client, pair.now, &without);
    assert_eq!(pair.client.statistics().packets_received, 1);
}

#[test]
fn a_packet_that_comes_twice_is_processed_once() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
    //= type=test
    //# A receiver MUST discard a newly unprotected packet unless it is certain that it has not
    //# processed another packet with the same packet number from the same packet number space.
    for space in SpaceId::ALL {
        for victim in [Side::Client, Side::Server] {
            let mut pair = match space {
                SpaceId::Initial => Pair::started(),
                SpaceId::Handshake => Pair::answered(),
                SpaceId::Application => Pair::confirmed(),
            };
            let datagram = pair.end(!victim).forge_with(space, &[1; 20], 1200, |_| {});
            let now = pair.now;
            deliver(pair.end(victim), now, &datagram);
            let once = pair.end(victim).statistics();
            deliver(pair.end(victim), now, &datagram);
            let twice = pair.end(victim).statistics();
            assert_eq!(twice.packets_received, once.packets_received, "{victim:?} {space:?}");
            assert_eq!(twice.packets_discarded, once.packets_discarded + 1, "{victim:?} {space:?}");
        }
    }
}

/// A mask hides bits but does not keep anybody from flipping them: reserved bits, the key phase, the
/// length of the number and so the number. Nobody is to learn from what follows what they are, nor
/// whether the number came before.
#[test]
fn a_forgery_is_answered_alike_whatever_is_under_its_protection() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.5
    //= type=test
    //# For authentication to be free from side channels, the entire process of header
    //# protection removal, packet number recovery, and packet protection removal MUST be
    //# applied together without timing and other side channels.
    for space in SpaceId::ALL {
        let mut pair = match space {
            SpaceId::Initial => Pair::started(),
            SpaceId::Handshake => Pair::answered(),
            SpaceId::Application => Pair::confirmed(),
        };
        let genuine = pair.server.forge_with(space, &[1; 20], 1200, |_| {});
        let now = pair.now;
        deliver(&mut pair.client, now, &genuine);
        let hidden = if space == SpaceId::Application { 0x1f } else { 0x0f };
        for bits in 0..=hidden {
            let mut forged = genuine.clone();
            forged[0] ^= bits;
            // With all bits as they were, it is the payload that is not.
            let end = forged.len();
            forged[end - 1] ^= 1;
            let before = pair.client.statistics();
            deliver(&mut pair.client, now, &forged);
            let after = pair.client.statistics();
            assert_eq!(error_of(&pair.client), None, "{space:?} {bits:x}");
            assert_eq!(after.packets_received, before.packets_received, "{space:?} {bits:x}");
            assert_eq!(after.packets_discarded, before.packets_discarded + 1, "{space:?} {bits:x}");
        }
    }
}

#[test]
fn reserved_bits_are_an_error_in_authentic_packets_only() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
    //= type=test
    //# An endpoint MUST treat receipt of a packet that has a non-zero value for these bits
    //# after removing both packet and header protection as a connection error of type
    //# PROTOCOL_VIOLATION.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.3.1
    //= type=test
    //# An endpoint MUST treat receipt of a packet that has a non-zero value for these bits,
    //# after removing both packet and header protection, as a connection error of type
    //# PROTOCOL_VIOLATION.
    for (space, bit) in
        [(SpaceId::Initial, 0x08), (SpaceId::Handshake, 0x04), (SpaceId::Application, 0x10)]
    {
        for victim in [Side::Client, Side::Server] {
            let mut pair = match space {
                SpaceId::Initial => Pair::started(),
                SpaceId::Handshake => Pair::answered(),
                SpaceId::Application => Pair::confirmed(),
            };
            let mut datagram =
                pair.end(!victim).forge_with(space, &[0; 20], 1200, |first| *first |= bit);
            let now = pair.now;
            let end = datagram.len();
            datagram[end - 1] ^= 1;
            deliver(pair.end(victim), now, &datagram);
            assert_eq!(error_of(pair.end(victim)), None);
            datagram[end - 1] ^= 1;
            deliver(pair.end(victim), now, &datagram);
            let found = error_of(pair.end(victim));
            assert_eq!(found, Some(TransportErrorCode::PROTOCOL_VIOLATION), "{victim:?} {space:?}");
        }
    }
}

/// CRYPTO frames with all that the server has to say in Handshake packets.
fn server_handshake(pair: &mut Pair) -> Vec<Vec<u8>> {
    let send = &pair.server.handshake.stream(SpaceId::Handshake).send;
    let mut data = vec![0; usize::try_from(send.end()).unwrap()];
    assert!(send.copy_to(0, &mut data));
    let mut frames = Vec::new();
    for (index, piece) in data.chunks(1000).enumerate() {
        let mut frame = vec![0; 1100];
        let mut writer = Writer::new(&mut frame);
        writer.varint(FrameType::CRYPTO.0).unwrap();
        writer.varint(index as u64 * 1000).unwrap();
        writer.prefixed_bytes(piece).unwrap();
        let length = writer.length();
        frame.truncate(length);
        frames.push(frame);
    }
    frames
}

#[test]
fn nothing_follows_the_end_of_a_connection_that_failed_while_early_packets_were_handled() {
    let mut pair = Pair::started();
    let mut early = server_handshake(&mut pair);
    // The packet that completes the handshake breaks the protocol behind that.
    early.last_mut().unwrap().push(0x3f);
    for frames in early {
        let datagram = pair.server.forge(SpaceId::Handshake, &frames);
        deliver(&mut pair.client, pair.now, &datagram);
    }
    pair.carry_to_client();
    assert_eq!(error_of(&pair.client), Some(TransportErrorCode::FRAME_ENCODING_ERROR));
    let mut events = Vec::new();
    while let Some(event) = pair.client.poll_event() {
        events.push(event);
    }
    assert!(matches!(events.last(), Some(Event::Lost(_))), "{events:?}");
}

/// The frames of the next datagram of the client, which is one 1-RTT packet, as the server would
/// read them.
pub(super) fn next_frames_of_client(pair: &mut Pair) -> Vec<u64> {
    let mut datagram = one_sent_by(&mut pair.client, pair.now).unwrap();
    let largest = pair.server.space(SpaceId::Application).received.largest();
    let keys = pair.server.keys.one_rtt.as_mut().unwrap();
    let opened = keys.open(pair.now, &mut datagram, 9, largest).unwrap();
    Frames::new(opened.payload).map(|frame| frame.unwrap().frame_type().0).collect()
}

#[test]
fn every_challenge_of_a_packet_is_answered() {
    let mut pair = Pair::confirmed();
    let challenges: Vec<u8> = (1..4_u8).flat_map(|n| [vec![0x1a], vec![n; 8]].concat()).collect();
    pair.attack(Side::Client, SpaceId::Application, &challenges);
    let frames = next_frames_of_client(&mut pair);
    let answers = frames.iter().filter(|ty| **ty == FrameType::PATH_RESPONSE.0).count();
    assert_eq!(answers, 3, "{frames:?}");
}

#[test]
fn a_token_that_leaves_no_room_for_a_client_hello_is_not_kept() {
    for (length, kept) in [(512_u64, true), (513, false)] {
        let mut pair = Pair::confirmed();
        pair.client.take_new_tokens(|_, _, _| ());
        let mut frame = vec![0; 1000];
        let mut writer = Writer::new(&mut frame);
        writer.varint(FrameType::NEW_TOKEN.0).unwrap();
        writer.prefixed_bytes(&vec![7; usize::try_from(length).unwrap()]).unwrap();
        let end = writer.length();
        pair.attack(Side::Client, SpaceId::Application, &frame[..end]);
        let mut tokens = 0;
        pair.client.take_new_tokens(|_, _, _| tokens += 1);
        assert_eq!(tokens, usize::from(kept));
    }
}

#[test]
fn a_close_that_can_never_be_sent_ends_with_the_closing_period() {
    let mut pair = Pair::confirmed();
    pair.client.close(pair.now, VarInt::from_u32(1), Bytes::new());
    assert!(pair.client.poll_closed().is_none());
    let over = pair.client.poll_timeout().unwrap();
    pair.client.handle_timeout(over);
    assert!(pair.client.poll_closed().is_some());
    assert_eq!(pair.client.poll_timeout(), None);
}

#[test]
fn a_close_under_the_amplification_limit_is_kept_for_when_the_client_sends_more() {
    let mut pair = Pair::started();
    let allowance = pair.server.paths.active().amplification.allowance();
    pair.server.paths.active_mut().on_datagram_sent(allowance);
    pair.server.close(pair.now, VarInt::from_u32(1), Bytes::new());
    assert_eq!(one_sent_by(&mut pair.server, pair.now), None);
    let closing = pair.server.poll_closed().unwrap();
    let datagram = closing.datagram.expect("something to say to the client that asks");
    deliver(&mut pair.client, pair.now, &datagram);
    assert!(pair.client.is_over());
}

#[test]
fn what_was_acknowledged_while_another_path_was_active_is_not_in_flight_after_a_return() {
    let mut pair = Pair::confirmed();
    let stream = pair.server.open_stream(Direction::Unidirectional).unwrap();
    pair.server.send_stream(stream).write(&[7; 8000]).unwrap();
    let flight = sent_by(&mut pair.server, pair.now);
    assert!(pair.server.statistics().bytes_in_flight > 8000);
    let elsewhere = path("203.0.113.9:1");
    let ping = pair.client.forge(SpaceId::Application, PING);
    deliver_from(&mut pair.server, pair.now, elsewhere, &ping);
    assert_eq!(pair.server.path(), elsewhere);
    for datagram in flight {
        deliver(&mut pair.client, pair.now, &datagram);
    }
    for datagram in sent_by(&mut pair.client, pair.now) {
        deliver_from(&mut pair.server, pair.now, elsewhere, &datagram);
    }
    // Nobody answers there.
    while pair.server.path() == elsewhere {
        let _lost = sent_by(&mut pair.server, pair.now);
        pair.now = pair.server.poll_timeout().unwrap();
        pair.server.handle_timeout(pair.now);
    }
    let generation = pair.server.paths.active().generation;
    let in_flight = pair.server.space(SpaceId::Application).sent.in_flight_on(generation);
    assert_eq!(pair.server.statistics().bytes_in_flight, in_flight);
    assert!(in_flight < 8000);
}

#[test]
fn a_peer_that_asks_for_path_responses_gets_no_data_past_the_window() {
    let mut pair = Pair::confirmed();
    let stream = pair.server.open_stream(Direction::Unidirectional).unwrap();
    pair.server.send_stream(stream).write(&vec![7; 60_000]).unwrap();
    let window = pair.server.statistics().congestion_window;
    pair.server.paths.active_mut().on_sent(pair.now, window, true);
    let challenge = [[0x1a].as_slice(), &[5; 8]].concat();
    for _ in 0..20 {
        pair.attack(Side::Server, SpaceId::Application, &challenge);
        let said: usize = sent_by(&mut pair.server, pair.now).iter().map(Vec::len).sum();
        assert!(said < 100, "{said} bytes past the window");
    }
}

#[test]
fn the_window_does_not_end_in_a_short_datagram() {
    let mut pair = Pair::confirmed();
    let stream = pair.server.open_stream(Direction::Unidirectional).unwrap();
    pair.server.send_stream(stream).write(&vec![7; 100_000]).unwrap();
    let mut memory = vec![0; 64 * 1024];
    let mut buffer = TransmitBuffer::new(&mut memory, 64);
    let mut lengths = Vec::new();
    while let Some(transmit) = pair.server.poll_transmit(pair.now, SocketId(0), &mut buffer) {
        let segment = transmit.segment_length.unwrap_or(transmit.length);
        assert_eq!(transmit.length % segment, 0, "{transmit:?}");
        lengths.push(segment);
    }
    assert!(lengths.iter().all(|length| *length >= 1200), "{lengths:?}");
}

#[test]
fn the_last_datagram_leaves_by_the_socket_of_the_active_path() {
    let mut pair = Pair::confirmed();
    let challenge = [[0x1a].as_slice(), &[5; 8]].concat();
    let datagram = pair.client.forge(SpaceId::Application, &challenge);
    let elsewhere = PathAddresses { socket: SocketId(1), ..path("203.0.113.9:1") };
    deliver_from(&mut pair.server, pair.now, elsewhere, &datagram);
    assert_eq!(pair.server.transmit_socket(), Some(SocketId(1)), "an answer is due there");
    pair.server.close(pair.now, VarInt::from_u32(1), Bytes::new());
    assert_eq!(pair.server.transmit_socket(), Some(SocketId(0)));
    assert_eq!(sent_by(&mut pair.server, pair.now).len(), 1);
}

#[test]
fn the_search_for_the_mtu_ends_at_the_memory_that_the_caller_has() {
    let of_server = TransportConfig { max_mtu: 9000, ..TransportConfig::default() };
    let mut pair = Pair::confirmed_with(TransportConfig::default(), of_server);
    pair.server.datagrams();
    for _ in 0..100 {
        pair.settle();
    }
    let mtu = pair.server.statistics().mtu;
    assert!((1480..=1500).contains(&mtu), "{mtu} bytes of 1,500");
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.7
//= type=test
//# The token MUST NOT be empty.
#[test]
fn each_token_is_sent_until_it_is_acknowledged_itself() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
    //= type=test
    //# NEW_TOKEN frames are retransmitted if the packet containing them is
    //# lost.
    let mut pair = Pair::confirmed();
    let handshake = &mut pair.server.handshake;
    // The configured one has the index 0.
    (0..3).for_each(|index| handshake.queue_token(Box::from([index; 40])));
    let tokens = |pair: &mut Pair| {
        let (mut memory, mut ring) = ([0; 500], VecDeque::new());
        let mut packet = PacketWriter::new(&mut memory, &mut ring);
        pair.server.handshake.write_frames(SpaceId::Application, &mut packet).unwrap();
        let written = packet.length();
        pair.server.handshake.on_token_acked(1);
        let token = |frame| {
            let Ok(Frame::NewToken(NewToken(token))) = frame else { panic!("{frame:?}") };
            token[0]
        };
        let tokens: Vec<u8> = Frames::new(&memory[..written]).map(token).collect();
        tokens
    };
    assert_eq!(tokens(&mut pair), [0, 1, 2]);
    assert_eq!(tokens(&mut pair), []);
    for index in 1..3 {
        pair.server.handshake.on_token_lost(index);
    }
    assert_eq!(tokens(&mut pair), [1], "the first one was acknowledged, the others were not");
}

#[test]
fn a_sender_without_credit_keeps_the_connection_from_timing_out() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
    //= type=test
    //# To keep the
    //# connection from closing, a sender that is flow control limited SHOULD
    //# periodically send a STREAM_DATA_BLOCKED or DATA_BLOCKED frame when it
    //# has no ack-eliciting packets in flight.
    // The window of a stream is used up, that of the connection, or neither.
    let window = 256 << 10;
    for (full_streams, wants_more, lives) in [(1, true, true), (2, false, true), (0, false, false)]
    {
        let mut pair = Pair::confirmed();
        let mut open = || pair.client.open_stream(Direction::Unidirectional).unwrap();
        let streams = [open(), open(), open()];
        for stream in &streams[..full_streams] {
            let mut stream = pair.client.send_stream(*stream);
            assert_eq!(stream.write(&vec![7; window]).unwrap(), window);
            assert!(!wants_more || stream.write(b"more").is_err());
        }
        let last = pair.client.send_stream(streams[2]).write(b"more");
        assert_eq!(last.is_err(), full_streams == 2);
        let end = pair.now + Duration::from_mins(2);
        while pair.now < end && !pair.client.is_over() {
            pair.settle();
            let timers = [pair.client.poll_timeout(), pair.server.poll_timeout()];
            let Some(next) = timers.into_iter().flatten().min() else { break };
            pair.now = pair.now.max(next);
            pair.client.handle_timeout(pair.now);
            pair.server.handle_timeout(pair.now);
        }
        assert_eq!((!pair.client.is_over(), !pair.server.is_over()), (lives, lives));
    }
}

#[test]
fn a_path_that_lost_everything_for_long_is_measured_anew() {
    let mut pair = Pair::confirmed();
    let before = pair.client.statistics();
    pair.client.ping();
    for _ in 0..8 {
        let _lost = sent_by(&mut pair.client, pair.now);
        pair.now = pair.client.recovery.deadline().unwrap();
        pair.client.handle_timeout(pair.now);
    }
    let probes = sent_by(&mut pair.client, pair.now);
    pair.now += Duration::from_millis(300);
    for datagram in &probes {
        deliver(&mut pair.server, pair.now, datagram);
    }
    pair.carry_to_client();
    let after = pair.client.statistics();
    assert!(after.congestion_window < before.congestion_window);
    assert!(after.mtu < before.mtu, "{} bytes are still trusted", after.mtu);
    assert!(after.minimum_rtt >= Duration::from_millis(300), "{:?}", after.minimum_rtt);
}

#[test]
fn a_close_names_the_very_type_of_the_frame_that_caused_it() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //= type=test
    //# An endpoint that wishes to communicate a fatal connection error MUST
    //# use a CONNECTION_CLOSE frame if it is able.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-11
    //= type=test
    //# An endpoint that detects an error SHOULD signal the existence of that
    //# error to its peer.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-11.1
    //= type=test
    //# Errors that result in the connection being unusable, such as an
    //# obvious violation of protocol semantics or corruption of state that
    //# affects an entire connection, MUST be signaled using a
    //# CONNECTION_CLOSE frame (Section 19.19).
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.19
    //= type=test
    //# A variable-length integer encoding the type of frame
    //# that triggered the error.
    for (space, frame) in [
        (SpaceId::Application, &[0x08, 3][..]),
        (SpaceId::Application, &[0x0f, 3, 1, 0]),
        (SpaceId::Application, &[0x01, 0x0a, 3, 0]),
        (SpaceId::Application, &[0x19, 9]),
        (SpaceId::Handshake, &[0x0b, 3, 0]),
    ] {
        let mut pair = match space {
            SpaceId::Application => Pair::confirmed(),
            SpaceId::Initial | SpaceId::Handshake => Pair::answered(),
        };
        pair.attack(Side::Server, space, frame);
        let Some(ConnectionError::TransportError(error)) = pair.server.close_reason() else {
            panic!("no error in {frame:?}");
        };
        let cause = if frame[0] == 0x01 { frame[1] } else { frame[0] };
        assert_eq!(error.frame_type, Some(cause.into()), "{frame:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
//= type=test
//# Receivers MUST be able to process coalesced packets.
#[test]
fn what_follows_a_packet_of_somebody_else_in_a_datagram_is_read() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
    //= type=test
    //# For example, if decryption fails
    //# (because the keys are not available or for any other reason), the
    //# receiver MAY either discard or buffer the packet for later processing
    //# and MUST attempt to process the remaining packets.
    let mut pair = Pair::answered();
    let own = pair.server.ids_seen.local_source;
    let known = pair.client.statistics().packets_received;
    pair.server.ids_seen.local_source = ConnectionId::new(&[9; 8]).unwrap();
    let mut datagram = pair.server.forge(SpaceId::Handshake, &[0x01; 30]);
    pair.server.ids_seen.local_source = own;
    datagram.extend(pair.server.forge(SpaceId::Handshake, &[0x01; 30]));
    deliver(&mut pair.client, pair.now, &datagram);
    assert_eq!(pair.client.statistics().packets_received, known + 1);
}

#[test]
fn what_follows_in_a_datagram_to_another_connection_id_is_ignored() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
    //= type=test
    //# Receivers SHOULD ignore any subsequent packets with a different
    //# Destination Connection ID than the first packet in the datagram.
    let mut pair = Pair::answered();
    let known = pair.server.statistics().packets_received;
    let mut datagram = pair.client.forge(SpaceId::Handshake, &[0x01; 30]);
    pair.client.remote_ids.set_first(ConnectionId::new(&[9; 8]).unwrap());
    datagram.extend(pair.client.forge(SpaceId::Handshake, &[0x01; 30]));
    deliver(&mut pair.server, pair.now, &datagram);
    assert_eq!(pair.server.statistics().packets_received, known + 1);
}

#[test]
fn a_challenge_in_a_small_datagram_proves_the_address_but_not_yet_the_path() {
    let mut pair = Pair::confirmed();
    let elsewhere = path("203.0.113.9:1");
    let ping = pair.client.forge(SpaceId::Application, PING);
    deliver_from(&mut pair.server, pair.now, elsewhere, &ping);
    for datagram in sent_by(&mut pair.server, pair.now) {
        deliver(&mut pair.client, pair.now, &datagram);
    }
    for datagram in sent_by(&mut pair.client, pair.now) {
        deliver_from(&mut pair.server, pair.now, elsewhere, &datagram);
    }
    let active = pair.server.paths.active();
    assert_eq!(active.addresses, elsewhere);
    assert!(active.amplification.is_validated() && active.validation.is_running());
}

#[test]
fn a_close_has_no_initial_packet_where_no_full_datagram_is_permitted() {
    let mut pair = Pair::started();
    let amplification = &mut pair.server.paths.active_mut().amplification;
    amplification.sent(amplification.allowance() - 1199);
    pair.server.close(pair.now, VarInt::from_u32(1), Bytes::new());
    let datagram = one_sent_by(&mut pair.server, pair.now).unwrap();
    // Whatever the QUIC bit is (RFC 9287).
    assert_eq!(datagram[0] & 0xb0, 0xa0, "a Handshake packet comes first");
}

/// Whether there is data of a stream among frames of these types.
pub(super) fn has_stream_data(frames: &[u64]) -> bool {
    frames.iter().any(|ty| (0x08..=0x0f).contains(ty))
}

#[test]
fn what_is_said_of_connection_ids_is_said_until_the_peer_has_it_and_then_no_more() {
    let mut pair = Pair::confirmed();
    for _ in 0..20 {
        // The server issues an ID for each that it is given back.
        assert!(pair.client.remote_ids.switch().unwrap());
        for _ in 0..2 {
            let said = next_frames_of_client(&mut pair);
            assert!(said.contains(&FrameType::RETIRE_CONNECTION_ID.0), "{said:?}");
            pair.client.requeue_oldest(SpaceId::Application, 1);
        }
        pair.carry_to_server();
        assert!(pair.server.local_ids.has_frames());
        let _lost = sent_by(&mut pair.server, pair.now);
        assert!(!pair.server.local_ids.has_frames());
        pair.server.requeue_oldest(SpaceId::Application, 1);
        assert!(pair.server.local_ids.has_frames());
        pair.settle();
        assert!(!pair.client.remote_ids.has_frames() && !pair.server.local_ids.has_frames());
    }
    assert_eq!((pair.client.close_reason(), pair.server.close_reason()), (None, None));
}

#[test]
fn what_arrived_before_the_peer_closed_can_be_read_and_nothing_after_this_end_did() {
    for closer in [Side::Client, Side::Server] {
        let mut pair = Pair::confirmed();
        let stream = pair.client.open_stream(Direction::Unidirectional).unwrap();
        pair.client.send_stream(stream).write(b"last words").unwrap();
        pair.carry_to_server();
        let now = pair.now;
        pair.end(closer).close(now, VarInt::from_u32(1), Bytes::new());
        pair.carry_to_server();
        let accepted = pair.server.accept_stream(Direction::Unidirectional);
        assert_eq!(accepted.is_some(), closer == Side::Client);
        let read = pair.server.recv_stream(stream).read(&mut [0; 20]);
        assert_eq!(read.is_ok(), closer == Side::Client, "{read:?}");
    }
}

#[test]
fn an_answer_off_the_active_path_fills_its_datagram_if_the_limit_permits() {
    let challenge = [[0x1a].as_slice(), &[5; 8]].concat();
    for (received, full) in [(400, true), (399, false)] {
        let mut pair = Pair::confirmed();
        let probe = pair.client.forge_with(SpaceId::Application, &challenge, received, |_| {});
        assert_eq!(probe.len(), received);
        deliver_from(&mut pair.server, pair.now, path("203.0.113.9:1"), &probe);
        let answer = one_sent_by(&mut pair.server, pair.now).unwrap();
        assert_eq!(answer.len() >= 1200, full, "{} bytes for {received}", answer.len());
        assert!(answer.len() <= 3 * received);
    }
}

#[test]
fn a_path_is_validated_though_its_window_is_full() {
    let mut pair = Pair::confirmed();
    let ping = pair.client.forge(SpaceId::Application, PING);
    deliver_from(&mut pair.server, pair.now, path("192.0.2.1:2000"), &ping);
    let window = pair.server.statistics().congestion_window;
    pair.server.paths.active_mut().on_sent(pair.now, window, true);
    assert!(pair.server.paths.active().validation.is_challenge_due());
    let _sent = sent_by(&mut pair.server, pair.now);
    assert!(!pair.server.paths.active().validation.is_challenge_due());
}

#[test]
fn a_packet_that_comes_late_from_elsewhere_does_not_move_the_peer() {
    let mut pair = Pair::confirmed();
    let [late, newest] = [(); 2].map(|()| pair.client.forge(SpaceId::Application, PING));
    let home = pair.server.path();
    deliver(&mut pair.server, pair.now, &newest);
    deliver_from(&mut pair.server, pair.now, path("203.0.113.9:1"), &late);
    assert_eq!(pair.server.path(), home);
}

#[test]
fn the_code_of_an_error_is_the_one_that_says_most() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-11
    //= type=test
    //# The most appropriate error code (Section 20) SHOULD be included in the
    //# frame that signals the error.
    for (frame, code) in [
        (&[0x08, 3][..], TransportErrorCode::STREAM_STATE_ERROR),
        (&[0x19, 9], TransportErrorCode::PROTOCOL_VIOLATION),
        (&[0x3f], TransportErrorCode::FRAME_ENCODING_ERROR),
    ] {
        let mut pair = Pair::confirmed();
        pair.attack(Side::Server, SpaceId::Application, frame);
        pair.settle();
        let heard = pair.client.close_reason().cloned();
        let Some(ConnectionError::ConnectionClosed(error)) = heard else {
            panic!("{frame:?}: {heard:?}");
        };
        assert_eq!(error.code, code, "{frame:?}");
    }
}

#[test]
fn what_arrives_after_the_idle_timeout_does_not_wake_the_connection_again() {
    // A program that was stopped finds it in its socket before it looks at its timers.
    for late in [Duration::ZERO, Duration::from_mins(5)] {
        let mut pair = Pair::confirmed();
        let datagram = pair.server.forge(SpaceId::Application, PING);
        let client = &mut pair.client;
        let alive = client.idle_timeout.end().unwrap();
        deliver(client, alive + late, &datagram);
        assert_eq!(client.close_reason(), Some(&ConnectionError::TimedOut));
        assert_eq!(one_sent_by(client, alive + late), None);
    }
}
