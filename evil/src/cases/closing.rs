//! The end of a connection (RFC 9000 §10).

use super::prelude::*;

const DRAINING: &str = "RFC 9000 §10.2.2";
const CLOSING: &str = "RFC 9000 §10.2.1";

pub(super) const CASES: &[Case] = &[
    server(
        "closing/packets after our close",
        DRAINING,
        Steps(|s| after_close(s, &[0x1c, 0, 0, 0])),
        Bounded { bytes: 100 },
    ),
    server(
        "closing/packets after our application's close",
        DRAINING,
        Steps(|s| after_close(s, &[0x1d, 7, 0])),
        Bounded { bytes: 100 },
    ),
    server(
        "closing/a hundred packets after the target's close",
        CLOSING,
        Steps(after_target_close),
        Bounded { bytes: 1000 },
    ),
    server(
        "closing/a hundred closes after the target's close",
        CLOSING,
        Steps(closes_after_target_close),
        Bounded { bytes: 1000 },
    ),
    server(
        "closing/frames behind a close",
        "RFC 9000 §10.2",
        Steps(|s| after_close(s, &[0x1c, 0, 0, 0, 0x2f, 0x01])),
        Bounded { bytes: 100 },
    ),
    server(
        "closing/a close of an unknown code",
        "RFC 9000 §20",
        Steps(|s| after_close(s, b"\x1c\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00")),
        Bounded { bytes: 100 },
    ),
    server(
        "closing/a reason that is no text",
        "RFC 9000 §19.19",
        Steps(|s| after_close(s, b"\x1c\x07\x00\x05\xff\xfe\x80\x00\xc0")),
        Bounded { bytes: 100 },
    ),
    server(
        "closing/packets when all is forgotten",
        "RFC 9000 §10.3",
        Steps(long_after),
        Reaction::OneOf(
            &[Reaction::StatelessReset, Silence],
            Permission(
                "An endpoint MAY send a Stateless Reset in response to receiving a packet that it cannot associate with an active connection.",
            ),
        ),
    ),
    client(
        "closing/packets after the server's close",
        DRAINING,
        Steps(|s| after_close(s, &[0x1c, 0, 0, 0])),
        Bounded { bytes: 100 },
    ),
    client(
        "closing/a hundred packets after the client's close",
        CLOSING,
        Steps(after_target_close),
        Bounded { bytes: 1000 },
    ),
];

fn after_close(script: &mut Script<'_>, close: &[u8]) -> Step {
    script.connect()?;
    script.listen(Duration::from_millis(200))?;
    script.mark();
    script.send(Payload::new().raw(close))?;
    for _ in 0..20 {
        script.send(Payload::ping())?;
        script.take(Duration::from_millis(5));
    }
    Ok(())
}

/// Has the target close, and takes its first close.
fn closed(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.send(Payload::new().raw(&[0x2f]))?;
    let closed = script.wait_until(Duration::from_secs(2), |peer| peer.close().is_some())?;
    script.demand(closed, "an unknown frame was not refused")?;
    script.mark();
    Ok(())
}

fn after_target_close(script: &mut Script<'_>) -> Step {
    closed(script)?;
    for _ in 0..100 {
        script.send(Payload::ping())?;
        script.take(Duration::from_millis(1));
    }
    Ok(())
}

fn closes_after_target_close(script: &mut Script<'_>) -> Step {
    closed(script)?;
    for _ in 0..100 {
        script.send(Payload::new().raw(&[0x1c, 0, 0, 0]))?;
        script.take(Duration::from_millis(1));
    }
    Ok(())
}

fn long_after(script: &mut Script<'_>) -> Step {
    closed(script)?;
    script.pause(Duration::from_secs(8));
    script.mark();
    script.send(Payload::new().raw(&[0; 100])).map(|_| ())
}
