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
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("https://")
            .ok_or("a URL is https://HOST[:PORT]/PATH: it must start with https://")?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
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
        Ok(Self { host: host.into(), port, path: path.into() })
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
    fn a_path_that_would_leave_the_folder_names_no_file() {
        let name = |text: &str| text.parse::<Url>().unwrap().file_name().map(String::from);
        assert_eq!(name("https://h/a/b.txt"), Some("b.txt".into()));
        assert_eq!(name("https://h/a%2Fb"), Some("a%2Fb".into()));
        assert_eq!(name("https://h/a/.."), None);
        assert_eq!(name("https://h/"), None);
    }
}
