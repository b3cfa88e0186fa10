use driver::{EarlyDataOutcome, ReadError, VarInt, WriteError};
use futures::join;

use crate::drivers::Driver;
use crate::pair::Pair;

/// Connects once, so that the client has a session to resume.
async fn visit<D: Driver>(pair: &Pair<D>) {
    let (client, server) = pair.connect().await;
    let mut send = server.open_uni().await.unwrap();
    send.write_all(b"hello").await.unwrap();
    send.finish().unwrap();
    // Sessions come before everything else.
    client.accept_uni().await.unwrap().read_to_end(10).await.unwrap();
}

pub(crate) async fn early_data_is_taken_and_answered<D: Driver>(driver: D) {
    let pair = Pair::with_early_data(&driver);
    visit(&pair).await;
    let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
    let (client, early) = connecting.into_0rtt().unwrap();
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    send.write_all(b"question").await.unwrap();
    send.finish().unwrap();

    let accepted = pair.server.accept().await.unwrap().accept().unwrap();
    let (server, complete) = accepted.into_0rtt().unwrap();
    let (mut answer, mut question) = server.accept_bi().await.unwrap();
    assert!(question.is_0rtt());
    assert_eq!(question.read_to_end(100).await.unwrap(), b"question");
    answer.write_all(b"answer").await.unwrap();
    answer.finish().unwrap();

    assert_eq!(recv.read_to_end(100).await.unwrap(), b"answer");
    assert!(matches!(early.await, Ok(EarlyDataOutcome::Accepted)));
    assert!(matches!(complete.await, Ok(EarlyDataOutcome::Accepted)));
    let mut late = client.open_uni().await.unwrap();
    late.write_all(b"late").await.unwrap();
    assert!(!server.accept_uni().await.unwrap().is_0rtt());
}

pub(crate) async fn who_has_no_session_has_no_early_data<D: Driver>(driver: D) {
    let pair = Pair::with_early_data(&driver);
    let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
    let connecting = connecting.into_0rtt().unwrap_err();
    let accept = async { pair.server.accept().await.unwrap().await.unwrap() };
    let (client, _server) = join!(connecting, accept);
    client.unwrap();
}

/// A pair whose server has forgotten the sessions that the client has.
async fn forgetful<D: Driver>(driver: &D) -> Pair<D> {
    let mut pair = Pair::with_early_data(driver);
    visit(&pair).await;
    pair.forget_sessions();
    pair
}

pub(crate) async fn rejected_early_data_can_be_sent_again<D: Driver>(driver: D) {
    let pair = forgetful(&driver).await;
    let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
    let (client, early) = connecting.into_0rtt().unwrap();
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"question").await.unwrap();
    let server = pair.server.accept().await.unwrap().await.unwrap();
    let Ok(EarlyDataOutcome::Rejected(rejected)) = early.await else {
        panic!("nobody could read it");
    };
    rejected.resend();
    send.write_all(b", and more").await.unwrap();
    send.finish().unwrap();
    let mut question = server.accept_uni().await.unwrap();
    assert!(!question.is_0rtt());
    assert_eq!(question.read_to_end(100).await.unwrap(), b"question, and more");
    assert_eq!(send.stopped().await, Ok(None));
}

pub(crate) async fn streams_of_rejected_early_data_fail_if_it_is_not_sent_again<D: Driver>(
    driver: D,
) {
    for drops_future in [false, true] {
        {
            let pair = forgetful(&driver).await;
            let connecting = pair.client.connect(pair.address(), "localhost").unwrap();
            let (client, early) = connecting.into_0rtt().unwrap();
            let (mut send, mut recv) = client.open_bi().await.unwrap();
            send.write_all(b"early").await.unwrap();
            let mut dropped = client.open_uni().await.unwrap();
            let accept = async { pair.server.accept().await.unwrap().await.unwrap() };
            let decide = async {
                if drops_future {
                    drop(early);
                } else if let Ok(EarlyDataOutcome::Rejected(rejected)) = early.await {
                    rejected.discard();
                }
                recv.read(&mut [0; 8]).await
            };
            let (server, read) = join!(accept, decide);
            assert_eq!(read, Err(ReadError::EarlyDataRejected));
            assert_eq!(send.write(b"more").await, Err(WriteError::EarlyDataRejected));
            assert!(send.stopped().await.is_err());
            // New streams have the IDs of the old ones, which must not get in their way.
            let (mut new, mut answer) = client.open_bi().await.unwrap();
            assert_eq!(new.id(), send.id());
            let mut alone = client.open_uni().await.unwrap();
            assert_eq!(alone.id(), dropped.id());
            new.set_priority(5).unwrap();
            assert_eq!((send.priority(), new.priority()), (Ok(0), Ok(5)));
            dropped.reset_at(VarInt::from_u32(1), 0).unwrap();
            assert_eq!(send.reset_at(VarInt::from_u32(7), 0), Ok(()));
            drop((send, recv, dropped));
            new.write_all(b"new").await.unwrap();
            new.finish().unwrap();
            alone.write_all(b"alone").await.unwrap();
            alone.finish().unwrap();
            let (mut send, mut recv) = server.accept_bi().await.unwrap();
            assert_eq!(recv.read_to_end(100).await.unwrap(), b"new");
            send.finish().unwrap();
            assert_eq!(answer.read_to_end(100).await.unwrap(), b"");
            let mut recv = server.accept_uni().await.unwrap();
            assert_eq!(recv.read_to_end(100).await.unwrap(), b"alone");
        }
    }
}

pub(crate) async fn each_session_is_used_once<D: Driver>(driver: D) {
    let pair = Pair::with_early_data(&driver);
    visit(&pair).await;
    let resumes = || pair.client.connect(pair.address(), "localhost").unwrap().into_0rtt().is_ok();
    // A server gives two.
    assert_eq!([(); 3].map(|()| resumes()), [true, true, false]);
}
