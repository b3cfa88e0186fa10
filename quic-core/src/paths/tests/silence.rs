//! A peer that moves while nothing, or only one direction, gets through.

use super::*;

const PLACES: [&str; 6] = [
    "203.0.113.9:4000",
    "203.0.113.10:4000",
    "203.0.113.11:4000",
    "203.0.113.12:4000",
    "203.0.113.13:4000",
    "203.0.113.14:4000",
];

/// A server whose client found out that the first few places work, each with an ID of its own.
fn probed(places: usize) -> Paths {
    let mut paths = confirmed_server();
    for (place, came_to) in PLACES.iter().zip(1..).take(places) {
        let probe = Arrival { is_probing: true, datagram_bytes: 1200, ..to(place, came_to) };
        assert_eq!(receive(&mut paths, at(0), &probe, 1), PathChange::Unchanged);
        let answer = challenge(paths.by_addresses(&from(place)).unwrap(), true);
        paths.handle_response(at(1), answer, &mut random());
        assert!(news(&mut paths).is_empty());
    }
    paths
}

/// The newest packet comes from there, to this ID.
fn to(place: &str, came_to: u64) -> Arrival {
    Arrival { came_to: Some(came_to), ..arrival(place) }
}

/// Lets time pass until nothing is waited for.
fn wait(paths: &mut Paths) {
    while let Some(deadline) = paths.deadline() {
        paths.handle_timeout(deadline);
    }
}

#[test]
fn a_peer_at_another_address_of_a_path_that_works_is_followed_though_no_more_paths_fit() {
    let mut paths = probed(3);
    assert!(!paths.may_share(4, &from(PLACES[3])), "none has an ID for it");
    // The ID for the second place goes for it, and then that for the third.
    for (place, left) in [(3, [PLACES[0], PLACES[2], HOME]), (4, [PLACES[0], HOME, PLACES[3]])] {
        assert!(paths.may_share(1, &from(PLACES[place])));
        assert_eq!(receive(&mut paths, at(2), &to(PLACES[place], 1), 1), PathChange::Moved);
        assert_eq!((remote(&paths), others(&paths)), (addresses(&PLACES)[place], addresses(&left)));
    }
    // But none goes that is asked, nor the one that has the ID.
    assert!(!paths.may_share(1, &from(PLACES[5])));
}

#[test]
fn none_that_is_being_validated_makes_room_for_a_path_that_has_to_share_an_id() {
    let mut paths = probed(2);
    let probe = Arrival { is_probing: true, ..to(PLACES[2], 3) };
    assert_eq!(receive(&mut paths, at(2), &probe, 1), PathChange::Unchanged);
    assert_eq!(receive(&mut paths, at(2), &to(PLACES[3], 1), 1), PathChange::Moved);
    assert_eq!(others(&paths), addresses(&[PLACES[0], PLACES[2], HOME]));
}

#[test]
fn the_last_path_that_works_makes_no_room() {
    let mut paths = probed(1);
    for place in &PLACES[1..3] {
        receive(&mut paths, at(1), &to(place, 0), 1);
    }
    paths.forget_remote(HOME.parse().unwrap());
    assert_eq!(receive(&mut paths, at(1), &to(PLACES[3], 0), 1), PathChange::Moved);
    assert_eq!(paths.iter().filter(|path| path.is_proved()).count(), 1);
    assert_eq!(others(&paths), addresses(&[PLACES[0], PLACES[1], PLACES[2]]));
    paths.others.iter_mut().skip(1).for_each(|path| path.came_to = 7);
    assert!(!paths.may_share(7, &from(PLACES[4])));
}

#[test]
fn paths_that_work_are_kept_while_the_peer_is_not_heard_of() {
    let mut paths = probed(2);
    paths.set_silent(true);
    wait(&mut paths);
    assert_eq!(others(&paths), addresses(&PLACES[..2]));
    paths.set_silent(false);
    paths.handle_timeout(at(10_000));
    assert_eq!(others(&paths), []);
}

#[test]
fn paths_that_work_are_kept_until_the_peer_is_known_to_hear_what_it_is_sent_elsewhere() {
    for is_sent in [false, true] {
        let mut paths = probed(2);
        assert_eq!(receive(&mut paths, at(2), &to(PLACES[0], 1), 1), PathChange::Moved);
        if is_sent {
            paths.active_mut().on_sent(at(2), 1200, true);
        }
        wait(&mut paths);
        let expected: &[&str] = if is_sent { &[PLACES[1], HOME] } else { &[] };
        assert_eq!(others(&paths), addresses(expected));
        paths.active_mut().on_acked(at(9999), (1200, at(2)), None);
        paths.handle_timeout(at(10_000));
        assert_eq!(others(&paths), []);
    }
}

#[test]
fn where_a_peer_moved_in_vain_it_is_asked_again_with_the_same_id_when_it_is_heard_from_there() {
    let mut paths = confirmed_server();
    for _ in 0..10 {
        assert_eq!(receive(&mut paths, at(0), &arrival(OTHER_HOST), 1), PathChange::Moved);
        assert_eq!(paths.active().id, 1, "it is the same path, with the same ID");
        let mut outcome = PathTimeout::Nothing;
        while outcome == PathTimeout::Nothing {
            let deadline = paths.deadline().expect("the move fails at last");
            outcome = time_out(&mut paths, deadline);
        }
        assert_eq!((outcome, remote(&paths)), (PathTimeout::Reverted, HOME.parse().unwrap()));
        assert_eq!(others(&paths), addresses(&[OTHER_HOST]));
    }
    paths.on_authenticated(at(1), &arrival(HOME), &mut random());
    assert_eq!(news(&mut paths), [PathNews::Forgotten { path: 1 }]);
}

#[test]
fn a_client_forgets_where_it_moved_in_vain() {
    let mut client = new(Side::Client, true);
    client.on_handshake_confirmed();
    client.migrate(at(0), PathAddresses { socket: SocketId(1), ..from(HOME) }, &mut random());
    wait(&mut client);
    assert_eq!(client.active().addresses, from(HOME));
    assert!(news(&mut client).contains(&PathNews::Forgotten { path: 1 }));
}
