//! The picture: window, round-trip time and goodput, one below the other, over one time.

use super::scale::{Quantity, Scale};
use super::series::{Bins, Series};
use super::svg::{Anchor, Picture, Stroke};
use super::trace::Trace;
use crate::output;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 800.0;
const LEFT: f64 = 82.0;
const RIGHT: f64 = 976.0;
/// Top and bottom of each panel.
const PANELS: [(f64, f64); 3] = [(108.0, 318.0), (376.0, 542.0), (600.0, 738.0)];

/// Bins of goodput: enough to see it change, few enough not to see single packets.
const GOODPUT_BINS: usize = 128;

/// Most crosses of lost packets: further ones would hide each other.
const LOSS_COLUMNS: f64 = 220.0;

/// What a symbol of the legend takes, with the space before it.
const LEGEND_SPACE: f64 = 52.0;

/// Width of the columns of an outline.
const OUTLINE: f64 = 2.0;

const INK: &str = "#1a1a1a";
const FAINT: &str = "#dcdcdc";
const WINDOW: Stroke = Stroke::solid("#1257a8", 2.2);
const IN_FLIGHT: Stroke = Stroke::solid("#e08214", 1.0);
const THRESHOLD: Stroke = Stroke::dashed("#5f6b76", 1.3);
const LOSS: Stroke = Stroke::solid("#c4162a", 1.5);
const LATEST_RTT: Stroke = Stroke::solid("#c3a5dd", 1.0);
const SMOOTHED_RTT: Stroke = Stroke::solid("#5e2b97", 2.0);
const MINIMUM_RTT: Stroke = Stroke::dashed("#5f6b76", 1.3);
const RECEIVED: Stroke = Stroke::solid("#1b7837", 2.0);
const SENT: Stroke = Stroke::solid("#1257a8", 2.0);

const TITLE: &str = "font-size=\"20\" font-weight=\"bold\" fill=\"#1a1a1a\"";
const SUBTITLE: &str = "font-size=\"13.5\" fill=\"#3f3f3f\"";
const PANEL_TITLE: &str = "font-size=\"14.5\" font-weight=\"bold\" fill=\"#1a1a1a\"";
const LABEL: &str = "font-size=\"12\" fill=\"#3f3f3f\"";

/// One part of the picture, with its axes.
#[derive(Clone, Copy, Debug)]
struct Panel {
    top: f64,
    bottom: f64,
    time: Scale,
    values: Scale,
}

/// Draws a connection.
pub(super) fn draw(trace: &Trace) -> String {
    let mut picture = Picture::new(WIDTH, HEIGHT, "A QUIC connection over time");
    draw_title(&mut picture, trace);
    let time = Scale::new(Quantity::Time, trace.end, 10.0, true);
    let [window, rtt, goodput] = PANELS;
    draw_window(&mut picture, trace, time, window);
    draw_rtt(&mut picture, trace, time, rtt);
    draw_goodput(&mut picture, trace, time, goodput);
    let caption = format!("time since the start of the connection ({})", time.unit);
    picture.text((LEFT.midpoint(RIGHT), HEIGHT - 20.0), Anchor::Middle, LABEL, &caption);
    picture.finish()
}

fn draw_title(picture: &mut Picture, trace: &Trace) {
    let side = if trace.side.is_empty() { "one end" } else { trace.side.as_str() };
    let title = format!("QUIC connection {}, as the {side} saw it", trace.id);
    picture.text((LEFT, 34.0), Anchor::Start, TITLE, &title);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a caption")]
    let bytes = |bins: &Bins| output::bytes(bins.total() as u64);
    let subtitle = format!(
        "{:.3} s · {} received, {} sent on streams · {} packets declared lost",
        trace.end / 1e3,
        bytes(&trace.received),
        bytes(&trace.sent),
        trace.lost.total(),
    );
    picture.text((LEFT, 57.0), Anchor::Start, SUBTITLE, &subtitle);
}

fn draw_window(picture: &mut Picture, trace: &Trace, time: Scale, place: (f64, f64)) {
    let largest = trace.window.maximum().max(trace.in_flight.maximum());
    let panel = Panel::new(time, Scale::new(Quantity::Bytes, largest, 5.0, false), place);
    let legend = [
        ("congestion window", WINDOW),
        ("most bytes in flight", IN_FLIGHT),
        ("slow start threshold", THRESHOLD),
        ("packets lost", LOSS),
    ];
    panel.frame(picture, "Congestion window", &legend);
    let outline = panel.outline(&trace.in_flight, trace.end);
    if let (Some((first, _)), Some((last, _))) = (outline.first(), outline.last()) {
        let mut area = outline.clone();
        area.extend([(*last, panel.bottom), (*first, panel.bottom)]);
        picture.area(&area, IN_FLIGHT.colour, 0.3);
    }
    picture.polyline(&outline, IN_FLIGHT);
    picture.polyline(&panel.steps(&trace.threshold, trace.end), THRESHOLD);
    picture.polyline(&panel.steps(&trace.window, trace.end), WINDOW);
    let mut last = f64::NEG_INFINITY;
    let spacing = (RIGHT - LEFT) / LOSS_COLUMNS;
    for (index, _) in trace.lost.amounts().iter().enumerate().filter(|(_, lost)| **lost > 0.0) {
        let x = panel.x((index_float(index) + 0.5) * trace.lost.width()).min(RIGHT);
        if x - last >= spacing {
            picture.cross((x, panel.bottom - 7.0), 3.5, LOSS);
            last = x;
        }
    }
}

fn draw_rtt(picture: &mut Picture, trace: &Trace, time: Scale, place: (f64, f64)) {
    let largest = trace.latest_rtt.maximum().max(trace.smoothed_rtt.maximum());
    let panel = Panel::new(time, Scale::new(Quantity::Time, largest, 4.0, false), place);
    let legend =
        [("latest sample", LATEST_RTT), ("smoothed", SMOOTHED_RTT), ("minimum", MINIMUM_RTT)];
    panel.frame(picture, "Round-trip time", &legend);
    picture.polyline(&panel.steps(&trace.latest_rtt, trace.end), LATEST_RTT);
    picture.polyline(&panel.steps(&trace.minimum_rtt, trace.end), MINIMUM_RTT);
    picture.polyline(&panel.steps(&trace.smoothed_rtt, trace.end), SMOOTHED_RTT);
}

fn draw_goodput(picture: &mut Picture, trace: &Trace, time: Scale, place: (f64, f64)) {
    let (received, sent) =
        (trace.received.smoothed(GOODPUT_BINS), trace.sent.smoothed(GOODPUT_BINS));
    let largest = [&received, &sent]
        .into_iter()
        .flat_map(|bins| rates(bins, trace.end))
        .fold(0.0, |largest: f64, (_, _, rate)| largest.max(rate));
    let panel = Panel::new(time, Scale::new(Quantity::Rate, largest, 4.0, false), place);
    let mut legend = vec![("received", RECEIVED), ("sent", SENT)];
    legend.retain(|(_, stroke)| *stroke != RECEIVED || received.total() > 0.0);
    legend.retain(|(_, stroke)| *stroke != SENT || sent.total() > 0.0);
    panel.frame(picture, "Goodput: stream data, each byte counted once", &legend);
    for (bins, stroke) in [(received, RECEIVED), (sent, SENT)] {
        let points: Vec<(f64, f64)> = rates(&bins, trace.end)
            .flat_map(|(from, to, rate)| {
                [(panel.x(from), panel.y(rate)), (panel.x(to), panel.y(rate))]
            })
            .collect();
        if bins.total() > 0.0 {
            let (first, last) = (points.first().copied(), points.last().copied());
            let mut area = points.clone();
            area.extend(last.map(|(x, _)| (x, panel.bottom)));
            area.extend(first.map(|(x, _)| (x, panel.bottom)));
            picture.area(&area, stroke.colour, 0.14);
            picture.polyline(&points, stroke);
        }
    }
}

/// From when to when, and how many bits per second.
fn rates(bins: &Bins, end: f64) -> impl Iterator<Item = (f64, f64, f64)> {
    let width = bins.width();
    bins.amounts().iter().enumerate().map(move |(index, amount)| {
        let from = index_float(index) * width;
        let to = (from + width).min(end.max(from + 0.01));
        // The last bin may be a short one, about which nothing is known.
        let length = if to - from < width / 2.0 { width } else { to - from };
        (from, to, amount * 8.0 / length * 1e3)
    })
}

/// About how wide a label is; nobody knows which font it will be in.
fn width(label: &str) -> f64 {
    let letter = |letter: char| match letter {
        ' ' | 'f' | 'i' | 'j' | 'l' | 'r' | 't' => 4.2,
        'm' | 'w' => 10.8,
        _ => 7.1,
    };
    label.chars().map(letter).sum()
}

#[expect(clippy::cast_precision_loss, reason = "indices of bins are small")]
fn index_float(index: usize) -> f64 {
    index as f64
}

impl Panel {
    fn new(time: Scale, values: Scale, (top, bottom): (f64, f64)) -> Self {
        Self { top, bottom, time, values }
    }

    fn x(&self, time: f64) -> f64 {
        LEFT + self.time.place(time) * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.values.place(value) * (self.bottom - self.top)
    }

    /// Title, axes, grid and legend.
    fn frame(&self, picture: &mut Picture, title: &str, legend: &[(&str, Stroke)]) {
        picture.text((LEFT, self.top - 12.0), Anchor::Start, PANEL_TITLE, title);
        for (value, label) in self.values.ticks() {
            let y = self.y(value);
            picture.line((LEFT, y), (RIGHT, y), Stroke::solid(FAINT, 1.0));
            picture.text((LEFT - 8.0, y + 4.0), Anchor::End, LABEL, &label);
        }
        for (value, label) in self.time.ticks() {
            let x = self.x(value);
            picture.line((x, self.top), (x, self.bottom), Stroke::solid(FAINT, 1.0));
            picture.line((x, self.bottom), (x, self.bottom + 5.0), Stroke::solid(INK, 1.0));
            picture.text((x, self.bottom + 19.0), Anchor::Middle, LABEL, &label);
        }
        picture.line((LEFT, self.top), (LEFT, self.bottom), Stroke::solid(INK, 1.2));
        picture.line((LEFT, self.bottom), (RIGHT, self.bottom), Stroke::solid(INK, 1.2));
        let middle = self.top.midpoint(self.bottom);
        picture.upright_text((22.0, middle), LABEL, self.values.unit);
        self.legend(picture, legend);
    }

    fn legend(&self, picture: &mut Picture, legend: &[(&str, Stroke)]) {
        let y = self.top - 16.0;
        let mut right = RIGHT;
        for (name, stroke) in legend.iter().rev() {
            picture.text((right, y + 4.0), Anchor::End, LABEL, name);
            let left = right - width(name);
            if *stroke == LOSS {
                picture.cross((left - 14.0, y), 3.5, *stroke);
            } else {
                let stroke = Stroke { width: stroke.width.max(2.0), ..*stroke };
                picture.line((left - 32.0, y), (left - 8.0, y), stroke);
            }
            right = left - LEGEND_SPACE;
        }
    }

    /// The largest values, as the outline of an area down to the axis.
    fn outline(&self, series: &Series, end: f64) -> Vec<(f64, f64)> {
        let mut columns: Vec<(f64, f64)> = Vec::new();
        let mut before = self.bottom;
        for (time, value) in series.points() {
            let (x, y) = ((self.x(*time) / OUTLINE).floor() * OUTLINE, self.y(*value));
            match columns.last_mut() {
                Some((at, highest)) if (*at - x).abs() < OUTLINE / 2.0 => *highest = highest.min(y),
                // What was in flight is still so when a column begins.
                _ => columns.push((x, y.min(before))),
            }
            before = y;
        }
        let ends = columns.iter().skip(1).map(|(x, _)| *x).chain([self.x(end)]);
        let steps = columns.iter().zip(ends);
        steps.flat_map(|((x, y), until)| [(*x, *y), (until.max(*x), *y)]).collect()
    }

    /// The line of a value that stays until it changes. No more points than can be seen: of each
    /// column the first, smallest, largest and last.
    fn steps(&self, series: &Series, end: f64) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        let mut column: Option<Column> = None;
        for (time, value) in series.points() {
            let (x, y) = ((self.x(*time) * 2.0).round() / 2.0, self.y(*value));
            match &mut column {
                Some(column) if (column.x - x).abs() < 0.25 => column.add(y),
                _ => {
                    if let Some(column) = column.take() {
                        column.draw(&mut points, x);
                    }
                    column = Some(Column { x, first: y, low: y, high: y, last: y });
                }
            }
        }
        if let Some(column) = column {
            column.draw(&mut points, self.x(end));
        }
        points
    }
}

/// Values at one place of the time axis.
#[derive(Clone, Copy, Debug)]
struct Column {
    x: f64,
    first: f64,
    low: f64,
    high: f64,
    last: f64,
}

impl Column {
    fn add(&mut self, y: f64) {
        self.low = self.low.min(y);
        self.high = self.high.max(y);
        self.last = y;
    }

    /// The value stays until `until`.
    fn draw(self, points: &mut Vec<(f64, f64)>, until: f64) {
        points.push((self.x, self.first));
        if self.low < self.high {
            points.extend([(self.x, self.low), (self.x, self.high), (self.x, self.last)]);
        }
        points.push((until, self.last));
    }
}

#[cfg(test)]
mod tests {
    use super::super::trace::{Changes, Data};
    use super::*;

    #[test]
    fn an_empty_trace_is_drawn_too() {
        let picture = draw(&Trace::default());
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }

    #[test]
    fn a_long_trace_makes_a_small_picture_with_all_that_was_seen() {
        let mut trace = Trace::of("<&>".into(), "client".into());
        trace.acked();
        for step in 0..200_000_u32 {
            let time = f64::from(step) / 10.0;
            trace.event(time);
            let value = Some(f64::from(step % 977));
            let changes = Changes {
                window: value,
                in_flight: value,
                latest_rtt: value,
                smoothed_rtt: value,
                ..Changes::default()
            };
            trace.metrics(time, changes);
            trace.data_received(time, Data { stream: 0, offset: u64::from(step) * 10, length: 10 });
            if step % 1000 == 0 {
                trace.lost.add(time, 1.0);
            }
        }
        let picture = draw(&trace);
        assert!(picture.len() < 400_000, "{} bytes", picture.len());
        assert!(picture.contains("&lt;&amp;&gt;") && picture.contains("200 packets declared lost"));
        for colour in [WINDOW, IN_FLIGHT, LOSS, SMOOTHED_RTT, RECEIVED].map(|stroke| stroke.colour)
        {
            assert!(picture.matches(colour).count() > 1, "{colour} only in the legend");
        }
    }
}
