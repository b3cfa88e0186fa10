//! What is written of connections besides their data: qlog and pictures.

use std::env;
use std::path::{Path, PathBuf};

use quic_core::{SharedRecorder, Side};
use quic_qlog::Directory;

use crate::errors::Failure;
use crate::plot::LivePlot;

/// Where to write what happens on connections.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    directory: Option<(PathBuf, Directory)>,
    plot: Option<LivePlot>,
}

impl Logs {
    /// qlog to a folder, and a picture of the connection of this role, as far as wanted.
    pub(crate) fn new(
        folder: Option<&Path>,
        picture: Option<&Path>,
        side: Side,
    ) -> Result<Self, Failure> {
        let directory = folder.map(|folder| {
            let directory = Directory::create(folder)
                .map_err(|error| Failure::file("write qlog to", folder, &error))?;
            Ok((folder.to_owned(), directory))
        });
        let plot = picture.map(|picture| LivePlot::new(picture, side));
        Ok(Self { directory: directory.transpose()?, plot })
    }

    /// qlog to the folder that the environment variable `QLOGDIR` names, if it does.
    pub(crate) fn from_environment() -> Result<Self, Failure> {
        let folder = env::var_os("QLOGDIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        Self::new(folder.as_deref(), None, Side::Client)
    }

    /// For the configuration of an endpoint.
    pub(crate) fn recorder(&self) -> Option<SharedRecorder> {
        let qlog = self.directory.as_ref().map(|(_, directory)| directory.recorder());
        let plot = self.plot.as_ref().map(LivePlot::recorder);
        match (qlog, plot) {
            (Some(qlog), Some(plot)) => Some(qlog.and(plot)),
            (qlog, plot) => qlog.or(plot),
        }
    }

    /// Writes what is left. What was lost of the logs is said on stderr, and is no failure.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        if let Some((folder, directory)) = self.directory {
            let summary = directory.finish();
            if summary.lost > 0 || summary.error.is_some() {
                let why =
                    summary.error.map_or_else(|| "the disk is slow".into(), |e| e.to_string());
                let folder = folder.display();
                eprintln!("warning: {} records of qlog are not in {folder}: {why}", summary.lost);
            }
        }
        self.plot.map_or(Ok(()), |plot| plot.finish())
    }
}
