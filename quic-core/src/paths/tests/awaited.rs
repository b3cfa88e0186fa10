//! Paths that the peer seems to be on, and where it does not answer.

use super::*;

/// Ports of reflectors, which have to answer before anybody is followed there.
const REFLECTORS: [&str; 5] =
    ["203.0.113.9:53", "203.0.113.10:53", "203.0.113.11:53", "203.0.113.12:53", "203.0.113.13:53"];

/// Lets time pass until nothing is waited for; whether the move failed is told, how often, too.
fn wait(paths: &mut Paths) -> usize {
    let mut failed = 0;
    while let Some(deadline) = paths.deadline() {
        paths.handle_timeout(deadline);
        failed += news(paths).iter().filter(|it| matches!(it, PathNews::Failed { .. })).count();
    }
    failed
}

#[test]
fn where_the_newest_packets_come_from_is_asked_again_with_the_same_id_until_it_answers() {
    let mut paths = confirmed_server();
    for _ in 0..10 {
        assert_eq!(receive(&mut paths, at(0), &arrival(REFLECTORS[0]), 1), PathChange::Unchanged);
        let path = paths.by_addresses(&from(REFLECTORS[0])).unwrap();
        assert_eq!(path.id, 1, "it is the same path, with the same ID");
        let _lost = challenge(path, true);
        assert_eq!(wait(&mut paths), 1);
        assert!(!paths.others.iter().any(|path| path.wants_datagram()));
    }
    receive(&mut paths, at(0), &arrival(REFLECTORS[0]), 1);
    let answer = challenge(paths.by_addresses(&from(REFLECTORS[0])).unwrap(), true);
    paths.handle_response(at(1), answer, &mut random());
    assert_eq!(remote(&paths), REFLECTORS[0].parse().unwrap());
}

#[test]
fn a_peer_that_is_heard_on_the_active_path_is_not_awaited_elsewhere() {
    let mut paths = confirmed_server();
    receive(&mut paths, at(0), &arrival(REFLECTORS[0]), 1);
    assert_eq!(wait(&mut paths), 1);
    assert_eq!(others(&paths), addresses(&REFLECTORS[..1]));
    // What is late, or probes, says nothing of where the peer is.
    let late = Arrival { is_newest: false, ..arrival(HOME) };
    receive(&mut paths, at(1), &late, 1);
    assert_eq!(others(&paths).len(), 1);
    paths.on_authenticated(at(1), &arrival(HOME), &mut random());
    assert!(news(&mut paths).contains(&PathNews::Forgotten { path: 1 }));
    assert_eq!(others(&paths), []);
}

#[test]
fn awaited_paths_make_room_for_others_before_those_that_are_being_validated() {
    let mut paths = confirmed_server();
    for place in &REFLECTORS[..2] {
        receive(&mut paths, at(0), &arrival(place), 1);
    }
    assert_eq!(wait(&mut paths), 2);
    receive(&mut paths, at(0), &arrival(REFLECTORS[0]), 1);
    receive(&mut paths, at(0), &arrival(REFLECTORS[2]), 1);
    receive(&mut paths, at(0), &arrival(REFLECTORS[3]), 1);
    let expected = [REFLECTORS[0], REFLECTORS[2], REFLECTORS[3]];
    assert_eq!(others(&paths), addresses(&expected));
    // Without an ID of its own, none of those takes another's place, before it has failed.
    paths.by_addresses(&from(REFLECTORS[0])).unwrap().came_to = 7;
    assert!(!paths.may_share(7, &from(REFLECTORS[4])));
    wait(&mut paths);
    assert!(paths.may_share(7, &from(REFLECTORS[4])) && !paths.may_share(8, &from(REFLECTORS[4])));
    let elsewhere = PathAddresses { socket: SocketId(1), ..from(REFLECTORS[4]) };
    assert!(!paths.may_share(7, &elsewhere), "it is to be sent from another address");
}

#[test]
fn no_id_is_kept_for_an_awaited_path_when_the_peer_needs_one_elsewhere() {
    let mut paths = confirmed_server();
    for place in &REFLECTORS[..3] {
        receive(&mut paths, at(0), &arrival(place), 1);
    }
    assert_eq!(wait(&mut paths), 3);
    let elsewhere = Arrival { may_answer: false, ..arrival(OTHER_HOST) };
    for (is_newest, is_probing) in [(false, false), (true, true)] {
        let arrival = Arrival { is_newest, is_probing, ..elsewhere };
        assert_eq!(receive(&mut paths, at(1), &arrival, 1), PathChange::Unchanged);
        assert_eq!(others(&paths).len(), 3);
    }
    paths.on_authenticated(at(1), &elsewhere, &mut random());
    let forgotten = [1, 2, 3].map(|path| PathNews::Forgotten { path });
    assert_eq!((news(&mut paths), others(&paths)), (forgotten.to_vec(), vec![]));
}
