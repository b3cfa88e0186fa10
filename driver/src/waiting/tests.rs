use std::task::{Context, Waker};

use quic_core::{Direction, Side, StreamId};

use super::*;

fn stream(index: u64) -> StreamId {
    StreamId::new(Side::Client, Direction::Bidirectional, index)
}

fn taken(waiting: &mut Waiting, topic: Topic) -> usize {
    let mut woken = Vec::new();
    waiting.take(topic, &mut woken);
    woken.len()
}

#[test]
fn a_task_that_waits_again_and_again_has_one_place() {
    let cx = Context::from_waker(Waker::noop());
    let mut waiting = Waiting::default();
    let topic = Topic::Accept(Direction::Bidirectional);
    let mut ticket = None;
    waiting.wait(topic, &mut ticket, &cx);
    waiting.wait(topic, &mut ticket, &cx);
    assert_eq!(taken(&mut waiting, topic), 1);
    waiting.wait(topic, &mut ticket, &cx);
    assert_eq!(taken(&mut waiting, topic), 1);
}

#[test]
fn everybody_who_waits_for_a_topic_is_taken_and_nobody_else() {
    let cx = Context::from_waker(Waker::noop());
    let mut waiting = Waiting::default();
    let topics = [
        Topic::Accept(Direction::Bidirectional),
        Topic::Accept(Direction::Unidirectional),
        Topic::Closed,
        Topic::Connected,
        Topic::Flushed,
        Topic::HandshakeData,
        Topic::Open(Direction::Bidirectional),
        Topic::Open(Direction::Unidirectional),
        Topic::Stopped(stream(0)),
        Topic::Stopped(stream(1)),
    ];
    for topic in topics {
        waiting.wait(topic, &mut None, &cx);
        waiting.wait(topic, &mut None, &cx);
    }
    for topic in topics {
        assert_eq!(taken(&mut waiting, topic), 2, "{topic:?}");
        assert_eq!(taken(&mut waiting, topic), 0, "{topic:?}");
    }
}

#[test]
fn who_cancels_leaves_nothing_behind() {
    let cx = Context::from_waker(Waker::noop());
    let mut waiting = Waiting::default();
    for topic in [Topic::Closed, Topic::Stopped(stream(7))] {
        let (mut first, mut second) = (None, None);
        waiting.wait(topic, &mut first, &cx);
        waiting.wait(topic, &mut second, &cx);
        waiting.cancel(topic, first.unwrap());
        assert_eq!(taken(&mut waiting, topic), 1);
        waiting.cancel(topic, second.unwrap());
    }
    assert!(waiting.stopped.is_empty());
}

#[test]
fn who_waits_for_a_stream_again_takes_nobody_elses_place() {
    let cx = Context::from_waker(Waker::noop());
    for topic in [Topic::Stopped(stream(0)), Topic::Closed] {
        let mut waiting = Waiting::default();
        let (mut first, mut second) = (None, None);
        waiting.wait(topic, &mut first, &cx);
        waiting.wait(topic, &mut second, &cx);
        // Both are woken, find that they have to wait on, and do so in another order.
        waiting.take_all(&mut Vec::new());
        waiting.wait(topic, &mut second, &cx);
        waiting.wait(topic, &mut first, &cx);
        assert_eq!(taken(&mut waiting, topic), 2, "{topic:?}");
        // Nor does who was woken and gives up.
        waiting.wait(topic, &mut second, &cx);
        waiting.cancel(topic, first.unwrap());
        assert_eq!(taken(&mut waiting, topic), 1, "{topic:?}");
    }
}

#[test]
fn readers_and_writers_of_streams_are_told_apart() {
    let cx = Context::from_waker(Waker::noop());
    let mut waiting = Waiting::default();
    waiting.wait_readable(stream(0), &cx);
    waiting.wait_readable(stream(0), &cx);
    waiting.wait_writable(stream(0), &cx);
    waiting.wait_readable(stream(1), &cx);
    let mut woken = Vec::new();
    waiting.take_reader(stream(0), &mut woken);
    assert_eq!(woken.len(), 1);
    waiting.take_reader(stream(0), &mut woken);
    assert_eq!(woken.len(), 1);
    waiting.take_all(&mut woken);
    assert_eq!(woken.len(), 3);
}

#[test]
fn who_waits_again_keeps_the_place_in_the_order_of_coming() {
    let cx = Context::from_waker(Waker::noop());
    let mut list = WaitList::default();
    let mut tickets = [None; 3];
    for ticket in &mut tickets {
        list.wait(ticket, &cx);
    }
    list.take(&mut Vec::new());
    for ticket in tickets.iter_mut().rev() {
        list.wait(ticket, &cx);
    }
    let order = list.waiters.iter().map(|(ticket, _)| Some(*ticket));
    assert!(order.eq(tickets));
}
