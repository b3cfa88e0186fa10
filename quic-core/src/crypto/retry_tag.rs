//! The integrity tag of Retry packets: it proves that the sender saw the client's Initial
//! (RFC 9001 §5.8).
//!
//! Public under the feature `wire`, for tools that build packets by hand; no promise of stability
//! before 1.0.

use std::sync::LazyLock;

use smallvec::SmallVec;

use super::packet_protection::TAG_LENGTH;
use super::provider::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use crate::wire::ConnectionId;
use crate::wire::header::{VERSION_1, VERSION_2};

/// Key and nonce for version 1; no secrets.
const KEY_1: [u8; 16] = 0xbe0c_690b_9f66_575a_1d76_6b54_e368_c84e_u128.to_be_bytes();
const NONCE_1: [u8; 12] = [0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb];
/// Key and nonce for version 2 (RFC 9369 §3.3.3); no secrets.
const KEY_2: [u8; 16] = 0x8fb4_b01b_56ac_48e2_60fb_cbce_ad7c_cc92_u128.to_be_bytes();
const NONCE_2: [u8; 12] = [0xd8, 0x69, 0x69, 0xbc, 0x2d, 0x7c, 0x6d, 0x99, 0x90, 0xef, 0xb0, 0x4a];

/// The key for version 1, and that for version 2: expanded once, since who is flooded with Initials
/// makes many tags. Kept as long as the process runs.
static KEYS: LazyLock<[Option<LessSafeKey>; 2]> = LazyLock::new(|| {
    let expand = |key: [u8; 16]| UnboundKey::new(&AES_128_GCM, &key).ok().map(LessSafeKey::new);
    [expand(KEY_1), expand(KEY_2)]
});

/// The tag for a Retry packet, given without its last 16 bytes; `None` if the version is not
/// supported.
pub fn retry_tag(
    version: u32,
    original_destination_id: &ConnectionId,
    retry_packet_without_tag: &[u8],
) -> Option<[u8; TAG_LENGTH]> {
    let [key_1, key_2] = &*KEYS;
    let (key, nonce) = match version {
        VERSION_1 => (key_1, NONCE_1),
        VERSION_2 => (key_2, NONCE_2),
        _ => return None,
    };
    let mut pseudo_packet = SmallVec::<[u8; 256]>::new();
    pseudo_packet.push(u8::try_from(original_destination_id.length()).ok()?);
    pseudo_packet.extend_from_slice(original_destination_id.as_slice());
    pseudo_packet.extend_from_slice(retry_packet_without_tag);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key
        .as_ref()?
        .seal_in_place_separate_tag(nonce, Aad::from(&*pseudo_packet), &mut [])
        .ok()?;
    tag.as_ref().try_into().ok()
}

/// Whether a whole Retry packet answers an Initial that was sent to `original_destination_id`.
pub fn is_retry_authentic(
    version: u32,
    original_destination_id: &ConnectionId,
    packet: &[u8],
) -> bool {
    let Some((packet, tag)) = packet.split_last_chunk::<TAG_LENGTH>() else { return false };
    let expected = retry_tag(version, original_destination_id, packet);
    expected.is_some_and(|expected| super::constant_time_equal(&expected, tag))
}
