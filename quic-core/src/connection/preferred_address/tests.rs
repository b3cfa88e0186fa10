use super::*;
use crate::wire::{ConnectionId, StatelessResetToken};

fn told(ipv4: Option<&str>, ipv6: Option<&str>) -> PreferredAddress {
    PreferredAddress {
        ipv4: ipv4.map(|address| address.parse().unwrap()),
        ipv6: ipv6.map(|address| address.parse().unwrap()),
        id: ConnectionId::new(&[1; 8]).unwrap(),
        reset_token: StatelessResetToken::new([2; 16]),
    }
}

#[test]
fn the_address_of_the_family_in_use_is_chosen() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
    //= type=test
    //# A client that migrates to a new address SHOULD use a preferred
    //# address from the same address family for the server.
    let (v4, v6) = (Some("192.0.2.7:7"), Some("[2001:db8::7]:7"));
    let table = [
        ("192.0.2.1:1", v4, v6, Some("192.0.2.7:7")),
        ("[2001:db8::1]:1", v4, v6, Some("[2001:db8::7]:7")),
        ("[::ffff:192.0.2.1]:1", v4, v6, Some("[::ffff:192.0.2.7]:7")),
        ("192.0.2.1:1", None, v6, None),
        ("[2001:db8::1]:1", v4, None, None),
        ("192.0.2.7:7", v4, v6, None),
        ("192.0.2.1:1", Some("0.0.0.0:7"), None, None),
        ("192.0.2.1:1", Some("192.0.2.7:0"), None, None),
        ("192.0.2.1:1", Some("224.0.0.1:7"), None, None),
    ];
    check(&table);
}

#[test]
fn no_server_but_one_on_this_machine_sends_its_clients_to_this_machine() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.6
    //= type=test
    //# Endpoints SHOULD NOT allow
    //# connections or migration to a loopback address if the same service
    //# was previously available at a different interface or if the address
    //# was provided by a service at a non-loopback address.
    let (v4, v6) = (Some("127.0.0.7:7"), Some("[::1]:7"));
    check(&[
        ("192.0.2.1:1", v4, v6, None),
        ("[2001:db8::1]:1", v4, v6, None),
        ("[::ffff:192.0.2.1]:1", v4, v6, None),
        ("[2001:db8::1]:1", None, Some("[::ffff:127.0.0.7]:7"), None),
        ("127.0.0.1:1", v4, v6, v4),
        ("[::1]:1", v4, v6, v6),
        ("[::ffff:127.0.0.1]:1", v4, v6, Some("[::ffff:127.0.0.7]:7")),
        // Nothing speaks against any other address.
        ("192.0.2.1:1", Some("10.0.0.7:7"), None, Some("10.0.0.7:7")),
    ]);
}

type Address = Option<&'static str>;

/// Whom a client is connected to, what it is told, and what it chooses.
fn check(table: &[(&str, Address, Address, Address)]) {
    for (current, v4, v6, expected) in table {
        let chosen = choose(&told(*v4, *v6), current.parse().unwrap());
        let expected = expected.map(|address| address.parse().unwrap());
        assert_eq!(chosen, expected, "{current}: {v4:?}, {v6:?}");
    }
}
