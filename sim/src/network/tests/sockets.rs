use super::*;

#[test]
fn any_call_fails_as_it_is_told() {
    let errors = [
        SocketError::WouldBlock,
        SocketError::TooLarge,
        SocketError::Refused,
        SocketError::Unreachable,
        SocketError::Other(ErrorKind::PermissionDenied),
    ];
    for error in errors {
        for call in 0..5 {
            let mut two = Two::new(1);
            two.network.socket(two.ports[0]).send_faults.calls.insert(call, error);
            two.network.socket(two.ports[1]).receive_faults.calls.insert(call, error);
            for number in 0..5 {
                let sent = two.network.send(two.ports[0], Outgoing::new(OTHER, b"datagram"));
                assert_eq!(sent, if number == call { Err(error) } else { Ok(()) });
                two.run(millis(1));
            }
            two.run(millis(20));
            let mut payload = Vec::new();
            for number in 0..5 {
                let received = two.network.receive(two.ports[1], &mut payload);
                if number == call && number < 4 {
                    assert_eq!(received, Err(error));
                } else if number < 4 || call < 4 {
                    assert_eq!(received.unwrap().from, ONE);
                }
            }
        }
    }
}

#[test]
fn who_would_block_is_told_when_to_go_on() {
    let mut two = Two::new(1);
    let [port, other] = two.ports;
    two.network.socket(port).send_faults.fail_next(SocketError::WouldBlock);
    let send = |two: &mut Two| two.network.send(port, Outgoing::new(OTHER, b"datagram"));
    assert_eq!(send(&mut two), Err(SocketError::WouldBlock));
    assert!(!two.network.is_writable(port));
    assert_eq!(send(&mut two), Err(SocketError::WouldBlock), "it still would");
    two.network.advance(two.network.next().unwrap());
    assert_eq!(two.network.take_ready(), Some(port));
    assert!(two.network.is_writable(port));
    assert_eq!(send(&mut two), Ok(()));

    two.run(millis(10));
    assert_eq!(two.network.take_ready(), Some(other));
    two.network.socket(other).receive_faults.fail_next(SocketError::WouldBlock);
    assert!(two.receive(1).is_empty());
    two.network.advance(two.network.next().unwrap());
    assert_eq!(two.network.take_ready(), Some(other));
    assert_eq!(two.receive(1).len(), 1);
}

#[test]
fn an_interface_refuses_what_is_too_large_for_it() {
    let mut two = Two::new(1);
    two.network.host(two.hosts[0]).interface_mtu = 1300;
    let mut send = |length, segment_length| {
        let payload = vec![0; length];
        let outgoing = Outgoing { segment_length, ..Outgoing::new(OTHER, &payload) };
        two.network.send(two.ports[0], outgoing)
    };
    assert_eq!(send(1301, None), Err(SocketError::TooLarge));
    assert_eq!(send(3000, Some(1301)), Err(SocketError::TooLarge));
    assert_eq!(send(3000, Some(1300)), Ok(()));
    assert_eq!(two.network.trace.by(two.hosts[0]).count(), 3);
}

#[test]
fn a_buffer_that_is_full_takes_nothing_more() {
    let mut two = Two::new(1);
    let port = two.ports[1];
    two.network.socket(port).receive_buffer = 3 * (1000 + 256);
    (0..5).for_each(|_| two.send(&[0; 1000]));
    two.run(millis(10));
    assert_eq!(two.network.socket(port).overflows(), 2);
    assert_eq!(two.network.socket(port).waiting(), 3);
    assert_eq!(two.fates()[3..], [Fate::Overflow; 2]);
    assert_eq!(two.receive(1).len(), 3);
    two.send(&[0; 1000]);
    two.run(millis(10));
    assert_eq!(two.receive(1).len(), 1, "there is room again");
}

#[test]
fn trains_have_neighbours_of_a_kind() {
    let mut two = Two::new(1);
    two.network.coalesce = 1.0;
    for payload in [&[1; 1000][..], &[2; 1000], &[3; 500], &[4; 1000], &[5; 1100]] {
        two.send(payload);
    }
    let marked = Outgoing { ecn: Some(EcnCodepoint::Ce), ..Outgoing::new(OTHER, &[6; 1100]) };
    two.network.send(two.ports[0], marked).unwrap();
    two.run(millis(10));
    let mut trains = Vec::new();
    let mut payload = Vec::new();
    while let Ok(arrival) = two.network.receive(two.ports[1], &mut payload) {
        trains.push((payload.len(), arrival.segment_length, arrival.ecn));
    }
    let ce = Some(EcnCodepoint::Ce);
    let expected =
        [(2500, Some(1000), None), (1000, None, None), (1100, None, None), (1100, None, ce)];
    assert_eq!(trains, expected);
}

#[test]
fn trains_are_no_longer_than_those_of_linux_and_have_one_source() {
    let mut two = Two::new(1);
    two.network.coalesce = 1.0;
    let other = two.network.bind(two.hosts[0], address(3)).unwrap();
    let trains = |two: &mut Two| {
        two.run(millis(20));
        let mut payload = Vec::new();
        let receive =
            || two.network.receive(two.ports[1], &mut payload).map(|_| payload.len()).ok();
        std::iter::from_fn(receive).collect::<Vec<_>>()
    };
    (0..70).for_each(|_| two.send(&[0; 10]));
    assert_eq!(trains(&mut two), [640, 60]);
    (0..50).for_each(|_| two.send(&[0; 1400]));
    assert_eq!(trains(&mut two), [46 * 1400, 4 * 1400]);
    two.send(&[0; 10]);
    two.network.send(other, Outgoing::new(OTHER, &[0; 10])).unwrap();
    assert_eq!(trains(&mut two), [10, 10]);
    two.network.coalesce = 0.0;
    (0..3).for_each(|_| two.send(&[0; 10]));
    assert_eq!(trains(&mut two), [10; 3]);
}

#[test]
fn calls_fail_by_chance_as_often_as_they_are_told() {
    let mut two = Two::new(1);
    let chance = Some((0.25, SocketError::Refused));
    two.network.socket(two.ports[0]).send_faults.chance = chance;
    let send = |two: &mut Two| two.network.send(two.ports[0], Outgoing::new(OTHER, b"datagram"));
    let failed = (0..1000).filter(|_| send(&mut two) == Err(SocketError::Refused)).count();
    assert!((200..300).contains(&failed), "{failed}");
    assert_eq!(two.network.socket(two.ports[0]).send_faults.called(), 1000);
}

#[test]
fn what_lies_in_a_socket_that_is_closed_is_gone() {
    let mut two = Two::new(1);
    (0..5).for_each(|_| two.send(b"datagram"));
    two.run(millis(20));
    two.network.close(two.ports[1]);
    assert_eq!(two.network.works.store.len(), 0);
}
