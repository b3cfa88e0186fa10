//! HTTP/0.9 on streams (`hq-interop`): one request a stream, the bare file as the answer.

use crate::files::Refusal;

/// The application protocol, as ALPN names it.
pub(crate) const ALPN: &[u8] = b"hq-interop";

/// Longest request line that a server reads, in bytes.
pub(crate) const MAX_REQUEST_LENGTH: usize = 8 << 10;

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

#[cfg(test)]
mod tests {
    use super::{request, requested_path};
    use crate::files::Refusal;

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
}
