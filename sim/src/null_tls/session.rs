//! Both ends of a handshake that agrees to everything.

use std::any::Any;
use std::collections::VecDeque;

use quic_core::crypto::{ClientOffer, HandshakeData, KeyChange, Level, Session};
use quic_core::rustls::quic::{DirectionalKeys, PacketKeySet};
use quic_core::{Side, TransportError, TransportErrorCode};

use super::NullTls;
use super::keys::{KeyMaker, checksum, mix};
use super::messages::{
    self, CERTIFICATE, CLIENT_HELLO, ClientHello, ENCRYPTED_EXTENSIONS, FINISHED,
    NEW_SESSION_TICKET, SERVER_HELLO,
};
use super::tickets::Ticket;

const UNEXPECTED_MESSAGE: u8 = 10;
const DECODE_ERROR: u8 = 50;
const DECRYPT_ERROR: u8 = 51;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// Numbers of key generations, after 0 for Initial keys. Key updates count on from the last.
const HANDSHAKE: u64 = 1;
const ONE_RTT: u64 = 2;

/// What is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    ClientHello,
    ServerHello,
    ServerFinished,
    ClientFinished,
    Done,
}

#[derive(Debug)]
enum Output {
    Bytes(Vec<u8>),
    Keys(u64),
}

pub(super) struct NullSession {
    config: NullTls,
    side: Side,
    /// The keys depend on it. 0 on a server that has not decided.
    version: u32,
    /// A client's first message, until the version is decided on.
    hello: Option<ClientHello>,
    step: Step,
    local_parameters: Vec<u8>,
    peer_parameters: Option<Vec<u8>>,
    data: Option<HandshakeData>,
    input: Vec<u8>,
    output: VecDeque<Output>,
    /// The sum of all messages before the Finished ones.
    transcript: u64,
    keys: Option<KeyMaker>,
    generation: u64,
    early_keys: Option<DirectionalKeys>,
    early_accepted: bool,
    /// What a client resumes.
    ticket: Option<Ticket>,
}

impl NullSession {
    pub(super) fn client(
        config: NullTls,
        version: u32,
        server_name: &str,
        parameters: Vec<u8>,
    ) -> Self {
        let ticket = config.early_data.then(|| config.sessions.newest()).flatten();
        let ticket = ticket.filter(|ticket| ticket.early_data);
        let hello = ClientHello {
            server_name: server_name.to_owned(),
            parameters,
            protocols: config.protocols.clone(),
            early_ticket: ticket.as_ref().map(|ticket| ticket.id),
        };
        let mut bytes = Vec::new();
        messages::append(&mut bytes, CLIENT_HELLO, &hello.encode(), config.client_hello_length);
        let mut client = Self::new(config, Side::Client, Step::ServerHello, hello.parameters);
        client.version = version;
        client.transcript = checksum(client.transcript, &[&bytes]);
        client.output.push_back(Output::Bytes(bytes));
        if let Some(ticket) = ticket {
            client.make_early_keys(ticket.secret);
            client.ticket = Some(ticket);
        }
        client
    }

    pub(super) fn server(config: NullTls, parameters: Vec<u8>) -> Self {
        Self::new(config, Side::Server, Step::ClientHello, parameters)
    }

    fn new(config: NullTls, side: Side, step: Step, local_parameters: Vec<u8>) -> Self {
        Self {
            config,
            side,
            version: 0,
            hello: None,
            step,
            local_parameters,
            peer_parameters: None,
            data: None,
            input: Vec::new(),
            output: VecDeque::new(),
            transcript: 0,
            keys: None,
            generation: 0,
            early_keys: None,
            early_accepted: false,
            ticket: None,
        }
    }

    fn read_level(&self) -> Level {
        match self.step {
            Step::ClientHello | Step::ServerHello => Level::Initial,
            Step::ServerFinished | Step::ClientFinished => Level::Handshake,
            Step::Done => Level::OneRtt,
        }
    }

    fn take_message(&mut self, kind: u8, contents: &[u8], whole: &[u8]) -> Result<(), u8> {
        let before = self.transcript;
        self.transcript = checksum(before, &[whole]);
        match (self.step, kind) {
            (Step::ClientHello, CLIENT_HELLO) => self.on_client_hello(contents),
            (Step::ServerHello, SERVER_HELLO) => {
                self.make_keys();
                self.step = Step::ServerFinished;
                self.output.push_back(Output::Keys(HANDSHAKE));
                Ok(())
            }
            (Step::ServerFinished, ENCRYPTED_EXTENSIONS) => self.on_extensions(contents),
            (Step::ServerFinished, CERTIFICATE) => Ok(()),
            (Step::ServerFinished, FINISHED) if self.data.is_some() => {
                check_finished(before, contents)?;
                let mut bytes = Vec::new();
                append_finished(&mut bytes, self.transcript);
                self.output.extend([Output::Bytes(bytes), Output::Keys(ONE_RTT)]);
                self.step = Step::Done;
                Ok(())
            }
            (Step::ClientFinished, FINISHED) => {
                check_finished(before, contents)?;
                self.step = Step::Done;
                if self.config.ticket_length > 0 {
                    let mut bytes = Vec::new();
                    let length = self.config.ticket_length;
                    let ticket = self.issue_ticket();
                    messages::append(&mut bytes, NEW_SESSION_TICKET, &ticket, length);
                    self.output.push_back(Output::Bytes(bytes));
                }
                Ok(())
            }
            (Step::Done, NEW_SESSION_TICKET) if self.side == Side::Client => {
                self.keep_ticket(contents)
            }
            _ => Err(UNEXPECTED_MESSAGE),
        }
    }

    fn on_client_hello(&mut self, contents: &[u8]) -> Result<(), u8> {
        self.hello = Some(ClientHello::decode(contents).ok_or(DECODE_ERROR)?);
        Ok(())
    }

    fn answer(&mut self, hello: ClientHello) -> Result<(), u8> {
        let ours = &self.config.protocols;
        let protocol = ours.iter().find(|ours| hello.protocols.contains(ours)).cloned();
        if protocol.is_none() && !(ours.is_empty() && hello.protocols.is_empty()) {
            return Err(NO_APPLICATION_PROTOCOL);
        }
        self.decide_on_early_data(hello.early_ticket, protocol.as_ref());
        let mut bytes = Vec::new();
        messages::append(&mut bytes, SERVER_HELLO, &[], 90);
        self.transcript = checksum(self.transcript, &[&bytes]);
        self.make_keys();
        self.output.extend([Output::Bytes(bytes), Output::Keys(HANDSHAKE)]);
        let mut extensions = Vec::new();
        messages::put(&mut extensions, &self.local_parameters);
        messages::put(&mut extensions, protocol.as_deref().unwrap_or_default());
        if hello.early_ticket.is_some() {
            messages::put(&mut extensions, &[u8::from(self.early_accepted)]);
        }
        let mut flight = Vec::new();
        for (kind, contents, length) in [
            (ENCRYPTED_EXTENSIONS, &*extensions, 0),
            (CERTIFICATE, &[], self.config.certificate_length),
        ] {
            let mut message = Vec::new();
            messages::append(&mut message, kind, contents, length);
            self.transcript = checksum(self.transcript, &[&message]);
            flight.append(&mut message);
        }
        let start = flight.len();
        append_finished(&mut flight, self.transcript);
        let finished = flight.get(start..).unwrap_or_default();
        self.transcript = checksum(self.transcript, &[finished]);
        self.output.extend([Output::Bytes(flight), Output::Keys(ONE_RTT)]);
        self.peer_parameters = Some(hello.parameters);
        self.data = Some(agreed(protocol, Some(hello.server_name)));
        self.step = Step::ClientFinished;
        Ok(())
    }

    fn on_extensions(&mut self, mut contents: &[u8]) -> Result<(), u8> {
        let parameters = messages::take(&mut contents).ok_or(DECODE_ERROR)?;
        let protocol = messages::take(&mut contents).ok_or(DECODE_ERROR)?.to_vec();
        self.early_accepted = messages::take(&mut contents) == Some(&[1]);
        let offered = &self.config.protocols;
        let none = offered.is_empty() && protocol.is_empty();
        if !none && !offered.contains(&protocol) {
            return Err(NO_APPLICATION_PROTOCOL);
        }
        self.peer_parameters = Some(parameters.to_vec());
        self.data = Some(agreed((!protocol.is_empty()).then_some(protocol), None));
        Ok(())
    }

    /// Makes the keys for early data, which follow from the ticket and the first message.
    fn make_early_keys(&mut self, secret: u64) {
        let keys = self.config.key_maker(mix(secret, self.transcript)).keys(self.side, 0);
        self.early_keys = Some(match self.side {
            Side::Client => keys.local,
            Side::Server => keys.remote,
        });
    }

    fn decide_on_early_data(&mut self, ticket: Option<u64>, protocol: Option<&Vec<u8>>) {
        let Some((secret, before)) = ticket.and_then(|id| self.config.sessions.redeem(id)) else {
            return;
        };
        if self.config.early_data && before.as_ref() == protocol {
            self.make_early_keys(secret);
            self.early_accepted = true;
        }
    }

    fn issue_ticket(&self) -> Vec<u8> {
        let ticket = Ticket {
            id: mix(self.transcript, 7),
            secret: mix(self.transcript, 8),
            early_data: self.config.early_data,
            parameters: Vec::new(),
        };
        let protocol = self.data.as_ref().and_then(|data| data.protocol.clone());
        self.config.sessions.issue(&ticket, protocol);
        ticket.encode()
    }

    fn keep_ticket(&self, contents: &[u8]) -> Result<(), u8> {
        let ticket = Ticket::decode(contents).ok_or(DECODE_ERROR)?;
        let parameters = self.peer_parameters.clone().unwrap_or_default();
        self.config.sessions.keep(Ticket { parameters, ..ticket });
        Ok(())
    }

    fn make_keys(&mut self) {
        self.keys = Some(self.config.key_maker(mix(self.transcript, u64::from(self.version))));
    }
}

impl std::fmt::Debug for NullSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NullSession")
            .field("side", &self.side)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

fn agreed(protocol: Option<Vec<u8>>, server_name: Option<String>) -> HandshakeData {
    let mut data = HandshakeData::default();
    data.protocol = protocol;
    data.server_name = server_name;
    data
}

fn append_finished(out: &mut Vec<u8>, transcript: u64) {
    messages::append(out, FINISHED, &transcript.to_be_bytes(), 36);
}

fn check_finished(transcript: u64, contents: &[u8]) -> Result<(), u8> {
    let same = contents.first_chunk() == Some(&transcript.to_be_bytes());
    if same { Ok(()) } else { Err(DECRYPT_ERROR) }
}

fn alert(code: u8) -> TransportError {
    TransportError {
        code: TransportErrorCode::crypto(code),
        frame_type: None,
        reason: "the null TLS handshake failed".into(),
    }
}

impl Session for NullSession {
    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), TransportError> {
        if level != self.read_level() {
            return Err(TransportError::protocol_violation("handshake data at a wrong level"));
        }
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(data);
        let mut rest = &*input;
        while let Some(message) = messages::first(rest).map_err(|_| alert(DECODE_ERROR))? {
            rest = rest.get(message.whole.len()..).unwrap_or_default();
            self.take_message(message.kind, message.contents, message.whole).map_err(alert)?;
            // No message reaches over a change of keys (RFC 8446 §5.1).
            if self.read_level() != level && !rest.is_empty() {
                return Err(alert(UNEXPECTED_MESSAGE));
            }
        }
        self.input = rest.to_vec();
        Ok(())
    }

    fn client_offer(&self) -> Option<ClientOffer<'_>> {
        self.hello
            .as_ref()
            .map(|hello| ClientOffer::new(&hello.parameters, hello.early_ticket.is_some()))
    }

    fn choose_version(&mut self, version: u32, parameters: &[u8]) -> Result<(), TransportError> {
        self.version = version;
        self.local_parameters.extend_from_slice(parameters);
        match self.hello.take() {
            Some(hello) => self.answer(hello).map_err(alert),
            None => Ok(()),
        }
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<KeyChange> {
        loop {
            match self.output.pop_front()? {
                Output::Bytes(bytes) => out.extend_from_slice(&bytes),
                Output::Keys(generation) => {
                    self.generation = generation;
                    let keys = self.keys?.keys(self.side, generation);
                    return Some(match generation {
                        HANDSHAKE => KeyChange::Handshake(keys),
                        _ => KeyChange::OneRtt(keys),
                    });
                }
            }
        }
    }

    fn is_handshaking(&self) -> bool {
        self.step != Step::Done
    }

    fn peer_parameters(&self) -> Option<&[u8]> {
        self.peer_parameters.as_deref()
    }

    fn early_keys(&mut self) -> Option<DirectionalKeys> {
        self.early_keys.take()
    }

    fn remembered_parameters(&self) -> Option<&[u8]> {
        self.ticket.as_ref().map(|ticket| &*ticket.parameters)
    }

    fn early_data_accepted(&self) -> Option<bool> {
        let known = self.side == Side::Client && !self.is_handshaking();
        known.then_some(self.early_accepted)
    }

    fn next_keys(&mut self) -> Option<PacketKeySet> {
        if self.generation < ONE_RTT {
            return None;
        }
        self.generation += 1;
        Some(self.keys?.packet_keys(self.side, self.generation))
    }

    fn handshake_data(&self) -> Option<HandshakeData> {
        self.data.clone()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any + Send>> {
        None
    }

    fn export_keying_material(&self, out: &mut [u8], label: &[u8], context: &[u8]) -> bool {
        let Some(keys) = self.keys.filter(|_| !self.is_handshaking()) else { return false };
        let mut sum = checksum(keys.secret, &[label, context]);
        for chunk in out.chunks_mut(8) {
            sum = mix(sum, 1);
            for (to, from) in chunk.iter_mut().zip(sum.to_be_bytes()) {
                *to = from;
            }
        }
        true
    }
}
