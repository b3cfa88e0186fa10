use rustls::server::ServerSessionMemoryCache;

use super::*;
use crate::wire::transport_parameters::TransportParameters;

/// A store that others share, of a server that allows so many streams.
fn sessions(inner: &Arc<ServerSessionMemoryCache>, streams: u64) -> LimitedSessions {
    let parameters =
        TransportParameters { initial_max_streams_bidi: streams, ..TransportParameters::default() };
    let inner: Arc<dyn StoresServerSessions> = Arc::<ServerSessionMemoryCache>::clone(inner);
    LimitedSessions { inner, limits: EarlyLimits::from(&parameters) }
}

#[test]
fn a_session_is_resumed_once_and_under_limits_that_were_not_reduced() {
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
    for (before, now, resumes) in [(10, 10, true), (10, 11, true), (10, 9, false)] {
        let cache = ServerSessionMemoryCache::new(10);
        assert!(sessions(&cache, before).put(vec![1], b"session".to_vec()));
        let taken = sessions(&cache, now).take(&[1]);
        assert_eq!(taken.is_some(), resumes, "{before} before, {now} now");
        assert!(taken.is_none_or(|session| session == b"session"));
        assert_eq!(sessions(&cache, before).take(&[1]), None, "it was used");
    }
}

#[test]
fn what_is_too_short_to_have_limits_is_no_session() {
    let cache = ServerSessionMemoryCache::new(10);
    for length in 0..EarlyLimits::LENGTH {
        assert_eq!(sessions(&cache, 0).detach(vec![0; length]), None);
    }
}
