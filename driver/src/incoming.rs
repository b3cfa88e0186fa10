//! Attempts of clients to connect.

use std::future::{Future, IntoFuture};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use quic_core::{
    AcceptError, ConnectionError, ConnectionHandle, PacketHandlerManager as _, PathAddresses,
    ServerConfig, TransportError, TransportErrorCode,
};

use crate::connection::{Connecting, Connection, canonical};
use crate::endpoint::Whole;
use crate::error::RetryError;
use crate::manager::Manager;
use crate::shard::Shard;

/// An attempt of a client to connect, to be accepted or not.
///
/// Awaited, it is accepted and becomes a [`Connection`]. Dropped, it is refused.
#[derive(Debug)]
#[must_use = "dropping it refuses the attempt"]
pub struct Incoming {
    /// Keeps the endpoint listening.
    _whole: Arc<Whole>,
    shard: Arc<Shard>,
    handle: ConnectionHandle,
    path: PathAddresses,
    validated: bool,
    answered: bool,
}

impl Incoming {
    pub(crate) fn new(
        whole: Arc<Whole>,
        shard: Arc<Shard>,
        handle: ConnectionHandle,
        attempt: quic_core::Incoming,
    ) -> Self {
        let quic_core::Incoming { path, validated, .. } = attempt;
        Self { _whole: whole, shard, handle, path, validated, answered: false }
    }

    /// Accepts the attempt.
    ///
    /// # Errors
    /// [`ConnectionError::HandshakeTimedOut`] if the attempt is gone,
    /// [`ConnectionError::TransportError`] if it is not valid or TLS cannot start,
    /// [`ConnectionError::LocallyClosed`] if the endpoint was closed or its loop ended.
    pub fn accept(self) -> Result<Connecting, ConnectionError> {
        self.accept_maybe_with(None)
    }

    /// Accepts the attempt with `config` instead of that of the endpoint.
    ///
    /// # Errors
    /// See [`accept`](Self::accept).
    pub fn accept_with(self, config: ServerConfig) -> Result<Connecting, ConnectionError> {
        self.accept_maybe_with(Some(Arc::new(config)))
    }

    fn accept_maybe_with(
        mut self,
        config: Option<Arc<ServerConfig>>,
    ) -> Result<Connecting, ConnectionError> {
        self.answered = true;
        let shard = Arc::clone(&self.shard);
        let now = shard.bell.now();
        let mut state = shard.lock();
        if !state.is_open() {
            return Err(ConnectionError::LocallyClosed);
        }
        let accepted = state
            .with_manager(|manager| manager.accept(now, self.handle, config))
            .unwrap_or(Err(AcceptError::Gone));
        let connecting =
            accepted.and_then(|()| shard.start(&mut state, self.handle).ok_or(AcceptError::Gone));
        // Also a failure can have an answer that has to be sent.
        state.unsent = true;
        drop(state);
        shard.bell.ring();
        connecting.map_err(|error| connection_error(&error))
    }

    /// Refuses the attempt: the client hears of it (CONNECTION_REFUSED, RFC 9000 §5.2.2).
    pub fn refuse(mut self) {
        self.answer(quic_core::PacketHandlerManager::refuse);
    }

    /// Drops the attempt without an answer. The client will try again until its handshake times
    /// out.
    pub fn ignore(mut self) {
        self.answer(quic_core::PacketHandlerManager::ignore);
    }

    /// Lets the client prove that it receives at its address, by a Retry (RFC 9000 §8.1.2). Its
    /// answer is a new attempt, with [`remote_address_validated`](Self::remote_address_validated).
    ///
    /// # Errors
    /// [`RetryError`], with the attempt, if that is proven already.
    pub fn retry(mut self) -> Result<(), RetryError> {
        let now = self.shard.bell.now();
        let retried = self.answer(|manager, handle| manager.retry(now, handle));
        if retried == Some(false) {
            self.answered = false;
            return Err(RetryError(Box::new(self)));
        }
        Ok(())
    }

    /// The address of the client. An IPv4 address that an IPv6 socket maps is given as IPv4.
    pub fn remote_address(&self) -> SocketAddr {
        canonical(self.path.remote)
    }

    /// The local address that the client sends to, where the system reports it.
    pub fn local_ip(&self) -> Option<IpAddr> {
        self.path.local_ip.map(|ip| ip.to_canonical())
    }

    /// Whether the client proved that it receives at its address (RFC 9000 §8.1).
    pub fn remote_address_validated(&self) -> bool {
        self.validated
    }

    /// Whether [`retry`](Self::retry) would do something.
    pub fn may_retry(&self) -> bool {
        !self.validated
    }

    fn answer<R>(&mut self, act: impl FnOnce(&mut Manager, ConnectionHandle) -> R) -> Option<R> {
        self.answered = true;
        let handle = self.handle;
        let mut state = self.shard.lock();
        let result = state.with_manager(|manager| act(manager, handle));
        state.unsent = true;
        drop(state);
        self.shard.bell.ring();
        result
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.answered {
            self.answer(quic_core::PacketHandlerManager::refuse);
        }
    }
}

impl IntoFuture for Incoming {
    type Output = Result<Connection, ConnectionError>;
    type IntoFuture = IncomingFuture;

    fn into_future(self) -> IncomingFuture {
        IncomingFuture(self.accept())
    }
}

/// An accepted attempt: a future of the [`Connection`].
#[derive(Debug)]
#[must_use = "dropping it gives the connection up"]
pub struct IncomingFuture(Result<Connecting, ConnectionError>);

impl Future for IncomingFuture {
    type Output = Result<Connection, ConnectionError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(connecting) => Pin::new(connecting).poll(cx),
            Err(error) => Poll::Ready(Err(error.clone())),
        }
    }
}

fn connection_error(error: &AcceptError) -> ConnectionError {
    let code = match error {
        AcceptError::Gone => return ConnectionError::HandshakeTimedOut,
        AcceptError::Invalid => TransportErrorCode::PROTOCOL_VIOLATION,
        AcceptError::Session(_) | _ => TransportErrorCode::INTERNAL_ERROR,
    };
    ConnectionError::TransportError(TransportError {
        code,
        frame_type: None,
        reason: error.to_string().into(),
    })
}
