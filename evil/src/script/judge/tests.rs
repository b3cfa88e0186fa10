use quic_core::TransportErrorCode as Code;

use super::is_close;
use crate::packet::PacketKind;
use crate::peer::SeenClose;
use crate::reaction::Reaction;

fn seen(code: Code, frame_type: Option<u64>) -> SeenClose {
    let (code, reason) = (code.value(), String::new());
    SeenClose { code, frame_type, reason, kind: PacketKind::OneRtt }
}

#[test]
fn a_close_is_right_only_with_its_code_and_its_frame_type_or_none() {
    let wanted = Reaction::close_in(Code::FLOW_CONTROL_ERROR, 0x0e);
    assert!(is_close(&seen(Code::FLOW_CONTROL_ERROR, Some(0x0e)), wanted));
    assert!(is_close(&seen(Code::FLOW_CONTROL_ERROR, Some(0)), wanted), "0 is unknown");
    assert!(!is_close(&seen(Code::FLOW_CONTROL_ERROR, Some(0x04)), wanted));
    assert!(!is_close(&seen(Code::FINAL_SIZE_ERROR, Some(0x0e)), wanted));
    assert!(!is_close(&seen(Code::FLOW_CONTROL_ERROR, None), wanted), "of the application");
    assert!(!is_close(&seen(Code::FLOW_CONTROL_ERROR, Some(0x0e)), Reaction::Ignored));
}
