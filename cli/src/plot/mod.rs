//! `quic plot`: pictures of what happened on a connection.

mod chart;
mod file;
mod live;
mod scale;
mod series;
mod svg;
mod trace;

pub(crate) use live::LivePlot;

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::arguments::Plot;
use crate::errors::Failure;
use crate::output::Output;

use self::trace::Trace;

/// Draws what a log says.
pub(crate) fn run(options: &Plot, output: Output) -> Result<(), Failure> {
    let trace = file::read(&options.log)?;
    write(&trace, &options.output)?;
    let picture = options.output.display();
    output.result(
        &json!({ "ok": true, "picture": options.output, "events": trace.events }),
        &format!("{picture}: {} events", trace.events),
    );
    Ok(())
}

/// Draws a trace.
fn write(trace: &Trace, path: &Path) -> Result<(), Failure> {
    fs::write(path, chart::draw(trace))
        .map_err(|error| Failure::file("write the picture", path, &error))
}
