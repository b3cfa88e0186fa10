//! Headers of packets.

use arbitrary::{Arbitrary, Result, Unstructured};

use super::bytes;
use crate::wire::header::{
    LongHeaderParts, LongType, RetryParts, ShortHeaderParts, VERSION_1, VERSION_2,
};

/// A version that is known.
fn version(u: &mut Unstructured<'_>) -> Result<u32> {
    u.choose(&[VERSION_1, VERSION_2]).copied()
}

impl<'a> Arbitrary<'a> for LongType {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.choose(&[Self::Initial, Self::ZeroRtt, Self::Handshake]).copied()
    }
}

impl<'a> Arbitrary<'a> for LongHeaderParts<'a> {
    /// Of version 1 or 2; with a token only if it is of an Initial.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let ty = u.arbitrary()?;
        Ok(Self {
            ty,
            version: version(u)?,
            destination_id: u.arbitrary()?,
            source_id: u.arbitrary()?,
            token: if ty == LongType::Initial { bytes(u)? } else { &[] },
        })
    }
}

impl<'a> Arbitrary<'a> for ShortHeaderParts {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let destination_id = u.arbitrary()?;
        Ok(Self { destination_id, spin: u.arbitrary()?, key_phase: u.arbitrary()? })
    }
}

impl<'a> Arbitrary<'a> for RetryParts<'a> {
    /// Of version 1 or 2, with a token.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (version, destination_id) = (version(u)?, u.arbitrary()?);
        let (source_id, token) = (u.arbitrary()?, bytes(u)?);
        let token = if token.is_empty() { &[0] } else { token };
        Ok(Self { version, destination_id, source_id, token })
    }
}
