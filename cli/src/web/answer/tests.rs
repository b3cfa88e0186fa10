use std::fs;
use std::path::{Path, PathBuf};

use http::{Method, Request, StatusCode};
use tempfile::TempDir;

use super::{Answer, Body, answer};

/// A folder with a file of ten digits, and its canonical path.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::write(root.join("digits.txt"), b"0123456789").unwrap();
    (folder, root)
}

fn get(root: &Path, path: &str, fields: &[(&str, &str)]) -> Answer {
    ask(root, Method::GET, path, fields)
}

fn ask(root: &Path, method: Method, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("https://localhost{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    answer(root, &request.body(()).unwrap())
}

fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.head.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn body(answer: &mut Answer) -> Vec<u8> {
    match &mut answer.body {
        Body::Text(text) => text.to_vec(),
        Body::File(file) => {
            let chunks = std::iter::from_fn(|| Some(file.next_chunk().unwrap()));
            chunks.take_while(|chunk| !chunk.is_empty()).flatten().collect()
        }
    }
}

#[track_caller]
fn check(mut answer: Answer, status: StatusCode, expected: &[u8]) {
    assert_eq!(answer.head.status(), status);
    assert_eq!(body(&mut answer), expected);
}

#[test]
fn a_file_comes_with_its_type_length_and_version() {
    let (_folder, root) = folder();
    let answer = get(&root, "/digits.txt", &[]);
    assert_eq!(field(&answer, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(field(&answer, "content-length"), "10");
    assert_eq!(field(&answer, "accept-ranges"), "bytes");
    assert!(field(&answer, "last-modified").ends_with("GMT"));
    assert!(field(&answer, "etag").starts_with('"'));
    check(answer, StatusCode::OK, b"0123456789");
    for (name, kind) in [
        ("page.html", "text/html; charset=utf-8"),
        ("code.js", "text/javascript; charset=utf-8"),
        ("code.wasm", "application/wasm"),
        ("picture.png", "image/png"),
        ("unknown", "application/octet-stream"),
    ] {
        fs::write(root.join(name), b"x").unwrap();
        assert_eq!(field(&get(&root, &format!("/{name}"), &[]), "content-type"), kind);
    }
}

#[test]
fn an_empty_file_is_no_error() {
    let (_folder, root) = folder();
    fs::write(root.join("empty"), b"").unwrap();
    check(get(&root, "/empty", &[("range", "bytes=0-")]), StatusCode::OK, b"");
}

#[test]
fn a_part_of_a_file_is_named() {
    let (_folder, root) = folder();
    let answer = get(&root, "/digits.txt", &[("range", "bytes=3-5")]);
    assert_eq!(field(&answer, "content-range"), "bytes 3-5/10");
    assert_eq!(field(&answer, "content-length"), "3");
    check(answer, StatusCode::PARTIAL_CONTENT, b"345");
    let answer = get(&root, "/digits.txt", &[("range", "bytes=10-")]);
    assert_eq!(field(&answer, "content-range"), "bytes */10");
    assert_eq!(answer.head.status(), StatusCode::RANGE_NOT_SATISFIABLE);
}

#[test]
fn a_part_of_another_version_is_not_given() {
    let (_folder, root) = folder();
    let first = get(&root, "/digits.txt", &[]);
    let (tag, date) = (field(&first, "etag"), field(&first, "last-modified"));
    for same in [tag, date] {
        let answer = get(&root, "/digits.txt", &[("range", "bytes=-1"), ("if-range", same)]);
        check(answer, StatusCode::PARTIAL_CONTENT, b"9");
    }
    for other in ["\"other\"", "Sun, 06 Nov 1994 08:49:37 GMT", "nonsense"] {
        let answer = get(&root, "/digits.txt", &[("range", "bytes=-1"), ("if-range", other)]);
        check(answer, StatusCode::OK, b"0123456789");
    }
}

#[test]
fn what_the_client_has_already_is_not_sent_again() {
    let (_folder, root) = folder();
    let first = get(&root, "/digits.txt", &[]);
    let (tag, date) = (field(&first, "etag"), field(&first, "last-modified"));
    let weak = format!("\"other\", W/{tag}");
    for (name, value) in [
        ("if-none-match", tag),
        ("if-none-match", &weak),
        ("if-none-match", "*"),
        ("if-modified-since", date),
    ] {
        let answer = get(&root, "/digits.txt", &[(name, value)]);
        assert_eq!(field(&answer, "etag"), tag);
        check(answer, StatusCode::NOT_MODIFIED, b"");
    }
    for (name, value) in [
        ("if-none-match", "\"other\""),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("if-modified-since", "nonsense"),
    ] {
        check(get(&root, "/digits.txt", &[(name, value)]), StatusCode::OK, b"0123456789");
    }
    // A tag that differs counts more than a date.
    let both = [("if-none-match", "\"other\""), ("if-modified-since", date)];
    check(get(&root, "/digits.txt", &both), StatusCode::OK, b"0123456789");
}

#[test]
fn what_is_not_served_is_explained() {
    let (_folder, root) = folder();
    let missing = get(&root, "/missing", &[]);
    assert_eq!(field(&missing, "content-type"), "text/plain; charset=utf-8");
    check(missing, StatusCode::NOT_FOUND, b"the server has no such file\n");
    let outside = get(&root, "/%2e%2e/x", &[]);
    check(outside, StatusCode::FORBIDDEN, b"the path leads out of what the server serves\n");
    let broken = get(&root, "/%zz", &[]);
    check(broken, StatusCode::BAD_REQUEST, b"the server did not understand the request\n");
    let posted = ask(&root, Method::POST, "/digits.txt", &[]);
    assert_eq!(field(&posted, "allow"), "GET, HEAD");
    check(posted, StatusCode::METHOD_NOT_ALLOWED, b"only GET and HEAD are understood\n");
}

#[test]
fn a_head_has_the_fields_of_the_file() {
    let (_folder, root) = folder();
    let answer = ask(&root, Method::HEAD, "/digits.txt", &[]);
    assert_eq!(answer.head.status(), StatusCode::OK);
    assert_eq!(field(&answer, "content-length"), "10");
}

#[test]
fn a_directory_is_listed_below_its_slash() {
    let (_folder, root) = folder();
    fs::create_dir_all(root.join("sub/evil.example")).unwrap();
    let mut listed = get(&root, "/", &[]);
    assert_eq!(field(&listed, "content-type"), "text/html; charset=utf-8");
    let page = String::from_utf8(body(&mut listed)).unwrap();
    assert!(page.contains("./digits.txt\"") && page.contains("./sub/\""), "{page}");
    for (path, location) in
        [("/sub", "./sub/"), ("//sub", "./sub/"), ("/sub//evil.example", "./evil.example/")]
    {
        let moved = get(&root, path, &[]);
        assert_eq!(moved.head.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(field(&moved, "location"), location);
    }
}

#[test]
fn an_index_stands_for_its_directory() {
    let (_folder, root) = folder();
    fs::write(root.join("index.html"), b"<p>here").unwrap();
    let answer = get(&root, "/", &[]);
    assert_eq!(field(&answer, "content-type"), "text/html; charset=utf-8");
    check(answer, StatusCode::OK, b"<p>here");
}

#[test]
fn a_file_that_became_shorter_is_not_passed_off_as_whole() {
    let (_folder, root) = folder();
    let mut answer = get(&root, "/digits.txt", &[]);
    fs::write(root.join("digits.txt"), b"").unwrap();
    let Body::File(file) = &mut answer.body else { panic!("{answer:?}") };
    assert!(file.next_chunk().is_err());
}

#[test]
fn a_file_that_became_longer_is_sent_as_long_as_it_was() {
    let (_folder, root) = folder();
    let answer = get(&root, "/digits.txt", &[]);
    fs::write(root.join("digits.txt"), b"0123456789, and more").unwrap();
    check(answer, StatusCode::OK, b"0123456789");
}
