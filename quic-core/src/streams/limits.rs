//! How many streams there may be, both ways (RFC 9000 §4.6).

use super::flow_control::BlockedReport;

/// Most streams of one kind that a connection can have (RFC 9000 §4.6).
const MAX_STREAMS: u64 = 1 << 60;

/// Streams of one direction that this end opens.
#[derive(Debug, Default)]
pub(super) struct LocalStreams {
    /// Index of the next stream to open.
    pub(super) next: u64,
    /// How many the peer allows.
    maximum: u64,
    pub(super) blocked: BlockedReport,
    /// The application was refused a stream: it hears of all that come from then on. Those who
    /// wait may be many, so that what came last was not enough for them.
    refused: bool,
}

impl LocalStreams {
    pub(super) fn open(&mut self) -> Option<u64> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
        //# Endpoints MUST NOT exceed the limit set by their peer.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.11
        //# An endpoint MUST NOT open more streams than permitted by the current
        //# stream limit set by its peer.
        if self.next >= self.maximum {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
            //# An endpoint that is unable to open a new stream due to the peer's limits
            //# SHOULD send a STREAMS_BLOCKED frame (Section 19.14).
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.14
            //# A sender SHOULD send a STREAMS_BLOCKED frame (type=0x16 or 0x17) when it
            //# wishes to open a stream but is unable to do so due to the maximum stream
            //# limit set by its peer; see Section 19.11.
            self.blocked.on_blocked(self.maximum);
            self.refused = true;
            return None;
        }
        let index = self.next;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-2.1
        //# A QUIC endpoint MUST NOT reuse a stream ID within a connection.
        self.next += 1;
        Some(index)
    }

    /// How many can be opened now.
    pub(super) fn left(&self) -> u64 {
        self.maximum.saturating_sub(self.next)
    }

    /// The application is refused a stream though the peer allows it.
    pub(super) fn refuse(&mut self) {
        self.refused = true;
    }

    /// Whether the application hears of `StreamEvent::Available`.
    pub(super) fn was_refused(&self) -> bool {
        self.refused
    }

    /// The peer allows nothing any more: what it was said to allow was of another connection.
    pub(super) fn restart(&mut self) {
        self.maximum = 0;
        self.blocked = BlockedReport::default();
    }

    /// Whether the peer allows the stream with this index.
    pub(super) fn allows(&self, index: u64) -> bool {
        index < self.maximum
    }

    /// Tells the peer if there are more streams than it allows.
    pub(super) fn report_blocked(&mut self) {
        if self.next > self.maximum {
            self.blocked.on_blocked(self.maximum);
        }
    }

    /// The peer allows `maximum`; true if the application wants to hear of it.
    pub(super) fn raise(&mut self, maximum: u64) -> bool {
        let maximum = maximum.min(MAX_STREAMS);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
        //# MAX_STREAMS frames that do not increase the stream limit MUST be
        //# ignored.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.11
        //# MAX_STREAMS frames that do not increase the stream limit MUST be
        //# ignored.
        if maximum <= self.maximum {
            return false;
        }
        self.maximum = maximum;
        self.blocked.on_raised();
        self.refused
    }
}

/// Streams of one direction that the peer opens.
#[derive(Debug)]
pub(super) struct RemoteStreams {
    /// How many the peer has opened, those included that it passed over (RFC 9000 §3.2).
    pub(super) opened: u64,
    /// Index of the next stream to accept.
    pub(super) next: u64,
    /// How many the peer may have open at a time.
    concurrent: u64,
    /// How many are over, and seen to be over by the application.
    closed: u64,
    /// What the peer was told.
    maximum: u64,
    /// MAX_STREAMS was lost.
    again: bool,
}

impl RemoteStreams {
    pub(super) fn new(concurrent: u64) -> Self {
        let concurrent = concurrent.min(MAX_STREAMS);
        Self { opened: 0, next: 0, concurrent, closed: 0, maximum: concurrent, again: false }
    }

    /// Allows this many at a time from now on. What the peer was told, it keeps.
    pub(super) fn set_concurrent(&mut self, concurrent: u64) {
        self.concurrent = concurrent.min(MAX_STREAMS);
    }

    pub(super) fn allows(&self, index: u64) -> bool {
        index < self.maximum
    }

    /// The peer used the stream `index`; true if that opens it and those below.
    pub(super) fn on_used(&mut self, index: u64) -> bool {
        let opens = index >= self.opened;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-3.2
        //# Before a stream is created, all streams of the same type with
        //# lower-numbered stream IDs MUST be created.
        self.opened = self.opened.max(index.saturating_add(1));
        opens
    }

    /// A stream is over and the application has seen that, which alone gives the peer another
    /// one: whoever opens and resets streams waits for the application each time.
    pub(super) fn on_closed(&mut self) {
        self.closed = self.closed.saturating_add(1);
    }

    pub(super) fn is_pending(&self) -> bool {
        let few = self.concurrent / 8;
        let left = self.maximum.saturating_sub(self.opened);
        let gained = self.target().saturating_sub(self.maximum);
        // A peer that keeps nearly all of its streams open has to get the few that come back.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
        //# An endpoint MUST NOT wait
        //# to receive this signal before advertising additional credit, since
        //# doing so will mean that the peer will be blocked for at least an
        //# entire round trip, and potentially indefinitely if the peer chooses
        //# not to send STREAMS_BLOCKED frames.
        self.again || gained > few || (gained > 0 && left <= few)
    }

    /// The peer was told of [`target`](Self::target).
    pub(super) fn on_raised(&mut self) {
        self.again = false;
        self.maximum = self.target();
    }

    pub(super) fn on_lost(&mut self) {
        self.again = true;
    }

    /// How many streams the peer should be allowed.
    pub(super) fn target(&self) -> u64 {
        self.closed.saturating_add(self.concurrent).clamp(self.maximum, MAX_STREAMS)
    }
}
