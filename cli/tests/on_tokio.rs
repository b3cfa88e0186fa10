//! The command line on `driver-tokio`.

mod command_line;

const DRIVER: &str = "tokio";
