//! What is in a directory, as a page.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Entries that are shown of a directory.
const MAX_ENTRIES: usize = 10_000;

const STYLE: &str = "body{font-family:sans-serif;margin:2em}td{padding:0 2em 0 0}\
                     td+td{text-align:right;font-variant-numeric:tabular-nums}";

/// What is shown of a file; directories have no length.
#[derive(Clone, Copy, Debug)]
struct Entry {
    length: Option<u64>,
    modified: Option<SystemTime>,
}

/// A page with what is in `directory`, which `title` names, below `root`: directories first, in the
/// order of their names. Names that no URL can ask for, and links that lead out, are left out.
pub(super) fn page(root: &Path, directory: &Path, title: &str) -> io::Result<String> {
    // Directories sort before files.
    let mut entries = BTreeMap::new();
    let mut more = false;
    for found in fs::read_dir(directory)? {
        let found = found?;
        let Ok(name) = found.file_name().into_string() else { continue };
        let Some(entry) = entry(root, &found.path()) else { continue };
        entries.insert((entry.length.is_some(), name), entry);
        if entries.len() > MAX_ENTRIES {
            entries.pop_last();
            more = true;
        }
    }
    let mut rows = String::new();
    if directory != root {
        row(&mut rows, "../", "../", Entry { length: None, modified: None });
    }
    for ((is_file, name), entry) in entries {
        let slash = if is_file { "" } else { "/" };
        row(&mut rows, &format!("{}{slash}", encoded(&name)), &format!("{name}{slash}"), entry);
    }
    let more = if more { "<p>There is more than is shown here.</p>" } else { "" };
    let title = escaped(title);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n\
         <table>\n{rows}</table>{more}</body></html>\n"
    ))
}

/// What is known of a file or directory inside of `root`.
fn entry(root: &Path, path: &Path) -> Option<Entry> {
    let path = path.canonicalize().ok().filter(|path| path.starts_with(root))?;
    let metadata = path.metadata().ok()?;
    let length = match metadata.file_type() {
        kind if kind.is_dir() => None,
        kind if kind.is_file() => Some(metadata.len()),
        _ => return None,
    };
    Some(Entry { length, modified: metadata.modified().ok() })
}

fn row(rows: &mut String, link: &str, name: &str, entry: Entry) {
    let length = entry.length.map_or_else(String::new, |length| length.to_string());
    let modified = entry.modified.map_or_else(String::new, httpdate::fmt_http_date);
    let name = escaped(name);
    // Strings take everything.
    let _: Result<(), std::fmt::Error> = writeln!(
        rows,
        "<tr><td><a href=\"./{link}\">{name}</a></td><td>{length}</td><td>{modified}</td></tr>"
    );
}

/// Text that means nothing to HTML, in attributes too.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A component of a URL's path (RFC 3986 §3.3), of nothing but unreserved characters.
fn encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _: Result<(), std::fmt::Error> = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{encoded, page};

    #[test]
    fn names_mean_nothing_to_html_and_survive_urls() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let name = "<b>\"x\" & 'y'";
        fs::write(root.join(name), b"12345").unwrap();
        fs::create_dir(root.join("z")).unwrap();
        let page = page(&root, &root, "/<i>").unwrap();
        assert!(page.contains("<title>/&lt;i&gt;</title>"), "{page}");
        let link = "./%3Cb%3E%22x%22%20%26%20%27y%27";
        let shown = "&lt;b&gt;&quot;x&quot; &amp; &#39;y&#39;";
        assert!(page.contains(&format!("<a href=\"{link}\">{shown}</a></td><td>5</td>")), "{page}");
        assert!(!page.contains("<b>") && !page.contains("../"), "{page}");
        let (directory, file) = (page.find("./z/").unwrap(), page.find("./%3C").unwrap());
        assert!(directory < file, "{page}");
        assert_eq!(encoded("ü/%"), "%C3%BC%2F%25");
    }

    #[test]
    fn what_cannot_be_asked_for_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(folder.path().join("secret"), b"outside").unwrap();
        std::os::unix::fs::symlink("../../secret", root.join("sub/out")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("sub/broken")).unwrap();
        fs::write(root.join("sub/in"), b"inside").unwrap();
        let page = page(&root, &root.join("sub"), "/sub/").unwrap();
        assert!(page.contains("./in\"") && page.contains("../\""), "{page}");
        assert!(!page.contains("out\"") && !page.contains("broken"), "{page}");
    }
}
