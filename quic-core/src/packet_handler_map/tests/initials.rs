use super::*;

#[test]
fn an_authentic_initial_begins_an_attempt() {
    let mut world = World::server(server_config());
    assert_eq!(world.answer(path(1), &initial(id(1))), None);
    let handle = world.attempt().unwrap();
    let incoming = world.map.incoming(handle).unwrap();
    assert_eq!((incoming.path, incoming.validated), (path(1), false));
    assert!(world.map.cell(handle).is_none());
    world.receive(path(1), &initial(id(1)));
    assert_eq!(world.attempt(), None, "the same Destination Connection ID is the same attempt");
}

#[test]
fn an_initial_that_is_not_authentic_leaves_no_trace() {
    let mut world = World::server(server_config());
    let mut forged = initial(id(1));
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(world.answer(path(1), &forged), None);
    assert_eq!(world.attempt(), None);
    assert!(world.is_empty());
}

#[test]
fn what_follows_an_initial_in_its_datagram_is_no_part_of_it() {
    let mut world = World::server(server_config());
    let mut datagram = Packet { length: 700, ..Packet::initial(id(1)) }.build();
    datagram
        .extend(Packet { ty: LongType::ZeroRtt, length: 500, ..Packet::initial(id(1)) }.build());
    assert_eq!(world.answer(path(1), &datagram), None);
    assert!(world.attempt().is_some());
}

#[test]
fn initials_that_are_too_small_or_to_too_short_an_id_are_dropped() {
    let short = ConnectionId::new(&[1; 7]).unwrap();
    for packet in [Packet { length: 1199, ..Packet::initial(id(1)) }, Packet::initial(short)] {
        let mut world = World::server(server_config());
        assert_eq!(world.answer(path(1), &packet.build()), None);
        assert!(world.attempt().is_none() && world.is_empty());
    }
}

#[test]
fn unknown_versions_are_negotiated_with_the_ids_echoed() {
    //= https://www.rfc-editor.org/rfc/rfc8999#section-6
    //= type=test
    //# An endpoint MUST include the value from the Source Connection ID field of the packet it
    //# receives in the Destination Connection ID field.
    //= https://www.rfc-editor.org/rfc/rfc8999#section-6
    //= type=test
    //# The value for the Source Connection ID field MUST be copied from the Destination
    //# Connection ID field of the received packet, which is initially randomly selected by a
    //# client.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
    //= type=test
    //# The server MUST include the value from the Source Connection ID field of the packet it
    //# receives in the Destination Connection ID field.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
    //= type=test
    //# The value for Source Connection ID MUST be copied from the Destination Connection ID of
    //# the received packet, which is initially randomly selected by a client.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
    //= type=test
    //# A server MUST NOT send more than one Version Negotiation packet in response to a single
    //# UDP datagram.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-6.1
    //= type=test
    //# An endpoint MUST NOT send a Version Negotiation packet in response to receiving a
    //# Version Negotiation packet.
    //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
    //= type=test
    //# This packet SHALL include each entry from the server's set of Offered Versions (see
    //# Section 5) in a Supported Version field.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
    //= type=test
    //# If a server receives a packet that indicates an unsupported version and
    //# if the packet is large enough to initiate a new connection for any
    //# supported version, the server SHOULD send a Version Negotiation packet
    //# as described in Section 6.1.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
    //= type=test
    //# Servers MUST drop smaller packets that specify unsupported versions.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
    //= type=test
    //# Servers SHOULD respond with a Version Negotiation packet, provided that
    //# the datagram is sufficiently long.
    let mut world = World::server(server_config());
    let mut packet = initial(id(1));
    packet[1..5].copy_from_slice(&0xface_b00c_u32.to_be_bytes());
    let answer = world.answer(path(1), &packet).unwrap();
    let Ok(Header::VersionNegotiation(header)) = parse(&answer, 8) else { panic!("{answer:?}") };
    assert_eq!(header.destination_id, id(0xcc).as_slice());
    assert_eq!(header.source_id, id(1).as_slice());
    let versions: Vec<u32> = header.versions.collect();
    assert!(versions.contains(&1) && versions.contains(&0x6b33_43cf));
    assert_eq!(world.sent(), None, "one answer");
    assert!(versions.iter().any(|version| version & 0x0f0f_0f0f == 0x0a0a_0a0a), "greased");
    assert_eq!(world.answer(path(1), &packet[..1199]), None, "too small to open a connection");
    let mut padded = answer;
    padded.resize(1200, 0);
    assert_eq!(world.answer(path(1), &padded), None, "an answer is not answered");
    assert!(world.is_empty());
}

#[test]
fn ids_of_other_versions_are_echoed_at_any_length() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
    //= type=test
    //# Version-specific rules for the connection ID therefore MUST NOT influence a decision
    //# about whether to send a Version Negotiation packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
    //= type=test
    //# In order to properly form a Version Negotiation packet, servers SHOULD be able to read
    //# longer connection IDs from other QUIC versions.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
    //= type=test
    //# In order to properly form a Version Negotiation packet, servers SHOULD be able to read
    //# longer connection IDs from other QUIC versions.
    let mut world = World::server(server_config());
    let mut packet = vec![0xc0, 0xff, 0, 0, 1, 255];
    packet.extend_from_slice(&[1; 255]);
    packet.push(200);
    packet.extend_from_slice(&[2; 200]);
    packet.resize(1200, 0);
    let answer = world.answer(path(1), &packet).unwrap();
    let Ok(Header::VersionNegotiation(header)) = parse(&answer, 8) else { panic!("{answer:?}") };
    assert_eq!((header.destination_id, header.source_id), (&[2; 200][..], &[1; 255][..]));
}

#[test]
fn a_refused_attempt_is_told_and_forgotten() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
    //= type=test
    //# If a server refuses to accept a new connection, it SHOULD send an
    //# Initial packet containing a CONNECTION_CLOSE frame with error code
    //# CONNECTION_REFUSED.
    let mut world = World::server(server_config());
    world.receive(path(1), &initial(id(1)));
    let handle = world.attempt().unwrap();
    world.map.refuse(handle);
    let (to, answer) = world.sent().unwrap();
    assert_eq!((to, close_code(id(1), answer)), (path(1), 0x02));
    assert!(world.is_empty() && world.map.incoming(handle).is_none());
    assert_eq!(world.map.accept(world.now, handle, None), Err(AcceptError::Gone));
}

#[test]
fn an_ignored_attempt_is_forgotten_without_a_word() {
    let mut world = World::server(server_config());
    world.receive(path(1), &initial(id(1)));
    let handle = world.attempt().unwrap();
    world.map.ignore(handle);
    assert!(world.sent().is_none() && world.is_empty());
}

#[test]
fn a_server_that_stops_listening_refuses_attempts_old_and_new() {
    let mut world = World::server(server_config());
    world.receive(path(1), &initial(id(1)));
    world.map.stop_listening();
    assert_eq!(close_code(id(1), world.sent().unwrap().1), 0x02);
    let answer = world.answer(path(1), &initial(id(2))).unwrap();
    assert_eq!(close_code(id(2), answer), 0x02);
    assert!(world.is_empty());
    world.map.listen(Arc::new(server_config()));
    assert_eq!(world.answer(path(1), &initial(id(3))), None);
}

#[test]
fn an_endpoint_that_never_listened_says_nothing() {
    //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
    //= type=test
    //# Clients MUST NOT send Version Negotiation packets and servers MUST ignore all received
    //# Version Negotiation packets.
    let mut world = World::with_reset_key();
    assert_eq!(world.answer(path(1), &initial(id(1))), None);
    let mut unknown = initial(id(1));
    unknown[1..5].copy_from_slice(&0xface_b00c_u32.to_be_bytes());
    assert_eq!(world.answer(path(1), &unknown), None);
    assert!(world.is_empty());
}

/// Lets a server that validates all addresses send a Retry, and returns its ID and token.
fn retry(world: &mut World) -> (ConnectionId, Vec<u8>) {
    let answer = world.answer(path(1), &initial(id(1))).unwrap();
    assert!(is_retry_authentic(1, &id(1), &answer));
    let Ok(Header::Retry(header)) = parse(&answer, 8) else { panic!("{answer:?}") };
    assert_eq!(header.destination_id, id(0xcc));
    (header.source_id, header.token.to_vec())
}

fn validating() -> World {
    let mut config = server_config();
    config.validation = AddressValidation::Always;
    World::server(config)
}

#[test]
fn a_retry_leaves_no_state_and_its_token_opens_the_door() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.1
    //= type=test
    //# This value MUST NOT be equal to the Destination Connection ID field of the packet sent
    //# by the client.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.1
    //= type=test
    //# A server MUST NOT send more than one Retry packet in response to a single UDP datagram.
    let mut world = validating();
    let (to, token) = retry(&mut world);
    assert_ne!(to, id(1));
    assert!(world.is_empty());
    let again = Packet { token: &token, ..Packet::initial(to) }.build();
    assert_eq!(world.answer(path(1), &again), None);
    let handle = world.attempt().unwrap();
    assert!(world.map.incoming(handle).unwrap().validated);
    assert!(!world.map.retry(world.now, handle), "once is enough");
    let PacketHandler::Incoming(attempt) = &world.map.slots.get(handle).unwrap().handler else {
        panic!("not an attempt")
    };
    assert_eq!(attempt.facts.original_destination_id, id(1));
    assert!(attempt.facts.retried);
}

#[test]
fn a_retry_token_is_good_for_its_address_its_id_and_its_time_only() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.2
    //= type=test
    //# Instead, the server SHOULD immediately close (Section 10.2) the
    //# connection with an INVALID_TOKEN error.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //= type=test
    //# Tokens sent in Retry packets SHOULD include information that allows the
    //# server to verify that the source IP address and port in client packets
    //# remain constant.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //= type=test
    //# Servers SHOULD ensure that tokens sent in Retry packets are only
    //# accepted for a short time, as they are returned immediately by clients.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# Thus, a token SHOULD have an expiration time, which could be either an
    //# explicit expiration time or an issued timestamp that can be used to
    //# dynamically calculate the expiration time.
    let elsewhere = PathAddresses { remote: ([192, 0, 2, 1], 40_001).into(), ..path(1) };
    for (from, other_id, wait) in [
        (elsewhere, false, Duration::ZERO),
        (path(2), false, Duration::ZERO),
        (path(1), true, Duration::ZERO),
        (path(1), false, Duration::from_secs(16)),
    ] {
        let mut world = validating();
        let (to, token) = retry(&mut world);
        let to = if other_id { id(9) } else { to };
        world.pass(wait);
        let again = Packet { token: &token, ..Packet::initial(to) }.build();
        let answer = world.answer(from, &again).unwrap();
        assert_eq!(close_code(to, answer), 0x0b);
        assert!(world.is_empty());
    }
}

#[test]
fn a_clock_that_goes_back_does_not_make_tokens_come_from_the_future() {
    let mut world = validating();
    let (to, token) = retry(&mut world);
    world.now = world.now - Duration::from_secs(500);
    let again = Packet { token: &token, ..Packet::initial(to) }.build();
    assert_eq!(world.answer(path(1), &again), None);
    assert!(world.attempt().is_some());
}

/// An Initial with the token of a Retry that another server of the pool sent, so long after now.
fn retried_by_another(world: &World, after: Duration) -> Vec<u8> {
    let token = Token::Retry {
        remote: path(1).remote,
        original_destination_id: id(1),
        retry_source_id: id(2),
        issued: world.now + after,
        version: 1,
    };
    let token =
        seal_token(&Keyring::new(TOKEN_SECRET), &token, &mut SeededRandom::from_seed([3; 32]));
    Packet { token: &token, ..Packet::initial(id(2)) }.build()
}

#[test]
fn a_token_of_a_server_whose_clock_is_a_little_ahead_is_good() {
    let mut world = validating();
    let packet = retried_by_another(&world, Duration::from_secs(2));
    assert_eq!(world.answer(path(1), &packet), None);
    assert!(world.attempt().is_some());
}

#[test]
fn a_token_from_the_future_is_not_good() {
    let mut world = validating();
    let packet = retried_by_another(&world, Duration::from_millis(2001));
    let answer = world.answer(path(1), &packet).unwrap();
    assert_eq!(close_code(id(2), answer), 0x0b);
}

#[test]
fn a_token_that_cannot_be_read_counts_as_none() {
    let mut world = validating();
    let packet = Packet { token: &[7; 60], ..Packet::initial(id(1)) }.build();
    let answer = world.answer(path(1), &packet).unwrap();
    assert!(is_retry_authentic(1, &id(1), &answer));
}

#[test]
fn a_new_token_validates_one_attempt_from_any_port_of_its_address() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# When a server receives an Initial packet with an address validation
    //# token, it MUST attempt to validate the token, unless it has already
    //# completed address validation.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //= type=test
    //# Tokens sent in NEW_TOKEN frames MUST include information that allows the
    //# server to verify that the client IP address has not changed from when
    //# the token was issued.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //= type=test
    //# If the client IP address has changed, the server MUST adhere to the
    //# anti-amplification limit; see Section 8.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //= type=test
    //# To protect against such attacks, servers MUST ensure that replay of
    //# tokens is prevented or limited.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //= type=test
    //# Tokens that are provided in NEW_TOKEN frames (Section 19.7) need to be
    //# valid for longer but SHOULD NOT be accepted multiple times.
    let mut world = validating();
    let token = Token::NewToken { ip: path(1).remote.ip(), issued: world.now, version: 1 };
    let token =
        seal_token(&Keyring::new(TOKEN_SECRET), &token, &mut SeededRandom::from_seed([3; 32]));
    let with_token = |to| Packet { token: &token, ..Packet::initial(to) }.build();
    let answer = world.answer(path(2), &with_token(id(1))).unwrap();
    assert!(is_retry_authentic(1, &id(1), &answer), "another address is told to retry");
    let from = PathAddresses { remote: ([192, 0, 2, 1], 555).into(), ..path(1) };
    assert_eq!(world.answer(from, &with_token(id(2))), None);
    let handle = world.attempt().unwrap();
    assert!(world.map.incoming(handle).unwrap().validated);
    let answer = world.answer(path(1), &with_token(id(3))).unwrap();
    assert!(is_retry_authentic(1, &id(3), &answer), "a token is good once");
    assert_eq!(world.attempt(), None);
}

#[test]
fn a_forged_initial_does_not_use_up_the_token_in_it() {
    let mut world = World::server(server_config());
    let token = Token::NewToken { ip: path(1).remote.ip(), issued: world.now, version: 1 };
    let token =
        seal_token(&Keyring::new(TOKEN_SECRET), &token, &mut SeededRandom::from_seed([3; 32]));
    let packet = Packet { token: &token, ..Packet::initial(id(1)) }.build();
    let mut forged = packet.clone();
    *forged.last_mut().unwrap() ^= 1;
    world.receive(path(1), &forged);
    world.receive(path(1), &packet);
    let handle = world.attempt().unwrap();
    assert!(world.map.incoming(handle).unwrap().validated);
}

#[test]
fn the_application_can_ask_for_a_retry_where_the_address_is_not_validated() {
    let mut world = World::server(server_config());
    world.receive(path(1), &initial(id(1)));
    let handle = world.attempt().unwrap();
    assert!(world.map.retry(world.now, handle));
    assert!(is_retry_authentic(1, &id(1), &world.sent().unwrap().1));
    assert!(world.is_empty() && !world.map.retry(world.now, handle));
}

#[test]
fn zero_rtt_packets_that_overtook_their_initial_wait_for_it() {
    let mut world = World::server(server_config());
    let early = Packet { ty: LongType::ZeroRtt, length: 500, ..Packet::initial(id(1)) }.build();
    for _ in 0..3 {
        assert_eq!(world.answer(path(1), &early), None);
    }
    assert_eq!((world.attempt(), world.map.book.zero_rtt_queues), (None, 1));
    world.receive(path(1), &initial(id(1)));
    let handle = world.attempt().unwrap();
    assert_eq!(world.map.book.zero_rtt_queues, 0);
    let attempt = world.map.take_attempt(handle).unwrap();
    assert_eq!(attempt.into_datagrams().map(|held| held.size()), [(1, 1200), (3, 1500)]);
    assert!(world.is_empty());
}

#[test]
fn zero_rtt_packets_wait_with_those_of_the_same_client_and_for_its_initial_only() {
    for (host, held) in [(1, 2), (2, 0)] {
        let mut world = World::server(server_config());
        let early = Packet { ty: LongType::ZeroRtt, length: 500, ..Packet::initial(id(1)) };
        for from in [1, 2, 2, 1] {
            world.receive(path(from), &early.build());
        }
        world.receive(path(host), &initial(id(1)));
        let handle = world.attempt().unwrap();
        let [_, early] = world.map.take_attempt(handle).unwrap().into_datagrams();
        assert_eq!(early.size().0, held);
    }
}

#[test]
fn zero_rtt_packets_without_an_initial_are_forgotten() {
    let mut world = World::server(server_config());
    let early = Packet { ty: LongType::ZeroRtt, length: 500, ..Packet::initial(id(1)) }.build();
    world.receive(path(1), &early);
    world.pass(Duration::from_millis(100));
    assert!(world.is_empty());
}

#[test]
fn packets_that_open_no_connection_are_dropped() {
    let mut world = World::server(server_config());
    for ty in [LongType::Handshake, LongType::ZeroRtt] {
        let packet = Packet { ty, ..Packet::initial(id(1)) }.build();
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
        //= type=test
        //# Clients are not able to send Handshake packets prior to receiving a
        //# server response, so servers SHOULD ignore any such packets.
        assert_eq!(world.answer(path(1), &packet), None);
        assert_eq!(world.attempt(), None);
    }
    world.pass(Duration::from_mins(1));
    assert!(world.is_empty());
    let mut retry = initial(id(1));
    retry[0] = 0xf0;
    let mut negotiation = initial(id(1));
    negotiation[1..5].fill(0);
    let too_short = Packet { length: 1199, ..Packet::initial(id(1)) }.build();
    for packet in [retry, negotiation, too_short, vec![0x40; 21], vec![0; 1200], vec![]] {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
        //= type=test
        //# Servers MUST drop incoming packets under all other circumstances.
        assert_eq!(world.answer(path(1), &packet), None);
        assert_eq!(world.attempt(), None);
        assert!(world.is_empty());
    }
}
