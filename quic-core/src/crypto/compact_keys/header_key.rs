//! Keys for the headers of packets (RFC 9001 §5.4).

use rustls::Error;
use rustls::quic::HeaderProtectionKey;
use zeroize::Zeroizing;

use super::super::provider::aead::quic::HeaderProtectionKey as ExpandedKey;
use super::{Details, Expanding, SuiteNumber};
use crate::wire::PacketNumberLength;

/// Bytes of a sample, whatever the cipher (RFC 9001 §5.4.3, §5.4.4).
const SAMPLE_LENGTH: usize = 16;
/// The bit of the first byte that tells long headers from short ones (RFC 9000 §17.2).
const LONG_HEADER: u8 = 0x80;
/// The bits of the first byte that are protected in long headers.
const PROTECTED_IN_LONG: u8 = 0x0f;
/// The bits of the first byte that are protected in short headers.
const PROTECTED_IN_SHORT: u8 = 0x1f;

/// A key of `N` bytes.
pub(super) struct CompactHeaderKey<const N: usize>(Expanding<ExpandedKey, Zeroizing<[u8; N]>>);

impl<const N: usize> CompactHeaderKey<N> {
    pub(super) fn new(suite: SuiteNumber, key: Zeroizing<[u8; N]>) -> Self {
        Self(Expanding::new(suite, key))
    }

    #[inline]
    fn mask(&self, sample: &[u8], number: &[u8]) -> Result<(u8, [u8; 4]), Error> {
        let mask = self.0.with(expand, |key| key.new_mask(sample).ok()).flatten();
        match mask {
            Some([first, number_mask @ ..]) if number.len() <= number_mask.len() => {
                Ok((first, number_mask))
            }
            _ => Err(Error::General("sample or packet number of a wrong length".into())),
        }
    }
}

impl<const N: usize> HeaderProtectionKey for CompactHeaderKey<N> {
    fn encrypt_in_place(
        &self,
        sample: &[u8],
        first: &mut u8,
        packet_number: &mut [u8],
    ) -> Result<(), Error> {
        let (first_mask, number_mask) = self.mask(sample, packet_number)?;
        protect_number(*first, packet_number, number_mask);
        *first ^= first_mask & protected_bits(*first);
        Ok(())
    }

    fn decrypt_in_place(
        &self,
        sample: &[u8],
        first: &mut u8,
        packet_number: &mut [u8],
    ) -> Result<(), Error> {
        let (first_mask, number_mask) = self.mask(sample, packet_number)?;
        *first ^= first_mask & protected_bits(*first);
        protect_number(*first, packet_number, number_mask);
        Ok(())
    }

    fn sample_len(&self) -> usize {
        SAMPLE_LENGTH
    }
}

fn expand<const N: usize>(details: &Details, key: &Zeroizing<[u8; N]>) -> Option<ExpandedKey> {
    ExpandedKey::new(details.header, &key[..]).ok()
}

fn protected_bits(first: u8) -> u8 {
    if first & LONG_HEADER == 0 { PROTECTED_IN_SHORT } else { PROTECTED_IN_LONG }
}

/// Masks as many bytes as `first`, without protection, says that the number has.
fn protect_number(first: u8, number: &mut [u8], mask: [u8; 4]) {
    let length = PacketNumberLength::from_first_byte(first).bytes();
    for (byte, mask) in number.iter_mut().zip(mask).take(length) {
        *byte ^= mask;
    }
}
