//! Files inside of a directory that is served, and nothing outside of it.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// Why a file is not served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// Not a request that makes sense.
    BadRequest,
    /// The path leads out of the directory that is served.
    Forbidden,
    /// No such file.
    NotFound,
    /// The file cannot be read.
    Unreadable,
}

impl Refusal {
    /// HTTP's status code. `hq-interop`, which leaves the codes open, resets streams with it.
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

/// Opens the file that `path` names inside of `root`, which has to be canonical.
///
/// Neither `..` nor an encoded slash nor a symbolic link leads out of `root`; what is not a plain
/// file is not opened at all.
pub(crate) fn open(root: &Path, path: &str) -> Result<(File, u64), Refusal> {
    match find(root, path)? {
        Found::File(file, metadata) => Ok((file, metadata.len())),
        Found::Directory(_) => Err(Refusal::NotFound),
    }
}

/// What a path names.
#[derive(Debug)]
pub(crate) enum Found {
    /// A plain file, opened.
    File(File, Metadata),
    /// A directory, free of symbolic links.
    Directory(PathBuf),
}

/// Finds what `path` names inside of `root`, as [`open`] does.
pub(crate) fn find(root: &Path, path: &str) -> Result<Found, Refusal> {
    let found = root.join(relative(path)?).canonicalize().map_err(|error| refusal(&error))?;
    if !found.starts_with(root) {
        return Err(Refusal::Forbidden);
    }
    let kind = found.metadata().map_err(|error| refusal(&error))?.file_type();
    if kind.is_dir() {
        return Ok(Found::Directory(found));
    }
    if !kind.is_file() {
        return Err(Refusal::NotFound);
    }
    let file = File::open(&found).map_err(|error| refusal(&error))?;
    let metadata = file.metadata().map_err(|error| refusal(&error))?;
    Ok(Found::File(file, metadata))
}

fn refusal(error: &io::Error) -> Refusal {
    let means_missing = matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    );
    if means_missing { Refusal::NotFound } else { Refusal::Unreadable }
}

/// The path below the root that a percent-encoded path means.
pub(crate) fn relative(path: &str) -> Result<PathBuf, Refusal> {
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

    use super::{Refusal, open};

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
