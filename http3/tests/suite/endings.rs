//! Streams and connections that end before their time, or in peace.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use driver::TransportConfig;
use futures::join;
use h3::error::{Code, ConnectionError, StreamError};

use crate::drivers::Driver;
use crate::pair::{Requests, body, body_of_request, get, next, ok, pair, pattern, post, serve};
use crate::requests::answer_ok;

/// What the peer ended a stream with.
#[track_caller]
fn code_of<T>(result: Result<T, StreamError>) -> Code {
    match result {
        Err(StreamError::RemoteTerminate { code }) => code,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it did not fail"),
    }
}

/// The connection still answers.
async fn check_alive(requests: &mut Requests) {
    let mut stream = requests.send_request(get("/")).await.unwrap();
    stream.finish().await.unwrap();
    stream.recv_response().await.unwrap();
    body(&mut stream).await.unwrap();
}

pub(crate) async fn a_stopped_response_tells_the_server_the_code<D: Driver>() {
    let (mut requests, _ended, mut server) = pair::<D>(TransportConfig::default()).await;
    let mut asked = requests.send_request(get("/")).await.unwrap();
    let (_, mut answer) = next(&mut server).await;
    answer.send_response(ok()).await.unwrap();
    asked.recv_response().await.unwrap();
    asked.stop_sending(Code::H3_EXCESSIVE_LOAD);
    let endless = async {
        loop {
            if let Err(error) = answer.send_data(pattern(100_000)).await {
                return error;
            }
        }
    };
    assert_eq!(code_of::<()>(Err(endless.await)), Code::H3_EXCESSIVE_LOAD);
}

pub(crate) async fn a_reset_request_tells_the_server_the_code<D: Driver>() {
    let (mut requests, _ended, mut server) = pair::<D>(TransportConfig::default()).await;
    let mut asked = requests.send_request(post()).await.unwrap();
    let (_, mut answer) = next(&mut server).await;
    asked.stop_stream(Code::H3_REQUEST_INCOMPLETE);
    assert_eq!(code_of(body_of_request(&mut answer).await), Code::H3_REQUEST_INCOMPLETE);
    answer.stop_stream(Code::H3_INTERNAL_ERROR);
    assert_eq!(code_of(asked.recv_response().await), Code::H3_INTERNAL_ERROR);
}

pub(crate) async fn a_response_that_the_client_drops_is_cancelled<D: Driver>() {
    let (mut requests, _ended, mut server) = pair::<D>(TransportConfig::default()).await;
    let asked = requests.send_request(get("/")).await.unwrap();
    let (_, mut answer) = next(&mut server).await;
    answer.send_response(ok()).await.unwrap();
    drop(asked);
    let endless = async {
        loop {
            if let Err(error) = answer.send_data(pattern(100_000)).await {
                return error;
            }
        }
    };
    assert_eq!(code_of::<()>(Err(endless.await)), Code::H3_REQUEST_CANCELLED);
}

pub(crate) async fn a_request_body_that_the_server_drops_is_no_error<D: Driver>() {
    let (mut requests, _ended, mut server) = pair::<D>(TransportConfig::default()).await;
    let mut asked = requests.send_request(post()).await.unwrap();
    let (_, mut answer) = next(&mut server).await;
    answer.send_response(ok()).await.unwrap();
    answer.finish().await.unwrap();
    drop(answer);
    let endless = async {
        loop {
            if let Err(error) = asked.send_data(pattern(100_000)).await {
                return error;
            }
        }
    };
    assert_eq!(code_of::<()>(Err(endless.await)), Code::H3_NO_ERROR);
    asked.recv_response().await.unwrap();
}

pub(crate) async fn a_body_that_breaks_off_in_a_frame_is_cancelled_and_costs_only_its_stream<
    D: Driver,
>() {
    let (mut requests, _ended, mut server) = pair::<D>(TransportConfig::default()).await;
    let mut asked = requests.send_request(get("/")).await.unwrap();
    asked.finish().await.unwrap();
    let (_, mut answer) = next(&mut server).await;
    answer.send_response(ok()).await.unwrap();
    asked.recv_response().await.unwrap();
    {
        // More than the windows and buffers take.
        let mut sending = pin!(answer.send_data(pattern(100 << 20)));
        let begun = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await;
        assert!(begun.is_pending(), "it was to wait");
    }
    drop(answer);
    let _served = serve::<D, _>(server, |_, stream| answer_ok(stream));
    assert_eq!(code_of(body(&mut asked).await), Code::H3_REQUEST_CANCELLED);
    check_alive(&mut requests).await;
}

pub(crate) async fn a_response_that_breaks_off_between_frames_is_not_taken_for_whole<D: Driver>() {
    let (mut requests, _ended, mut server) = pair::<D>(TransportConfig::default()).await;
    let mut asked = requests.send_request(get("/")).await.unwrap();
    asked.finish().await.unwrap();
    let (_, mut answer) = next(&mut server).await;
    answer.send_response(ok()).await.unwrap();
    answer.send_data(Bytes::from_static(b"half")).await.unwrap();
    asked.recv_response().await.unwrap();
    drop(answer);
    assert_eq!(code_of(body(&mut asked).await), Code::H3_REQUEST_CANCELLED);
}

pub(crate) async fn a_server_that_goes_away_answers_what_it_has<D: Driver>() {
    let (mut requests, ended, mut server) = pair::<D>(TransportConfig::default()).await;
    let mut asked = requests.send_request(get("/first")).await.unwrap();
    asked.finish().await.unwrap();
    let (_, mut answer) = next(&mut server).await;
    server.shutdown(0).await.unwrap();
    let accepting = async { server.accept().await.map(|resolver| resolver.is_some()) };
    let rest = async {
        // The news needs its way; until then, what is asked is rejected, not answered.
        loop {
            let refused = match requests.send_request(get("/late")).await {
                Err(error) => error,
                Ok(mut late) => late.recv_response().await.unwrap_err(),
            };
            if matches!(refused, StreamError::RemoteClosing) {
                break;
            }
            assert_eq!(code_of::<()>(Err(refused)), Code::H3_REQUEST_REJECTED);
        }
        answer.send_response(ok()).await.unwrap();
        answer.send_data(Bytes::from_static(b"still there")).await.unwrap();
        answer.finish().await.unwrap();
        drop(answer);
        asked.recv_response().await.unwrap();
        assert_eq!(body(&mut asked).await.unwrap(), "still there");
        drop((asked, requests));
    };
    let (accepted, ()) = join!(accepting, rest);
    assert!(accepted.is_err_and(|ended| ended.is_h3_no_error()), "there are no more requests");
    let ended = ended.await;
    assert!(ended.is_h3_no_error(), "{ended}");
}

pub(crate) async fn a_client_that_is_done_closes_without_an_error<D: Driver>() {
    let (mut requests, ended, server) = pair::<D>(TransportConfig::default()).await;
    let served = serve::<D, _>(server, |_, stream| answer_ok(stream));
    check_alive(&mut requests).await;
    drop(requests);
    let (client, server) = join!(ended, served);
    assert!(client.is_h3_no_error(), "{client}");
    let server = server.expect("the client closed the connection");
    assert!(server.is_h3_no_error(), "{server}");
}

pub(crate) async fn silence_is_a_timeout<D: Driver>() {
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout = Some(Duration::from_millis(300));
    let (_requests, ended, _server) = pair::<D>(transport).await;
    assert!(matches!(ended.await, ConnectionError::Timeout));
}
