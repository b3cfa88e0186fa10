//! Plays a case.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quic_core::{
    ClientConfig, Connect, Connection, ConnectionHandle, DatagramEvent, Direction, Event, Instant,
    MigrationError, OutgoingDatagram, PacketHandlerManager as _, PathAddresses, PathEvent, Side,
    StreamEvent, VarInt,
};
use quic_sim::network::Filtering;
use quic_sim::pair::{SERVER_NAME, Setup};

use super::endings::is_explained;
use super::invariants::{i27_the_window_holds_two_packets, i30_the_mtu_is_at_least_1200};
use super::links::operate_on_links;
use super::model::{Conn, i4_what_came_was_sent};
use super::operations::{Answer, Limits, Operation};
use super::setting::setup;
use super::world::{BATCHES_AT_ONCE, Manners, SERVER, World, address_of};

/// A case while it is played.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) world: World,
    pub(super) connections: Vec<Conn>,
    pub(super) answer: Answer,
    /// The server refused an attempt.
    pub(super) refused: bool,
    pub(super) limits: Limits,
    pub(super) setup: Setup,
    client_config: Arc<ClientConfig>,
    /// Length of each datagram that was sent, by its number, and where it may arrive.
    datagrams: BTreeMap<u64, (quic_core::ConnectionId, Side, usize)>,
}

impl Run {
    pub(super) fn new(limits: &Limits) -> Self {
        let setup = setup(limits);
        let mut ends = vec![setup.server_endpoint.clone()];
        ends.extend((0..limits.clients).map(|_| setup.client_endpoint.clone()));
        let manners = Manners {
            segments: usize::from(limits.segments),
            reports_local_ip: limits.reports_local_ip,
            preferred: limits.preferred,
            trains: limits.trains,
        };
        let mut world = World::new(limits.seed, ends, manners);
        world.ends[SERVER].manager().listen(setup.server_config());
        Self {
            world,
            connections: Vec::new(),
            answer: Answer::Accept,
            refused: false,
            limits: limits.clone(),
            client_config: setup.client_config(),
            setup,
            datagrams: BTreeMap::new(),
        }
    }

    /// Does one thing, then all that follows from it at once, and checks what must hold.
    pub(super) fn step(&mut self, operation: Operation) {
        self.operate(operation);
        self.advance(Duration::ZERO);
        self.check();
    }

    /// Lets an application act on a connection, knowing what it did before.
    pub(super) fn act<R>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Conn, &mut Connection) -> R,
    ) -> Option<R> {
        let conn = &mut self.connections[index];
        if conn.forgotten {
            return None;
        }
        let now = self.world.clock(conn.end);
        let manager = self.world.ends[conn.end].manager();
        manager.with_connection(now, conn.handle, |connection| act(conn, connection))
    }

    /// One of the connections' ends that are not over.
    fn pick(&self, which: u8) -> Option<usize> {
        let usable = self.connections.iter().enumerate().filter(|(_, conn)| conn.is_usable());
        let usable: Vec<_> = usable.map(|(index, _)| index).collect();
        usable.get(usize::from(which).checked_rem(usable.len())?).copied()
    }

    fn on<R>(&mut self, which: u8, act: impl FnOnce(&mut Conn, &mut Connection) -> R) {
        if let Some(index) = self.pick(which) {
            self.act(index, act);
        }
    }

    fn client(&self, which: u8) -> usize {
        1 + usize::from(which) % (self.world.ends.len() - 1)
    }

    fn operate(&mut self, operation: Operation) {
        use Operation::{
            Accept, Advance, AllowStreams, Finish, Open, Ping, Prioritize, Read, ReadAll,
            ReceiveDatagrams, Reset, ResetAt, Stop, UpdateKeys, Write,
        };
        match operation {
            Open { connection, both } => {
                self.on(connection, |conn, connection| conn.open(connection, direction(both)));
            }
            Write { connection, stream, bytes } => self.on(connection, |conn, connection| {
                if let Some(id) = conn.writable(stream) {
                    conn.write(connection, id, bytes.into());
                }
            }),
            Finish { connection, stream } => self.on(connection, |conn, connection| {
                if let Some(id) = conn.writable(stream) {
                    conn.finish(connection, id);
                }
            }),
            Reset { connection, stream } => self.on(connection, |conn, connection| {
                if let Some(id) = conn.sending(stream) {
                    conn.reset(connection, id);
                }
            }),
            ResetAt { connection, stream, size } => self.on(connection, |conn, connection| {
                if let Some(id) = conn.sending(stream) {
                    conn.reset_at(connection, id, size.into());
                }
            }),
            Stop { connection, stream } => self.on(connection, |conn, connection| {
                if let Some(id) = conn.readable(stream) {
                    conn.stop(connection, id);
                }
            }),
            Accept { connection } => self.on(connection, Conn::accept),
            Read { connection, stream, bytes } => self.on(connection, |conn, connection| {
                if let Some(id) = conn.readable(stream) {
                    conn.read(connection, id, bytes.into());
                }
            }),
            ReadAll { connection } => self.on(connection, Conn::read_all),
            Prioritize { connection, stream, priority } => {
                self.on(connection, |conn, connection| {
                    if let Some(id) = conn.sending(stream) {
                        connection.send_stream(id).set_priority(priority.into());
                    }
                });
            }
            AllowStreams { connection, both, more } => self.on(connection, |_, connection| {
                let count = VarInt::from_u32(more.into());
                connection.set_max_concurrent_streams(direction(both), count);
            }),
            ReceiveDatagrams { connection } => {
                if let Some(index) = self.pick(connection) {
                    self.receive_datagrams(index);
                }
            }
            Ping { connection } => self.on(connection, |_, connection| connection.ping()),
            UpdateKeys { connection } => {
                if let Some(index) = self.pick(connection) {
                    let now = self.world.clock(self.connections[index].end);
                    self.act(index, |_, connection| connection.update_keys(now));
                }
            }
            Advance { exponent } => self.advance(Duration::from_micros(1 << exponent.min(32))),
            other => self.operate_on_connections(other),
        }
    }

    fn operate_on_connections(&mut self, operation: Operation) {
        use Operation::{
            AddSocket, Close, Connect, Filter, Forget, Migrate, Probe, Rebind, RemoveSocket,
            SendDatagram,
        };
        match operation {
            Connect { client } => self.connect(self.client(client)),
            SendDatagram { connection, bytes } => self.send_datagram(connection, bytes.into()),
            Close { connection } => {
                if let Some(index) = self.pick(connection) {
                    self.close(index);
                }
            }
            Migrate { connection, socket } | Probe { connection, socket } => {
                let probes = matches!(operation, Probe { .. });
                self.migrate(connection, socket, probes);
            }
            AddSocket { client } => {
                let client = self.client(client);
                let World { ends, network, .. } = &mut self.world;
                if ends[client].ports.len() < 4 {
                    ends[client].add_socket(network);
                }
            }
            RemoveSocket { client } => self.remove_socket(self.client(client)),
            Rebind { client, socket, address } => {
                let client = self.client(client);
                self.world.rebind(client, socket.into(), address);
                self.disturb_handshakes(client);
            }
            Filter { client, ports } => {
                let filtering = if ports { Filtering::Ports } else { Filtering::Addresses };
                self.world.nat(self.client(client)).filtering = filtering;
            }
            Forget { client } => {
                let client = self.client(client);
                self.world.nat(client).forget();
                self.disturb_handshakes(client);
            }
            other => self.operate_on_the_world(other),
        }
    }

    fn operate_on_the_world(&mut self, operation: Operation) {
        use Operation::{
            Forge, ForgetSessions, GoBack, JumpBack, JumpForward, Replay, Restart, RotateKeys,
        };
        let ends = self.world.ends.len();
        match operation {
            JumpForward { end, seconds } => {
                let (end, by) = (usize::from(end) % ends, Duration::from_secs(seconds.into()));
                self.world.host(end).jump(by);
                self.world.ends[end].leaps += by;
            }
            JumpBack { end, millis } => {
                let end = usize::from(end) % ends;
                self.world.host(end).jump_back(Duration::from_millis(millis.into()));
                // The first time after that may be one that comes late.
                let end = &mut self.world.ends[end];
                end.leaps += end.goes_back;
            }
            GoBack { end, millis } => {
                self.world.ends[usize::from(end) % ends].goes_back =
                    Duration::from_millis(millis.into());
            }
            Restart => self.restart(),
            Operation::Respond(answer) => self.respond(answer),
            ForgetSessions => self.forget_sessions(),
            RotateKeys => self.rotate_keys(),
            Replay { which } => self.replay(which, None),
            Forge { which, bit } => self.replay(which, Some(bit.into())),
            other => operate_on_links(&mut self.world, other),
        }
    }

    /// A client moved, as it may not before the handshake is complete (RFC 9000 §9).
    fn disturb_handshakes(&mut self, client: usize) {
        for index in 0..self.connections.len() {
            let conn = &self.connections[index];
            let is_complete = conn.connected && self.peers(index).any(|peer| peer.connected);
            if conn.end == client && !is_complete {
                self.connections[index].disturbed = true;
            }
        }
    }

    fn connect(&mut self, client: usize) {
        let known = self.connections.iter().filter(|conn| conn.end == client);
        // All packets of an end without connection IDs are one connection's.
        let most = if self.limits.ids[0] == 0 { 1 } else { 4 };
        if known.count() >= most {
            return;
        }
        let socket = self.world.ends[client].ports[0].id;
        let path = PathAddresses { socket, local_ip: None, remote: address_of(SERVER) };
        let config = Arc::clone(&self.client_config);
        let now = self.world.clock(client);
        let target = Connect { path, server_name: SERVER_NAME, config };
        let handle = self.world.ends[client].manager().connect(now, target).unwrap();
        self.begin(client, handle);
    }

    /// A connection began, and so its log.
    fn begin(&mut self, end: usize, handle: ConnectionHandle) {
        let pages = self.world.book.pages();
        let log = pages.logs.len() - 1;
        let (id, side) = (pages.logs[log].id, pages.logs[log].side);
        drop(pages);
        let since = self.world.lived(end);
        self.connections.push(Conn::new(end, handle, (id, side, log), since));
    }

    pub(super) fn close(&mut self, index: usize) {
        let now = self.world.clock(self.connections[index].end);
        self.act(index, |conn, connection| {
            connection.close(now, VarInt::from_u32(7), Bytes::from_static(b"enough"));
            conn.closed = Some(7);
        });
        self.settle();
        let conn = &self.connections[index];
        let log = &self.world.book.pages().logs[conn.log];
        if conn.connected && !conn.disturbed && !conn.forgotten {
            let judgement = log.closing.i18_connection_close_leaves_at_once();
            judgement.unwrap_or_else(|violation| panic!("{violation}"));
        }
    }

    fn send_datagram(&mut self, which: u8, length: usize) {
        let Some(index) = self.pick(which) else { return };
        let number = self.datagrams.len() as u64;
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.resize(8 + length, number as u8);
        let datagram = OutgoingDatagram::new(bytes.into());
        let sent = self.act(index, |conn, connection| {
            let sent = connection.datagrams().try_send(datagram);
            sent.is_ok().then_some((conn.id, !conn.side, 8 + length))
        });
        if let Some(sent) = sent.flatten() {
            self.datagrams.insert(number, sent);
        }
    }

    fn receive_datagrams(&mut self, index: usize) {
        let mut all = Vec::new();
        self.act(index, |_, connection| {
            all.extend(std::iter::from_fn(|| connection.datagrams().receive()));
        });
        let conn = &mut self.connections[index];
        for bytes in all {
            let number = bytes.first_chunk().map_or(u64::MAX, |first| u64::from_be_bytes(*first));
            let wanted = self.datagrams.get(&number);
            assert_eq!(wanted, Some(&(conn.id, conn.side, bytes.len())), "I4: a datagram");
            assert!(conn.datagrams.insert(number), "I4: datagram {number} came twice");
        }
    }

    fn migrate(&mut self, which: u8, socket: u8, probes: bool) {
        let Some(index) = self.pick(which) else { return };
        let end = self.connections[index].end;
        let ports = &self.world.ends[end].ports;
        let socket = ports[usize::from(socket) % ports.len()].id;
        let (now, lived) = (self.world.clock(end), self.world.lived(end));
        self.act(index, |conn, connection| {
            let remote = connection.path().remote;
            let path = PathAddresses { socket, local_ip: None, remote };
            // The time may not have come, or there may be no connection ID for it.
            let _: Result<(), MigrationError> = if probes {
                connection.probe_path(now, path)
            } else {
                let moved = connection.migrate(now, path);
                if moved.is_ok() {
                    conn.migrated.get_or_insert(lived);
                }
                moved
            };
        });
    }

    /// Removes a socket. Who uses it hears nothing any more.
    fn remove_socket(&mut self, client: usize) {
        let using: Vec<_> = (0..self.connections.len())
            .map(|index| self.act(index, |_, connection| connection.path().socket))
            .collect();
        let World { ends, network, .. } = &mut self.world;
        let Some(removed) = ends[client].remove_socket(network) else { return };
        for (conn, socket) in self.connections.iter_mut().zip(using) {
            conn.disturbed |= conn.end == client && socket == Some(removed);
        }
    }

    /// Lets a datagram arrive again; nothing changes for any connection.
    fn replay(&mut self, which: u8, flip: Option<usize>) {
        let delivered = &self.world.delivered;
        let Some(which) = usize::from(which).checked_rem(delivered.len()) else { return };
        let (mut parcel, readers) = delivered[which].clone();
        // What is newest is not read at the address that the server moved away from
        // (RFC 9000 §9.6.2): a copy of it may be the first to be read.
        if self.limits.preferred && parcel.to == address_of(SERVER) {
            return;
        }
        if let Some(bit) = flip {
            // Nothing may be left of one that was cut short.
            let Some(bit) = bit.checked_rem(8 * parcel.payload.len()) else { return };
            parcel.payload[bit / 8] ^= 1 << (bit % 8);
        }
        let before = self.positions(&readers);
        self.world.hand_over(&parcel);
        let after = self.positions(&readers);
        assert_eq!(before, after, "I22, I23: a copy changed something (flipped: {flip:?})");
    }

    /// What no copy of a datagram may change for who could read it when it came first.
    fn positions(&mut self, readers: &[usize]) -> Vec<Option<(bool, [u64; 4])>> {
        let position = |index: &usize| {
            self.act(*index, |_, connection| {
                let told = connection.statistics();
                let remote = u64::from(connection.path().remote.port());
                let (flight, window) = (told.bytes_in_flight, told.congestion_window);
                (connection.is_over(), [told.packets_received, flight, window, remote])
            })
        };
        readers.iter().map(position).collect()
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, duration: Duration) {
        let end = self.world.now() + duration;
        self.settle();
        loop {
            let next = self.world.next().filter(|next| *next <= end);
            self.world.pass_time(next.unwrap_or(end));
            if next.is_none() {
                return;
            }
            self.handle_timeouts();
            while let Some(parcel) = self.world.next_arrival() {
                self.world.hand_over(&parcel);
                self.judge_moves().unwrap_or_else(|violation| panic!("{violation}"));
                let readers = (0..self.connections.len()).filter(|index| {
                    let conn = &self.connections[*index];
                    conn.connected && conn.is_usable()
                });
                let readers = readers.collect();
                self.world.remember(parcel, readers);
            }
            self.settle();
        }
    }

    fn handle_timeouts(&mut self) {
        for end in 0..self.world.ends.len() {
            let mut turn = 0;
            while self.world.is_due(end) {
                self.world.handle_timeout(end, turn);
                self.settle_end(end);
                turn += 1;
            }
        }
    }

    /// Lets all ends do what they have to now.
    pub(super) fn settle(&mut self) {
        (0..self.world.ends.len()).for_each(|end| self.settle_end(end));
    }

    fn settle_end(&mut self, end: usize) {
        for batch in 0.. {
            assert!(batch < BATCHES_AT_ONCE, "I15: polled without end");
            let mut any = false;
            while let Some((handle, event)) = self.world.poll_event(end) {
                any = true;
                self.handle_event(end, handle, &event);
            }
            any |= self.world.transmit(end);
            if !any {
                return;
            }
        }
    }

    fn handle_event(&mut self, end: usize, handle: ConnectionHandle, event: &Event) {
        if *event == Event::Incoming {
            self.answer(handle);
            return;
        }
        let known = |conn: &Conn| (conn.end, conn.handle) == (end, handle) && !conn.forgotten;
        let Some(index) = self.connections.iter().position(known) else { return };
        let conn = &mut self.connections[index];
        assert!(conn.lost.is_none(), "{event:?} after the end");
        match event {
            Event::Connected => conn.connected = true,
            Event::Lost(error) => {
                conn.lost = Some(error.clone());
                self.act(index, |conn, connection| {
                    if conn.closed.is_none() {
                        conn.accept(connection);
                        conn.read_all(connection);
                    }
                });
                // What it did wrong before says more than that nobody knows why it ended.
                let judgement = self.judge_book().and_then(|()| is_explained(self, index));
                judgement.unwrap_or_else(|violation| panic!("{violation}"));
            }
            Event::EarlyDataRejected => self.handle_rejection(index),
            Event::Path(event) => {
                conn.path_failed |= matches!(event, PathEvent::Failed(_));
                self.act(index, |conn, connection| {
                    let mut paths = connection.paths();
                    if paths.any(|path| path.is_active && path.is_validated) {
                        conn.migrated = None;
                    }
                });
            }
            Event::Stream(event) => self.handle_stream_event(index, *event),
            Event::Datagram(DatagramEvent::Readable) if self.limits.eager => {
                self.receive_datagrams(index);
            }
            _ => {}
        }
    }

    fn handle_rejection(&mut self, index: usize) {
        let resend = self.limits.resend;
        let log = self.connections[index].log;
        self.act(index, |conn, connection| {
            if resend {
                connection.resend_early_data();
            } else {
                connection.discard_early_data();
                conn.sends.clear();
                conn.receives.clear();
            }
        });
        self.world.book.pages().logs[log].credit.on_early_data_discarded();
    }

    fn handle_stream_event(&mut self, index: usize, event: StreamEvent) {
        let eager = self.limits.eager;
        self.act(index, |conn, connection| match event {
            StreamEvent::Opened(_) if eager => {
                let before: Vec<_> = conn.receives.keys().copied().collect();
                conn.accept(connection);
                let after: Vec<_> = conn.receives.keys().copied().collect();
                for id in after.into_iter().filter(|id| !before.contains(id)) {
                    while conn.read(connection, id, 64 * 1024) {}
                }
            }
            StreamEvent::Readable(id) if eager => while conn.read(connection, id, 64 * 1024) {},
            StreamEvent::Writable(id) => conn.go_on(connection, id),
            StreamEvent::Finished(id) => {
                let is_ended = conn.sends.get(&id).is_some_and(|sent| !sent.is_open());
                assert!(is_ended, "I7: {id:?} is said to be finished");
            }
            _ => {}
        });
    }

    fn answer(&mut self, handle: ConnectionHandle) {
        let now = self.world.clock(SERVER);
        let manager = self.world.ends[SERVER].manager();
        let incoming = manager.incoming(handle);
        let from = incoming.map(|incoming| incoming.path.remote);
        let proved = from.filter(|_| incoming.is_some_and(|incoming| incoming.validated));
        match self.answer {
            Answer::Accept | Answer::Deaf => {}
            Answer::Retry if manager.retry(now, handle) => return,
            Answer::Retry => {}
            Answer::Refuse => {
                self.refused = true;
                return manager.refuse(handle);
            }
            Answer::Ignore => return manager.ignore(handle),
        }
        let logs = self.world.book.pages().logs.len();
        if let Some(address) = proved {
            self.world.on_proved(address);
        }
        self.world.book.pages().source = from;
        self.world.ends[SERVER].manager().accept(now, handle, None).ok();
        self.world.judge_source();
        if self.world.book.pages().logs.len() > logs {
            self.begin(SERVER, handle);
        }
    }

    /// Checks what must hold at any time.
    pub(super) fn check(&mut self) {
        self.judge().unwrap_or_else(|violation| panic!("{violation}"));
    }

    fn judge(&mut self) -> Result<(), String> {
        for end in 0..self.world.ends.len() {
            self.world.check_idle(end)?;
        }
        self.judge_book()?;
        for index in 0..self.connections.len() {
            self.judge_paths(index)?;
            self.judge_streams(index)?;
        }
        Ok(())
    }

    /// What the ends said that they did.
    fn judge_book(&self) -> Result<(), String> {
        let violation = self.world.book.pages().violations.first().cloned();
        violation.map_or(Ok(()), Err)
    }

    fn judge_paths(&mut self, index: usize) -> Result<(), String> {
        let conn = &self.connections[index];
        if !conn.is_usable() {
            return Ok(());
        }
        let paths: Vec<_> =
            self.act(index, |_, connection| connection.paths().collect()).unwrap_or_default();
        for path in &paths {
            i27_the_window_holds_two_packets(path)?;
            i30_the_mtu_is_at_least_1200(path)?;
        }
        Ok(())
    }

    /// Where the server takes its peers to be, after each datagram.
    fn judge_moves(&mut self) -> Result<(), String> {
        for index in 0..self.connections.len() {
            let conn = &self.connections[index];
            if conn.side == Side::Client || !conn.connected || !conn.is_usable() {
                continue;
            }
            let remote = self.act(index, |_, connection| connection.path().remote);
            let Some(remote) = remote else { continue };
            let conn = &mut self.connections[index];
            let failed = std::mem::take(&mut conn.path_failed);
            let mut pages = self.world.book.pages();
            let sources = &mut pages.logs[conn.log].sources;
            sources.i25_only_a_new_packet_moves_the_peer(remote, failed)?;
        }
        Ok(())
    }

    fn judge_streams(&self, index: usize) -> Result<(), String> {
        let conn = &self.connections[index];
        let peers: Vec<_> = self.peers(index).collect();
        for (id, received) in &conn.receives {
            let judgements = peers
                .iter()
                .filter_map(|peer| peer.sends.get(id))
                .map(|sent| i4_what_came_was_sent(*id, *received, sent));
            let mut judgements = judgements.peekable();
            // Who was opened from the other side was not forgotten there meanwhile.
            if judgements.peek().is_none() {
                continue;
            }
            judgements
                .find(Result::is_ok)
                .unwrap_or_else(|| Err(format!("I4: {id:?} {received:?} is none of {peers:?}")))?;
        }
        Ok(())
    }

    /// The other ends of a connection. Of a server's, there may have been several.
    pub(super) fn peers(&self, index: usize) -> impl Iterator<Item = &Conn> + Clone {
        let conn = &self.connections[index];
        self.connections.iter().filter(|peer| peer.id == conn.id && peer.side != conn.side)
    }
}

fn direction(both: bool) -> Direction {
    if both { Direction::Bidirectional } else { Direction::Unidirectional }
}

impl Conn {
    fn new(
        end: usize,
        handle: ConnectionHandle,
        (id, side, log): (quic_core::ConnectionId, Side, usize),
        since: Instant,
    ) -> Self {
        Self {
            end,
            handle,
            id,
            side,
            log,
            since,
            connected: false,
            lost: None,
            closed: None,
            forgotten: false,
            path_failed: false,
            disturbed: false,
            migrated: None,
            sends: BTreeMap::new(),
            receives: BTreeMap::new(),
            datagrams: std::collections::BTreeSet::new(),
        }
    }
}
