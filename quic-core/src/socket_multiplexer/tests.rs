use super::*;
use crate::crypto::Keyring;
use crate::recorder::{ConnectionRecorder, Recorder, SharedRecorder, Subject};

type Sockets = SocketMultiplexer<PacketHandlerMap>;

fn sockets() -> Sockets {
    Sockets::with_random(SeededRandom::from_seed([1; 32]))
}

fn local(port: u16) -> SocketAddr {
    ([192, 0, 2, 1], port).into()
}

fn config(change: impl FnOnce(&mut EndpointConfig)) -> Arc<EndpointConfig> {
    let mut config = EndpointConfig::default();
    change(&mut config);
    Arc::new(config)
}

#[test]
fn sockets_with_equal_configurations_share_a_manager() {
    let mut sockets = sockets();
    let one = sockets.add_socket(local(1), config(|_| ())).unwrap();
    let two = sockets.add_socket(local(2), config(|_| ())).unwrap();
    let other = sockets.add_socket(local(3), config(|c| c.connection_id_length = 4)).unwrap();
    assert!(one != two && two != other);
    assert_eq!(sockets.managers.len(), 2);
    assert_eq!(sockets.sockets[0].manager, sockets.sockets[1].manager);
}

#[test]
fn an_address_added_again_with_an_equal_configuration_is_the_same_socket() {
    let mut sockets = sockets();
    let one = sockets.add_socket(local(1), config(|_| ()));
    assert_eq!(sockets.add_socket(local(1), config(|_| ())), one);
    let unknown = sockets.add_socket(local(0), config(|_| ())).unwrap();
    assert_ne!(sockets.add_socket(local(0), config(|_| ())), Ok(unknown));
}

#[test]
fn an_address_added_again_with_another_configuration_is_refused_with_the_reason() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
    //= type=test
    //# An endpoint that uses this design MUST either use the same connection ID
    //# length for all connections or encode the length of the connection ID
    //# such that it can be recovered without state.
    let mut sockets = sockets();
    sockets.add_socket(local(1), config(|_| ())).unwrap();
    let mut again = |config| sockets.add_socket(local(1), config).unwrap_err();
    let wanted =
        AddSocketError::ConnectionIdLengthMismatch { local: local(1), in_use: 8, wanted: 4 };
    assert_eq!(again(config(|c| c.connection_id_length = 4)), wanted);
    let key = Some(Keyring::new([1; 32]));
    let reason = again(config(|c| c.keyring = key));
    assert_eq!(reason, AddSocketError::KeyringMismatch(local(1)));
    let recorder = SharedRecorder::new(Arc::new(Deaf));
    let reason = again(config(|c| c.recorder = Some(recorder)));
    assert_eq!(reason, AddSocketError::RecorderMismatch(local(1)));
    let reason = again(config(|c| c.max_connections = 1));
    assert_eq!(reason, AddSocketError::LimitMismatch(local(1)));
    for length in [1, 2, 3, 21] {
        let reason = again(config(|c| c.connection_id_length = length));
        assert_eq!(reason, AddSocketError::InvalidConnectionIdLength(length));
    }
}

#[test]
fn the_last_socket_takes_its_manager_along_and_no_id_comes_back() {
    let mut sockets = sockets();
    let one = sockets.add_socket(local(1), config(|_| ())).unwrap();
    let two = sockets.add_socket(local(2), config(|_| ())).unwrap();
    sockets.remove_socket(one);
    assert!(sockets.manager(one).is_none() && sockets.manager(two).is_some());
    let first_manager = sockets.managers[0].id;
    sockets.remove_socket(two);
    assert!(sockets.managers.is_empty());
    let three = sockets.add_socket(local(1), config(|_| ())).unwrap();
    assert!(three != one && three != two);
    assert_ne!(sockets.managers[0].id, first_manager);
}

#[derive(Debug)]
struct Deaf;

impl Recorder for Deaf {
    fn begin(&self, _: Instant, _: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        None
    }
}
