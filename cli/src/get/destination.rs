//! Where a file goes that is fetched.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::mem;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::errors::Failure;
use crate::runtime::{self, Blocking};

/// Bytes that wait while those before them are written to a file.
const WRITE_SIZE: usize = 1 << 20;

/// What stands for the standard output after `-o`.
pub(super) const STDOUT: &str = "-";

/// Temporary names of a file that are tried after the first.
const MAX_PARTS: u32 = 100;

/// A file that gets its name when it is complete; what is not a plain file is written as it is.
#[derive(Debug)]
pub(super) struct Destination {
    target: Target,
    waiting: Vec<u8>,
    writing: Option<Blocking<io::Result<()>>>,
}

/// The file that is written, and what it will be called.
#[derive(Debug)]
struct Target {
    file: Arc<File>,
    path: PathBuf,
    part: Option<Part>,
}

/// The file under its temporary name. Dropping it removes it.
#[derive(Debug)]
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _: io::Result<()> = fs::remove_file(&self.0);
    }
}

impl Destination {
    pub(super) async fn create(path: &Path) -> Result<Self, Failure> {
        let path = path.to_owned();
        let target = runtime::unblock(move || Target::create(path)).await?;
        Ok(Self { target, waiting: Vec::new(), writing: None })
    }

    /// Takes bytes to write. What is wrong with the file may show later.
    pub(super) async fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.waiting.extend_from_slice(data);
        let busy = self.writing.as_ref().is_some_and(|writing| !writing.is_finished());
        if busy && self.waiting.len() < WRITE_SIZE { Ok(()) } else { self.write_on().await }
    }

    /// Begins to write what waits, once what went before is written.
    async fn write_on(&mut self) -> Result<(), Failure> {
        self.written().await?;
        let (file, data) = (Arc::clone(&self.target.file), mem::take(&mut self.waiting));
        self.writing = Some(runtime::unblock(move || (&*file).write_all(&data)));
        Ok(())
    }

    async fn written(&mut self) -> Result<(), Failure> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        writing.await.map_err(|error| self.target.failure(&error))
    }

    /// Everything is there: gives the file its name.
    pub(super) async fn commit(mut self) -> Result<(), Failure> {
        self.write_on().await?;
        self.written().await?;
        let target = self.target;
        runtime::unblock(move || target.commit()).await
    }
}

impl Target {
    fn create(path: PathBuf) -> Result<Self, Failure> {
        let failure = |error| Failure::file("write", &path, &error);
        let (file, path, part) = if path == Path::new(STDOUT) {
            let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(failure)?;
            (stdout.into(), path, None)
        } else if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            (OpenOptions::new().write(true).open(&path).map_err(failure)?, path, None)
        } else {
            let path = behind_link(path);
            let (file, part) = create_part(&path)?;
            (file, path, Some(part))
        };
        Ok(Self { file: Arc::new(file), path, part })
    }

    fn commit(self) -> Result<(), Failure> {
        let Some(part) = &self.part else { return Ok(()) };
        // Who finds the name after the machine failed has to find the data too.
        let named = self.file.sync_all().and_then(|()| fs::rename(&part.0, &self.path));
        named.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::file("write", &self.path, error)
    }
}

/// Where a symbolic link leads, so that it is the file behind it that is written.
fn behind_link(path: PathBuf) -> PathBuf {
    let Ok(link) = fs::read_link(&path) else { return path };
    match fs::canonicalize(&path) {
        Ok(file) => file,
        // It will be made. What a link to a link leads to is not looked for.
        Err(_) => path.parent().unwrap_or(Path::new("")).join(link),
    }
}

/// Makes a file that nobody else has, with a temporary name beside `path`.
fn create_part(path: &Path) -> Result<(File, Part), Failure> {
    let name = path.file_name().unwrap_or_default();
    let mut attempt = 0_u32;
    loop {
        let mut name = OsString::from(name);
        name.push(if attempt == 0 { ".part".to_owned() } else { format!(".{attempt}.part") });
        let temporary = path.with_file_name(name);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((file, Part(temporary))),
            // Another program fetches the same file, or was killed while it did.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < MAX_PARTS => {
                attempt += 1;
            }
            Err(error) => return Err(Failure::file("write", &temporary, &error)),
        }
    }
}

#[cfg(test)]
mod tests;
