//! What can go wrong, as one line for a person and one exit code for a script.

use std::fmt;
use std::io;
use std::path::Path;

/// Why the program ends, as its exit code. Success is 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// A transfer broke off, was refused, or its checksum is wrong; a case of the evil peer failed.
    Transfer,
    /// The command line makes no sense.
    Usage,
    /// No connection: unreachable, not trusted, or no common protocol.
    Connect,
    /// A local file or socket: missing, unreadable, in use, full.
    Local,
    /// A bug in this program.
    Bug,
    /// The interop test case is not supported.
    Unsupported,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Transfer => 1,
            Self::Usage => 2,
            Self::Connect => 3,
            Self::Local => 4,
            Self::Bug => 70,
            Self::Unsupported => 127,
        }
    }
}

/// A failed command: what to exit with, and what to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn transfer(message: impl Into<String>) -> Self {
        Self { exit: Exit::Transfer, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    pub(crate) fn connect(message: impl Into<String>) -> Self {
        Self { exit: Exit::Connect, message: message.into() }
    }

    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self { exit: Exit::Local, message: message.into() }
    }

    pub(crate) fn bug(message: impl Into<String>) -> Self {
        Self { exit: Exit::Bug, message: message.into() }
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unsupported, message: message.into() }
    }

    /// TLS cannot be set up.
    pub(crate) fn of_tls(error: &rustls::Error) -> Self {
        Self::bug(format!("cannot set up TLS: {error}"))
    }

    /// A file operation failed; `action` as in "cannot `action` `path`".
    pub(crate) fn file(action: &str, path: &Path, error: &io::Error) -> Self {
        let kind = error.kind();
        let advice = if kind == io::ErrorKind::NotFound {
            "; check the path"
        } else if kind == io::ErrorKind::PermissionDenied {
            "; check its permissions"
        } else if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            "; free some space or choose another place with -o"
        } else {
            ""
        };
        Self::local(format!("cannot {action} {}: {error}{advice}", path.display()))
    }
}

impl fmt::Display for Failure {
    /// One line, whatever a peer or a path put into the message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.message.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn a_message_stays_on_one_line() {
        let failure = Failure::transfer("closed: \u{1b}[2J\r\nerror: all is well");
        assert_eq!(failure.to_string(), "closed: \\u{1b}[2J\\r\\nerror: all is well");
    }
}
