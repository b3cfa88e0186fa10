//! Stateless resets, and what can be mistaken for them (RFC 9000 §10.3).

use super::Pair;
use super::pair::{deliver, sent_by};
use crate::error::ConnectionError;
use crate::wire::{ConnectionId, Side, StatelessResetToken};

#[test]
fn whatever_cannot_be_read_and_ends_in_the_token_is_a_stateless_reset() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.1
    //= type=test
    //# However, the comparison MUST be performed when the first packet in an
    //# incoming datagram either cannot be associated with a connection or
    //# cannot be decrypted.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.1
    //= type=test
    //# If the last 16 bytes of the datagram are identical in value to a
    //# stateless reset token, the endpoint MUST enter the draining period and
    //# not send any further packets on this connection.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //= type=test
    //# However, endpoints MUST treat any packet ending in a valid
    //# stateless reset token as a Stateless Reset, as other QUIC versions
    //# might allow the use of a long header.
    let token = [9; 16];
    for (first, version) in [(0x40, 0), (0xe0, 1), (0xd0, 1), (0x80, 1), (0xc0, 1), (0xc0, 7)] {
        for (resets, known) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut pair = Pair::confirmed();
            let source = pair.client.ids_seen.peer_initial_source.filter(|_| known);
            let source = source.unwrap_or(ConnectionId::EMPTY);
            pair.client.remote_ids.set_reset_token(StatelessResetToken::new(token));
            let id = *pair.client.local_ids.all().next().unwrap();
            let mut datagram = vec![first];
            if first == 0x40 {
                datagram.extend_from_slice(id.as_slice());
            } else {
                datagram.extend_from_slice(&[0, 0, 0, version, 8]);
                datagram.extend_from_slice(id.as_slice());
                datagram.push(u8::try_from(source.length()).unwrap());
                datagram.extend_from_slice(source.as_slice());
                datagram.extend_from_slice(&[0x40, 60]);
            }
            datagram.resize(datagram.len() + 60 - 16, 0x11);
            datagram.extend_from_slice(&token);
            datagram.extend_from_slice(&[0][usize::from(resets)..]);
            deliver(&mut pair.client, pair.now, &datagram);
            let reset = pair.client.close_reason() == Some(&ConnectionError::Reset);
            assert_eq!(reset, resets, "{first:x} {version} {known}");
        }
    }
}

#[test]
fn what_is_too_short_for_a_packet_is_no_stateless_reset() {
    for (length, resets) in [(20, false), (21, true)] {
        let mut pair = Pair::confirmed();
        let token = StatelessResetToken::new([9; 16]);
        pair.client.remote_ids.set_reset_token(token);
        let mut datagram = vec![0x40; length - 16];
        datagram.extend_from_slice(&[9; 16]);
        deliver(&mut pair.client, pair.now, &datagram);
        assert_eq!(pair.client.is_over(), resets, "{length} bytes");
    }
}

#[test]
fn every_packet_is_so_much_longer_than_an_id_that_a_reset_can_be_shorter() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //= type=test
    //# To achieve that end, the endpoint SHOULD ensure that all packets it
    //# sends are at least 22 bytes longer than the minimum connection ID
    //# length that it requests the peer to include in its packets, adding
    //# PADDING frames as necessary.
    for side in [Side::Client, Side::Server] {
        let mut pair = Pair::confirmed();
        pair.settle();
        pair.end(side).ping();
        let now = pair.now;
        let sent = sent_by(pair.end(side), now);
        let shortest = sent.iter().map(Vec::len).min();
        assert!(shortest >= Some(8 + 22), "{side:?}: {shortest:?}");
    }
}
