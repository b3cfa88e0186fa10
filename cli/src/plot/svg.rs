//! SVG, as far as charts need it.

use std::fmt::Write as _;

/// A picture that is being drawn. All text is escaped; colours are the caller's own.
#[derive(Debug)]
pub(super) struct Picture {
    out: String,
}

/// Where a text is anchored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stroke {
    pub(super) colour: &'static str,
    pub(super) width: f64,
    pub(super) dashes: bool,
}

impl Stroke {
    pub(super) const fn solid(colour: &'static str, width: f64) -> Self {
        Self { colour, width, dashes: false }
    }

    pub(super) const fn dashed(colour: &'static str, width: f64) -> Self {
        Self { colour, width, dashes: true }
    }

    fn attributes(self) -> String {
        let dashes = if self.dashes { " stroke-dasharray=\"5 4\"" } else { "" };
        format!("stroke=\"{}\" stroke-width=\"{}\"{dashes}", self.colour, self.width)
    }
}

// Writing into a string cannot fail.
impl Picture {
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut out = String::new();
        let _: std::fmt::Result = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" \
             font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\">\n\
             <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
            escaped(title)
        );
        Self { out }
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }

    pub(super) fn text(&mut self, at: (f64, f64), anchor: Anchor, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = at;
        let text = escaped(text);
        let _: std::fmt::Result = writeln!(
            self.out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{text}</text>"
        );
    }

    /// Text that reads upwards, centred at a place.
    pub(super) fn upright_text(&mut self, at: (f64, f64), style: &str, text: &str) {
        let (x, y) = at;
        let turned = format!("transform=\"rotate(-90 {x:.1} {y:.1})\" {style}");
        self.text(at, Anchor::Middle, &turned, text);
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        let stroke = stroke.attributes();
        let _: std::fmt::Result = writeln!(
            self.out,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" {stroke}/>",
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn polyline(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        if points.is_empty() {
            return;
        }
        let (path, stroke) = (path(points), stroke.attributes());
        let _: std::fmt::Result = writeln!(
            self.out,
            "<path d=\"{path}\" fill=\"none\" stroke-linejoin=\"round\" {stroke}/>"
        );
    }

    pub(super) fn area(&mut self, points: &[(f64, f64)], fill: &str, opacity: f64) {
        if points.is_empty() {
            return;
        }
        let path = path(points);
        let _: std::fmt::Result =
            writeln!(self.out, "<path d=\"{path}Z\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>");
    }

    /// A small cross.
    pub(super) fn cross(&mut self, at: (f64, f64), size: f64, stroke: Stroke) {
        let (x, y) = at;
        self.line((x - size, y - size), (x + size, y + size), stroke);
        self.line((x - size, y + size), (x + size, y - size), stroke);
    }
}

fn path(points: &[(f64, f64)]) -> String {
    let mut path = String::with_capacity(points.len() * 8);
    let mut before: Option<(String, String)> = None;
    for (x, y) in points {
        let at = (format!("{x:.1}"), format!("{y:.1}"));
        let _: std::fmt::Result = match &before {
            None => write!(path, "M{} {}", at.0, at.1),
            Some(before) if *before == at => Ok(()),
            // Most lines are those of values that stay until they change.
            Some((x, _)) if *x == at.0 => write!(path, "V{}", at.1),
            Some((_, y)) if *y == at.1 => write!(path, "H{}", at.0),
            Some(_) => write!(path, "L{} {}", at.0, at.1),
        };
        before = Some(at);
    }
    path
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
