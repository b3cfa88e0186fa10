//! The URLs that `quic get` takes.

use std::fmt;
use std::str::FromStr;

/// Where a file is: `https://HOST[:PORT]/PATH`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Url {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As written: starts with a slash, percent-encoded.
    pub(crate) path: String,
}

impl Url {
    /// The last component of the path, to name a file after; `None` if there is none or it is not
    /// the name of a file.
    pub(crate) fn file_name(&self) -> Option<&str> {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let name = name.split(['?', '#']).next().unwrap_or_default();
        (!matches!(name, "" | "." | "..") && !name.contains(['\\', '\0'])).then_some(name)
    }

    /// What `reference` stands for in an answer from here (RFC 3986 §5.2).
    pub(crate) fn join(&self, reference: &str) -> Result<Self, String> {
        let reference = before(reference, '#');
        if let Some((scheme, rest)) = split_scheme(reference) {
            return if scheme.eq_ignore_ascii_case("https") {
                format!("https:{rest}").parse()
            } else {
                Err(format!("only https is followed, not {scheme}"))
            };
        }
        if reference.starts_with("//") {
            return format!("https:{reference}").parse();
        }
        let own = before(&self.path, '#');
        let (own_path, wanted) = (before(own, '?'), before(reference, '?'));
        let query = reference.get(wanted.len()..).unwrap_or_default();
        let path = if reference.is_empty() {
            own.to_owned()
        } else if wanted.is_empty() {
            own_path.to_owned()
        } else if wanted.starts_with('/') {
            without_dots(wanted)
        } else {
            let folder = own_path.rsplit_once('/').map_or("", |(folder, _)| folder);
            without_dots(&format!("{folder}/{wanted}"))
        };
        // Checked as any that is written.
        let root = Self { path: String::new(), ..self.clone() };
        format!("{root}{path}{query}").parse()
    }
}

/// The part before a character, or everything.
fn before(text: &str, character: char) -> &str {
    text.split(character).next().unwrap_or_default()
}

/// The scheme of a reference, and what follows its colon (RFC 3986 §3.1).
fn split_scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let mut characters = scheme.chars();
    let is_scheme = characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && characters.all(|it| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.'));
    is_scheme.then_some((scheme, rest))
}

/// A path that starts with a slash, without `.` and `..` in it (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut is_folder = false;
    for segment in path.split('/').skip(1) {
        is_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    if is_folder {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("https://")
            .ok_or("a URL is https://HOST[:PORT]/PATH: it must start with https://")?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let slash = if path.starts_with('/') { "" } else { "/" };
        if path.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err("the path has a blank in it: write it as %20".into());
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => v6.split_once(']').ok_or("the ] of the IPv6 address is missing")?,
            None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
        };
        if host.is_empty() {
            return Err("the host is missing".into());
        }
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| format!("{port:?} is not a port"))?,
            None if port.is_empty() => 443,
            None => return Err(format!("{port:?} is not a port")),
        };
        Ok(Self { host: host.into(), port, path: format!("{slash}{path}") })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "https://[{}]:{}{}", self.host, self.port, self.path)
        } else {
            write!(f, "https://{}:{}{}", self.host, self.port, self.path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u16, &str)>) {
        let url = text.parse::<Url>().ok();
        let parts = url.as_ref().map(|url| (&*url.host, url.port, &*url.path));
        assert_eq!(parts, expected, "{text}");
    }

    #[test]
    fn urls_come_apart() {
        check("https://example.org/a/b", Some(("example.org", 443, "/a/b")));
        check("https://example.org:4433", Some(("example.org", 4433, "/")));
        check("https://[::1]:1/x", Some(("::1", 1, "/x")));
        check("https://[::1]/x", Some(("::1", 443, "/x")));
        check("http://example.org/", None);
        check("https:///x", None);
        check("https://host:99999/", None);
        check("https://[::1/", None);
        check("https://[::1]x/", None);
        check("https://host/a b\r\n", None);
    }

    #[test]
    fn references_are_resolved_as_rfc_3986_shows() {
        let base = "https://a/b/c/d;p?q".parse::<Url>().unwrap();
        // Its examples (§5.4), as far as they concern https.
        for (reference, expected) in [
            ("https:g", None),
            ("http://g", None),
            ("g:h", None),
            ("https://g/x", Some("https://g:443/x")),
            ("HTTPS://g:1", Some("https://g:1/")),
            ("https://g?y", Some("https://g:443/?y")),
            ("g", Some("https://a:443/b/c/g")),
            ("./g", Some("https://a:443/b/c/g")),
            ("g/", Some("https://a:443/b/c/g/")),
            ("/g", Some("https://a:443/g")),
            ("//g", Some("https://g:443/")),
            ("?y", Some("https://a:443/b/c/d;p?y")),
            ("g?y", Some("https://a:443/b/c/g?y")),
            ("#s", Some("https://a:443/b/c/d;p?q")),
            ("g#s", Some("https://a:443/b/c/g")),
            ("g?y#s", Some("https://a:443/b/c/g?y")),
            (";x", Some("https://a:443/b/c/;x")),
            ("", Some("https://a:443/b/c/d;p?q")),
            (".", Some("https://a:443/b/c/")),
            ("./", Some("https://a:443/b/c/")),
            ("..", Some("https://a:443/b/")),
            ("../g", Some("https://a:443/b/g")),
            ("../..", Some("https://a:443/")),
            ("../../../g", Some("https://a:443/g")),
            ("/./g", Some("https://a:443/g")),
            ("/../g", Some("https://a:443/g")),
            ("..g", Some("https://a:443/b/c/..g")),
            ("./g/.", Some("https://a:443/b/c/g/")),
            ("g/../h", Some("https://a:443/b/c/h")),
            ("g;x=1/../y", Some("https://a:443/b/c/y")),
            ("g?y/../x", Some("https://a:443/b/c/g?y/../x")),
            ("a b", None),
        ] {
            let joined = base.join(reference).map(|url| url.to_string());
            assert_eq!(joined.ok().as_deref(), expected, "{reference}");
        }
        let rootless = "https://[::1]:1".parse::<Url>().unwrap();
        assert_eq!(rootless.join("x").unwrap().to_string(), "https://[::1]:1/x");
    }

    #[test]
    fn a_path_that_would_leave_the_folder_names_no_file() {
        let name = |text: &str| text.parse::<Url>().unwrap().file_name().map(String::from);
        assert_eq!(name("https://h/a/b.txt"), Some("b.txt".into()));
        assert_eq!(name("https://h/a%2Fb"), Some("a%2Fb".into()));
        assert_eq!(name("https://h/a/.."), None);
        assert_eq!(name("https://h/"), None);
    }
}
