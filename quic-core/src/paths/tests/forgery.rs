//! Addresses that a peer could name to attack others (RFC 9000 §21.5).

use super::*;

#[test]
fn a_well_known_reflector_is_followed_only_once_it_has_answered() {
    for port in [7, 19, 53, 123, 1900, 5353, 11211] {
        let mut paths = confirmed_server();
        let arrival = arrival(&format!("198.51.100.1:{port}"));
        assert_eq!(receive(&mut paths, at(0), &arrival, 1), PathChange::Unchanged);
        assert_eq!(remote(&paths), HOME.parse().unwrap());
        let path = paths.by_addresses(&arrival.path).unwrap();
        let answer = challenge(path, true);
        paths.handle_response(at(1), answer, &mut random());
        assert_eq!(remote(&paths).port(), port);
    }
}

#[test]
fn nobody_moves_to_this_machine_but_from_this_machine() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.6
    //= type=test
    //# Endpoints SHOULD NOT allow connections or migration to a loopback
    //# address if the same service was previously available at a different
    //# interface or if the address was provided by a service at a
    //# non-loopback address.
    let here = arrival("127.0.0.1:4433");
    let mut paths = confirmed_server();
    assert_eq!(paths.on_datagram(&here.path, 1200), PathVerdict::Ignored);
    assert_eq!(receive(&mut paths, at(0), &here, 1), PathChange::Unchanged);
    let mut local = confirmed_server();
    local.active.addresses = here.path;
    let other = arrival("127.0.0.1:4434");
    assert_eq!(local.on_datagram(&other.path, 1200), PathVerdict::Unknown);
}

#[test]
fn addresses_that_are_not_known_to_be_unsafe_may_be_moved_to() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.6
    //= type=test
    //# Endpoints SHOULD NOT refuse to use an address unless they have
    //# specific knowledge about the network indicating that sending datagrams
    //# to unvalidated addresses in a given range is not safe.
    for address in
        ["10.0.0.1:80", "192.168.1.1:4433", "169.254.1.1:443", "[fe80::1]:443", "[fc00::1]:99"]
    {
        let mut paths = confirmed_server();
        let arrival = arrival(address);
        assert_eq!(paths.on_datagram(&arrival.path, 1200), PathVerdict::Unknown, "{address}");
        assert_eq!(receive(&mut paths, at(0), &arrival, 1), PathChange::Moved, "{address}");
    }
}
