use super::*;
use crate::wire::transport_parameters::TransportParameters;

fn label(version: u32, streams: u64) -> Label {
    let parameters =
        TransportParameters { initial_max_streams_bidi: streams, ..TransportParameters::default() };
    Label { version, limits: Some(EarlyLimits::from(&parameters)) }
}

/// Whether a session that was kept under one label can be resumed under another.
fn resumes(kept: Label, now: Label) -> bool {
    let mut session = b"session".to_vec();
    kept.attach(&mut session);
    match now.detach(session) {
        None => false,
        Some(session) => {
            assert_eq!(session, b"session");
            true
        }
    }
}

#[test]
fn a_session_is_resumed_only_under_its_version_and_limits_that_were_not_reduced() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# A server MUST reject 0-RTT data if the restored values for transport
    //# parameters cannot be supported.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //= type=test
    //# If 0-RTT data is accepted by the server, the server MUST NOT reduce
    //# any limits or alter any values that might be violated by the client
    //# with its 0-RTT data.  In particular, a server that accepts 0-RTT data
    //# MUST NOT set values for the following parameters (Section 18.2) that
    //# are smaller than the remembered values of the parameters.
    assert!(resumes(label(1, 10), label(1, 10)));
    assert!(resumes(label(1, 10), label(1, 11)));
    assert!(!resumes(label(1, 10), label(1, 9)));
    assert!(!resumes(label(1, 10), label(2, 10)));
    let without = |version| Label { version, limits: None };
    assert!(resumes(without(1), without(1)));
    assert!(!resumes(without(1), without(2)));
    assert!(!resumes(without(1), label(1, 10)));
}

#[test]
fn what_is_too_short_to_have_a_label_is_no_session() {
    for length in 0..EarlyLimits::LENGTH + 4 {
        assert_eq!(label(1, 0).detach(vec![0; length]), None);
    }
}
