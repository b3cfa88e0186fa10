//! Who waits for the peer to allow another stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use driver::{
    Connection, ConnectionError, Direction, PolledConnection, SendStream, TransportConfig,
};
use quic_sim::tasks::sleep;

use crate::support::{SECOND, Stage, Wakeups};

/// An attempt to open a stream that is polled by hand.
struct Opener {
    wakeups: Arc<Wakeups>,
    opening: Pin<Box<dyn Future<Output = Result<SendStream, ConnectionError>> + Send>>,
}

impl Opener {
    /// Waits, as the last of those who do.
    fn waiting(connection: &Connection) -> Self {
        let connection = connection.clone();
        let opening = Box::pin(async move { connection.open_uni().await });
        let mut opener = Self { wakeups: Arc::default(), opening };
        assert!(opener.poll().is_none());
        opener
    }

    fn poll(&mut self) -> Option<SendStream> {
        let waker = Waker::from(Arc::clone(&self.wakeups));
        match self.opening.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(stream) => Some(stream.unwrap()),
            Poll::Pending => None,
        }
    }
}

/// How often each was woken.
fn wakeups(openers: &[Opener]) -> Vec<usize> {
    openers.iter().map(|opener| opener.wakeups.count()).collect()
}

/// Ends a stream at both ends, and waits until the peer allows another one.
async fn end(mut send: SendStream, server: &Connection) {
    send.finish().unwrap();
    server.accept_uni().await.unwrap().read_to_end(0).await.unwrap();
    sleep(SECOND).await;
}

/// Runs `program` with both ends of a connection, whose client may have `count` streams at a time.
fn run(count: u64, program: impl AsyncFnOnce(&Connection, &Connection)) {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_uni_streams = count;
    Stage::with(1, transport).run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        program(&client, &server).await;
        drop((client, server));
        pair.close().await;
    });
}

#[test]
fn of_those_who_wait_for_a_stream_as_many_wake_as_there_are_in_the_order_of_coming() {
    run(2, async |client, server| {
        let [first, second] = [client.open_uni().await.unwrap(), client.open_uni().await.unwrap()];
        let mut openers: Vec<_> = (0..5).map(|_| Opener::waiting(client)).collect();
        end(first, server).await;
        assert_eq!(wakeups(&openers), [1, 0, 0, 0, 0]);
        let third = openers[0].poll().unwrap();
        assert_eq!(client.streams_left(Direction::Unidirectional), 0);
        end(second, server).await;
        end(third, server).await;
        // The second has not come yet: there are two streams, of which one was offered to it.
        assert_eq!(client.streams_left(Direction::Unidirectional), 2);
        assert_eq!(wakeups(&openers), [1, 1, 1, 1, 0]);
        assert!(openers[1].poll().is_some());
        assert!(openers[2].poll().is_some());
        assert!(openers[3].poll().is_none());
    });
}

#[test]
fn who_is_woken_for_a_stream_and_gives_up_leaves_it_to_the_next() {
    run(1, async |client, server| {
        let first = client.open_uni().await.unwrap();
        let mut openers: Vec<_> = (0..3).map(|_| Opener::waiting(client)).collect();
        end(first, server).await;
        assert_eq!(wakeups(&openers), [1, 0, 0]);
        openers.remove(0);
        assert_eq!(wakeups(&openers), [1, 0]);
        assert!(openers[0].poll().is_some());
        // Who has a stream, or was not woken, leaves none.
        let last = openers.pop();
        openers.clear();
        assert_eq!(wakeups(last.as_slice()), [0]);
    });
}

#[test]
fn who_polls_for_a_stream_and_gives_up_leaves_it_to_the_next() {
    run(1, async |client, server| {
        let first = client.open_uni().await.unwrap();
        let mut polled = PolledConnection::new(client.clone());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(polled.poll_open_uni(&mut cx).is_pending());
        let mut openers = [Opener::waiting(client)];
        end(first, server).await;
        assert_eq!(wakeups(&openers), [0]);
        drop(polled);
        assert_eq!(wakeups(&openers), [1]);
        assert!(openers[0].poll().is_some());
    });
}

#[test]
fn who_is_woken_for_a_stream_and_does_not_come_holds_up_no_other_stream() {
    run(2, async |client, server| {
        let [first, second] = [client.open_uni().await.unwrap(), client.open_uni().await.unwrap()];
        let mut openers: Vec<_> = (0..3).map(|_| Opener::waiting(client)).collect();
        end(first, server).await;
        assert_eq!(wakeups(&openers), [1, 0, 0]);
        end(second, server).await;
        assert_eq!(wakeups(&openers), [1, 1, 1]);
        assert!(openers[1].poll().is_some());
        assert!(openers[2].poll().is_some());
        assert!(openers[0].poll().is_none());
    });
}
