use super::*;
use crate::net::SocketId;

fn path(port: u16) -> PathAddresses {
    let remote = ([192, 0, 2, 1], port).into();
    PathAddresses { socket: SocketId(0), local_ip: None, remote }
}

fn closed(length: usize) -> ClosedConnection {
    let datagram = Some(vec![0; length].into());
    ClosedConnection::new(Closing { datagram, path: path(4433), until: Instant::FAR_FUTURE })
}

#[test]
fn the_close_is_repeated_for_datagrams_whose_number_is_a_power_of_two() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.1
    //= type=test
    //# An endpoint SHOULD limit the rate at which it generates packets in the
    //# closing state.
    let mut closed = closed(50);
    let answered: Vec<u32> = (1..=40).filter(|_| closed.on_datagram(path(4433), 1200)).collect();
    assert_eq!(answered, [1, 2, 4, 8, 16, 32]);
}

#[test]
fn other_addresses_get_no_answer() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.1
    //= type=test
    //# An endpoint in the closing state MUST either discard packets received
    //# from an unvalidated address or limit the cumulative size of packets it
    //# sends to an unvalidated address to three times the size of packets it
    //# receives from that address.
    let mut closed = closed(50);
    assert!(!closed.on_datagram(path(4434), 1200));
    assert!(closed.on_datagram(path(4433), 1200), "others' datagrams do not count");
}

#[test]
fn no_more_than_three_times_the_bytes_received_are_sent() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.1
    //= type=test
    //# To avoid being used for an amplification attack, such endpoints MUST
    //# limit the cumulative size of packets it sends to three times the
    //# cumulative size of the packets that are received and attributed to the
    //# connection.
    let mut closed = closed(1200);
    let (mut received, mut sent) = (0, 0);
    for _ in 0..10_000 {
        received += 21;
        if closed.on_datagram(path(4433), 21) {
            sent += 1200;
        }
        assert!(sent <= 3 * received);
    }
    assert!(sent > 0);
}

#[test]
fn a_draining_connection_is_silent() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.2
    //= type=test
    //# While otherwise identical to the closing state, an endpoint in the
    //# draining state MUST NOT send any packets.
    let closing = Closing { datagram: None, path: path(4433), until: Instant::FAR_FUTURE };
    assert!(!ClosedConnection::new(closing).on_datagram(path(4433), 1200));
}
