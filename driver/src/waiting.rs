//! Who waits for what on a connection. Entries exist only while somebody waits.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::task::{Context, Waker};

use quic_core::{Direction, StreamId};

/// Any number of tasks that wait for the same thing.
#[derive(Debug, Default)]
pub(crate) struct WaitList {
    /// In the order of the tickets.
    waiters: Vec<(Ticket, Waker)>,
    next: u64,
}

/// A place in a [`WaitList`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Ticket(u64);

impl WaitList {
    /// An empty list whose tickets begin with `first`.
    fn beginning_with(first: u64) -> Self {
        Self { waiters: Vec::new(), next: first }
    }

    /// Lets `ticket` wait, which is `None` the first time. Who waits again has the same place.
    pub(crate) fn wait(&mut self, ticket: &mut Option<Ticket>, cx: &Context<'_>) {
        let ticket = *ticket.get_or_insert_with(|| {
            let new = Ticket(self.next);
            self.next = self.next.saturating_add(1);
            new
        });
        match self.place(ticket) {
            Ok(place) => {
                if let Some((_, waker)) = self.waiters.get_mut(place) {
                    waker.clone_from(cx.waker());
                }
            }
            Err(place) => self.waiters.insert(place, (ticket, cx.waker().clone())),
        }
    }

    /// Lets `ticket` wait no longer; returns whether it did.
    pub(crate) fn cancel(&mut self, ticket: Ticket) -> bool {
        let place = self.place(ticket);
        if let Ok(place) = place {
            self.waiters.remove(place);
        }
        place.is_ok()
    }

    /// Where `ticket` waits, or would.
    fn place(&self, ticket: Ticket) -> Result<usize, usize> {
        self.waiters.binary_search_by_key(&ticket, |(other, _)| *other)
    }

    /// Moves everybody to `woken`.
    pub(crate) fn take(&mut self, woken: &mut Vec<Waker>) {
        self.take_first(usize::MAX, woken);
    }

    /// Moves the `count` who came first to `woken`.
    fn take_first(&mut self, count: usize, woken: &mut Vec<Waker>) {
        let count = count.min(self.waiters.len());
        woken.extend(self.waiters.drain(..count).map(|(_, waker)| waker));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }
}

/// What any number of tasks can wait for on a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Topic {
    /// The peer opens a stream.
    Accept(Direction),
    /// The connection ends.
    Closed,
    /// The handshake completes.
    Connected,
    /// Datagrams are received.
    Datagrams,
    /// There is room for datagrams to send.
    DatagramRoom,
    /// There are reports on datagrams.
    DatagramReports,
    /// Everything that was written is acknowledged.
    Flushed,
    /// The handshake's first results are there.
    HandshakeData,
    /// A stream can be opened.
    Open(Direction),
    /// The peer acknowledges the whole of a stream or stops it.
    Stopped(StreamId),
}

/// Everybody who waits for something on one connection.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Accept, open, per direction; then the rest of the topics without a stream.
    lists: [WaitList; 8],
    /// Made when somebody waits.
    datagrams: Option<Box<DatagramWaiters>>,
    readers: StreamMap<Waker>,
    writers: StreamMap<Waker>,
    stopped: StreamMap<WaitList>,
    /// The first ticket of the next list in `stopped`. Lists of a stream come and go: who kept a
    /// ticket of one must not be taken for somebody else in the next.
    stopped_tickets: u64,
}

/// Who waits for something about datagrams.
#[derive(Debug, Default)]
struct DatagramWaiters {
    readers: WaitList,
    senders: WaitList,
    reports: WaitList,
}

impl Waiting {
    /// Lets `ticket` wait for `topic`.
    pub(crate) fn wait(&mut self, topic: Topic, ticket: &mut Option<Ticket>, cx: &Context<'_>) {
        if let Topic::Stopped(id) = topic {
            let first = self.stopped_tickets;
            let list = self.stopped.entry(id).or_insert_with(|| WaitList::beginning_with(first));
            list.wait(ticket, cx);
            self.stopped_tickets = first.max(list.next);
        } else {
            self.list(topic).wait(ticket, cx);
        }
    }

    /// Lets `ticket` wait for `topic` no longer; returns whether it did.
    pub(crate) fn cancel(&mut self, topic: Topic, ticket: Ticket) -> bool {
        let Topic::Stopped(id) = topic else {
            return self.list(topic).cancel(ticket);
        };
        let Some(list) = self.stopped.get_mut(&id) else { return false };
        let waited = list.cancel(ticket);
        if list.is_empty() {
            self.stopped.remove(&id);
        }
        waited
    }

    /// Moves the `count` who waited first for a stream to open to `woken`.
    pub(crate) fn take_openers(
        &mut self,
        direction: Direction,
        count: usize,
        woken: &mut Vec<Waker>,
    ) {
        self.list(Topic::Open(direction)).take_first(count, woken);
    }

    /// Moves those who wait for `topic` to `woken`.
    pub(crate) fn take(&mut self, topic: Topic, woken: &mut Vec<Waker>) {
        let Topic::Stopped(id) = topic else {
            return self.list(topic).take(woken);
        };
        if let Some(mut list) = self.stopped.remove(&id) {
            list.take(woken);
        }
    }

    /// Lets the reader of a stream wait for data; there is one reader at most.
    pub(crate) fn wait_readable(&mut self, id: StreamId, cx: &Context<'_>) {
        put(&mut self.readers, id, cx);
    }

    /// Lets the writer of a stream wait for room; there is one writer at most.
    pub(crate) fn wait_writable(&mut self, id: StreamId, cx: &Context<'_>) {
        put(&mut self.writers, id, cx);
    }

    pub(crate) fn take_reader(&mut self, id: StreamId, woken: &mut Vec<Waker>) {
        woken.extend(self.readers.remove(&id));
    }

    pub(crate) fn take_writer(&mut self, id: StreamId, woken: &mut Vec<Waker>) {
        woken.extend(self.writers.remove(&id));
    }

    /// Forgets the reader of a stream without waking it.
    pub(crate) fn forget_reader(&mut self, id: StreamId) {
        self.readers.remove(&id);
    }

    /// Forgets the writer of a stream without waking it.
    pub(crate) fn forget_writer(&mut self, id: StreamId) {
        self.writers.remove(&id);
    }

    /// Moves everybody to `woken`, in no particular order.
    pub(crate) fn take_all(&mut self, woken: &mut Vec<Waker>) {
        for list in &mut self.lists {
            list.take(woken);
        }
        woken.extend(self.readers.drain().map(|(_, waker)| waker));
        woken.extend(self.writers.drain().map(|(_, waker)| waker));
        if let Some(datagrams) = &mut self.datagrams {
            let DatagramWaiters { readers, senders, reports } = &mut **datagrams;
            for list in [readers, senders, reports] {
                list.take(woken);
            }
        }
        // Tasks are woken in no particular order.
        self.stopped.drain().for_each(|(_, mut list)| list.take(woken));
    }

    fn list(&mut self, topic: Topic) -> &mut WaitList {
        let [accept_bi, accept_uni, open_bi, open_uni, closed, connected, flushed, data] =
            &mut self.lists;
        match topic {
            Topic::Datagrams => &mut self.datagrams.get_or_insert_default().readers,
            Topic::DatagramRoom => &mut self.datagrams.get_or_insert_default().senders,
            Topic::DatagramReports => &mut self.datagrams.get_or_insert_default().reports,
            Topic::Accept(Direction::Bidirectional) => accept_bi,
            Topic::Accept(Direction::Unidirectional) => accept_uni,
            Topic::Open(Direction::Bidirectional) => open_bi,
            Topic::Open(Direction::Unidirectional) => open_uni,
            Topic::Closed | Topic::Stopped(_) => closed,
            Topic::Connected => connected,
            Topic::Flushed => flushed,
            Topic::HandshakeData => data,
        }
    }
}

fn put(map: &mut StreamMap<Waker>, id: StreamId, cx: &Context<'_>) {
    map.entry(id)
        .and_modify(|waker| waker.clone_from(cx.waker()))
        .or_insert_with(|| cx.waker().clone());
}

type StreamMap<T> = HashMap<StreamId, T, BuildHasherDefault<StreamHasher>>;

/// Spreads stream IDs over a table. They are handed out one after the other and limited in number,
/// so that a peer has no choice of IDs to aim with.
#[derive(Debug, Default)]
pub(crate) struct StreamHasher(u64);

impl Hasher for StreamHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // The golden ratio's bits; the table uses the top bits and the bottom bits.
        self.0 = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
