//! Requests and their answers, with bodies and trailers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use driver::TransportConfig;
use futures::future::join_all;
use futures::join;
use http::{HeaderMap, Method, Response, StatusCode};

use crate::drivers::Driver;
use crate::pair::{Answer, body, body_of_request, get, next, ok, pair, pattern, post, serve};

pub(crate) async fn a_request_is_answered<D: Driver>() {
    let (mut requests, _ended, mut server) = pair::<D>(TransportConfig::default()).await;
    let server = async {
        let (request, mut stream) = next(&mut server).await;
        assert_eq!((request.method(), request.uri().path()), (&Method::GET, "/a?b"[..2].into()));
        assert_eq!(request.uri().query(), Some("b"));
        assert_eq!(request.headers()["x-name"], "value");
        let response = Response::builder().status(StatusCode::IM_A_TEAPOT).header("x-kind", "tea");
        stream.send_response(response.body(()).unwrap()).await.unwrap();
        stream.send_data(Bytes::from_static(b"short and stout")).await.unwrap();
        stream.finish().await.unwrap();
    };
    let client = async {
        let mut request = get("/a?b");
        request.headers_mut().insert("x-name", "value".parse().unwrap());
        let mut stream = requests.send_request(request).await.unwrap();
        stream.finish().await.unwrap();
        let response = stream.recv_response().await.unwrap();
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
        assert_eq!(response.headers()["x-kind"], "tea");
        assert_eq!(body(&mut stream).await.unwrap(), "short and stout");
    };
    join!(server, client);
}

async fn echo(mut stream: Answer) {
    stream.send_response(ok()).await.unwrap();
    while let Some(mut data) = stream.recv_data().await.unwrap() {
        stream.send_data(data.copy_to_bytes(data.remaining())).await.unwrap();
    }
    let trailers = stream.recv_trailers().await.unwrap();
    if let Some(trailers) = trailers {
        stream.send_trailers(trailers).await.unwrap();
    }
    stream.finish().await.unwrap();
}

pub(crate) async fn bodies_go_both_ways_at_a_time<D: Driver>() {
    let (mut requests, _ended, server) = pair::<D>(TransportConfig::default()).await;
    let _served = serve::<D, _>(server, |_, stream| echo(stream));
    let sent = pattern(5_000_000);
    let (mut send, mut recv) = requests.send_request(post()).await.unwrap().split();
    let sending = async {
        for chunk in sent.chunks(70_001) {
            send.send_data(sent.slice_ref(chunk)).await.unwrap();
        }
        send.finish().await.unwrap();
    };
    let receiving = async {
        assert_eq!(recv.recv_response().await.unwrap().status(), StatusCode::OK);
        body(&mut recv).await.unwrap()
    };
    let ((), received) = join!(sending, receiving);
    assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
}

pub(crate) async fn trailers_come_after_the_bodies<D: Driver>() {
    let (mut requests, _ended, server) = pair::<D>(TransportConfig::default()).await;
    let _served = serve::<D, _>(server, |_, stream| echo(stream));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-digest", "0815".parse().unwrap());
    let mut stream = requests.send_request(post()).await.unwrap();
    stream.send_data(Bytes::from_static(b"body")).await.unwrap();
    stream.send_trailers(trailers.clone()).await.unwrap();
    stream.finish().await.unwrap();
    stream.recv_response().await.unwrap();
    assert_eq!(body(&mut stream).await.unwrap(), "body");
    assert_eq!(stream.recv_trailers().await.unwrap(), Some(trailers));
}

pub(crate) async fn more_requests_than_streams_are_allowed_are_all_answered<D: Driver>() {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams = 10;
    let (requests, _ended, server) = pair::<D>(transport).await;
    let _served = serve::<D, _>(server, |request, mut stream| async move {
        body_of_request(&mut stream).await.unwrap();
        stream.send_response(ok()).await.unwrap();
        stream.send_data(request.uri().path().to_owned().into()).await.unwrap();
        stream.finish().await.unwrap();
    });
    let answers = (0..200).map(|number| {
        let mut requests = requests.clone();
        async move {
            let path = format!("/{number}");
            let mut stream = requests.send_request(get(&path)).await.unwrap();
            stream.finish().await.unwrap();
            stream.recv_response().await.unwrap();
            assert_eq!(body(&mut stream).await.unwrap(), path);
        }
    });
    join_all(answers).await;
}

pub(crate) async fn a_body_waits_for_a_reader_that_does_not_read<D: Driver>() {
    const CHUNK: usize = 1 << 16;
    const CHUNKS: usize = 200;
    let (mut requests, _ended, server) = pair::<D>(TransportConfig::default()).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let _served = serve::<D, _>(server, move |_, mut stream| {
        let count = Arc::clone(&count);
        async move {
            let chunk = pattern(CHUNK);
            stream.send_response(ok()).await.unwrap();
            for _ in 0..CHUNKS {
                stream.send_data(chunk.clone()).await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
            stream.finish().await.unwrap();
        }
    });
    let mut stream = requests.send_request(post()).await.unwrap();
    stream.finish().await.unwrap();
    stream.recv_response().await.unwrap();
    // Until nothing is taken any more.
    let mut before = usize::MAX;
    while before != taken.load(Ordering::Relaxed) || before == 0 {
        before = taken.load(Ordering::Relaxed);
        D::sleep(Duration::from_millis(300)).await;
    }
    assert!(before < CHUNKS, "windows and buffers are full long before");
    let received = body(&mut stream).await.unwrap();
    assert_eq!(received.len(), CHUNK * CHUNKS);
    assert!(received.chunks(CHUNK).all(|chunk| chunk == pattern(CHUNK)));
}

/// A request whose body is read to its end, for the other rooms.
pub(crate) async fn answer_ok(mut stream: Answer) {
    body_of_request(&mut stream).await.unwrap();
    stream.send_response(ok()).await.unwrap();
    stream.finish().await.unwrap();
}
