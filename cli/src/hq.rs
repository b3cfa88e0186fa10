//! HTTP/0.9 on streams (`hq-interop`): one request a stream, the bare file as the answer.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The application protocol, as ALPN names it.
pub(crate) const ALPN: &[u8] = b"hq-interop";

/// Longest request line that a server reads, in bytes.
pub(crate) const MAX_REQUEST_LENGTH: usize = 8 << 10;

/// Why a server resets a stream instead of answering; the protocol leaves the codes open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// Not `GET /path`.
    BadRequest,
    /// The path leads out of the directory that is served.
    Forbidden,
    /// No such file.
    NotFound,
    /// The file cannot be read.
    Unreadable,
}

impl Refusal {
    /// The error code, after HTTP's status codes.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Unreadable => 500,
        }
    }

    /// What the code of a reset stream means.
    pub(crate) const fn explain(code: u64) -> &'static str {
        match code {
            400 => "the server did not understand the request",
            403 => "the path leads out of what the server serves",
            404 => "the server has no such file",
            500 => "the server cannot read the file",
            _ => "the server broke off",
        }
    }
}

/// The request for `path`.
pub(crate) fn request(path: &str) -> Vec<u8> {
    format!("GET {path}\r\n").into_bytes()
}

/// The percent-encoded path that a request asks for. Lenient about how the line ends.
pub(crate) fn requested_path(request: &[u8]) -> Result<&str, Refusal> {
    let line = request.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let line = str::from_utf8(line).map_err(|_| Refusal::BadRequest)?;
    let path = line.strip_prefix("GET ").ok_or(Refusal::BadRequest)?;
    let path = path.split(' ').next().unwrap_or_default();
    if path.starts_with('/') { Ok(path) } else { Err(Refusal::BadRequest) }
}

/// Opens the file that `path` names inside of `root`, which has to be canonical.
///
/// Neither `..` nor an encoded slash nor a symbolic link leads out of `root`; what is not a plain
/// file is not opened at all.
pub(crate) fn open(root: &Path, path: &str) -> Result<(File, u64), Refusal> {
    let found = root.join(relative(path)?).canonicalize().map_err(|error| refusal(&error))?;
    if !found.starts_with(root) {
        return Err(Refusal::Forbidden);
    }
    if !found.metadata().map_err(|error| refusal(&error))?.is_file() {
        return Err(Refusal::NotFound);
    }
    let file = File::open(&found).map_err(|error| refusal(&error))?;
    let metadata = file.metadata().map_err(|error| refusal(&error))?;
    Ok((file, metadata.len()))
}

fn refusal(error: &io::Error) -> Refusal {
    let means_missing = matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    );
    if means_missing { Refusal::NotFound } else { Refusal::Unreadable }
}

/// The path below the root that a percent-encoded path means.
fn relative(path: &str) -> Result<PathBuf, Refusal> {
    let mut relative = PathBuf::new();
    for component in path.split('/') {
        let component = percent_decoded(component)?;
        match component.as_str() {
            "" | "." => {}
            ".." => return Err(Refusal::Forbidden),
            name if name.contains(['/', '\\', '\0']) => return Err(Refusal::Forbidden),
            name => relative.push(name),
        }
    }
    Ok(relative)
}

fn percent_decoded(text: &str) -> Result<String, Refusal> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(Refusal::BadRequest) };
        decoded.push(u8::try_from(high << 4 | low).map_err(|_| Refusal::BadRequest)?);
    }
    String::from_utf8(decoded).map_err(|_| Refusal::BadRequest)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Refusal, open, request, requested_path};

    #[test]
    fn requests_are_read_however_their_line_ends() {
        assert_eq!(requested_path(&request("/a")), Ok("/a"));
        assert_eq!(requested_path(b"GET /a\n"), Ok("/a"));
        assert_eq!(requested_path(b"GET /a"), Ok("/a"));
        assert_eq!(requested_path(b"GET /a HTTP/1.0\r\n\r\n"), Ok("/a"));
        for bad in [&b""[..], b"GET", b"GET a", b"POST /a\r\n", b"GET /\xff\r\n"] {
            assert_eq!(requested_path(bad), Err(Refusal::BadRequest), "{bad:?}");
        }
    }

    #[test]
    fn nothing_outside_of_the_root_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("sub/in side"), b"inside").unwrap();
        fs::write(folder.path().join("secret"), b"outside").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("out")).unwrap();
        std::os::unix::fs::symlink("sub", root.join("again")).unwrap();
        std::os::unix::fs::symlink(folder.path(), root.join("up")).unwrap();

        let length = |path: &str| open(&root, path).map(|(_, length)| length);
        assert_eq!(length("/sub/in%20side"), Ok(6));
        assert_eq!(length("//sub/./in%20side"), Ok(6));
        assert_eq!(length("/again/in%20side"), Ok(6));
        for path in [
            "/../secret",
            "/sub/../../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/sub%2F..%2F..%2Fsecret",
            "/out",
            "/up/secret",
            "/a%00b",
        ] {
            assert_eq!(length(path), Err(Refusal::Forbidden), "{path}");
        }
        for path in ["/", "/sub", "/missing", "/sub/in%20side/more"] {
            assert_eq!(length(path), Err(Refusal::NotFound), "{path}");
        }
        assert_eq!(length("/%zz"), Err(Refusal::BadRequest));
        let absolute = folder.path().join("secret");
        assert_eq!(length(&format!("/{}", absolute.display())), Err(Refusal::NotFound));
    }
}
