//! What may happen: small numbers that mean something in any state, so that every list of them is
//! valid and leaving some out leaves a valid list.

use proptest::prelude::*;

/// One thing that an application, the network or the world does. Numbers that choose among things
/// are taken modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    /// A client connects.
    Connect {
        client: u8,
    },
    Open {
        connection: u8,
        both: bool,
    },
    Write {
        connection: u8,
        stream: u8,
        bytes: u16,
    },
    Finish {
        connection: u8,
        stream: u8,
    },
    Reset {
        connection: u8,
        stream: u8,
    },
    ResetAt {
        connection: u8,
        stream: u8,
        size: u16,
    },
    Stop {
        connection: u8,
        stream: u8,
    },
    Accept {
        connection: u8,
    },
    Read {
        connection: u8,
        stream: u8,
        bytes: u16,
    },
    ReadAll {
        connection: u8,
    },
    Prioritize {
        connection: u8,
        stream: u8,
        priority: i8,
    },
    AllowStreams {
        connection: u8,
        both: bool,
        more: u8,
    },
    SendDatagram {
        connection: u8,
        bytes: u16,
    },
    ReceiveDatagrams {
        connection: u8,
    },
    Ping {
        connection: u8,
    },
    UpdateKeys {
        connection: u8,
    },
    Close {
        connection: u8,
    },
    Migrate {
        connection: u8,
        socket: u8,
    },
    Probe {
        connection: u8,
        socket: u8,
    },
    AddSocket {
        client: u8,
    },
    /// The last socket that was added goes, and with it every path over it.
    RemoveSocket {
        client: u8,
    },
    /// The NAT before a client's socket gives it another port, or another address.
    Rebind {
        client: u8,
        socket: u8,
        address: bool,
    },
    /// The NAT before a client lets in only what comes from where its sockets have sent to.
    Filter {
        client: u8,
        ports: bool,
    },
    /// That NAT loses its mappings.
    Forget {
        client: u8,
    },
    Lose {
        upwards: bool,
        percent: u8,
    },
    /// Datagrams are lost in bursts.
    Burst {
        upwards: bool,
    },
    Duplicate {
        upwards: bool,
        percent: u8,
    },
    Reorder {
        upwards: bool,
        percent: u8,
    },
    Corrupt {
        upwards: bool,
        percent: u8,
    },
    /// Datagrams lose their ends.
    Truncate {
        upwards: bool,
        percent: u8,
    },
    Delay {
        upwards: bool,
        millis: u8,
        jitter: u8,
    },
    Narrow {
        upwards: bool,
        kilobytes: u8,
    },
    /// The queue drops or marks what waits for too long.
    Manage {
        upwards: bool,
        marks: bool,
    },
    Shorten {
        upwards: bool,
        beyond: u8,
    },
    Mark {
        upwards: bool,
        marks: Marks,
    },
    Cut {
        upwards: bool,
    },
    /// All links are as at the start.
    Heal,
    /// The clock of an end goes forward at once.
    JumpForward {
        end: u8,
        seconds: u16,
    },
    /// The clock of an end goes back at once.
    JumpBack {
        end: u8,
        millis: u16,
    },
    /// Datagrams are handed over with times that lie so far back.
    GoBack {
        end: u8,
        millis: u8,
    },
    /// Time passes: two to this power in microseconds.
    Advance {
        exponent: u8,
    },
    /// A new server takes the place of the old one, with nothing left but its configuration.
    Restart,
    /// What the server does with attempts from now on.
    Respond(Answer),
    /// The server forgets the sessions that could be resumed.
    ForgetSessions,
    /// The server's secrets get a new key, which counts from now on; the old ones stay.
    RotateKeys,
    /// Somebody sends a datagram again that was delivered before.
    Replay {
        which: u8,
    },
    /// Somebody sends a datagram again that was delivered before, with a bit flipped.
    Forge {
        which: u8,
        bit: u16,
    },
}

/// What a link does to ECN marks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Marks {
    Keep,
    Bleach,
    Congestion,
    Drop,
}

/// What the server does with attempts to connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    Accept,
    Retry,
    Refuse,
    Ignore,
    /// It listens no more.
    Deaf,
}

/// What a case starts from.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) seed: u64,
    pub(super) clients: u8,
    pub(super) streams: [u8; 2],
    /// Windows in bytes: of streams, of connections, to send.
    pub(super) windows: [u32; 3],
    pub(super) datagrams: bool,
    pub(super) controller: u8,
    pub(super) pacing: bool,
    pub(super) ecn: bool,
    pub(super) ack_frequency: bool,
    pub(super) mtu: u16,
    /// Timeouts are the usual ones, not hours.
    pub(super) impatient: bool,
    pub(super) version_2: bool,
    pub(super) validate: bool,
    pub(super) early_data: bool,
    /// Rejected early data is sent again, not discarded.
    pub(super) resend: bool,
    /// Applications read and accept whenever they are told to, not only when an operation says so.
    pub(super) eager: bool,
    pub(super) receive_budget: u32,
    /// Lengths of the clients' and the server's connection IDs.
    pub(super) ids: [u8; 2],
    pub(super) segments: u8,
    pub(super) reports_local_ip: bool,
    /// Neighbours of a kind are handed over as a train.
    pub(super) trains: bool,
    /// The server prefers another address.
    pub(super) preferred: bool,
}

/// A case: where it starts, and what happens.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) limits: Limits,
    pub(super) operations: Vec<Operation>,
}

impl Limits {
    /// Where nothing is scarce or odd: what regressions start from.
    pub(super) const PLAIN: Self = Self {
        seed: 0,
        clients: 1,
        streams: [100, 100],
        windows: [100_000, 200_000, 200_000],
        datagrams: true,
        controller: 0,
        pacing: true,
        ecn: true,
        ack_frequency: false,
        mtu: 1452,
        impatient: false,
        version_2: false,
        validate: false,
        early_data: false,
        resend: true,
        eager: true,
        receive_budget: 1 << 30,
        ids: [8, 8],
        segments: 10,
        reports_local_ip: true,
        trains: true,
        preferred: false,
    };
}

fn limits() -> impl Strategy<Value = Limits> {
    let sizes = (
        any::<u64>(),
        1_u8..=2,
        [1_u8..20, 1_u8..20],
        [500_u32..100_000, 500_u32..200_000, 500_u32..200_000],
    );
    let ways = (0_u8..3, 1200_u16..1500, 0_u32..1_000_000, 1_u8..20);
    let ids = [prop_oneof![Just(0_u8), 4_u8..=20].boxed(), (4_u8..=20).boxed()];
    let choices = prop::array::uniform13(any::<bool>());
    (sizes, ways, ids, choices).prop_map(|(sizes, ways, ids, choices)| {
        let (seed, clients, streams, windows) = sizes;
        let (controller, mtu, receive_budget, segments) = ways;
        let [datagrams, pacing, ecn, ack_frequency, impatient, version_2, rest @ ..] = choices;
        let [validate, early_data, resend, eager, reports_local_ip, trains, preferred] = rest;
        Limits {
            seed,
            clients,
            streams,
            windows,
            datagrams,
            controller,
            pacing,
            ecn,
            ack_frequency,
            mtu,
            impatient,
            version_2,
            validate,
            early_data,
            resend,
            eager,
            receive_budget,
            ids,
            segments,
            reports_local_ip,
            trains,
            preferred,
        }
    })
}

/// What applications do with streams.
fn on_streams() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let one = || (0_u8..8, 0_u8..16);
    prop_oneof![
        4 => (0_u8..8, any::<bool>()).prop_map(|(connection, both)| Open { connection, both }),
        12 => (one(), 0_u16..20_000)
            .prop_map(|((connection, stream), bytes)| Write { connection, stream, bytes }),
        4 => one().prop_map(|(connection, stream)| Finish { connection, stream }),
        2 => one().prop_map(|(connection, stream)| Reset { connection, stream }),
        2 => (one(), 0_u16..10_000)
            .prop_map(|((connection, stream), size)| ResetAt { connection, stream, size }),
        2 => one().prop_map(|(connection, stream)| Stop { connection, stream }),
        2 => (0_u8..8).prop_map(|connection| Accept { connection }),
        3 => (one(), 1_u16..10_000)
            .prop_map(|((connection, stream), bytes)| Read { connection, stream, bytes }),
        3 => (0_u8..8).prop_map(|connection| ReadAll { connection }),
        1 => (one(), any::<i8>())
            .prop_map(|((connection, stream), priority)| Prioritize { connection, stream, priority }),
        1 => (0_u8..8, any::<bool>(), 0_u8..40)
            .prop_map(|(connection, both, more)| AllowStreams { connection, both, more }),
    ]
}

/// What applications do with connections.
fn on_connections() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let answers = [
        Answer::Accept,
        Answer::Accept,
        Answer::Retry,
        Answer::Refuse,
        Answer::Ignore,
        Answer::Deaf,
    ];
    prop_oneof![
        5 => (0_u8..2).prop_map(|client| Connect { client }),
        3 => (0_u8..8, 0_u16..1400)
            .prop_map(|(connection, bytes)| SendDatagram { connection, bytes }),
        1 => (0_u8..8).prop_map(|connection| ReceiveDatagrams { connection }),
        2 => (0_u8..8).prop_map(|connection| Ping { connection }),
        3 => (0_u8..8).prop_map(|connection| UpdateKeys { connection }),
        1 => prop::option::weighted(0.3, 0_u8..8).prop_map(|connection| {
            connection.map_or(Ping { connection: 0 }, |connection| Close { connection })
        }),
        2 => (0_u8..8, 0_u8..4)
            .prop_map(|(connection, socket)| Migrate { connection, socket }),
        2 => (0_u8..8, 0_u8..4).prop_map(|(connection, socket)| Probe { connection, socket }),
        2 => (0_u8..2).prop_map(|client| AddSocket { client }),
        1 => (0_u8..2).prop_map(|client| RemoveSocket { client }),
        1 => prop::sample::select(answers.to_vec()).prop_map(Respond),
        1 => Just(ForgetSessions),
        1 => Just(RotateKeys),
    ]
}

/// What the network does.
fn on_links() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let up = any::<bool>;
    let marks = [Marks::Keep, Marks::Bleach, Marks::Congestion, Marks::Drop];
    prop_oneof![
        2 => (up(), 0_u8..60).prop_map(|(upwards, percent)| Lose { upwards, percent }),
        2 => (up(), 0_u8..60).prop_map(|(upwards, percent)| Duplicate { upwards, percent }),
        2 => (up(), 0_u8..60).prop_map(|(upwards, percent)| Reorder { upwards, percent }),
        1 => (up(), 0_u8..40).prop_map(|(upwards, percent)| Corrupt { upwards, percent }),
        1 => (up(), 0_u8..200, 0_u8..50)
            .prop_map(|(upwards, millis, jitter)| Delay { upwards, millis, jitter }),
        1 => (up(), 10_u8..250).prop_map(|(upwards, kilobytes)| Narrow { upwards, kilobytes }),
        1 => (up(), 0_u8..250).prop_map(|(upwards, beyond)| Shorten { upwards, beyond }),
        1 => (up(), prop::sample::select(marks.to_vec()))
            .prop_map(|(upwards, marks)| Mark { upwards, marks }),
        1 => up().prop_map(|upwards| Cut { upwards }),
        3 => Just(Heal),
        2 => (0_u8..2, 0_u8..4, any::<bool>())
            .prop_map(|(client, socket, address)| Rebind { client, socket, address }),
        1 => (0_u8..2, any::<bool>()).prop_map(|(client, ports)| Filter { client, ports }),
        1 => (0_u8..2).prop_map(|client| Forget { client }),
        1 => up().prop_map(|upwards| Burst { upwards }),
        1 => (up(), 0_u8..40).prop_map(|(upwards, percent)| Truncate { upwards, percent }),
        1 => (up(), up()).prop_map(|(upwards, marks)| Manage { upwards, marks }),
        2 => any::<u8>().prop_map(|which| Replay { which }),
        1 => (any::<u8>(), any::<u16>()).prop_map(|(which, bit)| Forge { which, bit }),
    ]
}

/// What time does, and machines.
fn on_time() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        20 => (4_u8..24).prop_map(|exponent| Advance { exponent }),
        1 => (24_u8..28).prop_map(|exponent| Advance { exponent }),
        1 => (0_u8..3, prop_oneof![0_u16..10, 0_u16..8000])
            .prop_map(|(end, seconds)| JumpForward { end, seconds }),
        1 => (0_u8..3, prop_oneof![0_u16..2000, any::<u16>()])
            .prop_map(|(end, millis)| JumpBack { end, millis }),
        1 => (0_u8..3, 0_u8..50).prop_map(|(end, millis)| GoBack { end, millis }),
        1 => Just(Restart),
    ]
}

/// Any case.
pub(super) fn cases() -> impl Strategy<Value = Case> {
    let operation = prop_oneof![
        8 => on_streams().boxed(),
        3 => on_connections().boxed(),
        3 => on_links().boxed(),
        4 => on_time().boxed(),
    ];
    let operations = prop::collection::vec(operation, 1..150);
    let start = prop::option::weighted(0.7, 14_u8..20);
    (limits(), start, operations).prop_map(|(limits, start, mut operations)| {
        // Without a connection, most operations do nothing.
        operations.insert(0, Operation::Connect { client: 0 });
        if let Some(exponent) = start {
            operations.insert(1, Operation::Advance { exponent });
        }
        Case { limits, operations }
    })
}
