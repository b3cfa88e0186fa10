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

#[derive(Debug)]
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
}

impl NullSession {
    pub(super) fn client(
        config: NullTls,
        version: u32,
        server_name: &str,
        parameters: Vec<u8>,
    ) -> Self {
        let hello = ClientHello {
            server_name: server_name.to_owned(),
            parameters,
            protocols: config.protocols.clone(),
        };
        let mut bytes = Vec::new();
        messages::append(&mut bytes, CLIENT_HELLO, &hello.encode(), config.client_hello_length);
        let mut client = Self::new(config, Side::Client, Step::ServerHello, hello.parameters);
        client.version = version;
        client.transcript = checksum(client.transcript, &[&bytes]);
        client.output.push_back(Output::Bytes(bytes));
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
                    messages::append(&mut bytes, NEW_SESSION_TICKET, &[], length);
                    self.output.push_back(Output::Bytes(bytes));
                }
                Ok(())
            }
            (Step::Done, NEW_SESSION_TICKET) if self.side == Side::Client => Ok(()),
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
        let mut bytes = Vec::new();
        messages::append(&mut bytes, SERVER_HELLO, &[], 90);
        self.transcript = checksum(self.transcript, &[&bytes]);
        self.make_keys();
        self.output.extend([Output::Bytes(bytes), Output::Keys(HANDSHAKE)]);
        let mut extensions = Vec::new();
        messages::put(&mut extensions, &self.local_parameters);
        messages::put(&mut extensions, protocol.as_deref().unwrap_or_default());
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
        let offered = &self.config.protocols;
        let none = offered.is_empty() && protocol.is_empty();
        if !none && !offered.contains(&protocol) {
            return Err(NO_APPLICATION_PROTOCOL);
        }
        self.peer_parameters = Some(parameters.to_vec());
        self.data = Some(agreed((!protocol.is_empty()).then_some(protocol), None));
        Ok(())
    }

    fn make_keys(&mut self) {
        self.keys = Some(self.config.key_maker(mix(self.transcript, u64::from(self.version))));
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
        self.hello.as_ref().map(|hello| ClientOffer::new(&hello.parameters, false))
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
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
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
