//! How cases end: what can be delivered is delivered, ends that are closed hold nothing, and
//! connections that were lost had a reason.

use std::time::Duration;

use quic_core::{ConnectionError, Side, TransportErrorCode};

use quic_qlog::Memory;

use super::model::{Conn, i21_what_was_sent_came};
use super::operations::Answer;
use super::run::Run;
use super::setting::LONG;
use super::world::SERVER;

/// How long healed links have to deliver everything: seconds, then hours, because a clock that went
/// forward by hours makes for round-trip times of hours.
const PATIENCE: [(u32, Duration); 2] =
    [(600, Duration::from_secs(1)), (50, Duration::from_hours(1))];
/// How long a path may take at least to prove that it works: three PTOs of an unknown one (RFC 9000
/// §8.2.4).
const VALIDATION: Duration = Duration::from_millis(3 * 999);
/// How long a Retry token is good for, at least.
const TOKEN_LIFETIME: Duration = Duration::from_secs(10);

/// Whether the case says why a connection was lost.
pub(super) fn is_explained(run: &Run, index: usize) -> Result<(), String> {
    let conn = &run.connections[index];
    let Some(error) = &conn.lost else { return Ok(()) };
    let mut peers = run.peers(index);
    let age = run.world.lived(conn.end) - conn.since;
    let (idle, handshake) = if run.limits.impatient {
        (Duration::from_secs(30), Duration::from_secs(10))
    } else {
        (LONG, LONG)
    };
    let same = run.connections.iter().filter(|other| other.id == conn.id);
    let servers = same.filter(|other| other.side == Side::Server).count();
    let explained = match error {
        // The client tells one server of what another one said, that was restarted or gave up.
        ConnectionError::TransportError(_) | ConnectionError::ConnectionClosed(_)
            if servers > 1 =>
        {
            true
        }
        ConnectionError::LocallyClosed => conn.closed.is_some(),
        ConnectionError::ApplicationClosed(close) => {
            peers.any(|peer| peer.closed == Some(close.error_code.into_inner()))
        }
        ConnectionError::ConnectionClosed(error) => match error.code {
            TransportErrorCode::APPLICATION_ERROR => peers.any(|peer| peer.closed.is_some()),
            TransportErrorCode::CONNECTION_REFUSED => run.refused,
            // A Retry token expires.
            TransportErrorCode::INVALID_TOKEN => {
                let is_late = run.world.clock(SERVER) != run.world.now() || age >= TOKEN_LIFETIME;
                !conn.connected && (is_late || conn.disturbed)
            }
            _ => peers.any(|peer| peer.lost.is_some()),
        },
        ConnectionError::HandshakeTimedOut => !conn.connected && age >= handshake,
        ConnectionError::TimedOut => {
            let tried_for = conn.migrated.map(|at| run.world.lived(conn.end) - at);
            age >= idle || tried_for.is_some_and(|tried_for| tried_for >= VALIDATION)
        }
        // Nothing is encrypted: what is cut off right behind a token is a stateless reset.
        ConnectionError::Reset => {
            run.world.cuts || peers.any(|peer| peer.forgotten || peer.lost.is_some())
        }
        _ => false,
    };
    if explained { Ok(()) } else { Err(format!("nobody ended {:?}: {error}", conn.side)) }
}

impl Run {
    /// Heals everything, waits until all that can come has come, closes, and sees that nothing
    /// remains.
    pub(super) fn finish(mut self) -> u64 {
        self.world.heal();
        self.respond(Answer::Accept);
        for end in &mut self.world.ends {
            end.goes_back = Duration::ZERO;
        }
        let steps = PATIENCE.iter().flat_map(|(count, step)| (0..*count).map(|_| *step));
        for step in steps {
            self.advance(step);
            if !self.limits.eager {
                self.read_everything();
            }
            if self.what_is_missing().is_ok() {
                break;
            }
        }
        self.check();
        self.what_is_missing().unwrap_or_else(|missing| panic!("{missing}"));
        self.close_everything();
        self.i34_qlog_is_valid();
        let told = self.world.book.pages().digest;
        self.world.network.trace.digest() ^ told
    }

    fn i34_qlog_is_valid(&self) {
        for (subject, log) in self.world.logs.iter().flat_map(Memory::logs) {
            for record in log.split('\u{1e}').skip(1) {
                let parsed: Result<serde_json::Value, _> = serde_json::from_str(record);
                assert!(parsed.is_ok(), "I34: {subject:?}: {parsed:?} in {record}");
            }
        }
    }

    fn read_everything(&mut self) {
        for index in 0..self.connections.len() {
            self.act(index, |conn, connection| {
                conn.accept(connection);
                conn.read_all(connection);
            });
        }
        self.settle();
    }

    /// I20 and I21: who has not connected yet, or what has not come yet.
    fn what_is_missing(&mut self) -> Result<(), String> {
        for index in 0..self.connections.len() {
            let conn = &self.connections[index];
            if conn.side == Side::Server || !conn.is_usable() || conn.disturbed {
                continue;
            }
            if !conn.connected {
                return Err("I20: a client is not connected".to_owned());
            }
            let Some(peer) = self.live_peer(index) else { continue };
            all_came(&self.connections[index], &self.connections[peer])?;
            all_came(&self.connections[peer], &self.connections[index])?;
            for index in [index, peer] {
                if self.act(index, |_, connection| connection.is_flushed()) == Some(false) {
                    return Err("I21: not everything was acknowledged".to_owned());
                }
            }
        }
        Ok(())
    }

    /// The other end of a connection, if it lives.
    fn live_peer(&self, index: usize) -> Option<usize> {
        let conn = &self.connections[index];
        self.connections.iter().position(|peer| {
            peer.id == conn.id && peer.side != conn.side && peer.is_usable() && peer.connected
        })
    }

    fn close_everything(&mut self) {
        for index in 0..self.connections.len() {
            if self.connections[index].is_usable() {
                self.close(index);
            }
        }
        self.settle();
        self.advance(Duration::from_hours(1000));
        self.check();
        for end in 0..self.world.ends.len() {
            assert!(!self.world.waits(end), "I13: end {end} still waits for something");
        }
        assert!(self.world.next().is_none(), "I13: something is still on the way");
        for index in 0..self.connections.len() {
            let conn = &self.connections[index];
            assert!(conn.forgotten || conn.lost.is_some(), "I13: {:?} never ended", conn.side);
            if !conn.forgotten {
                assert!(self.act(index, |_, _| ()).is_none(), "I13: a connection is still there");
            }
        }
    }
}

fn all_came(from: &Conn, to: &Conn) -> Result<(), String> {
    for (id, sent) in &from.sends {
        i21_what_was_sent_came(*id, sent, to.receives.get(id).copied()).or_else(|missing| {
            if sent.written == 0 && sent.is_open() { Ok(()) } else { Err(missing) }
        })?;
    }
    Ok(())
}
