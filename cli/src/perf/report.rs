//! The one line that a measurement comes down to.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Workload;
use super::histogram::Histogram;
use crate::output::{Output, ratio};
use crate::process::{self, CpuTime};

/// What a workload saw.
#[derive(Debug)]
pub(super) struct Report {
    workload: Workload,
    /// Time measured, without setting up.
    pub(super) elapsed: Duration,
    /// Application bytes, both ways.
    pub(super) bytes: u64,
    pub(super) requests: u64,
    pub(super) handshakes: u64,
    pub(super) errors: u64,
    pub(super) latencies: Histogram,
    /// What this process had used when the measurement started.
    pub(super) cpu_before: CpuTime,
    pub(super) extra: Map<String, Value>,
}

impl Report {
    pub(super) fn new(workload: Workload) -> Self {
        Self {
            workload,
            elapsed: Duration::ZERO,
            bytes: 0,
            requests: 0,
            handshakes: 0,
            errors: 0,
            latencies: Histogram::default(),
            cpu_before: CpuTime::of_process(),
            extra: Map::new(),
        }
    }

    pub(super) fn print(self, output: Output) {
        let cpu = CpuTime::of_process();
        let seconds = self.elapsed.as_secs_f64().max(1e-9);
        let gbps = ratio(self.bytes, seconds) * 8.0 / 1e9;
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| line.insert(key.into(), value);
        put("peer", json!("quic-core"));
        put("workload", json!(format!("{:?}", self.workload)));
        put("elapsed_s", json!(rounded(self.elapsed.as_secs_f64(), 6)));
        put("bytes", json!(self.bytes));
        put("goodput_gbps", json!(rounded(gbps, 4)));
        put("requests", json!(self.requests));
        put("rps", json!(rounded(ratio(self.requests, seconds), 1)));
        put("handshakes", json!(self.handshakes));
        put("hps", json!(rounded(ratio(self.handshakes, seconds), 1)));
        if !self.latencies.is_empty() {
            put("lat_p50_us", json!(rounded(self.latencies.quantile_us(500), 1)));
            put("lat_p99_us", json!(rounded(self.latencies.quantile_us(990), 1)));
            put("lat_p999_us", json!(rounded(self.latencies.quantile_us(999), 1)));
            put("lat_mean_us", json!(rounded(self.latencies.mean_us(), 1)));
        }
        let interval = cpu.total().saturating_sub(self.cpu_before.total());
        put("cpu_user_s", json!(rounded(cpu.user.as_secs_f64(), 4)));
        put("cpu_sys_s", json!(rounded(cpu.system.as_secs_f64(), 4)));
        put("cpu_interval_s", json!(rounded(interval.as_secs_f64(), 4)));
        put("peak_rss_kb", json!(process::peak_resident_kb()));
        put("errors", json!(self.errors));
        line.extend(self.extra);
        let text =
            line.iter().map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join("\n");
        output.result(&line, &text);
    }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
