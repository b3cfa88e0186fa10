use quic_core::crypto::{KeyChange, Level, Session, SessionFactory as _};
use quic_core::{QUIC_V1, TransportError};

use super::NullTls;

/// Handshake bytes with their levels, and how many key changes came between.
fn write(session: &mut dyn Session, level: &mut Level) -> Vec<(Level, Vec<u8>)> {
    let mut flights = Vec::new();
    loop {
        let mut bytes = Vec::new();
        let change = session.write_handshake(&mut bytes);
        if !bytes.is_empty() {
            flights.push((*level, bytes));
        }
        *level = match change {
            Some(KeyChange::Handshake(_)) => Level::Handshake,
            Some(KeyChange::OneRtt(_)) => Level::OneRtt,
            None => return flights,
        };
    }
}

fn deliver(to: &mut dyn Session, flights: &[(Level, Vec<u8>)]) -> Result<(), TransportError> {
    for (level, bytes) in flights {
        for chunk in bytes.chunks(7) {
            to.read_handshake(*level, chunk)?;
        }
        if to.client_offer().is_some() {
            to.choose_version(QUIC_V1, &[])?;
        }
    }
    Ok(())
}

#[test]
fn both_ends_agree_on_protocol_parameters_and_keys() {
    let tls = NullTls {
        protocols: vec![b"a".to_vec(), b"b".to_vec()],
        certificate_length: 10_000,
        ticket_length: 300,
        ..NullTls::default()
    };
    let mut client = tls.start(QUIC_V1, Some("example"), vec![1; 40]).unwrap();
    let mut server = tls.start(QUIC_V1, None, vec![2; 50]).unwrap();
    let (mut client_level, mut server_level) = (Level::Initial, Level::Initial);
    deliver(&mut *server, &write(&mut *client, &mut client_level)).unwrap();
    let flights = write(&mut *server, &mut server_level);
    let levels: Vec<_> = flights.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::Initial, Level::Handshake]);
    assert!(flights.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 10_000);
    // A client takes the next level only when it has made the keys for it.
    for flight in flights {
        deliver(&mut *client, &[flight]).unwrap();
        let flights = write(&mut *client, &mut client_level);
        deliver(&mut *server, &flights).unwrap();
    }
    deliver(&mut *client, &write(&mut *server, &mut server_level)).unwrap();

    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(client.peer_parameters(), Some(&[2; 50][..]));
    assert_eq!(server.peer_parameters(), Some(&[1; 40][..]));
    assert_eq!(client.handshake_data().unwrap().protocol.as_deref(), Some(&b"a"[..]));
    assert_eq!(server.handshake_data().unwrap().server_name.as_deref(), Some("example"));
    let (mut a, mut b) = ([0; 20], [1; 20]);
    assert!(client.export_keying_material(&mut a, b"label", b"context"));
    assert!(server.export_keying_material(&mut b, b"label", b"context"));
    assert_eq!(a, b);
    let (client, server) = (client.next_keys().unwrap(), server.next_keys().unwrap());
    let mut packet = *b"payload and room for its tag....";
    let (payload, tag) = packet.split_last_chunk_mut::<16>().unwrap();
    tag.copy_from_slice(client.local.encrypt_in_place(7, b"header", payload).unwrap().as_ref());
    assert_eq!(server.remote.decrypt_in_place(7, b"header", &mut packet).unwrap().len(), 16);
    assert!(server.remote.decrypt_in_place(8, b"header", &mut packet).is_err());
    assert!(server.remote.decrypt_in_place(7, b"haeder", &mut packet).is_err());
    packet[3] ^= 1;
    assert!(server.remote.decrypt_in_place(7, b"header", &mut packet).is_err());
}

#[test]
fn ends_without_a_common_protocol_part() {
    let offers = NullTls { protocols: vec![b"a".to_vec()], ..NullTls::default() };
    for wants in [vec![b"b".to_vec()], Vec::new()] {
        let wants = NullTls { protocols: wants, ..NullTls::default() };
        let mut client = offers.start(QUIC_V1, Some("example"), Vec::new()).unwrap();
        let mut server = wants.start(QUIC_V1, None, Vec::new()).unwrap();
        let hello = write(&mut *client, &mut Level::Initial.clone());
        assert_eq!(deliver(&mut *server, &hello).unwrap_err().code.value(), 0x178);
    }
}

#[test]
fn a_changed_message_fails_the_handshake() {
    let tls = NullTls::default();
    let mut client = tls.start(QUIC_V1, Some("example"), Vec::new()).unwrap();
    let mut server = tls.start(QUIC_V1, None, Vec::new()).unwrap();
    let mut level = Level::Initial;
    let mut hello = write(&mut *client, &mut level);
    *hello[0].1.last_mut().unwrap() ^= 1;
    deliver(&mut *server, &hello).unwrap();
    let mut server_level = Level::Initial;
    let answer = write(&mut *server, &mut server_level);
    assert_eq!(deliver(&mut *client, &answer).unwrap_err().code.value(), 0x100 + 51);
}
