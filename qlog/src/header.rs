//! The first record of a file (draft-ietf-quic-qlog-main-schema §5).

use quic_core::{Instant, Side, Subject};

use crate::json::{Object, quoted};
use crate::time::rfc_3339;

/// The drafts whose events are written: a draft names itself by its number.
const EVENT_SCHEMAS: [&str; 2] =
    ["urn:ietf:params:qlog:events:quic-13", "urn:ietf:params:qlog:events:loglevel"];

/// Writes the header of a connection's log that begins at `start`.
pub(crate) fn write(out: &mut String, start: Instant, subject: &Subject) {
    let mut header = Object::begin(out);
    header.quoted("file_schema", "urn:ietf:params:qlog:file:sequential");
    header.quoted("serialization_format", "application/qlog+json-seq");
    header.quoted("title", "quic-core");
    let mut trace = header.object("trace");
    let mut common = trace.object("common_fields");
    common.hex("group_id", subject.id.as_slice());
    common.quoted("time_format", "relative_to_epoch");
    let mut reference = common.object("reference_time");
    reference.quoted("clock_type", "system");
    reference.quoted("epoch", rfc_3339(start));
    drop(reference);
    drop(common);
    trace.object("vantage_point").quoted("type", side_name(subject.side));
    let mut schemas = trace.array("event_schemas");
    for schema in EVENT_SCHEMAS {
        quoted(schemas.value(), schema);
    }
}

pub(crate) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}
