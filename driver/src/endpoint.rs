//! The application's handle of an endpoint: sockets and their connections.

mod options;
mod shares;

use std::future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use bytes::Bytes;
use quic_core::crypto::{RandomSource as _, SeededRandom};
use quic_core::{ClientConfig, EndpointConfig, ServerConfig, Shards, SocketId, VarInt};

use crate::bell::User;
use crate::chance;
use crate::connection::Connecting;
use crate::error::ConnectError;
use crate::incoming::Incoming;
use crate::neighbourhood::{HandedOver, Letter, Neighbourhood, Neighbours};
use crate::pump::{Pump, Surroundings};
use crate::punctuality::LoopStatistics;
use crate::shard::{Shard, ShardState};
use crate::socket::{SocketStatistics, Warning};
use crate::waiting::{Ticket, WaitList};

pub use options::{DatagramFilter, EndpointOptions};
use shares::Shares;

/// A UDP socket, or several, with any number of QUIC connections, incoming and outgoing. Clones are
/// handles of the same endpoint.
///
/// When the last handle is dropped, no more connections are accepted; those that live, live on.
/// The loop behind it ends when the application holds nothing of it any more, after the last
/// CONNECTION_CLOSE was sent.
#[derive(Clone, Debug)]
pub struct Endpoint {
    whole: Arc<Whole>,
    /// The only shard that this handle is of; `None` if it is of all.
    only: Option<usize>,
}

/// What all handles share; the last one to go stops listening.
#[derive(Debug)]
pub(crate) struct Whole {
    shards: Vec<Arc<Shard>>,
    neighbourhood: Arc<Neighbourhood>,
    limits: Shares,
    warnings: Vec<Warning>,
    /// Whose turn it is to accept or to connect.
    turn: AtomicUsize,
    _users: Vec<User>,
}

impl Endpoint {
    /// An endpoint for a socket that is bound to `local`, and the pump that a loop has to run.
    ///
    /// Applications use the constructors of the driver for their runtime instead.
    ///
    /// # Errors
    /// If the system has no randomness to give, or the configuration cannot be used.
    pub fn new(local: SocketAddr, options: EndpointOptions) -> io::Result<(Self, Pump)> {
        let options = options.with_shards(NonZeroU16::MIN);
        let (endpoint, mut pumps) = Self::sharded(local, options)?;
        let pump = pumps.pop().ok_or_else(|| io::Error::other("an endpoint has a shard"))?;
        Ok((endpoint, pump))
    }

    /// An endpoint for as many sockets as `options` say, which are all bound to `local`, and the
    /// pump for each of them.
    ///
    /// # Errors
    /// If the system has no randomness to give, or the configuration cannot be used.
    pub fn sharded(local: SocketAddr, options: EndpointOptions) -> io::Result<(Self, Vec<Pump>)> {
        let EndpointOptions { config, server, neighbours, filter, warnings, .. } = options;
        let seed = match options.seed {
            Some(seed) => seed,
            None => chance::seed()?,
        };
        let mut random = SeededRandom::from_seed(seed);
        let count = options.shards;
        let (first, elsewhere, limits) = match neighbours {
            Some(Neighbours { secret, total, first, hand_over }) => {
                let all = Shards::new(secret, total);
                (first, Some(hand_over), Shares::new(&config, all, first, count)?)
            }
            None if count == NonZeroU16::MIN => (0, None, Shares::of_one()),
            None => {
                let all = Shards::new(draw(&mut random), count);
                (0, None, Shares::new(&config, all, 0, count)?)
            }
        };
        let shards = (0..usize::from(count.get())).map(|index| {
            // The only one draws what an endpoint without shards would.
            let random = match count.get() {
                1 => SeededRandom::from_seed(seed),
                _ => SeededRandom::from_seed(draw(&mut random)),
            };
            Shard::new(local, limits.endpoint(index, &config), options.clock.clone(), random)
        });
        let shards = shards.map(|it| it.map(Arc::new)).collect::<io::Result<Vec<_>>>()?;
        let bells = shards.iter().map(|shard| Arc::clone(&shard.bell));
        let neighbourhood = Arc::new(Neighbourhood::new(first, bells, elsewhere));
        let users = shards.iter().map(|shard| User::new(Arc::clone(&shard.bell))).collect();
        let pumps = shards.iter().enumerate().map(|(index, shard)| {
            let neighbourhood = Arc::clone(&neighbourhood);
            let surroundings = Surroundings { index, neighbourhood, filter: filter.clone() };
            Pump::new(Arc::clone(shard), surroundings)
        });
        let pumps = pumps.collect();
        let turn = AtomicUsize::new(0);
        let whole = Whole { shards, neighbourhood, limits, warnings, turn, _users: users };
        let endpoint = Self { whole: Arc::new(whole), only: None };
        endpoint.set_server_config(server);
        Ok((endpoint, pumps))
    }

    /// How many shards it has; see [`EndpointOptions::shards`].
    pub fn shard_count(&self) -> usize {
        self.whole.shards.len()
    }

    /// A handle of one shard, 0 to [`shard_count`](Self::shard_count) less one, as if it were the
    /// whole endpoint: to accept what arrives there on a thread of one's own, say. Only what is said
    /// about sockets concerns all shards.
    pub fn shard(&self, index: usize) -> Option<Self> {
        self.whole.shards.get(index)?;
        Some(Self { whole: Arc::clone(&self.whole), only: Some(index) })
    }

    /// What this handle is of; never empty.
    fn shards(&self) -> &[Arc<Shard>] {
        let all = &self.whole.shards;
        let only = self.only.and_then(|index| all.get(index..)?.get(..1));
        only.unwrap_or(all)
    }

    /// The same, beginning with another one each time.
    fn shards_in_turn(&self) -> impl Iterator<Item = &Arc<Shard>> {
        let shards = self.shards();
        let turn = match shards.len() {
            1 => 0,
            count => {
                self.whole.turn.fetch_add(1, Ordering::Relaxed).checked_rem(count).unwrap_or(0)
            }
        };
        shards.iter().cycle().skip(turn).take(shards.len())
    }

    /// Asks the first shard for what is the same of all.
    fn ask<R: Default>(&self, question: impl FnOnce(&ShardState) -> R) -> R {
        self.shards().first().map(|shard| question(&shard.lock())).unwrap_or_default()
    }

    /// Tells all shards of the endpoint, so that sockets have the same name at each; returns what
    /// the first one says, or the error of any.
    fn tell<R>(&self, tell: impl Fn(&Shard) -> io::Result<R>) -> io::Result<R> {
        let mut told = self.whole.shards.iter().map(|shard| tell(shard));
        let first = told.next().ok_or_else(|| io::Error::other("an endpoint has a shard"))??;
        told.try_for_each(|other| other.map(drop))?;
        Ok(first)
    }

    /// Uses `config` for [`connect`](Self::connect).
    pub fn set_default_client_config(&self, config: ClientConfig) {
        let config = Arc::new(config);
        for shard in self.shards() {
            shard.lock().client = Some(Arc::clone(&config));
        }
    }

    /// Accepts connections with `config` from now on; with `None`, see
    /// [`stop_accepting`](Self::stop_accepting).
    pub fn set_server_config(&self, config: Option<ServerConfig>) {
        let Some(config) = config else {
            return self.stop_accepting();
        };
        let config = self.whole.limits.server(config);
        for shard in self.shards() {
            shard.lock().listen(&config);
        }
    }

    /// Replaces the configuration while the endpoint is in use, to rotate secrets: the keyring of
    /// stateless resets, and what makes connection IDs, of the same length. Everything else has to
    /// stay as it is. Connections follow when they are next heard of. An endpoint with several
    /// shards goes on making connection IDs itself.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if anything else differs.
    #[expect(clippy::needless_pass_by_value, reason = "as all configurations are given")]
    pub fn reconfigure(&self, config: EndpointConfig) -> io::Result<()> {
        for (index, shard) in self.whole.shards.iter().enumerate() {
            shard.lock().reconfigure(Arc::new(self.whole.limits.endpoint(index, &config)))?;
        }
        Ok(())
    }

    /// Connects to the server at `address`, whose certificate has to be for `server_name`, with
    /// the default configuration.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(
        &self,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connecting, ConnectError> {
        self.connect_to(None, address, server_name)
    }

    /// Connects to the server at `address`, whose certificate has to be for `server_name`.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect_with(
        &self,
        config: ClientConfig,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connecting, ConnectError> {
        self.connect_to(Some(Arc::new(config)), address, server_name)
    }

    fn connect_to(
        &self,
        config: Option<Arc<ClientConfig>>,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connecting, ConnectError> {
        let shard = self.shards_in_turn().next().ok_or(ConnectError::EndpointClosed)?;
        shard.connect(config, address, server_name)
    }

    /// The next attempt of a client to connect; `None` if the endpoint accepts none, or none any
    /// more, and after the last one if it [stopped receiving](Self::stop_receiving). All shards have
    /// their turn. Cancel safe: no attempt is lost.
    pub async fn accept(&self) -> Option<Incoming> {
        let mut places: Vec<_> =
            self.shards_in_turn().map(|shard| Place::new(shard, accepting)).collect();
        future::poll_fn(|cx| {
            let mut listening = false;
            for place in &mut places {
                let mut state = place.shard.lock();
                if let Some((handle, attempt)) = state.next_attempt() {
                    let (whole, shard) = (Arc::clone(&self.whole), Arc::clone(place.shard));
                    return Poll::Ready(Some(Incoming::new(whole, shard, handle, attempt)));
                }
                listening |= state.is_listening();
                state.accepting.wait(&mut place.ticket, cx);
            }
            if listening { Poll::Pending } else { Poll::Ready(None) }
        })
        .await
    }

    /// Refuses all attempts to connect from now on, also those that wait; connections live on.
    pub fn stop_accepting(&self) {
        self.shards().iter().for_each(|shard| shard.stop_listening());
    }

    /// Closes all connections and accepts and opens none from now on. Pending operations fail.
    ///
    /// Await [`wait_idle`](Self::wait_idle) before the program ends, so that peers hear of it.
    pub fn close(&self, code: VarInt, reason: &[u8]) {
        let reason = Bytes::copy_from_slice(reason);
        self.shards().iter().for_each(|shard| shard.close(code, &reason));
    }

    /// Waits until there is no connection left and everything was sent. Cancel safe.
    ///
    /// Awaited after [`close`](Self::close), it lets the peers hear of the end.
    pub async fn wait_idle(&self) {
        let mut places: Vec<_> =
            self.shards().iter().map(|shard| Place::new(shard, idling)).collect();
        future::poll_fn(|cx| {
            let mut idle = true;
            for place in &mut places {
                let mut state = place.shard.lock();
                if !state.is_idle() {
                    idle = false;
                    state.idling.wait(&mut place.ticket, cx);
                }
            }
            if idle { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Goes over to another socket, which is bound to `local`: new connections are opened on it,
    /// and every client's connection moves to it (RFC 9000 §9.2), at once or as soon as its
    /// handshake is confirmed. Connections that were accepted stay where they are, since servers
    /// do not move, and new ones are accepted on both. The old socket is in use until no connection
    /// needs it any more.
    ///
    /// Applications use the method of the driver for their runtime instead, which gives the socket
    /// to its loop under the name that this returns: the same name as before if `local` is the
    /// address of a socket in use, which the new one replaces. Each shard needs one.
    ///
    /// Connections over IPv4 do not move to sockets of IPv6, nor the other way round; neither do
    /// those whose server forbids it. They stay on the old socket.
    ///
    /// # Errors
    /// If the endpoint was closed.
    pub fn rebind_to(&self, local: SocketAddr) -> io::Result<SocketId> {
        self.tell(|shard| shard.rebind_to(local))
    }

    /// Uses another socket as well, which is bound to `local`, until it is
    /// [removed](Self::remove_socket) or the endpoint ends: accepts connections on it, and opens
    /// those on it that the others cannot reach, as over the other version of IP. So it can be that
    /// of a [`preferred_address_v4`](ServerConfig::preferred_address_v4).
    ///
    /// Applications use the method of the driver for their runtime instead; see
    /// [`rebind_to`](Self::rebind_to).
    ///
    /// # Errors
    /// If the endpoint was closed.
    pub fn add_socket_at(&self, local: SocketAddr) -> io::Result<SocketId> {
        self.tell(|shard| shard.add_socket_at(local))
    }

    /// Gives up the socket that is bound to `local`; the loop closes it within a second. Connections that
    /// were opened on it move to the one that [`rebind_to`](Self::rebind_to) set, if they can; those
    /// that were accepted on it end by their idle timeout, unless their peers come to another
    /// address of the endpoint.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if no socket is bound to `local`, or it is the one that
    /// connections are opened on: [rebind](Self::rebind_to) the endpoint to another one first.
    pub fn remove_socket(&self, local: SocketAddr) -> io::Result<()> {
        self.tell(|shard| shard.remove_socket(local))
    }

    /// Receives nothing on its sockets from now on, but sends on them: another process has taken
    /// them over, and hands over what it receives for this one's connections. To lose nobody, let it
    /// begin before this one ends, and [accept](Self::accept) until there is nobody left: what was
    /// received before may still bring attempts to connect.
    pub fn stop_receiving(&self) {
        for shard in &self.whole.shards {
            shard.should_be_deaf.store(true, Ordering::Relaxed);
            shard.bell.ring();
        }
    }

    /// Takes what arrived at another endpoint for a shard of this one: see
    /// [`Neighbours`](crate::Neighbours). It is lost if too much waits already, and unclaimed if the
    /// shard is none of this endpoint's, or its loop has ended.
    pub fn deliver(&self, letter: Letter) -> HandedOver {
        self.whole.neighbourhood.deliver(letter)
    }

    /// Lets the loop look for what is new.
    pub fn wake(&self) {
        self.shards().iter().for_each(|shard| shard.bell.ring());
    }

    /// The address that the socket is bound to on which connections are opened.
    ///
    /// # Errors
    /// If the endpoint has lost its socket, which does not happen.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let found = self.ask(|state| state.sockets.address(state.socket));
        found.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The addresses of all sockets, the oldest first.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.ask(|state| state.sockets.addresses().collect())
    }

    /// How many connections live.
    pub fn open_connections(&self) -> usize {
        self.shards().iter().map(|shard| shard.lock().connections.len()).sum()
    }

    /// What about the socket works, but worse than it could, and how to fix it. Does not change.
    pub fn warnings(&self) -> &[Warning] {
        &self.whole.warnings
    }

    /// Counters of what went wrong on the sockets.
    pub fn socket_stats(&self) -> SocketStatistics {
        let each = self.shards().iter().map(|shard| shard.counters.snapshot());
        each.fold(SocketStatistics::default(), |sum, one| sum.plus(&one))
    }

    /// How punctual the loops were so far.
    pub fn loop_stats(&self) -> LoopStatistics {
        let each = self.shards().iter().map(|shard| shard.punctuality.snapshot());
        each.fold(LoopStatistics::default(), |sum, one| sum.plus(&one))
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.shards.iter().for_each(|shard| shard.stop_listening());
    }
}

/// A seed or a secret of its own.
fn draw<const N: usize>(random: &mut SeededRandom) -> [u8; N] {
    let mut drawn = [0; N];
    random.fill(&mut drawn);
    drawn
}

/// A place in one of a shard's lists, given up when dropped.
struct Place<'a> {
    shard: &'a Arc<Shard>,
    list: fn(&mut ShardState) -> &mut WaitList,
    ticket: Option<Ticket>,
}

impl<'a> Place<'a> {
    fn new(shard: &'a Arc<Shard>, list: fn(&mut ShardState) -> &mut WaitList) -> Self {
        Self { shard, list, ticket: None }
    }
}

fn accepting(state: &mut ShardState) -> &mut WaitList {
    &mut state.accepting
}

fn idling(state: &mut ShardState) -> &mut WaitList {
    &mut state.idling
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            (self.list)(&mut self.shard.lock()).cancel(ticket);
        }
    }
}
