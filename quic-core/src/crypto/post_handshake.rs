//! Messages of TLS after the handshake, where TLS must not see them.

/// The only message that a server may send then (RFC 8446 §4.6.1).
const NEW_SESSION_TICKET: u8 = 4;
/// What asks for a certificate (RFC 8446 §4.6.2).
const CERTIFICATE_REQUEST: u8 = 13;
/// Longest message, as TLS takes it.
const MAXIMUM_LENGTH: u32 = 0xffff;

/// Reads over tickets, which nobody can use, and finds what a server must not send.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    /// Type and length of the next message, as far as they came.
    header: [u8; 4],
    known: usize,
    /// Bytes of the message that are still to come.
    rest: usize,
}

/// A message that a server must not send after the handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Forbidden {
    /// A request for a certificate.
    CertificateRequest,
    /// Anything else: KeyUpdate, or what belongs to a handshake.
    Unexpected,
}

impl PassedOver {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// What came that must not.
    pub(super) fn read(&mut self, mut data: &[u8]) -> Result<(), Forbidden> {
        while let Some((first, after)) = data.split_first() {
            if self.rest > 0 {
                let passed = self.rest.min(data.len());
                self.rest -= passed;
                data = data.get(passed..).unwrap_or_default();
                continue;
            }
            if let Some(place) = self.header.get_mut(self.known) {
                *place = *first;
            }
            self.known += 1;
            data = after;
            if self.known == self.header.len() {
                self.begin()?;
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Forbidden> {
        let [kind, a, b, c] = self.header;
        let length = u32::from_be_bytes([0, a, b, c]);
        match kind {
            NEW_SESSION_TICKET if length <= MAXIMUM_LENGTH => {
                self.rest = usize::try_from(length).unwrap_or(usize::MAX);
                self.known = 0;
                Ok(())
            }
            CERTIFICATE_REQUEST => Err(Forbidden::CertificateRequest),
            _ => Err(Forbidden::Unexpected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_passed_over_however_they_are_cut_and_nothing_else_is() {
        let ticket = [&[4, 0, 1, 0][..], &[24; 256]].concat();
        let empty = [4, 0, 0, 0];
        for (last, expected) in [
            (&[24, 0, 0, 1, 0][..], Err(Forbidden::Unexpected)),
            (&[13, 0, 0, 0], Err(Forbidden::CertificateRequest)),
            (&[4, 1, 0, 0], Err(Forbidden::Unexpected)),
            (&[4, 0, 0, 2], Ok(())),
        ] {
            let all = [&ticket[..], &empty, &ticket, last].concat();
            for step in [1, 3, 100, 1000] {
                let mut passed = PassedOver::default();
                let found = all.chunks(step).try_for_each(|chunk| passed.read(chunk));
                assert_eq!(found, expected, "{last:?} {step}");
            }
        }
    }
}
