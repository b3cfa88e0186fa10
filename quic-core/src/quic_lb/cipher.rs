//! How server ID and nonce are encrypted: as one block, or by a Feistel network of four rounds.

use std::fmt;

use aes::Aes128;
use aes::cipher::{BlockDecrypt as _, BlockEncrypt as _, KeyInit as _};

/// Bytes of an AES block, and the one length of which a plaintext is encrypted in a single pass.
pub(super) const BLOCK: usize = 16;
/// Longest half of a plaintext: of 19 bytes, rounded up.
const LONGEST_HALF: usize = 10;

type Half = [u8; LONGEST_HALF];

/// AES-128, keyed.
#[derive(Clone)]
pub(super) struct Cipher(Aes128);

impl Cipher {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self(Aes128::new(key.into()))
    }

    /// Encrypts server ID and nonce in place; 5 to 19 bytes.
    pub(super) fn encrypt(&self, text: &mut [u8]) {
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4.1
        //# When the nonce length and server ID length sum to exactly 16 octets,
        //# the server MUST use a single-pass encryption algorithm.
        if let Ok(block) = <&mut [u8; BLOCK]>::try_from(&mut *text) {
            self.0.encrypt_block(block.into());
            return;
        }
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4.2
        //# When configured with both a key, and a nonce length and server ID
        //# length that sum to any number other than 16, the server MUST follow
        //# the algorith below to encrypt the connection ID.
        let mut halves = Halves::split(text);
        for pass in 1..=4 {
            halves.pass(self, pass);
        }
        halves.join(text);
    }

    /// Decrypts what [`encrypt`](Self::encrypt) made, but of the four-pass algorithm not more than
    /// what `server_id_length` bytes need: the rest is left undefined.
    pub(super) fn decrypt(&self, text: &mut [u8], server_id_length: usize) {
        if let Ok(block) = <&mut [u8; BLOCK]>::try_from(&mut *text) {
            self.0.decrypt_block(block.into());
            return;
        }
        let mut halves = Halves::split(text);
        // The server ID may be in the left half as a whole, which the first pass left as it was.
        let last = if server_id_length <= text.len() / 2 { 2 } else { 1 };
        for pass in (last..=4).rev() {
            halves.pass(self, pass);
        }
        halves.join(text);
    }

    /// The first bytes of the encryption of `expand(length, pass, half)`.
    fn round(&self, length: usize, pass: u8, half: &Half) -> Half {
        let mut block = [0; BLOCK];
        let (input, tail) = block.split_at_mut(BLOCK - 2);
        for (to, from) in input.iter_mut().zip(half) {
            *to = *from;
        }
        tail.copy_from_slice(&[u8::try_from(length).unwrap_or_default(), pass]);
        self.0.encrypt_block((&mut block).into());
        let mut output = Half::default();
        for (to, from) in output.iter_mut().zip(block) {
            *to = from;
        }
        output
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(secret)")
    }
}

/// A text of two halves; of an odd length, they share its middle byte. Zero beyond their length.
struct Halves {
    left: Half,
    right: Half,
    /// Of the text.
    length: usize,
}

impl Halves {
    /// Bytes of each half.
    fn half(length: usize) -> usize {
        length.div_ceil(2)
    }

    fn split(text: &[u8]) -> Self {
        let half = Self::half(text.len());
        let (mut left, mut right) = (Half::default(), Half::default());
        let second = text.len().saturating_sub(half);
        for (to, from) in left.iter_mut().zip(text.iter().take(half)) {
            *to = *from;
        }
        for (to, from) in right.iter_mut().zip(text.iter().skip(second)) {
            *to = *from;
        }
        let mut halves = Self { left, right, length: text.len() };
        halves.clear();
        halves
    }

    /// Leaves of the middle byte, and of what lies beyond, what is each half's.
    fn clear(&mut self) {
        let half = Self::half(self.length);
        for side in [&mut self.left, &mut self.right] {
            side.iter_mut().skip(half).for_each(|byte| *byte = 0);
        }
        if self.length % 2 == 1 {
            if let Some(last) = self.left.get_mut(half.saturating_sub(1)) {
                *last &= 0xf0;
            }
            if let Some(first) = self.right.first_mut() {
                *first &= 0x0f;
            }
        }
    }

    /// One pass, which is its own inverse: odd ones change the right half, even ones the left.
    fn pass(&mut self, cipher: &Cipher, pass: u8) {
        let (from, to) = if pass % 2 == 1 {
            (&self.left, &mut self.right)
        } else {
            (&self.right, &mut self.left)
        };
        let output = cipher.round(self.length, pass, from);
        for (to, from) in to.iter_mut().zip(output) {
            *to ^= from;
        }
        self.clear();
    }

    fn join(&self, text: &mut [u8]) {
        let half = Self::half(self.length);
        let second = text.len().saturating_sub(half);
        for (to, from) in text.iter_mut().zip(self.left.iter().take(half)) {
            *to = *from;
        }
        for (index, (to, from)) in text.iter_mut().skip(second).zip(self.right).enumerate() {
            *to = if index == 0 && self.length % 2 == 1 { *to | from } else { from };
        }
    }
}
