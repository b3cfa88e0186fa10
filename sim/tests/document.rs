//! What the documentation shows is what is built.

use std::fs;
use std::path::Path;

#[test]
fn the_program_in_the_documentation_is_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join("examples/own_protocol.rs")).unwrap();
    let document = fs::read_to_string(root.join("../docs/simulator.md")).unwrap();
    assert!(document.contains(&example), "docs/simulator.md shows something else");
}
