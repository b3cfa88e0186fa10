//! Frames that are malformed (RFC 9000 §12.4, §19).

use super::prelude::*;

const MAY_BE_LONG: Permission = Permission(
    "An endpoint MAY treat the receipt of a frame type that uses a longer encoding than necessary \
     as a connection error of type PROTOCOL_VIOLATION.",
);
const CRYPTO_BEYOND: Permission = Permission(
    "Receipt of a frame that exceeds this limit MUST be treated as a connection error of type \
     FRAME_ENCODING_ERROR or CRYPTO_BUFFER_EXCEEDED.",
);
const STREAM_BEYOND: Permission = Permission(
    "Receipt of a frame that exceeds this limit MUST be treated as a connection error of type \
     FRAME_ENCODING_ERROR or FLOW_CONTROL_ERROR.",
);
const BLOCKED_BEYOND: Permission = Permission(
    "Receipt of a frame that encodes a larger stream ID MUST be treated as a connection error of \
     type STREAM_LIMIT_ERROR or FRAME_ENCODING_ERROR.",
);

const OVERLONG: Reaction = Reaction::OneOf(&[violation(0x01), Ignored], MAY_BE_LONG);
const CRYPTO_ENDS_BEYOND: Reaction = Reaction::OneOf(
    &[encoding(0x06), Reaction::close_in(Code::CRYPTO_BUFFER_EXCEEDED, 0x06)],
    CRYPTO_BEYOND,
);
const STREAM_ENDS_BEYOND: Reaction =
    Reaction::OneOf(&[encoding(0x0e), flow_control(0x0e)], STREAM_BEYOND);
const BIDI_BLOCKED_BEYOND: Reaction =
    Reaction::OneOf(&[encoding(0x16), stream_limit(0x16)], BLOCKED_BEYOND);
const UNI_BLOCKED_BEYOND: Reaction =
    Reaction::OneOf(&[encoding(0x17), stream_limit(0x17)], BLOCKED_BEYOND);

/// CRYPTO of one byte at the last offset there is.
const CRYPTO_AT_THE_END: &[u8] = b"\x06\xff\xff\xff\xff\xff\xff\xff\xff\x01x";
/// STREAM with one byte at the last offset there is.
const STREAM_AT_THE_END: &[u8] = b"\x0e\x00\xff\xff\xff\xff\xff\xff\xff\xff\x01x";
/// NEW_CONNECTION_ID with an ID of no bytes, and one of 21.
const EMPTY_ID: &[u8] = b"\x18\x01\x00\x000123456789abcdef";
const LONG_ID: &[u8] = b"\x18\x01\x00\x15idididididididididididi0123456789abcdef";
/// NEW_CONNECTION_ID 1 that retires what is below 2.
const RETIRING_ITSELF: &[u8] = b"\x18\x01\x02\x0812345678token67890abcdef";

pub(super) const CASES: &[Case] = &[
    server("frames/unknown type", "RFC 9000 §12.4", Frames(&[0x2f]), encoding(0x2f)),
    server(
        "frames/unknown type of two bytes",
        "RFC 9000 §12.4",
        Frames(b"\x7f\xff"),
        encoding(0x3fff),
    ),
    server("frames/type in too many bytes", "RFC 9000 §12.4", Frames(&[0x40, 0x01]), OVERLONG),
    server(
        "frames/type that is cut off",
        "RFC 9000 §12.4",
        Frames(&[0x01, 0xc0]),
        Reaction::close(Code::FRAME_ENCODING_ERROR),
    ),
    server("frames/none at all", "RFC 9000 §12.4", Frames(&[]), VIOLATION),
    server("frames/ACK cut off", "RFC 9000 §19.3", Frames(&[0x02, 0x00]), encoding(0x02)),
    server(
        "frames/ACK of a number below 0",
        "RFC 9000 §19.3.1",
        Frames(&[0x02, 3, 0, 0, 4]),
        encoding(0x02),
    ),
    server(
        "frames/ACK with a gap below 0",
        "RFC 9000 §19.3.1",
        Frames(&[0x02, 0, 0, 1, 0, 0, 0]),
        encoding(0x02),
    ),
    server(
        "frames/ACK with more ranges than bytes",
        "RFC 9000 §19.3.1",
        Frames(b"\x02\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00"),
        encoding(0x02),
    ),
    server(
        "frames/ACK without its ECN counts",
        "RFC 9000 §19.3.2",
        Frames(&[0x03, 0, 0, 0, 0]),
        encoding(0x03),
    ),
    server("frames/RESET_STREAM cut off", "RFC 9000 §19.4", Frames(&[0x04, 0x00]), encoding(0x04)),
    server("frames/STOP_SENDING cut off", "RFC 9000 §19.5", Frames(&[0x05]), encoding(0x05)),
    server(
        "frames/CRYPTO longer than its packet",
        "RFC 9000 §19.6",
        Frames(&[0x06, 0, 16, 1]),
        encoding(0x06),
    ),
    server(
        "frames/CRYPTO that ends beyond 2^62",
        "RFC 9000 §19.6",
        Frames(CRYPTO_AT_THE_END),
        CRYPTO_ENDS_BEYOND,
    ),
    server(
        "frames/STREAM longer than its packet",
        "RFC 9000 §19.8",
        Frames(&[0x0a, 0, 16, 1]),
        encoding(0x0a),
    ),
    server(
        "frames/STREAM that ends beyond 2^62",
        "RFC 9000 §19.8",
        Frames(STREAM_AT_THE_END),
        STREAM_ENDS_BEYOND,
    ),
    server("frames/MAX_DATA cut off", "RFC 9000 §19.9", Frames(&[0x10]), encoding(0x10)),
    server("frames/MAX_STREAM_DATA cut off", "RFC 9000 §19.10", Frames(&[0x11, 0]), encoding(0x11)),
    server(
        "frames/MAX_STREAMS above 2^60, bidirectional",
        "RFC 9000 §19.11",
        Frames(b"\x12\xd0\x00\x00\x00\x00\x00\x00\x01"),
        encoding(0x12),
    ),
    server(
        "frames/MAX_STREAMS above 2^60, unidirectional",
        "RFC 9000 §19.11",
        Frames(b"\x13\xd0\x00\x00\x00\x00\x00\x00\x01"),
        encoding(0x13),
    ),
    server(
        "frames/STREAM_DATA_BLOCKED cut off",
        "RFC 9000 §19.13",
        Frames(&[0x15, 0]),
        encoding(0x15),
    ),
    server(
        "frames/STREAMS_BLOCKED above 2^60, bidirectional",
        "RFC 9000 §19.14",
        Frames(b"\x16\xd0\x00\x00\x00\x00\x00\x00\x01"),
        BIDI_BLOCKED_BEYOND,
    ),
    server(
        "frames/STREAMS_BLOCKED above 2^60, unidirectional",
        "RFC 9000 §19.14",
        Frames(b"\x17\xd0\x00\x00\x00\x00\x00\x00\x01"),
        UNI_BLOCKED_BEYOND,
    ),
    server(
        "frames/NEW_CONNECTION_ID of no bytes",
        "RFC 9000 §19.15",
        Frames(EMPTY_ID),
        encoding(0x18),
    ),
    server(
        "frames/NEW_CONNECTION_ID of 21 bytes",
        "RFC 9000 §19.15",
        Frames(LONG_ID),
        encoding(0x18),
    ),
    server(
        "frames/NEW_CONNECTION_ID that retires itself",
        "RFC 9000 §19.15",
        Frames(RETIRING_ITSELF),
        encoding(0x18),
    ),
    server(
        "frames/NEW_CONNECTION_ID without its whole token",
        "RFC 9000 §19.15",
        Frames(b"\x18\x01\x00\x0812345678token"),
        encoding(0x18),
    ),
    server(
        "frames/PATH_CHALLENGE of seven bytes",
        "RFC 9000 §19.17",
        Frames(b"\x1a1234567"),
        encoding(0x1a),
    ),
    server(
        "frames/PATH_RESPONSE of seven bytes",
        "RFC 9000 §19.18",
        Frames(b"\x1b1234567"),
        encoding(0x1b),
    ),
    server(
        "frames/CONNECTION_CLOSE with half a reason",
        "RFC 9000 §19.19",
        Frames(&[0x1c, 0, 0, 32]),
        encoding(0x1c),
    ),
    server(
        "frames/NEW_TOKEN from a client",
        "RFC 9000 §19.7",
        Frames(b"\x07\x05token"),
        violation(0x07),
    ),
    server(
        "frames/HANDSHAKE_DONE from a client",
        "RFC 9000 §19.20",
        Frames(&[0x1e]),
        violation(0x1e),
    ),
    server(
        "frames/an error behind good ones",
        "RFC 9000 §19.9",
        Frames(&[0x01, 0x00, 0x00, 0x01, 0x10, 63, 0x10]),
        encoding(0x10),
    ),
    client("frames/unknown type, to a client", "RFC 9000 §12.4", Frames(&[0x2f]), encoding(0x2f)),
    client(
        "frames/type in too many bytes, to a client",
        "RFC 9000 §12.4",
        Frames(&[0x40, 0x01]),
        OVERLONG,
    ),
    client("frames/none at all, to a client", "RFC 9000 §12.4", Frames(&[]), VIOLATION),
    client(
        "frames/ACK of a number below 0, to a client",
        "RFC 9000 §19.3.1",
        Frames(&[0x02, 3, 0, 0, 4]),
        encoding(0x02),
    ),
    client("frames/empty NEW_TOKEN", "RFC 9000 §19.7", Frames(&[0x07, 0]), encoding(0x07)),
    client(
        "frames/NEW_TOKEN longer than its packet",
        "RFC 9000 §19.7",
        Frames(&[0x07, 9, 1]),
        encoding(0x07),
    ),
    client(
        "frames/CRYPTO that ends beyond 2^62, to a client",
        "RFC 9000 §19.6",
        Frames(CRYPTO_AT_THE_END),
        CRYPTO_ENDS_BEYOND,
    ),
    client(
        "frames/MAX_STREAMS above 2^60, to a client",
        "RFC 9000 §19.11",
        Frames(b"\x12\xd0\x00\x00\x00\x00\x00\x00\x01"),
        encoding(0x12),
    ),
    client(
        "frames/STREAMS_BLOCKED above 2^60, to a client",
        "RFC 9000 §19.14",
        Frames(b"\x17\xd0\x00\x00\x00\x00\x00\x00\x01"),
        UNI_BLOCKED_BEYOND,
    ),
    client(
        "frames/NEW_CONNECTION_ID of no bytes, to a client",
        "RFC 9000 §19.15",
        Frames(EMPTY_ID),
        encoding(0x18),
    ),
    client(
        "frames/NEW_CONNECTION_ID that retires itself, to a client",
        "RFC 9000 §19.15",
        Frames(RETIRING_ITSELF),
        encoding(0x18),
    ),
];
