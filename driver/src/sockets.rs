//! The sockets of an endpoint, and which of them may go.

use quic_core::SocketId;

/// The sockets of an endpoint: one, until the application brings others.
#[derive(Debug)]
pub(crate) struct Sockets(Vec<Entry>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    socket: SocketId,
    /// Whether it goes once nothing uses it.
    until_idle: bool,
}

impl Sockets {
    pub(crate) fn new(first: SocketId) -> Self {
        Self(vec![Entry { socket: first, until_idle: true }])
    }

    pub(crate) fn use_until_idle(&mut self, socket: SocketId) {
        self.add(Entry { socket, until_idle: true });
    }

    pub(crate) fn keep(&mut self, socket: SocketId) {
        self.add(Entry { socket, until_idle: false });
    }

    fn add(&mut self, entry: Entry) {
        self.0.retain(|known| known.socket != entry.socket);
        self.0.push(entry);
    }

    pub(crate) fn remove(&mut self, socket: SocketId) {
        self.0.retain(|known| known.socket != socket);
    }

    pub(crate) fn contains(&self, socket: SocketId) -> bool {
        self.0.iter().any(|known| known.socket == socket)
    }

    pub(crate) fn is_single(&self) -> bool {
        self.0.len() == 1
    }

    /// Those that may go if nothing uses them, `current` being in use.
    pub(crate) fn idle(&self, current: SocketId) -> Vec<SocketId> {
        let idle = self.0.iter().filter(|entry| entry.until_idle && entry.socket != current);
        idle.map(|entry| entry.socket).collect()
    }
}
