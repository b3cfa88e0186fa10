//! Packets under construction, and what to remember of them.

mod sent_frame;
mod writer;

pub(crate) use sent_frame::SentFrame;
pub(crate) use writer::PacketWriter;
