//! What the program prints: results on stdout, everything else on stderr.

use std::io::{self, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::errors::Failure;

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether results are for programs.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: one JSON line, or `text`.
    pub(crate) fn result(self, value: &impl Serialize, text: &str) {
        if self.json {
            line(&serde_json::to_string(value).unwrap_or_else(|_| String::from("{}")));
        } else {
            line(text);
        }
    }

    /// Prints what happens meanwhile, for people only.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            // Nobody is left to tell if stderr is closed.
            let _: io::Result<()> = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Prints why the command failed.
    pub(crate) fn failure(self, failure: &Failure) {
        self.failure_line(failure);
        error_line(&failure.to_string());
    }

    /// Prints why the command failed, for programs only.
    pub(crate) fn failure_line(self, failure: &Failure) {
        if self.json {
            let message = failure.to_string();
            line(
                &serde_json::json!({ "ok": false, "error": message, "exit": failure.exit.code() })
                    .to_string(),
            );
        }
    }

    /// A progress bar over `total` bytes, or a spinner if nobody knows how many will come.
    ///
    /// It is drawn on a terminal only.
    pub(crate) fn progress(self, total: Option<u64>) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} ETA {eta}",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner} {bytes} {binary_bytes_per_sec} in {elapsed}: {msg}",
            ),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// Prints one line on stderr that starts with `error:`.
pub(crate) fn error_line(message: &str) {
    let message = message.replace(['\n', '\r'], " ");
    // Nobody is left to tell if stderr is closed.
    let _: io::Result<()> = writeln!(io::stderr().lock(), "error: {message}");
}

fn line(text: &str) {
    let mut stdout = io::stdout().lock();
    // A reader that went away, as `head` does, wants no more.
    let _: io::Result<()> = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// A number of bytes for people: three digits and a binary unit.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people needs few digits")]
pub(crate) fn ratio(count: u64, of: f64) -> f64 {
    if of > 0.0 { count as f64 / of } else { 0.0 }
}
