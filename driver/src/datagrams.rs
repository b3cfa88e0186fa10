//! Datagrams of a connection (RFC 9221).

use std::time::Duration;

use bytes::Bytes;
use quic_core::{
    ConnectionError, DatagramReport, OutgoingDatagram as CoreDatagram,
    SendDatagramError as CoreError,
};

use crate::connection::Connection;
use crate::error::SendDatagramError;
use crate::shared::ConnectionState;
use crate::waiting::Topic;

/// A datagram to send, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutgoingDatagram {
    /// What the peer gets.
    pub data: Bytes,
    /// Higher goes first, on the same scale as [`SendStream`](crate::SendStream)s; equals go in
    /// order, and take turns with streams. Default: 0.
    pub priority: i32,
    /// How long it may wait to be sent. Default: for ever.
    pub lifetime: Option<Duration>,
    /// Asks for a [`DatagramReport`] that names it so. Default: none.
    pub report: Option<u64>,
}

impl OutgoingDatagram {
    /// A datagram with the default priority that does not expire and is not reported on.
    pub fn new(data: Bytes) -> Self {
        Self { data, priority: 0, lifetime: None, report: None }
    }

    /// The same with this priority.
    #[must_use]
    pub fn with_priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }

    /// The same, dropped when it was not sent for so long.
    #[must_use]
    pub fn expiring_after(self, lifetime: Duration) -> Self {
        Self { lifetime: Some(lifetime), ..self }
    }

    /// The same, to be reported on as `id`, which is the caller's to choose.
    #[must_use]
    pub fn reported_as(self, id: u64) -> Self {
        Self { report: Some(id), ..self }
    }
}

impl From<Bytes> for OutgoingDatagram {
    fn from(data: Bytes) -> Self {
        Self::new(data)
    }
}

impl Connection {
    /// Sends a datagram as soon as congestion control allows it. If too many wait, the oldest of
    /// the lowest priority make room.
    ///
    /// # Errors
    /// See [`SendDatagramError`].
    pub fn send_datagram(
        &self,
        datagram: impl Into<OutgoingDatagram>,
    ) -> Result<(), SendDatagramError> {
        let datagram = self.in_core(datagram.into());
        let mut state = self.inner.lock();
        state.check()?;
        let sent = state.connection.datagrams().send(datagram);
        let sent = sent.map_err(|error| translate(error, &state));
        self.inner.changed(state);
        sent
    }

    /// Sends a datagram as soon as congestion control allows it; waits as long as too many wait
    /// already. Its lifetime begins with the call.
    ///
    /// Cancel safe: dropped before it is complete, nothing is sent.
    ///
    /// # Errors
    /// See [`SendDatagramError`].
    pub async fn send_datagram_wait(
        &self,
        datagram: impl Into<OutgoingDatagram>,
    ) -> Result<(), SendDatagramError> {
        let datagram = self.in_core(datagram.into());
        let sent = self.inner.wait_for(Topic::DatagramRoom, |state| {
            if let Err(error) = state.check() {
                return Some(Err(error.into()));
            }
            match state.connection.datagrams().try_send(datagram.clone()) {
                Ok(()) => Some(Ok(())),
                Err(CoreError::Blocked) => None,
                Err(error) => Some(Err(translate(error, state))),
            }
        });
        sent.await?;
        self.inner.changed(self.inner.lock());
        Ok(())
    }

    /// The next datagram that was received. If they come faster than they are read, the oldest are
    /// dropped ([`TransportConfig`](crate::TransportConfig) says when).
    ///
    /// Cancel safe: none is lost.
    ///
    /// # Errors
    /// How the connection ended, once everything that had arrived was read.
    pub async fn read_datagram(&self) -> Result<Bytes, ConnectionError> {
        self.inner.wait_for(Topic::Datagrams, attempt_read).await
    }

    /// The most bytes that a datagram may have now; `None` if the peer receives none. It follows
    /// the path, so that it can grow and shrink.
    pub fn max_datagram_size(&self) -> Option<usize> {
        self.inner.lock().connection.datagrams().maximum_size()
    }

    /// The next report on a datagram that was to be [reported on](OutgoingDatagram::reported_as).
    /// The newest 4,096 are kept until they are asked for.
    ///
    /// Cancel safe: none is lost.
    ///
    /// # Errors
    /// How the connection ended, if it did and there are no more reports.
    pub async fn datagram_report(&self) -> Result<DatagramReport, ConnectionError> {
        let report = self.inner.wait_for(Topic::DatagramReports, |state| {
            match state.connection.datagrams().next_report() {
                Some(report) => Some(Ok(report)),
                None => state.check().err().map(Err),
            }
        });
        report.await
    }

    fn in_core(&self, datagram: OutgoingDatagram) -> CoreDatagram {
        let OutgoingDatagram { data, priority, lifetime, report } = datagram;
        let mut core = CoreDatagram::new(data).with_priority(priority);
        core.expires = lifetime.map(|lifetime| self.inner.now() + lifetime);
        core.report = report;
        core
    }
}

/// The next datagram that was received; `None` while there is none.
pub(crate) fn attempt_read(state: &mut ConnectionState) -> Option<Result<Bytes, ConnectionError>> {
    match state.connection.datagrams().receive() {
        Some(data) => Some(Ok(data)),
        None => state.check().err().map(Err),
    }
}

fn translate(error: CoreError, state: &ConnectionState) -> SendDatagramError {
    match error {
        CoreError::TooLarge(maximum) => SendDatagramError::TooLarge(maximum),
        CoreError::ConnectionOver => {
            let reason = state.connection.close_reason().cloned();
            SendDatagramError::ConnectionLost(reason.unwrap_or(ConnectionError::LocallyClosed))
        }
        CoreError::Blocked | CoreError::Unsupported | _ => SendDatagramError::Unsupported,
    }
}
