//! The tables in the documentation.

use std::path::Path;
use std::sync::Mutex;
use std::{env, fs};

/// Tests run beside each other.
static WRITING: Mutex<()> = Mutex::new(());

/// Puts a table between its marks, if it is wanted there.
pub(crate) fn write(name: &str, table: &str) {
    if env::var_os("QUIC_WRITE_DOCS").is_none() {
        return;
    }
    let _one_at_a_time = WRITING.lock().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/congestion.md");
    let text = fs::read_to_string(&path).expect("docs/congestion.md can be read");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the table has a beginning");
    let (_, after) = rest.split_once(&end).expect("the table has an end");
    fs::write(&path, format!("{before}{begin}{table}{end}{after}")).expect("it can be written");
}
