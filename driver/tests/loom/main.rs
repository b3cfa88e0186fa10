//! Handles and the loop on threads of their own, in every order in which they can meet: nothing
//! that happens is missed by who waits for it, and nothing is left behind.
//!
//! ```text
//! RUSTFLAGS="--cfg quic_loom" cargo test --release -p driver --test loom
//! ```
//!
//! A model in which somebody waits for good is a deadlock, which fails with the order that led to
//! it. Orders with more than [`PREEMPTIONS`] switches between threads that could have gone on are
//! left out; the variable `LOOM_MAX_PREEMPTIONS` allows more.
#![cfg(quic_loom)]
#![expect(clippy::unwrap_used, reason = "test code, which panics where something is wrong")]

mod stage;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use driver::{ConnectionError, VarInt};
use loom::future::block_on;
use loom::thread;
use quic_sim::pair::Setup;

use stage::Stage;

const PREEMPTIONS: usize = 2;

fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    // The handshakes that models begin with are long, but have one order only.
    builder.max_branches = 1_000_000;
    builder.check(run);
}

/// Ends whatever is still held on the client's side while its loop does not run.
fn finish(mut stage: Stage) {
    stage.settle();
}

#[test]
fn what_arrives_while_a_reader_begins_to_wait_wakes_it() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        let mut send = stage.drive(server.open_uni()).unwrap();
        stage.drive(send.write_all(b"a")).unwrap();
        let mut recv = stage.drive(client.accept_uni()).unwrap();
        let mut byte = [0; 8];
        assert_eq!(stage.drive(recv.read(&mut byte)).unwrap(), Some(1));
        stage.drive(send.write_all(b"b")).unwrap();
        stage.server.1.send();
        let reader = thread::spawn(move || {
            let mut byte = [0; 8];
            assert_eq!(block_on(recv.read(&mut byte)).unwrap(), Some(1));
            drop((recv, client));
        });
        stage.client.1.receive();
        reader.join().unwrap();
        drop((send, server));
        finish(stage);
    });
}

#[test]
fn a_stream_that_arrives_while_two_wait_for_one_is_given_to_one_of_them() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        let mut first = stage.drive(server.open_uni()).unwrap();
        let mut second = stage.drive(server.open_uni()).unwrap();
        stage.drive(first.write_all(b"a")).unwrap();
        stage.drive(second.write_all(b"b")).unwrap();
        stage.server.1.send();
        let other = client.clone();
        let accepting = thread::spawn(move || block_on(other.accept_uni()).unwrap().id());
        stage.client.1.receive();
        let id = block_on(client.accept_uni()).unwrap().id();
        assert_ne!(accepting.join().unwrap(), id);
        drop((first, second, server, client));
        finish(stage);
    });
}

#[test]
fn what_is_written_while_the_loop_falls_asleep_is_sent() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        let mut send = stage.drive(client.open_uni()).unwrap();
        let writer = thread::spawn(move || {
            block_on(send.write_all(b"a")).unwrap();
            (send, client)
        });
        let Stage { client: (_, run), .. } = &mut stage;
        assert!(run.wait_and_send());
        let held = writer.join().unwrap();
        let mut recv = stage.drive(server.accept_uni()).unwrap();
        let mut byte = [0; 8];
        assert_eq!(stage.drive(recv.read(&mut byte)).unwrap(), Some(1));
        drop((held, recv, server));
        finish(stage);
    });
}

#[test]
fn two_who_write_at_once_are_both_sent_though_the_bell_rings_once() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        let mut first = stage.drive(client.open_uni()).unwrap();
        let mut second = stage.drive(client.open_uni()).unwrap();
        let writer = thread::spawn(move || {
            block_on(first.write_all(b"a")).unwrap();
            first
        });
        block_on(second.write_all(b"b")).unwrap();
        assert!(stage.client.1.wait_and_send());
        let first = writer.join().unwrap();
        stage.settle();
        let accepted = stage.drive(async {
            [server.accept_uni().await.unwrap().id(), server.accept_uni().await.unwrap().id()]
        });
        assert_eq!(accepted, [first.id(), second.id()]);
        drop((first, second, client, server));
        finish(stage);
    });
}

#[test]
fn credit_that_arrives_while_a_writer_begins_to_wait_wakes_it() {
    model(|| {
        let setup = Setup::new(1).transport(|transport| transport.stream_receive_window = 4);
        let mut stage = Stage::of(&setup);
        let (client, server) = stage.connected();
        let mut send = stage.drive(client.open_uni()).unwrap();
        stage.drive(send.write_all(b"full")).unwrap();
        stage.settle();
        let mut recv = stage.drive(server.accept_uni()).unwrap();
        let mut bytes = [0; 8];
        assert_eq!(stage.drive(recv.read(&mut bytes)).unwrap(), Some(4));
        let Stage { server: (_, run), .. } = &mut stage;
        assert!(run.wait_and_send());
        let writer = thread::spawn(move || {
            assert_eq!(block_on(send.write(b"more")).unwrap(), 4);
            send
        });
        stage.client.1.receive();
        let send = writer.join().unwrap();
        drop((send, recv, client, server));
        finish(stage);
    });
}

#[test]
fn a_connection_that_is_closed_while_others_wait_on_it_wakes_them_all() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        let other = client.clone();
        let waiting = thread::spawn(move || {
            let error = block_on(other.closed());
            assert_eq!(error, ConnectionError::LocallyClosed);
        });
        client.close(VarInt::from_u32(7), b"over");
        let accepted = block_on(client.accept_uni());
        assert_eq!(accepted.err(), Some(ConnectionError::LocallyClosed));
        waiting.join().unwrap();
        drop((client, server));
        finish(stage);
    });
}

#[test]
fn a_connection_that_the_peer_closes_while_somebody_waits_on_it_wakes_them() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        server.close(VarInt::from_u32(7), b"over");
        stage.server.1.send();
        let waiting = thread::spawn(move || {
            let error = block_on(client.closed());
            assert!(matches!(error, ConnectionError::ApplicationClosed(_)), "{error:?}");
        });
        stage.client.1.receive();
        waiting.join().unwrap();
        drop(server);
        finish(stage);
    });
}

#[test]
fn a_handshake_that_ends_while_somebody_begins_to_wait_for_it_wakes_them() {
    model(|| {
        let mut stage = Stage::new();
        let connecting = stage.connect();
        stage.client.1.send();
        stage.server.1.receive();
        let endpoint = stage.server.0.clone();
        let accepting = endpoint.accept();
        let incoming = stage.drive(accepting).unwrap();
        let server = incoming.accept().unwrap();
        stage.server.1.send();
        let waiting = thread::spawn(move || block_on(connecting).unwrap());
        stage.client.1.receive();
        let client = waiting.join().unwrap();
        drop((client, server));
        finish(stage);
    });
}

#[test]
fn an_attempt_that_arrives_while_somebody_begins_to_accept_wakes_them() {
    model(|| {
        let mut stage = Stage::new();
        let connecting = stage.connect();
        stage.client.1.send();
        let endpoint = stage.server.0.clone();
        let accepting = thread::spawn(move || {
            block_on(endpoint.accept()).unwrap().ignore();
        });
        stage.server.1.receive();
        accepting.join().unwrap();
        drop(connecting);
        finish(stage);
    });
}

#[test]
fn an_endpoint_that_stops_accepting_while_somebody_accepts_lets_them_go() {
    model(|| {
        let stage = Stage::new();
        let endpoint = stage.server.0.clone();
        let accepting = thread::spawn(move || assert!(block_on(endpoint.accept()).is_none()));
        stage.server.0.stop_accepting();
        accepting.join().unwrap();
        finish(stage);
    });
}

#[test]
fn an_endpoint_whose_last_connection_goes_while_somebody_waits_for_that_is_idle() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        let endpoint = stage.client.0.clone();
        let waiting = thread::spawn(move || block_on(endpoint.wait_idle()));
        drop(client);
        stage.client.1.send();
        waiting.join().unwrap();
        drop(server);
        finish(stage);
    });
}

#[test]
fn a_loop_whose_last_handles_go_while_it_falls_asleep_ends() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        let Stage { client: (endpoint, mut run), server: (_other, mut theirs), .. } = stage;
        let dropping = thread::spawn(move || drop(endpoint));
        let also = thread::spawn(move || drop(client));
        while run.wait_and_send() {}
        dropping.join().unwrap();
        also.join().unwrap();
        // The last word was sent before the loop ended.
        theirs.receive();
        assert!(server.close_reason().is_some());
        drop(server);
    });
}

#[test]
fn who_gives_up_waiting_while_it_is_woken_leaves_the_others_their_turn() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        let mut send = stage.drive(server.open_uni()).unwrap();
        stage.drive(send.write_all(b"a")).unwrap();
        stage.server.1.send();
        let other = client.clone();
        let impatient = thread::spawn(move || {
            // Asks once, then gives up.
            block_on(poll_fn(|cx| {
                let accepting = pin!(other.accept_uni());
                Poll::Ready(accepting.poll(cx).is_ready())
            }))
        });
        let patient = client.clone();
        let waiting = thread::spawn(move || block_on(patient.closed()));
        stage.client.1.receive();
        if !impatient.join().unwrap() {
            drop(block_on(client.accept_uni()).unwrap());
        }
        client.close(VarInt::default(), b"");
        waiting.join().unwrap();
        drop((send, server, client));
        finish(stage);
    });
}

#[test]
fn everything_acknowledged_while_somebody_begins_to_wait_for_that_is_told() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        let mut send = stage.drive(client.open_uni()).unwrap();
        stage.drive(send.write_all(b"a")).unwrap();
        send.finish().unwrap();
        stage.client.1.send();
        stage.server.1.receive();
        stage.drive(async {
            let mut recv = server.accept_uni().await.unwrap();
            assert_eq!(recv.read_to_end(8).await.unwrap(), b"a");
        });
        // What is sent back takes the acknowledgment along.
        server.send_datagram(driver::Bytes::from_static(b"b")).unwrap();
        stage.server.1.send();
        let waiting = thread::spawn(move || block_on(send.stopped()));
        stage.client.1.receive();
        assert_eq!(waiting.join().unwrap(), Ok(None));
        drop((client, server));
        finish(stage);
    });
}

#[test]
fn a_datagram_that_arrives_while_somebody_begins_to_wait_wakes_them() {
    model(|| {
        let mut stage = Stage::new();
        let (client, server) = stage.connected();
        server.send_datagram(driver::Bytes::from_static(b"a")).unwrap();
        stage.server.1.send();
        let other = client.clone();
        let waiting = thread::spawn(move || block_on(other.read_datagram()).unwrap());
        stage.client.1.receive();
        assert_eq!(&waiting.join().unwrap()[..], b"a");
        drop((client, server));
        finish(stage);
    });
}
