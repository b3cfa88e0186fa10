//! QUIC in a game loop: 60 turns a second, and all of QUIC's work at the beginning and the end of
//! each. No thread of its own, nothing that blocks.
//!
//! ```sh
//! cargo run --release -p quic-examples --example game_loop
//! ```
//!
//! Runs a server and three players on loopback for three seconds, or one end: `-- server
//! 127.0.0.1:4433`, `-- client 127.0.0.1:4433`.
//!
//! - Where everybody is goes by datagrams, in every turn anew. A lost one is not sent again: the
//!   next one is better. One that could not leave for three turns is dropped, unsent; and of those
//!   that arrive, the newest counts.
//! - What is said goes by streams: all of it arrives, in order.
//!
//! So that there is something to see, both ends lose every tenth datagram on purpose.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;
use quic_core::crypto::SeededRandom;
use quic_core::{
    ClientConfig, Connect, Connection, ConnectionHandle, DatagramEvent, Direction, Endpoint, Event,
    Instant, Keyring, OutgoingDatagram, ReadOutcome, SendDatagramError, ServerConfig, StreamEvent,
    StreamId, TransmitBuffer, TransportConfig, UdpDatagram, VarInt,
};
use quic_examples::{Client, Error, Server, local_address_for, run, secret};

/// One end: a socket that does not block, QUIC on it, and the time of the turn.
struct End {
    socket: UdpSocket,
    endpoint: Endpoint,
    started: StdInstant,
    /// One time for the whole turn. So a turn is a function of what arrived and of this, and can be
    /// replayed; the core has no other clock that could tell more.
    now: Instant,
    turn: u32,
    memory: Vec<u8>,
    sent: u64,
}

impl End {
    fn new(socket: UdpSocket) -> Result<Self, Error> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            endpoint: Endpoint::new(SeededRandom::from_seed(secret()?)),
            started: StdInstant::now(),
            now: Instant::EPOCH,
            turn: 0,
            memory: vec![0; 2048],
            sent: 0,
        })
    }

    /// Begins a turn: takes the time, all that arrived since the last turn, and what is due.
    fn begin(&mut self) {
        self.now = Instant::EPOCH + self.started.elapsed();
        loop {
            match self.socket.recv_from(&mut self.memory) {
                Ok((length, remote)) => {
                    let datagram = UdpDatagram::new(remote, &mut self.memory[..length]);
                    self.endpoint.handle_datagram(self.now, datagram);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {} // News of something sent before, told once.
            }
        }
        self.endpoint.handle_timeout(self.now);
    }

    /// Ends a turn: sends what there is to send, and waits for the next one. Deadlines of QUIC that
    /// come before that wait for it; they may be late by so little, as the configuration knows.
    fn end(&mut self) {
        loop {
            let mut buffer = TransmitBuffer::new(&mut self.memory, 1);
            let Some(transmit) = self.endpoint.poll_transmit(self.now, &mut buffer) else { break };
            self.sent += 1;
            if self.sent.is_multiple_of(10) {
                continue; // The bad network.
            }
            for datagram in transmit.datagrams(&self.memory) {
                // A socket without room loses what comes: a game has no use for it later.
                let _: Result<usize, _> = self.socket.send_to(datagram, transmit.path.remote);
            }
        }
        self.turn += 1;
        let next = self.started + TURN * self.turn;
        thread::sleep(next.saturating_duration_since(StdInstant::now()));
    }

    /// Sends something that is worth nothing in three turns.
    fn send_state(&mut self, to: ConnectionHandle, state: &[u8]) -> Result<(), Error> {
        let expires = self.now + TURN * 3;
        let datagram = OutgoingDatagram::new(Bytes::copy_from_slice(state)).expiring(expires);
        let send = |connection: &mut Connection| connection.datagrams().send(datagram);
        match self.endpoint.with_connection(self.now, to, send) {
            // The peer has not said yet whether it takes datagrams; or there is nobody any more.
            Some(Err(SendDatagramError::Unsupported | SendDatagramError::ConnectionOver)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// The datagrams that arrived on a connection.
    fn states(&mut self, from: ConnectionHandle) -> Vec<Bytes> {
        let receive = |connection: &mut Connection| {
            let mut datagrams = connection.datagrams();
            std::iter::from_fn(|| datagrams.receive()).collect()
        };
        self.endpoint.with_connection(self.now, from, receive).unwrap_or_default()
    }

    /// Adds a line to the stream on which this end speaks. What it has no room for is not said:
    /// who does not listen for so long misses something.
    fn say(&mut self, to: ConnectionHandle, stream: StreamId, line: &str) {
        self.endpoint.with_connection(self.now, to, |connection| {
            let _: Result<usize, _> = connection.send_stream(stream).write(line.as_bytes());
        });
    }

    /// What was said since the last time, on a stream.
    fn heard(&mut self, from: ConnectionHandle, stream: StreamId) -> Vec<u8> {
        let mut heard = Vec::new();
        self.endpoint.with_connection(self.now, from, |connection| {
            let mut stream = connection.recv_stream(stream);
            while let Ok(ReadOutcome::Data(chunk)) = stream.read_chunk(usize::MAX) {
                heard.extend_from_slice(&chunk);
            }
        });
        heard
    }

    fn open(&mut self, to: ConnectionHandle) -> Result<StreamId, Error> {
        let open = |connection: &mut Connection| connection.open_stream(Direction::Unidirectional);
        let opened = self.endpoint.with_connection(self.now, to, open);
        Ok(opened.ok_or("the connection is gone")??)
    }

    fn accept(&mut self, from: ConnectionHandle, direction: Direction) -> Option<StreamId> {
        self.endpoint.with_connection(self.now, from, |it| it.accept_stream(direction)).flatten()
    }

    /// Closes all connections, with turns that do nothing else until the peers heard of it.
    fn close(mut self) {
        self.endpoint.close(self.now, VarInt::from_u32(0), &Bytes::from_static(b"over"));
        while !self.endpoint.is_empty() {
            self.end();
            self.begin();
            while self.endpoint.poll_event().is_some() {}
        }
    }
}

/// A configuration for both ends.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::for_plain_sockets();
    // Pacing takes finer timers than turns. What is sent in one is a few datagrams anyway.
    transport.pacing = false;
    // Acknowledgments wait for the end of a turn, so tell the peer to expect that.
    transport.max_ack_delay = TURN * 2;
    // Only the newest states matter: no queue of old ones.
    transport.datagram_receive_count = 8;
    transport.datagram_send_count = 8;
    transport
}

/// A player, as the server knows them.
#[derive(Default)]
struct Player {
    position: u32,
    newest: u32,
    /// The streams on which the player speaks, and hears.
    speaks: Option<StreamId>,
    hears: Option<StreamId>,
    /// The beginning of a line.
    line: Vec<u8>,
}

impl Player {
    /// Takes a state, unless it is older than what is known.
    fn take(&mut self, state: &[u8]) {
        let Some((turn, position)) = state.split_first_chunk() else { return };
        let turn = u32::from_be_bytes(*turn);
        if let (true, Ok(position)) = (turn > self.newest, position.try_into()) {
            self.newest = turn;
            self.position = u32::from_be_bytes(position);
        }
    }
}

fn serve(server: Server) -> Result<(), Error> {
    let config = ServerConfig::new(Arc::new(server.tls), transport(), Keyring::new(secret()?))?;
    let mut end = End::new(server.socket)?;
    end.endpoint.listen(Arc::new(config));
    let mut players: HashMap<ConnectionHandle, Player> = HashMap::new();
    let (mut states, mut lines, mut left) = (0_u64, 0_u64, 0);
    while left < server.connections {
        end.begin();
        let mut said = Vec::new();
        while let Some((handle, event)) = end.endpoint.poll_event() {
            match event {
                Event::Incoming => drop(end.endpoint.accept(end.now, handle)),
                Event::Connected => {
                    let hears = Some(end.open(handle)?);
                    players.insert(handle, Player { hears, ..Player::default() });
                }
                Event::Lost(_) => {
                    left += usize::from(players.remove(&handle).is_some());
                }
                Event::Datagram(DatagramEvent::Readable) => {
                    let arrived = end.states(handle);
                    let Some(player) = players.get_mut(&handle) else { continue };
                    for state in &arrived {
                        player.take(state);
                    }
                }
                Event::Stream(StreamEvent::Opened(direction)) => {
                    let speaks = end.accept(handle, direction);
                    let Some(player) = players.get_mut(&handle) else { continue };
                    player.speaks = player.speaks.or(speaks);
                }
                Event::Stream(StreamEvent::Readable(_)) => said.push(handle),
                _ => {}
            }
        }
        // Whole lines go to all.
        for handle in said {
            let Some(stream) = players.get(&handle).and_then(|it| it.speaks) else { continue };
            let heard = end.heard(handle, stream);
            let Some(player) = players.get_mut(&handle) else { continue };
            player.line.extend(heard);
            for line in whole_lines(&mut player.line) {
                lines += 1;
                for (to, player) in &players {
                    player.hears.into_iter().for_each(|stream| end.say(*to, stream, &line));
                }
            }
        }
        // The world goes on, and everybody is told where everybody is.
        let positions = players.values().flat_map(|player| player.position.to_be_bytes());
        let state: Vec<u8> = end.turn.to_be_bytes().into_iter().chain(positions).collect();
        for handle in players.keys() {
            end.send_state(*handle, &state)?;
            states += 1;
        }
        end.end();
    }
    let (turns, time) = (end.turn, end.started.elapsed());
    println!("server: {turns} turns in {time:.1?}, {states} states sent, {lines} lines passed on");
    end.close();
    Ok(())
}

/// Takes the lines that are whole from the beginning of what was heard.
fn whole_lines(heard: &mut Vec<u8>) -> Vec<String> {
    let end = heard.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let lines = heard.drain(..end).collect::<Vec<u8>>();
    lines
        .split_inclusive(|byte| *byte == b'\n')
        .map(|it| String::from_utf8_lossy(it).into())
        .collect()
}

/// What a player has at the end.
#[derive(Default)]
struct Outcome {
    states: u32,
    outdated: u32,
    newest: u32,
    chat: Vec<u8>,
}

impl Outcome {
    /// Takes a state of the world. Only the newest one would be drawn.
    fn take(&mut self, state: &[u8]) {
        let Some((turn, _)) = state.split_first_chunk() else { return };
        let turn = u32::from_be_bytes(*turn);
        self.states += 1;
        self.outdated += u32::from(turn <= self.newest);
        self.newest = self.newest.max(turn);
    }
}

fn play(number: u32, address: SocketAddr, config: Arc<ClientConfig>) -> Result<Outcome, Error> {
    let mut end = End::new(UdpSocket::bind(local_address_for(address))?)?;
    let target = Connect { path: address.into(), server_name: "localhost", config };
    let server = end.endpoint.connect(end.now, target)?;
    let (mut speaks, mut hears) = (None, None);
    let mut outcome = Outcome::default();
    // All lines of all, and no less than the time that was agreed on.
    while end.turn < TURNS || lines_in(&outcome.chat) < (PLAYERS * LINES) as usize {
        if end.turn > TURNS * 10 {
            return Err(format!("player {number} misses something that was said").into());
        }
        end.begin();
        while let Some((_, event)) = end.endpoint.poll_event() {
            match event {
                Event::Connected => speaks = Some(end.open(server)?),
                Event::Lost(reason) => return Err(reason.into()),
                Event::Datagram(DatagramEvent::Readable) => {
                    end.states(server).iter().for_each(|state| outcome.take(state));
                }
                Event::Stream(StreamEvent::Opened(direction)) => {
                    hears = hears.or(end.accept(server, direction));
                }
                Event::Stream(StreamEvent::Readable(stream)) if hears == Some(stream) => {
                    outcome.chat.extend(end.heard(server, stream));
                }
                _ => {}
            }
        }
        if let Some(stream) = speaks {
            // A step in each turn, and something to say now and then.
            let step = end.turn.to_be_bytes().into_iter().chain((end.turn * 7).to_be_bytes());
            end.send_state(server, &step.collect::<Vec<u8>>())?;
            let pause = TURNS / (LINES + 1);
            if end.turn % pause == 0 && (1..=LINES).contains(&(end.turn / pause)) {
                end.say(server, stream, &format!("player {number}: line {}\n", end.turn / pause));
            }
        }
        end.end();
    }
    end.close();
    Ok(outcome)
}

fn lines_in(chat: &[u8]) -> usize {
    chat.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).count()
}

/// Three players, each on a thread and a socket of their own.
fn client(client: Client) -> Result<(), Error> {
    let Client { server, tls } = client;
    let config = Arc::new(ClientConfig::new(Arc::new(tls), transport())?);
    thread::scope(|scope| {
        let playing = |number| {
            let config = config.clone();
            scope.spawn(move || play(number, server, config))
        };
        let players: Vec<_> = (0..PLAYERS).map(playing).collect();
        for (number, player) in (0..).zip(players) {
            let outcome = player.join().map_err(|_| "a player panicked")??;
            let Outcome { states, outdated, newest, ref chat } = outcome;
            println!("player {number}: {states} states to turn {newest}, {outdated} outdated");
            let chat = String::from_utf8_lossy(chat);
            for speaker in 0..PLAYERS {
                let said = (1..=LINES).map(|line| format!("player {speaker}: line {line}"));
                let of_speaker = format!("player {speaker}:");
                let heard = chat.lines().filter(|line| line.starts_with(&of_speaker));
                if !heard.eq(said) {
                    return Err(format!("player {number} heard {chat:?}").into());
                }
            }
            println!(
                "player {number}: heard {} lines, each once, in order",
                lines_in(chat.as_bytes())
            );
        }
        Ok(())
    })
}

/// A sixtieth of a second.
const TURN: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// Turns of a game.
const TURNS: u32 = 180;
/// Players of a game.
const PLAYERS: u32 = 3;
/// Lines that each player says.
const LINES: u32 = 5;

fn main() -> Result<(), Error> {
    run(b"game", PLAYERS as usize, serve, client)
}
