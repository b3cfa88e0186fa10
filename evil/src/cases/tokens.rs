//! Tokens and Retry (RFC 9000 §8.1, §17.2.5).

use super::prelude::*;
use quic_core::crypto::retry_tag::retry_tag;
use quic_core::wire::header::{Header, RetryParts, parse, write_retry_without_tag};
use quic_core::wire::{ConnectionId, Full, Writer};

const RETRY: &str = "RFC 9000 §8.1.2";
const LATER: &str = "RFC 9000 §8.1.3";
const PACKET: &str = "RFC 9000 §17.2.5.2";

const INVALID: Reaction = Reaction::OneOf(
    &[Reaction::close(Code::INVALID_TOKEN), Silence],
    Permission(
        "The server can discard such a packet and allow the client to time out to detect handshake \
         failure, but that could impose a significant latency penalty on the client. Instead, the \
         server SHOULD immediately close (Section 10.2) the connection with an INVALID_TOKEN error.",
    ),
);
/// A server that cannot tell what the token was.
const UNKNOWN: Reaction = Reaction::OneOf(
    &[Reaction::close(Code::INVALID_TOKEN), Reaction::Retry],
    Permission(
        "If the token is invalid, then the server SHOULD proceed as if the client did not have a \
         validated address, including potentially sending a Retry packet.",
    ),
);
const MISSING: Reaction = Reaction::OneOf(
    &[PARAMETER_ERROR, VIOLATION],
    Permission(
        "An endpoint MUST treat the following as a connection error of type \
         TRANSPORT_PARAMETER_ERROR or PROTOCOL_VIOLATION",
    ),
);

const fn at_retry(
    name: &'static str,
    section: &'static str,
    run: fn(&mut Script<'_>) -> Step,
    reaction: Reaction,
) -> Case {
    server(name, section, Steps(run), reaction).needing(Needs::Retry)
}

pub(super) const CASES: &[Case] = &[
    server("tokens/forged", LATER, Steps(|s| with_token(s, vec![7; 60])), Ignored),
    server("tokens/of one byte", LATER, Steps(|s| with_token(s, vec![7])), Ignored),
    server("tokens/of 700 bytes", LATER, Steps(|s| with_token(s, vec![7; 700])), Ignored),
    server("tokens/of 1,000 bytes", LATER, Steps(|s| with_token(s, vec![7; 1000])), Ignored),
    server("tokens/used twice", "RFC 9000 §8.1.4", Steps(used_twice), Ignored),
    server("tokens/with one bit changed", LATER, Steps(spoiled), Ignored),
    at_retry("tokens/none where one is asked for", RETRY, |s| hello(s, &[]), Reaction::Retry),
    at_retry(
        "tokens/forged where one is asked for",
        LATER,
        |s| hello(s, &[7; 60]),
        Reaction::Retry,
    ),
    at_retry(
        "tokens/of Retry, as it should be",
        RETRY,
        |s| {
            let b = s.beginning();
            s.attempt(b)
        },
        Ignored,
    ),
    at_retry(
        "tokens/of Retry, with one bit changed",
        RETRY,
        |s| after_retry(s, |token, _| spoil(token)),
        UNKNOWN,
    ),
    at_retry(
        "tokens/of Retry, cut off",
        RETRY,
        |s| after_retry(s, |token, _| token.truncate(20)),
        UNKNOWN,
    ),
    at_retry(
        "tokens/of Retry, for another destination",
        RETRY,
        |s| after_retry(s, |_, to| *to = b"elsewhere".to_vec()),
        INVALID,
    ),
    at_retry("tokens/of Retry, from another address", RETRY, elsewhere, INVALID),
    at_retry("tokens/of Retry, after a minute", RETRY, late, INVALID),
    client("tokens/Retry as it should be", RETRY, Steps(|s| retry(s, Lie::None)), Ignored),
    client(
        "tokens/Retry without its parameter",
        "RFC 9000 §7.3",
        Steps(|s| retry(s, Lie::NoParameter)),
        MISSING,
    ),
    client(
        "tokens/Retry with another parameter",
        "RFC 9000 §7.3",
        Steps(|s| retry(s, Lie::OtherParameter)),
        MISSING,
    ),
    client("tokens/Retry that is not authentic", PACKET, Steps(|s| retry(s, Lie::Tag)), Ignored),
    client("tokens/Retry without a token", PACKET, Steps(|s| retry(s, Lie::EmptyToken)), Ignored),
    client(
        "tokens/Retry from the ID that the client chose",
        "RFC 9000 §17.2.5.1",
        Steps(|s| retry(s, Lie::SameId)),
        Ignored,
    ),
    client("tokens/Retry after an Initial", PACKET, Steps(late_retry), Ignored),
    client("tokens/a second Retry", PACKET, Steps(|s| retry(s, Lie::Twice)), Ignored),
    client(
        "tokens/Retry with a token of one byte",
        RETRY,
        Steps(|s| retry(s, Lie::ShortToken)),
        Ignored,
    ),
    client(
        "tokens/Retry with a token of 1,000 bytes",
        RETRY,
        Steps(|s| retry(s, Lie::LongToken)),
        Ignored,
    ),
    client(
        "tokens/Retry with a token that fills an Initial",
        RETRY,
        Steps(|s| repeats(s, 1170)),
        Bounded { bytes: 20_000 },
    ),
    client(
        "tokens/Retry with a token that is longer than an Initial",
        RETRY,
        Steps(|s| repeats(s, 1400)),
        Bounded { bytes: 20_000 },
    ),
    client(
        "tokens/NEW_TOKEN of 1,100 bytes",
        LATER,
        Steps(|s| {
            s.connect()?;
            s.send(Payload::new().numbers(&[0x07]).prefixed(&[7; 1100])).map(|_| ())
        }),
        Ignored,
    ),
    client("tokens/a hundred of NEW_TOKEN", LATER, Steps(many_tokens), Ignored),
];

fn with_token(script: &mut Script<'_>, token: Vec<u8>) -> Step {
    let mut beginning = script.beginning();
    beginning.token = token;
    script.attempt(beginning)
}

fn spoil(token: &mut [u8]) {
    if let Some(last) = token.last_mut() {
        *last ^= 1;
    }
}

/// A token for later from the server.
fn given(script: &mut Script<'_>) -> Step<Vec<u8>> {
    script.connect()?;
    let token_in = |frame: Frame<'_>| {
        if let Frame::NewToken(token) = frame { Some(token.0.to_vec()) } else { None }
    };
    script.wait_until(Duration::from_secs(1), |peer| {
        peer.packets().any(|packet| packet.has(|frame| token_in(frame).is_some()))
    })?;
    let token = script.peer()?.packets().find_map(|packet| packet.frames().find_map(token_in));
    token.ok_or(Obstacle::Lacks("NEW_TOKEN"))
}

fn used_twice(script: &mut Script<'_>) -> Step {
    let token = given(script)?;
    with_token(script, token.clone())?;
    let answered = script.is_answered()?;
    script.demand(answered, "a token was no good")?;
    with_token(script, token)
}

fn spoiled(script: &mut Script<'_>) -> Step {
    let mut token = given(script)?;
    spoil(&mut token);
    with_token(script, token)
}

/// One Initial with this token, and no reaction to what comes back.
fn hello(script: &mut Script<'_>, token: &[u8]) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let hello = script.peer()?.take_crypto(SpaceId::Initial);
    let packet = Packet::initial(Payload::new().crypto(0, &hello));
    script.send_packet(Packet { token: Some(token.to_vec()), ..packet }).map(|_| ())
}

/// What the server's Retry says: the token and where to send to.
fn asked(script: &mut Script<'_>) -> Step<(Vec<u8>, Vec<u8>)> {
    hello(script, &[])?;
    script.take(Duration::from_secs(1));
    let retry = script.peer()?.seen().iter().find_map(|seen| match seen {
        Seen::Retry { token, source_id, .. } => Some((token.clone(), source_id.clone())),
        Seen::Packet(_)
        | Seen::VersionNegotiation { .. }
        | Seen::StatelessReset { .. }
        | Seen::Unreadable { .. } => None,
    });
    retry.ok_or(Obstacle::Lacks("Retry"))
}

fn again(script: &mut Script<'_>, socket: usize, token: Vec<u8>, to: Vec<u8>) -> Step {
    let mut beginning = script.beginning();
    // The keys follow from where it is sent to.
    beginning.original_id = to;
    beginning.token = token;
    script.begin(beginning)?;
    script.mark();
    let hello = script.peer()?.take_crypto(SpaceId::Initial);
    script.send_packets(socket, vec![Packet::initial(Payload::new().crypto(0, &hello))])
}

fn after_retry(script: &mut Script<'_>, change: fn(&mut Vec<u8>, &mut Vec<u8>)) -> Step {
    let (mut token, mut to) = asked(script)?;
    change(&mut token, &mut to);
    again(script, 0, token, to)
}

fn elsewhere(script: &mut Script<'_>) -> Step {
    let (token, to) = asked(script)?;
    again(script, 1, token, to)
}

fn late(script: &mut Script<'_>) -> Step {
    let (token, to) = asked(script)?;
    script.pause(Duration::from_mins(1));
    again(script, 0, token, to)
}

/// What is wrong with our Retry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lie {
    None,
    NoParameter,
    OtherParameter,
    Tag,
    EmptyToken,
    SameId,
    Twice,
    ShortToken,
    LongToken,
}

const SOURCE: &[u8; 8] = b"retry id";

/// A Retry packet for a client that sent to `original`.
fn retry_packet(client: &[u8], original: &[u8], source: &[u8], token: &[u8]) -> Step<Vec<u8>> {
    let id = |bytes: &[u8]| {
        ConnectionId::new(bytes).ok_or_else(|| Obstacle::not_set_up("a long connection ID"))
    };
    let parts =
        RetryParts { version: 1, destination_id: id(client)?, source_id: id(source)?, token };
    let mut memory = [0; 1500];
    let mut writer = Writer::new(&mut memory);
    let written: Result<(), Full> = write_retry_without_tag(&mut writer, &parts, 7);
    written.map_err(|_| Obstacle::not_set_up("a long Retry"))?;
    let mut bytes = writer.written().to_vec();
    let tag = retry_tag(1, &id(original)?, &bytes);
    bytes.extend_from_slice(&tag.ok_or_else(|| Obstacle::not_set_up("no tag"))?);
    Ok(bytes)
}

/// Answers the client's first Initial with a Retry, and its second one with a handshake.
fn retry(script: &mut Script<'_>, lie: Lie) -> Step {
    let first = script.take_raw()?;
    let Ok(Header::Long(header)) = parse(&first, 8) else {
        return Err(Obstacle::not_set_up("the client did not begin with an Initial"));
    };
    let (client, original) = (header.source_id.as_slice(), header.destination_id.as_slice());
    let source = if lie == Lie::SameId { original } else { SOURCE };
    let token = match lie {
        Lie::EmptyToken => Vec::new(),
        Lie::ShortToken => vec![7],
        Lie::LongToken => vec![7; 1000],
        Lie::None
        | Lie::NoParameter
        | Lie::OtherParameter
        | Lie::Tag
        | Lie::SameId
        | Lie::Twice => b"token".to_vec(),
    };
    let mut bytes = retry_packet(client, original, source, &token)?;
    if lie == Lie::Tag {
        spoil(&mut bytes);
    }
    script.send_datagram(0, &bytes);
    if lie == Lie::Twice {
        // The client may send its Initial twice; it must not come to a second ID.
        let second = retry_packet(client, original, b"second!!", b"other")?;
        script.send_datagram(0, &second);
    }
    let mut beginning = script.beginning();
    let ignored = matches!(lie, Lie::Tag | Lie::EmptyToken | Lie::SameId);
    if !ignored {
        beginning.parameters.add(id::ORIGINAL_DESTINATION_CONNECTION_ID, original);
        beginning.local_id = SOURCE.to_vec();
    }
    if matches!(lie, Lie::None | Lie::Twice | Lie::ShortToken | Lie::LongToken) {
        beginning.parameters.add(id::RETRY_SOURCE_CONNECTION_ID, SOURCE);
    } else if lie == Lie::OtherParameter {
        beginning.parameters.add(id::RETRY_SOURCE_CONNECTION_ID, b"another!");
    }
    script.begin(beginning)?;
    let to = script.peer()?.original_id().to_vec();
    let expected: &[u8] = if ignored { original } else { SOURCE };
    script.demand(to == expected, "the client followed a Retry that it must ignore")?;
    script.finish()
}

/// Answers the client's first Initial with a Retry that has such a long token. Whatever the client
/// makes of it, it sends no Initial without the token.
fn repeats(script: &mut Script<'_>, length: usize) -> Step {
    let first = script.take_raw()?;
    let Ok(Header::Long(header)) = parse(&first, 8) else {
        return Err(Obstacle::not_set_up("the client did not begin with an Initial"));
    };
    // The rest of a long ClientHello came with it.
    script.pause(Duration::from_millis(100));
    let token = vec![7; length];
    let (client, original) = (header.source_id.as_slice(), header.destination_id.as_slice());
    let bytes = retry_packet(client, original, SOURCE, &token)?;
    script.mark();
    script.send_datagram(0, &bytes);
    let start = script.now();
    while script.now().saturating_duration_since(start) < Duration::from_secs(5) {
        let Ok(datagram) = script.take_raw() else { break };
        let repeated = match parse(&datagram, 8) {
            Ok(Header::Long(header)) => header.token == token,
            _ => false,
        };
        script.demand(repeated, "an Initial without the token of the Retry")?;
    }
    Ok(())
}

fn late_retry(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let (client, original) =
        (script.peer()?.target_id().to_vec(), script.peer()?.original_id().to_vec());
    script.send_packet(Packet::initial(Payload::ping()))?;
    script.take(Duration::from_millis(100));
    let bytes = retry_packet(&client, &original, SOURCE, b"token")?;
    script.send_datagram(0, &bytes);
    Ok(())
}

fn many_tokens(script: &mut Script<'_>) -> Step {
    script.connect()?;
    for index in 0..100 {
        script.send(Payload::new().numbers(&[0x07]).prefixed(&[index; 500]))?;
    }
    Ok(())
}
