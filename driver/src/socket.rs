//! The calls on a UDP socket: offload of segmentation, ECN, packet info, buffer sizes.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
#[cfg(unix)]
use std::os::fd::AsFd as AsSocket;
#[cfg(windows)]
use std::os::windows::io::AsSocket;
use std::sync::atomic::{AtomicU64, Ordering};

use quic_core::{EMSGSIZE, EcnCodepoint};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};

/// What a pump needs of a socket. Neither call blocks.
pub trait Socket {
    /// Fills `arrivals`.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing is there; the loop waits until the socket is
    /// readable. Anything else is counted and tried again, after a moment if it goes on.
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()>;

    /// Sends one datagram, or a train of them in one call.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is no room; the pump keeps the datagrams. Anything
    /// else may be news of an earlier datagram, so that the pump tries once more: a train as single
    /// datagrams, one of those as it is. What is refused again is lost, and counted.
    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()>;

    /// How many datagrams `send` takes in one call.
    fn maximum_segments(&self) -> NonZeroUsize;
}

/// A datagram on its way out, or a train of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// Where to.
    pub destination: SocketAddr,
    /// The local address to send from; `None` leaves it to the system.
    pub source_ip: Option<IpAddr>,
    /// The ECN mark.
    pub ecn: Option<EcnCodepoint>,
    /// The payloads, one after the other.
    pub contents: &'a [u8],
    /// Length of every payload but the last, in bytes. `None`: a single datagram.
    pub segment_length: Option<usize>,
}

impl<'a> Outgoing<'a> {
    /// A single datagram without an ECN mark.
    pub fn new(destination: SocketAddr, contents: &'a [u8]) -> Self {
        Self { destination, source_ip: None, ecn: None, contents, segment_length: None }
    }

    /// What [`Socket::send`] fails with if the interface does not carry datagrams of this length:
    /// the system's EMSGSIZE, for sockets that are not the system's.
    pub fn too_large() -> io::Error {
        io::Error::from_raw_os_error(EMSGSIZE)
    }
}

/// Datagrams of one length that arrived from one peer with one mark; the last may be shorter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Train<'a> {
    /// Where from.
    pub remote: SocketAddr,
    /// The local address that they were sent to, if the socket knows.
    pub local_ip: Option<IpAddr>,
    /// The ECN mark.
    pub ecn: Option<EcnCodepoint>,
    /// The payloads, one after the other.
    pub contents: &'a [u8],
    /// Length of every payload but the last, in bytes.
    pub segment_length: usize,
}

impl<'a> Train<'a> {
    /// Datagrams without a mark.
    pub fn new(remote: SocketAddr, contents: &'a [u8], segment_length: usize) -> Self {
        Self { remote, local_ip: None, ecn: None, contents, segment_length }
    }

    /// What a socket says of what it put into `memory`.
    fn arrived(meta: &RecvMeta, memory: &'a [u8]) -> Option<Self> {
        let train = Self::new(meta.addr, memory.get(..meta.len)?, meta.stride);
        Some(Self { local_ip: meta.dst_ip, ecn: mark(meta), ..train })
    }
}

/// The ECN mark of a train.
pub(crate) fn mark(meta: &RecvMeta) -> Option<EcnCodepoint> {
    meta.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8))
}

/// Memory for datagrams that arrive, used again and again so that it stays in the cache.
pub struct Arrivals {
    memory: Vec<Box<[u8]>>,
    trains: [RecvMeta; TRAINS],
    count: usize,
    exhausted: bool,
}

impl Arrivals {
    /// Memory for a few trains.
    pub fn new() -> Self {
        Self {
            memory: (0..TRAINS).map(|_| vec![0; TRAIN_LENGTH].into_boxed_slice()).collect(),
            trains: [RecvMeta::default(); TRAINS],
            count: 0,
            exhausted: false,
        }
    }

    /// Puts one train in, for sockets that are not the system's. Cut at 64 KiB; returns whether
    /// there was room.
    pub fn push(&mut self, remote: SocketAddr, payload: &[u8], segment_length: usize) -> bool {
        self.push_train(&Train::new(remote, payload, segment_length))
    }

    /// Puts one train in, with all that a socket can tell of it; see [`push`](Self::push).
    pub fn push_train(&mut self, train: &Train<'_>) -> bool {
        let Some((memory, place)) =
            self.memory.get_mut(self.count).zip(self.trains.get_mut(self.count))
        else {
            return false;
        };
        let mut meta = RecvMeta::default();
        meta.addr = train.remote;
        meta.len = train.contents.len().min(TRAIN_LENGTH);
        meta.stride = train.segment_length;
        meta.dst_ip = train.local_ip;
        meta.ecn = train.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8));
        let (to, from) = (memory.get_mut(..meta.len), train.contents.get(..meta.len));
        if let Some((to, from)) = to.zip(from) {
            to.copy_from_slice(from);
        }
        *place = meta;
        self.count += 1;
        true
    }

    /// Whether there is room for another train.
    pub fn has_room(&self) -> bool {
        self.count < TRAINS
    }

    /// Forgets what is in it.
    pub fn clear(&mut self) {
        self.count = 0;
        self.exhausted = false;
    }

    /// Whether the call that filled it left nothing and nothing more is about to come, so that the
    /// next one had better wait until the socket is readable anew. `false` where a system does not
    /// say.
    pub fn exhausted_the_socket(&self) -> bool {
        self.exhausted
    }

    /// Bytes of all trains.
    pub(crate) fn length(&self) -> usize {
        self.trains.iter().take(self.count).map(|train| train.len).sum()
    }

    /// Gives up all trains but those that `keep` keeps.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Train<'_>) -> bool) {
        let mut kept = 0;
        for place in 0..self.count {
            let arrived = self.trains.get(place).zip(self.memory.get(place));
            let train = arrived.and_then(|(meta, memory)| Train::arrived(meta, memory));
            if train.is_some_and(|train| keep(&train)) {
                self.trains.swap(kept, place);
                self.memory.swap(kept, place);
                kept += 1;
            }
        }
        self.count = kept;
    }

    /// The trains, each with its memory.
    pub(crate) fn trains(&mut self) -> impl Iterator<Item = (&RecvMeta, &mut [u8])> {
        let trains = self.trains.iter().zip(&mut self.memory).take(self.count);
        trains.filter_map(|(meta, memory)| Some((meta, memory.get_mut(..meta.len)?)))
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrivals").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Sends and receives trains of datagrams on a socket of the system, which the caller keeps.
///
/// The socket is set not to block. Wrap the calls in what the runtime wants (`try_io`).
#[derive(Debug)]
pub struct UdpOffload {
    state: UdpSocketState,
    /// What the system took at first; the state forgets it at the first error of any cause.
    maximum_segments: NonZeroUsize,
}

impl UdpOffload {
    /// Prepares `socket`.
    ///
    /// # Errors
    /// If the socket does not take the options that QUIC needs.
    pub fn new(socket: &impl AsSocket) -> io::Result<Self> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-14
        //# UDP datagrams MUST NOT be fragmented at the IP layer.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-14
        //# In IPv4 [IPv4], the Don't Fragment (DF) bit MUST be set if possible,
        //# to prevent fragmentation on the path.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Probe packets: The network interface below the PL is REQUIRED to
        //# provide a way to transmit a probe packet that is larger than the
        //# PLPMTU.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# In IPv4, a probe packet MUST be sent with the Don't Fragment (DF) bit
        //# set in the IP header and without network layer endpoint fragmentation.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-4.5
        //# A PL implementing this specification MUST suspend network layer
        //# processing of outgoing packets that enforces a PMTU [RFC1191][RFC8201]
        //# for each flow utilizing DPLPMTUD and instead use DPLPMTUD to control
        //# the size of packets that are sent by a flow.
        let state = UdpSocketState::new(socket.into())?;
        keep_marks(socket);
        let maximum_segments =
            NonZeroUsize::new(state.max_gso_segments()).unwrap_or(NonZeroUsize::MIN);
        Ok(Self { state, maximum_segments })
    }

    /// How many datagrams [`send`](Self::send) takes in one call.
    pub fn maximum_segments(&self) -> NonZeroUsize {
        self.maximum_segments
    }

    /// See [`Socket::send`].
    ///
    /// # Errors
    /// Those of `sendmsg`.
    pub fn send(&self, socket: UdpSockRef<'_>, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let transmit = Transmit {
            destination: outgoing.destination,
            ecn: outgoing.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
            contents: outgoing.contents,
            segment_size: outgoing.segment_length,
            src_ip: outgoing.source_ip,
        };
        self.state.try_send(socket, &transmit)
    }

    /// See [`Socket::receive`].
    ///
    /// # Errors
    /// Those of `recvmmsg`.
    pub fn receive(&self, socket: UdpSockRef<'_>, arrivals: &mut Arrivals) -> io::Result<()> {
        arrivals.clear();
        let mut memory = arrivals.memory.iter_mut();
        let mut slices: [IoSliceMut<'_>; TRAINS] = std::array::from_fn(|_| {
            IoSliceMut::new(memory.next().map_or(&mut [][..], |memory| &mut **memory))
        });
        arrivals.count = self.state.recv(socket, &mut slices, &mut arrivals.trains)?;
        // `recvmmsg` stops early only when nothing is left; elsewhere a call takes one at a time.
        // After much, more has come by the time that it was dealt with.
        arrivals.exhausted = cfg!(any(target_os = "linux", target_os = "android"))
            && arrivals.count < TRAINS
            && arrivals.length() < MUCH;
        Ok(())
    }
}

/// The time of arrival, which nobody here asks for, takes the room in which the ECN mark of a train
/// would be told.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn keep_marks(socket: &impl AsSocket) {
    use nix::sys::socket::{setsockopt, sockopt};
    // A system that does not know the time has not been asked for it either.
    let _: nix::Result<()> = setsockopt(socket, sockopt::ReceiveTimestampns, &false);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn keep_marks(_: &impl AsSocket) {}

/// Asks the system for socket buffers that hold a burst of a fast path: 4 MiB each way.
///
/// Returns what it did not grant.
pub fn enlarge_buffers<S>(socket: &S, offload: &UdpOffload) -> Vec<Warning>
where
    for<'a> UdpSockRef<'a>: From<&'a S>,
{
    let state = &offload.state;
    let mut warnings = Vec::new();
    let receive = enlarge(
        || state.recv_buffer_size(socket.into()),
        |bytes| state.set_recv_buffer_size(socket.into(), bytes),
    );
    let send = enlarge(
        || state.send_buffer_size(socket.into()),
        |bytes| state.set_send_buffer_size(socket.into(), bytes),
    );
    warnings.extend(receive.map(|granted| Warning::SmallReceiveBuffer { granted }));
    warnings.extend(send.map(|granted| Warning::SmallSendBuffer { granted }));
    warnings
}

/// Something that works, but worse than it could.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The system grants a smaller receive buffer than asked for: bursts will be dropped.
    SmallReceiveBuffer {
        /// What it grants, in bytes.
        granted: usize,
    },
    /// The system grants a smaller send buffer than asked for: sending will pause more often.
    SmallSendBuffer {
        /// What it grants, in bytes.
        granted: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (buffer, granted, setting) = match self {
            Self::SmallReceiveBuffer { granted } => ("receive", granted, "rmem_max"),
            Self::SmallSendBuffer { granted } => ("send", granted, "wmem_max"),
        };
        write!(f, "the UDP {buffer} buffer is {granted} bytes instead of {BUFFER_LENGTH}")?;
        if cfg!(any(target_os = "linux", target_os = "android")) {
            write!(f, "; raise it with `sysctl -w net.core.{setting}={BUFFER_LENGTH}`")?;
        }
        Ok(())
    }
}

/// Counters of what went wrong on a socket. None of it ends an endpoint.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SocketStatistics {
    /// Datagrams that the system refused to send; QUIC recovers them like any loss.
    pub datagrams_refused: u64,
    /// Receive calls that failed.
    pub receive_errors: u64,
    /// Trains that the system refused and that were sent again as single datagrams.
    pub trains_split: u64,
    /// Trains that arrived at a shard and were handed over to another one.
    pub handed_over: u64,
    /// Trains for another shard that were lost, since too much waited for it.
    pub hand_overs_dropped: u64,
    /// Trains for a shard that nobody has.
    pub hand_overs_unclaimed: u64,
}

impl SocketStatistics {
    /// The counters of two sockets together.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            datagrams_refused: self.datagrams_refused.saturating_add(other.datagrams_refused),
            receive_errors: self.receive_errors.saturating_add(other.receive_errors),
            trains_split: self.trains_split.saturating_add(other.trains_split),
            handed_over: self.handed_over.saturating_add(other.handed_over),
            hand_overs_dropped: self.hand_overs_dropped.saturating_add(other.hand_overs_dropped),
            hand_overs_unclaimed: self
                .hand_overs_unclaimed
                .saturating_add(other.hand_overs_unclaimed),
        }
    }
}

/// The living counters behind [`SocketStatistics`].
#[derive(Debug, Default)]
pub(crate) struct SocketCounters {
    pub(crate) datagrams_refused: AtomicU64,
    pub(crate) receive_errors: AtomicU64,
    pub(crate) trains_split: AtomicU64,
    pub(crate) handed_over: AtomicU64,
    pub(crate) hand_overs_dropped: AtomicU64,
    pub(crate) hand_overs_unclaimed: AtomicU64,
}

impl SocketCounters {
    pub(crate) fn snapshot(&self) -> SocketStatistics {
        SocketStatistics {
            datagrams_refused: self.datagrams_refused.load(Ordering::Relaxed),
            receive_errors: self.receive_errors.load(Ordering::Relaxed),
            trains_split: self.trains_split.load(Ordering::Relaxed),
            handed_over: self.handed_over.load(Ordering::Relaxed),
            hand_overs_dropped: self.hand_overs_dropped.load(Ordering::Relaxed),
            hand_overs_unclaimed: self.hand_overs_unclaimed.load(Ordering::Relaxed),
        }
    }
}

/// Raises a buffer to [`BUFFER_LENGTH`]; returns what was granted if that is less.
fn enlarge(
    read: impl Fn() -> io::Result<usize>,
    write: impl Fn(usize) -> io::Result<()>,
) -> Option<usize> {
    // Linux reports twice what is granted: it counts its own bookkeeping in.
    let overhead = if cfg!(any(target_os = "linux", target_os = "android")) { 2 } else { 1 };
    let granted = || read().unwrap_or(0) / overhead;
    if granted() < BUFFER_LENGTH {
        // A refusal shows in what is granted afterwards.
        let _: io::Result<()> = write(BUFFER_LENGTH);
    }
    let granted = granted();
    (granted < BUFFER_LENGTH).then_some(granted)
}

/// The most that the system coalesces.
const TRAIN_LENGTH: usize = 64 << 10;
/// Trains taken by one call: enough to save calls, few enough for their memory to stay in cache.
const TRAINS: usize = 4;
/// So many bytes at a time are part of a flow, which goes on.
const MUCH: usize = 32 << 10;
/// Asked for in each direction.
const BUFFER_LENGTH: usize = 4 << 20;

#[cfg(test)]
mod tests;
