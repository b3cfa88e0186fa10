//! What is told of the paths that a client asked for, and when.

use super::*;

fn client() -> Paths {
    let mut client = new(Side::Client, true);
    client.on_handshake_confirmed();
    client
}

/// The server, from the client's socket of this number.
fn over(socket: u32) -> PathAddresses {
    PathAddresses { socket: SocketId(socket), ..from(HOME) }
}

/// The outcomes among the news.
fn outcomes(paths: &mut Paths) -> Vec<PathNews> {
    let is_outcome =
        |news: &PathNews| matches!(news, PathNews::Validated { .. } | PathNews::Failed { .. });
    news(paths).into_iter().filter(is_outcome).collect()
}

fn validated(socket: u32) -> PathNews {
    PathNews::Validated { addresses: over(socket) }
}

fn failed(socket: u32) -> PathNews {
    PathNews::Failed { addresses: over(socket) }
}

/// The server answers the challenge of a path.
fn answer(paths: &mut Paths, now: Instant, socket: u32) {
    let mut all = paths.all_mut();
    let answer = challenge(all.find(|path| path.addresses == over(socket)).unwrap(), true);
    drop(all);
    paths.handle_response(now, answer, &mut random());
}

#[test]
fn what_was_measured_of_a_path_before_does_not_shorten_its_validation() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.4
    //= type=test
    //# A value of
    //# three times the larger of the current PTO or the PTO for the new path
    //# (using kInitialRtt, as defined in [QUIC-RECOVERY]) is RECOMMENDED.
    let mut paths = client();
    let millisecond = Duration::from_millis(1);
    paths.active_mut().rtt.update(at(0), millisecond, Duration::ZERO);
    paths.migrate(at(0), over(1), &mut random());
    answer(&mut paths, at(0), 1);
    paths.active_mut().rtt.update(at(0), millisecond, Duration::ZERO);
    let unknown = Rtt::new(TransportConfig::default().initial_rtt).pto_base();
    let last = Instant::EPOCH + (unknown + Duration::from_millis(25)) * 3;
    paths.probe(at(0), over(0), false, &mut random());
    outcomes(&mut paths);
    paths.handle_timeout(last - Duration::from_nanos(1));
    assert_eq!(outcomes(&mut paths), []);
    paths.handle_timeout(last);
    assert_eq!(outcomes(&mut paths), [failed(0)]);
    // Nor does it where a second datagram has to be a full one.
    paths.probe(at(0), over(2), false, &mut random());
    let short = challenge(paths.others.iter_mut().next_back().unwrap(), false);
    paths.handle_response(at(0), short, &mut random());
    let path = paths.others.iter_mut().next_back().unwrap();
    path.rtt.update(at(0), millisecond, Duration::ZERO);
    let again = challenge(path, false);
    paths.handle_response(at(0), again, &mut random());
    paths.handle_timeout(last - Duration::from_nanos(1));
    assert_eq!(outcomes(&mut paths), []);
    paths.handle_timeout(last);
    assert_eq!(outcomes(&mut paths), [failed(2)]);
}

#[test]
fn who_moves_on_is_told_of_each_path_once() {
    for works in [true, false] {
        let mut paths = client();
        paths.migrate(at(0), over(1), &mut random());
        paths.migrate(at(0), over(2), &mut random());
        answer(&mut paths, at(0), 2);
        assert_eq!(outcomes(&mut paths), [validated(2)]);
        if works {
            answer(&mut paths, at(1), 1);
        }
        paths.handle_timeout(at(20_000));
        paths.handle_timeout(at(40_000));
        let expected = if works { validated(1) } else { failed(1) };
        assert_eq!(outcomes(&mut paths), [expected]);
        assert_eq!((paths.active().addresses, paths.others().count()), (over(2), 0));
    }
}

#[test]
fn a_client_waits_for_the_last_path_that_may_still_answer() {
    for works in [true, false] {
        let mut paths = client();
        paths.migrate(at(0), over(1), &mut random());
        paths.probe(at(1000), over(0), false, &mut random());
        paths.handle_timeout(at(3500));
        let told = news(&mut paths);
        assert!(told.contains(&failed(1)) && !told.contains(&PathNews::NoPath), "{told:?}");
        assert_eq!((paths.active().addresses, paths.others().count()), (over(0), 0));
        if works {
            answer(&mut paths, at(3600), 0);
        }
        paths.handle_timeout(at(4500));
        let last = if works { validated(0) } else { PathNews::NoPath };
        assert_eq!(news(&mut paths), [last]);
    }
}

#[test]
fn who_asks_again_before_the_answer_gets_one_answer_and_afterwards_another() {
    let mut paths = client();
    for socket in [1, 2, 1, 1] {
        paths.migrate(at(0), over(socket), &mut random());
        paths.probe(at(0), over(socket), false, &mut random());
    }
    answer(&mut paths, at(0), 1);
    answer(&mut paths, at(0), 2);
    assert_eq!(outcomes(&mut paths), [validated(1), validated(2)]);
    paths.probe(at(0), over(1), false, &mut random());
    paths.migrate(at(0), over(1), &mut random());
    // What is known to work is so at once.
    paths.migrate(at(0), over(2), &mut random());
    assert_eq!(outcomes(&mut paths), [validated(1), validated(1), validated(2)]);
    paths.handle_timeout(at(20_000));
    assert_eq!(outcomes(&mut paths), []);
}

#[test]
fn the_answer_of_the_preferred_address_ends_the_waiting_for_the_other_one() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
    //= type=test
    //# If path validation of the server's preferred address succeeds, the
    //# client MUST abandon validation of the original address and migrate to
    //# using the server's preferred address.
    let mut paths = client();
    let preferred = from("198.51.100.77:443");
    paths.migrate(at(0), over(1), &mut random());
    paths.probe(at(0), preferred, true, &mut random());
    let there = challenge(paths.others.iter_mut().next_back().unwrap(), true);
    paths.handle_response(at(0), there, &mut random());
    let told = [PathNews::Validated { addresses: preferred }, failed(1)];
    assert_eq!(outcomes(&mut paths), told);
    assert_eq!(paths.active().addresses, preferred);
    assert!(paths.others().all(|path| !path.validation.is_challenge_due()));
    paths.handle_timeout(at(20_000));
    assert_eq!(outcomes(&mut paths), []);
}
