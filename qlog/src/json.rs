//! JSON, written straight into bytes (RFC 8259).

use std::fmt::{Display, Write as _};

/// An object that is being written; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, is_first: true }
    }

    /// Where the value of `name` is to be written.
    pub(crate) fn value(&mut self, name: &str) -> &mut String {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    pub(crate) fn object(&mut self, name: &str) -> Object<'_> {
        Object::begin(self.value(name))
    }

    pub(crate) fn array(&mut self, name: &str) -> Array<'_> {
        Array::begin(self.value(name))
    }

    /// A number or a truth value.
    pub(crate) fn plain(&mut self, name: &str, value: impl Display) {
        plain(self.value(name), value);
    }

    pub(crate) fn float(&mut self, name: &str, value: f64) {
        float(self.value(name), value);
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        text(self.value(name), value);
    }

    /// Text that needs no escapes: hexadecimal numbers, addresses.
    pub(crate) fn quoted(&mut self, name: &str, value: impl Display) {
        quoted(self.value(name), value);
    }

    pub(crate) fn hex(&mut self, name: &str, bytes: &[u8]) {
        hex(self.value(name), bytes);
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.out.push('}');
    }
}

/// An array that is being written; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl<'a> Array<'a> {
    pub(crate) fn begin(out: &'a mut String) -> Self {
        out.push('[');
        Self { out, is_first: true }
    }

    /// Where the next value is to be written.
    pub(crate) fn value(&mut self) -> &mut String {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(',');
        }
        self.out
    }
}

impl Drop for Array<'_> {
    fn drop(&mut self) {
        self.out.push(']');
    }
}

// Writing into a string cannot fail.

pub(crate) fn plain(out: &mut String, value: impl Display) {
    let _: std::fmt::Result = write!(out, "{value}");
}

/// Infinite numbers have no place in JSON.
pub(crate) fn float(out: &mut String, value: f64) {
    plain(out, if value.is_finite() { value } else { 0.0 });
}

pub(crate) fn quoted(out: &mut String, value: impl Display) {
    let _: std::fmt::Result = write!(out, "\"{value}\"");
}

pub(crate) fn hex(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for byte in bytes {
        let _: std::fmt::Result = write!(out, "{byte:02x}");
    }
    out.push('"');
}

/// Text of anyone, escaped (RFC 8259 §7).
pub(crate) fn text(out: &mut String, value: &str) {
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                let _: std::fmt::Result = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_a_parser_reads() {
        let nasty = "a \"quote\", a \\, a tab\t, a line\n, a bell\u{7}, ü, 🦀, \u{7f}";
        let mut out = String::new();
        {
            let mut object = Object::begin(&mut out);
            object.text("text", nasty);
            object.plain("number", u64::MAX);
            object.plain("truth", true);
            object.float("float", 0.125);
            object.float("infinite", f64::INFINITY);
            object.hex("hex", &[0, 0xab, 0xff]);
            let mut array = object.array("array");
            plain(array.value(), 1);
            Object::begin(array.value()).plain("a", 2);
            drop(Array::begin(array.value()));
        }
        let expected = serde_json::json!({
            "text": nasty, "number": u64::MAX, "truth": true, "float": 0.125, "infinite": 0.0,
            "hex": "00abff", "array": [1, { "a": 2 }, []],
        });
        let read: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(read["infinite"].as_f64(), Some(0.0));
        assert_eq!(read.to_string().replace("0.0", "0"), expected.to_string().replace("0.0", "0"));
    }
}
