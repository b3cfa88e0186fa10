//! 0-RTT: what became of it, and what the application makes of that (RFC 9001 §4.6).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use quic_core::{ConnectionError, EarlyDataStatus, Side};

use crate::shared::{ConnectionRef, ConnectionState, Place, wake};
use crate::sync::MutexGuard;
use crate::waiting::Topic;

/// What has become of 0-RTT: a future of the [`EarlyDataOutcome`], with that of the handshake.
///
/// Dropped before it is complete, it gives up 0-RTT that the server should not take; see
/// [`RejectedEarlyData`].
#[derive(Debug)]
#[must_use = "dropping it gives rejected data up"]
pub struct EarlyData {
    place: Place<Arc<ConnectionRef>>,
    /// Whether it told the outcome, which decides from then on.
    told: bool,
}

/// What became of 0-RTT. The handshake is complete.
#[derive(Debug)]
pub enum EarlyDataOutcome {
    /// The server took it. On a server: the client is there, and what came before was no replay.
    Accepted,
    /// The server did not take it: streams wait for a decision.
    Rejected(RejectedEarlyData),
}

impl EarlyData {
    pub(crate) fn new(connection: Arc<ConnectionRef>) -> Self {
        connection.lock().keeps_rejected = true;
        let place = Place { connection, topic: Topic::Connected, ticket: None };
        Self { place, told: false }
    }
}

impl Future for EarlyData {
    type Output = Result<EarlyDataOutcome, ConnectionError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.place.poll(cx, |state| {
            if state.connected {
                return Some(Ok(state.has_rejected()));
            }
            state.check().err().map(Err)
        });
        self.told |= outcome.is_ready();
        outcome.map_ok(|rejected| {
            if !rejected {
                return EarlyDataOutcome::Accepted;
            }
            let connection = Some(Arc::clone(&self.place.connection));
            EarlyDataOutcome::Rejected(RejectedEarlyData { connection })
        })
    }
}

impl Drop for EarlyData {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        let connection = &self.place.connection;
        let mut state = connection.lock();
        state.keeps_rejected = false;
        // Nobody is going to hear of it any more.
        if state.has_rejected() {
            discard(connection, state);
        }
    }
}

/// 0-RTT that the server did not take. What was written is kept, and streams wait until it is
/// decided what becomes of it. Dropped, it is [given up](Self::discard).
#[derive(Debug)]
#[must_use = "dropping it gives the data up"]
pub struct RejectedEarlyData {
    connection: Option<Arc<ConnectionRef>>,
}

impl RejectedEarlyData {
    /// Sends what was written again, on the same streams, which go on as if nothing had happened.
    ///
    /// Check before that it is still right: the application protocol can be another one
    /// ([`Connection::handshake_data`](crate::Connection::handshake_data)), and so can whatever
    /// the application remembered of its last connection.
    pub fn resend(mut self) {
        if let Some(connection) = self.connection.take() {
            decide(&connection, connection.lock(), quic_core::Connection::resend_early_data);
        }
    }

    /// Gives up the streams that were opened in 0-RTT: everything on them fails from now on, and
    /// the server never hears of them.
    pub fn discard(self) {}
}

impl Drop for RejectedEarlyData {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            discard(&connection, connection.lock());
        }
    }
}

fn discard(connection: &ConnectionRef, mut state: MutexGuard<'_, ConnectionState>) {
    state.early_streams_gone = true;
    decide(connection, state, quic_core::Connection::discard_early_data);
}

fn decide(
    connection: &ConnectionRef,
    mut state: MutexGuard<'_, ConnectionState>,
    act: fn(&mut quic_core::Connection),
) {
    let mut woken = Vec::new();
    if state.over.is_none() {
        act(&mut state.connection);
    }
    state.waiting.take_all(&mut woken);
    connection.changed(state);
    wake(&mut woken);
}

impl ConnectionState {
    /// Whether streams that are opened now are those of a client's 0-RTT.
    pub(crate) fn opens_early(&self) -> bool {
        !self.connected
            && self.connection.side() == Side::Client
            && self.connection.early_data() == Some(EarlyDataStatus::Offered)
    }

    fn has_rejected(&self) -> bool {
        self.connection.side() == Side::Client
            && self.connection.early_data() == Some(EarlyDataStatus::Rejected)
    }

    /// The server did not take 0-RTT. If nobody is there to decide, its streams are given up.
    pub(crate) fn on_early_data_rejected(&mut self, woken: &mut Vec<Waker>) {
        if !self.keeps_rejected {
            self.early_streams_gone = true;
            self.connection.discard_early_data();
            self.waiting.take_all(woken);
        }
    }
}
