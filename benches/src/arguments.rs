//! What may be asked of the program.

use std::path::PathBuf;

/// Counts the instructions of hot paths under callgrind, and compares them with a baseline.
#[derive(Debug, clap::Parser)]
pub(crate) struct Arguments {
    /// Scenarios to measure, by how their names begin; none: all
    names: Vec<String>,
    /// Make the counts of these scenarios the baseline
    #[arg(long)]
    pub(crate) write: bool,
    /// The table to compare with
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.tsv"))]
    pub(crate) baseline: PathBuf,
    /// Keep what callgrind wrote in this folder, for callgrind_annotate
    #[arg(long)]
    pub(crate) keep: Option<PathBuf>,
    /// Play one scenario, counting nothing
    #[arg(long)]
    pub(crate) play: Option<String>,
}

impl Arguments {
    /// Whether a scenario is to be measured.
    pub(crate) fn chooses(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| name.starts_with(&**wanted))
    }
}
