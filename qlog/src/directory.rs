//! A file for every connection, written by a thread of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use quic_core::{ConnectionRecorder, Instant, Recorder, SharedRecorder, Subject};

use crate::connection::{ConnectionLog, Sink};
use crate::event::Events;
use crate::header::side_name;

/// Chunks that wait for the disk, of all connections together: 8 MiB.
const MAXIMUM_WAITING: usize = 256;

/// Files that are written to a directory: whoever connects makes one.
const MAXIMUM_FILES: u64 = 100_000;

/// Names that are tried for a file.
const MAXIMUM_NAMES: u32 = 100;

/// How long [`Directory::finish`] waits for the disk.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes a file for every connection, named like its first connection ID and its role:
/// `0123456789abcdef_client.sqlog`.
///
/// Times are counted from the start of each connection, and that from 1970, as the drivers count.
#[derive(Debug)]
pub struct Directory {
    shared: Arc<Shared>,
    messages: SyncSender<Message>,
}

/// What became of the logs.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Files written.
    pub files: u64,
    /// Records that are in none of them: the disk was full, or too slow.
    pub lost: u64,
    /// The first thing that went wrong.
    pub error: Option<io::Error>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    begun: AtomicU64,
    summary: Mutex<Summary>,
}

#[derive(Debug)]
enum Message {
    Chunk {
        file: Arc<LogFile>,
        bytes: String,
        records: u64,
    },
    /// Answer once everything before this is written.
    Finish(SyncSender<()>),
}

/// A log, and how much of it was lost.
#[derive(Debug)]
struct LogFile {
    shared: Arc<Shared>,
    subject: Subject,
    /// Once it is there.
    path: Mutex<Option<PathBuf>>,
    lost: AtomicU64,
    /// The bits of the last record's time, in milliseconds.
    time: AtomicU64,
}

impl Directory {
    /// Makes the folder, if it is not there, and starts the thread that writes to it.
    ///
    /// # Errors
    /// If the folder cannot be made, or the thread cannot be started.
    pub fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let shared = Shared {
            folder: folder.to_owned(),
            begun: AtomicU64::new(0),
            summary: Mutex::default(),
        };
        let (messages, queue) = mpsc::sync_channel(MAXIMUM_WAITING);
        thread::Builder::new().name("qlog".into()).spawn(move || write_all(&queue))?;
        Ok(Self { shared: Arc::new(shared), messages })
    }

    /// For a configuration.
    pub fn recorder(&self) -> SharedRecorder {
        SharedRecorder::new(Arc::new(Files {
            shared: Arc::clone(&self.shared),
            messages: self.messages.clone(),
        }))
    }

    /// Waits until everything so far is written, for a few seconds at the most. What connections
    /// tell after this is lost.
    pub fn finish(self) -> Summary {
        let (done, is_done) = mpsc::sync_channel(1);
        let mut message = Message::Finish(done);
        let step = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        let mut finished = false;
        while waited < FINISH_TIMEOUT {
            match self.messages.try_send(message) {
                Ok(()) => {
                    finished = is_done.recv_timeout(FINISH_TIMEOUT).is_ok();
                    break;
                }
                Err(TrySendError::Full(unsent)) => message = unsent,
                Err(TrySendError::Disconnected(_)) => break,
            }
            thread::sleep(step);
            waited += step;
        }
        let mut summary = mem::take(&mut *self.shared.summary());
        if !finished {
            let slow = io::Error::new(io::ErrorKind::TimedOut, "the disk did not answer in time");
            summary.error.get_or_insert(slow);
        }
        summary
    }
}

impl Shared {
    fn summary(&self) -> std::sync::MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has every connection write a file.
#[derive(Debug)]
struct Files {
    shared: Arc<Shared>,
    messages: SyncSender<Message>,
}

impl Recorder for Files {
    fn begin(&self, now: Instant, subject: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        if self.shared.begun.fetch_add(1, Ordering::Relaxed) >= MAXIMUM_FILES {
            self.shared.summary().lost += 1;
            return None;
        }
        let file = Arc::new(LogFile {
            shared: Arc::clone(&self.shared),
            subject: *subject,
            path: Mutex::default(),
            lost: AtomicU64::new(0),
            time: AtomicU64::new(0),
        });
        let sink = ToThread { file, messages: self.messages.clone() };
        Some(Box::new(ConnectionLog::begin(now, subject, sink)))
    }
}

/// Hands chunks to the thread, as long as there is room for them.
#[derive(Debug)]
struct ToThread {
    file: Arc<LogFile>,
    messages: SyncSender<Message>,
}

impl Sink for ToThread {
    fn take(&mut self, chunk: &mut String, records: u64, time: f64) {
        self.file.time.store(time.to_bits(), Ordering::Relaxed);
        let bytes = mem::take(chunk);
        let file = Arc::clone(&self.file);
        if self.messages.try_send(Message::Chunk { file, bytes, records }).is_err() {
            self.file.lose(records);
        }
    }
}

impl LogFile {
    fn lose(&self, records: u64) {
        self.lost.fetch_add(records, Ordering::Relaxed);
        let mut summary = self.shared.summary();
        summary.lost = summary.lost.saturating_add(records);
    }

    fn append(&self, bytes: &str) -> io::Result<()> {
        // Closed again at once: there may be more connections than files can be open.
        let mut path = self.path.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = if let Some(path) = &*path {
            OpenOptions::new().append(true).open(path)?
        } else {
            let (file, name) = self.create()?;
            *path = Some(name);
            self.shared.summary().files += 1;
            file
        };
        file.write_all(bytes.as_bytes())
    }

    /// Nothing that is there is overwritten: a client chooses the ID.
    fn create(&self) -> io::Result<(File, PathBuf)> {
        let Subject { id, side, .. } = &self.subject;
        let name = format!("{id}_{}", side_name(*side));
        let mut suffix = String::new();
        for number in 1..=MAXIMUM_NAMES {
            let path = self.shared.folder.join(format!("{name}{suffix}.sqlog"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    suffix = format!("-{number}");
                }
                created => return created.map(|file| (file, path)),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "all names are taken"))
    }

    fn write(&self, bytes: &str, records: u64) {
        if let Err(error) = self.append(bytes) {
            self.lose(records);
            self.shared.summary().error.get_or_insert(error);
        }
    }
}

impl Drop for LogFile {
    /// Nothing more can come: if something is missing, say so.
    fn drop(&mut self) {
        let lost = mem::take(self.lost.get_mut());
        if lost == 0 {
            return;
        }
        let mut text = String::new();
        let time = f64::from_bits(*self.time.get_mut());
        let mut events = Events { out: &mut text, time, count: 0 };
        events.warning(&format!("{lost} records are missing: the disk was too slow or full"));
        let _full: io::Result<()> = self.append(&text);
    }
}

fn write_all(queue: &Receiver<Message>) {
    while let Ok(message) = queue.recv() {
        match message {
            Message::Chunk { file, bytes, records } => file.write(&bytes, records),
            Message::Finish(done) => {
                // Who asked may have given up waiting.
                let _: Result<(), mpsc::SendError<()>> = done.send(());
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use quic_core::{ConnectionId, Side};

    use super::*;

    #[test]
    fn a_file_that_lacks_records_says_so_at_its_end() {
        let folder = std::env::temp_dir().join(format!("quic-qlog-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let shared = Arc::new(Shared {
            folder: folder.clone(),
            begun: AtomicU64::new(0),
            summary: Mutex::default(),
        });
        let file = LogFile {
            shared: Arc::clone(&shared),
            subject: Subject::new(ConnectionId::EMPTY, Side::Client),
            path: Mutex::default(),
            lost: AtomicU64::new(0),
            time: AtomicU64::new(2.5_f64.to_bits()),
        };
        file.write("\u{1e}{}\n", 1);
        file.lose(41);
        drop(file);
        let path = folder.join("_client.sqlog");
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let last: serde_json::Value =
            serde_json::from_str(text.rsplit('\u{1e}').next().unwrap()).unwrap();
        assert_eq!((&last["name"], &last["time"]), (&"loglevel:warning".into(), &2.5.into()));
        assert!(last["data"]["message"].as_str().unwrap().starts_with("41 records are missing"));
        assert_eq!(shared.summary().lost, 41);
    }

    #[test]
    fn a_queue_that_is_full_loses_chunks_and_never_waits() {
        let shared = Arc::new(Shared {
            folder: PathBuf::from("/nonexistent"),
            begun: AtomicU64::new(0),
            summary: Mutex::default(),
        });
        // Nobody takes anything out.
        let (messages, _queue) = mpsc::sync_channel(MAXIMUM_WAITING);
        let files = Files { shared: Arc::clone(&shared), messages };
        let subject = Subject::new(ConnectionId::EMPTY, Side::Server);
        let mut recorder = files.begin(Instant::EPOCH, &subject).unwrap();
        for step in 0..200_000 {
            let now = Instant::EPOCH + Duration::from_micros(step);
            recorder.record(now, &quic_core::Record::MtuChanged { old: None, new: 1200 });
        }
        let lost = shared.summary().lost;
        assert!(lost > 10_000 && lost < 200_000, "{lost} are lost");
    }
}
