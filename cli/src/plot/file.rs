//! Traces from qlog files: JSON text sequences (RFC 7464), of whatever implementation.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde_json::Value;

use super::trace::{Changes, Data, Trace};
use crate::errors::Failure;

/// Before each record.
const SEPARATOR: u8 = 0x1e;

/// Longest record that is read, in bytes.
const MAXIMUM_RECORD: u64 = 16 << 20;

/// Reads a log. Records that are cut off or unknown are passed over.
pub(super) fn read(path: &Path) -> Result<Trace, Failure> {
    let unreadable = |error: &std::io::Error| Failure::file("read the log", path, error);
    let mut reader = BufReader::new(File::open(path).map_err(|error| unreadable(&error))?);
    let mut trace = Trace::default();
    let mut record = Vec::new();
    let mut has_header = false;
    let mut start = None;
    loop {
        record.clear();
        let length = reader.by_ref().take(MAXIMUM_RECORD).read_until(SEPARATOR, &mut record);
        if length.map_err(|error| unreadable(&error))? == 0 {
            break;
        }
        if record.last() == Some(&SEPARATOR) {
            record.pop();
        }
        let Ok(value) = serde_json::from_slice::<Value>(&record) else { continue };
        if value.get("trace").is_some() {
            has_header = true;
            take_header(&mut trace, &value);
        } else {
            take_event(&mut trace, &mut start, &value);
        }
    }
    if !has_header || trace.events == 0 {
        return Err(Failure::local(format!(
            "{} is no qlog in JSON text sequences (.sqlog), or has no events",
            path.display()
        )));
    }
    Ok(trace)
}

fn text(value: Option<&Value>) -> String {
    // It goes into a picture.
    let text = value.and_then(Value::as_str).unwrap_or_default();
    text.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

fn take_header(trace: &mut Trace, header: &Value) {
    trace.id = text(header.pointer("/trace/common_fields/group_id"));
    trace.side = text(header.pointer("/trace/vantage_point/type"));
}

fn take_event(trace: &mut Trace, start: &mut Option<f64>, event: &Value) {
    let (Some(time), Some(name)) =
        (event.get("time").and_then(Value::as_f64), event.get("name").and_then(Value::as_str))
    else {
        return;
    };
    let time = (time - *start.get_or_insert(time)).max(0.0);
    trace.event(time);
    let data = event.get("data").unwrap_or(&Value::Null);
    let number = |name: &str| data.get(name).and_then(Value::as_f64);
    // Older drafts have other names before the last part.
    match name.rsplit(':').next().unwrap_or_default() {
        "recovery_metrics_updated" | "metrics_updated" => trace.metrics(
            time,
            Changes {
                window: number("congestion_window"),
                in_flight: number("bytes_in_flight"),
                threshold: number("ssthresh"),
                smoothed_rtt: number("smoothed_rtt"),
                latest_rtt: number("latest_rtt"),
                minimum_rtt: number("min_rtt"),
            },
        ),
        "packet_lost" => trace.lost.add(time, 1.0),
        "packets_acked" => trace.acked(),
        "packet_received" => {
            for frame in frames(data) {
                if frame.get("frame_type").and_then(Value::as_str) == Some("ack") {
                    trace.acked();
                } else if let Some(data) = stream_data(frame) {
                    trace.data_received(time, data);
                }
            }
        }
        "packet_sent" => {
            frames(data).iter().filter_map(stream_data).for_each(|d| trace.data_sent(time, d));
        }
        _ => {}
    }
}

fn frames(data: &Value) -> &[Value] {
    data.get("frames").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn stream_data(frame: &Value) -> Option<Data> {
    if frame.get("frame_type")?.as_str()? != "stream" {
        return None;
    }
    let offset = frame.get("offset").and_then(Value::as_u64).unwrap_or_default();
    let length = frame.pointer("/raw/length").or_else(|| frame.get("length"))?.as_u64()?;
    Some(Data { stream: frame.get("stream_id")?.as_u64()?, offset, length })
}
