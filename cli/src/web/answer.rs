//! What a request is answered with: decided first, sent afterwards.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};

use super::Head;
use super::listing;
use super::range::{Wanted, wanted};
use crate::files::{self, Found, Refusal};

/// Bytes read from a file at a time.
const CHUNK: u64 = 256 << 10;

/// The file that stands for its directory.
const INDEX: &str = "index.html";

/// What is sent to the client.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: Head,
    /// Left out if the request was HEAD.
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Text(Bytes),
    File(FileBody),
}

/// A part of a file that is still to be sent.
#[derive(Debug)]
pub(super) struct FileBody {
    file: File,
    /// How much of it was promised; the system's own files have contents, though no length.
    left: Option<u64>,
}

impl FileBody {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// If the file cannot be read, or is shorter than it was.
    pub(super) fn next_chunk(&mut self) -> io::Result<Bytes> {
        let most = self.left.map_or(CHUNK, |left| left.min(CHUNK));
        let mut chunk = Vec::new();
        (&self.file).take(most).read_to_end(&mut chunk)?;
        if let Some(left) = &mut self.left {
            if *left > 0 && chunk.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            *left = left.saturating_sub(chunk.len() as u64);
        }
        Ok(chunk.into())
    }
}

/// The answer to a request for something below `root`, which has to be canonical.
pub(super) fn answer(root: &Path, request: &Request<()>) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are understood");
        set(answer.head.headers_mut(), ALLOW, "GET, HEAD");
        return answer;
    }
    let path = request.uri().path();
    match files::find(root, path) {
        Ok(Found::File(file, metadata)) => of_file(path, request.headers(), file, &metadata),
        Ok(Found::Directory(directory)) => of_directory(root, &directory, request),
        Err(refusal) => refused(refusal),
    }
}

fn of_directory(root: &Path, directory: &Path, request: &Request<()>) -> Answer {
    let path = request.uri().path();
    // Links on the page are relative to the directory. So is this one: a path that begins with two
    // slashes would name another server.
    if !path.ends_with('/') {
        let name = path.rsplit('/').next().unwrap_or_default();
        let mut answer = text(StatusCode::PERMANENT_REDIRECT, "a directory ends in a slash");
        set(answer.head.headers_mut(), LOCATION, &format!("./{name}/"));
        return answer;
    }
    let index = format!("{path}{INDEX}");
    if let Ok(Found::File(file, metadata)) = files::find(root, &index) {
        return of_file(&index, request.headers(), file, &metadata);
    }
    let title = files::relative(path).map(|path| format!("/{}", path.display()));
    match title.map(|title| listing::page(root, directory, &title)) {
        Ok(Ok(page)) => {
            let mut answer = text(StatusCode::OK, &page);
            set(answer.head.headers_mut(), CONTENT_TYPE, "text/html; charset=utf-8");
            answer
        }
        Ok(Err(_)) => refused(Refusal::Unreadable),
        Err(refusal) => refused(refusal),
    }
}

fn of_file(path: &str, asked: &HeaderMap, file: File, metadata: &Metadata) -> Answer {
    let version = Version::of(metadata);
    let length = metadata.len();
    let mut head = Head::new(());
    let headers = head.headers_mut();
    set(headers, CONTENT_TYPE, &content_type(path));
    set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    version.describe(headers);
    if version.is_known(asked) {
        headers.remove(CONTENT_TYPE);
        *head.status_mut() = StatusCode::NOT_MODIFIED;
        return Answer { head, body: Body::Text(Bytes::new()) };
    }
    if length == 0 {
        return Answer { head, body: Body::File(FileBody { file, left: None }) };
    }
    set(headers, ACCEPT_RANGES, "bytes");
    let range = field(asked, &RANGE).filter(|_| version.allows_range(asked));
    let (first, left) = match range.map_or(Wanted::Whole, |range| wanted(range, length)) {
        Wanted::Whole => (0, length),
        Wanted::Part { first, length: part } => {
            let last = first.saturating_add(part).saturating_sub(1);
            set(headers, CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
            *head.status_mut() = StatusCode::PARTIAL_CONTENT;
            (first, part)
        }
        Wanted::Unsatisfiable => {
            let mut answer = text(StatusCode::RANGE_NOT_SATISFIABLE, "the file is shorter");
            set(answer.head.headers_mut(), CONTENT_RANGE, &format!("bytes */{length}"));
            return answer;
        }
    };
    set(head.headers_mut(), CONTENT_LENGTH, &left.to_string());
    let mut body = FileBody { file, left: Some(left) };
    if body.file.seek(SeekFrom::Start(first)).is_err() {
        return refused(Refusal::Unreadable);
    }
    Answer { head, body: Body::File(body) }
}

/// What tells a version of a file from the others.
#[derive(Debug)]
struct Version {
    tag: Option<String>,
    /// In whole seconds, as dates of HTTP are.
    modified: Option<SystemTime>,
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        let since_1970 = metadata
            .modified()
            .ok()
            .and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
        let seconds =
            |since: Duration| SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs());
        Self {
            tag: since_1970.map(|since| format!("\"{:x}-{:x}\"", since.as_nanos(), metadata.len())),
            modified: since_1970.map(seconds),
        }
    }

    fn describe(&self, headers: &mut HeaderMap) {
        if let Some(tag) = &self.tag {
            set(headers, ETAG, tag);
        }
        if let Some(modified) = self.modified {
            set(headers, LAST_MODIFIED, &httpdate::fmt_http_date(modified));
        }
    }

    /// Whether the client has it already (RFC 9110 §13.1.2, §13.1.3).
    fn is_known(&self, asked: &HeaderMap) -> bool {
        if let Some(tags) = field(asked, &IF_NONE_MATCH) {
            let known =
                |tag: &str| tag == "*" || self.has_tag(tag.strip_prefix("W/").unwrap_or(tag));
            return tags.split(',').map(str::trim).any(known);
        }
        let since = field(asked, &IF_MODIFIED_SINCE).map(httpdate::parse_http_date);
        matches!((since, self.modified), (Some(Ok(since)), Some(modified)) if modified <= since)
    }

    /// Whether a range is to be heeded: not if it belongs to another version (RFC 9110 §13.1.5).
    fn allows_range(&self, asked: &HeaderMap) -> bool {
        let Some(condition) = field(asked, &IF_RANGE) else { return true };
        let date = httpdate::parse_http_date(condition).ok();
        self.has_tag(condition) || (date.is_some() && date == self.modified)
    }

    fn has_tag(&self, tag: &str) -> bool {
        self.tag.as_deref() == Some(tag)
    }
}

/// What is in a file, as its name says; text is taken for UTF-8.
fn content_type(path: &str) -> String {
    let kind = mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream");
    let charset = if kind.starts_with("text/") { "; charset=utf-8" } else { "" };
    format!("{kind}{charset}")
}

fn refused(refusal: Refusal) -> Answer {
    let code = u16::try_from(refusal.code()).ok();
    let status = code.and_then(|code| StatusCode::from_u16(code).ok());
    let explained = Refusal::explain(refusal.code().into());
    text(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), explained)
}

/// A line for people to read.
fn text(status: StatusCode, line: &str) -> Answer {
    let body = Bytes::from(format!("{line}\n"));
    let mut head = Head::new(());
    *head.status_mut() = status;
    let headers = head.headers_mut();
    set(headers, CONTENT_TYPE, "text/plain; charset=utf-8");
    set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, CONTENT_LENGTH, &body.len().to_string());
    Answer { head, body: Body::Text(body) }
}

fn field<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Sets a field; a value that none can have is left out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
