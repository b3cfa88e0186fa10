//! Not more than three times what was received, until the address is proved (RFC 9000 §8.1).

/// How many bytes may be sent for each byte received.
const FACTOR: u64 = 3;

/// Counts the bytes on a path whose address is not validated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amplification {
    /// `None` once the address is validated.
    allowance: Option<u64>,
}

impl Amplification {
    /// Nothing was received, so nothing may be sent.
    pub(crate) fn limited() -> Self {
        Self { allowance: Some(0) }
    }

    /// No limit: the address is validated, or this end is the client of a new connection.
    pub(crate) fn unlimited() -> Self {
        Self { allowance: None }
    }

    /// The payload of a datagram arrived, of `bytes` bytes.
    pub(crate) fn received(&mut self, bytes: u64) {
        if let Some(allowance) = &mut self.allowance {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-8
            //# Therefore, after receiving packets from an address that is not yet
            //# validated, an endpoint MUST limit the amount of data it sends to the
            //# unvalidated address to three times the amount of data received from that
            //# address.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
            //# For the purposes of avoiding amplification prior to address validation,
            //# servers MUST count all of the payload bytes received in datagrams that
            //# are uniquely attributed to a single connection.
            *allowance = allowance.saturating_add(bytes.saturating_mul(FACTOR));
        }
    }

    /// A datagram with a payload of `bytes` bytes was sent.
    pub(crate) fn sent(&mut self, bytes: u64) {
        if let Some(allowance) = &mut self.allowance {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
            //# Prior to validating the client address, servers MUST NOT send more than
            //# three times as many bytes as the number of bytes they have received.
            *allowance = allowance.saturating_sub(bytes);
        }
    }

    /// Bytes of UDP payload that may be sent; [`u64::MAX`] once the address is validated.
    pub(crate) fn allowance(&self) -> u64 {
        self.allowance.unwrap_or(u64::MAX)
    }

    /// The address is validated.
    pub(crate) fn validate(&mut self) {
        self.allowance = None;
    }

    pub(crate) fn is_validated(&self) -> bool {
        self.allowance.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
        //= type=test
        //# Prior to validating the client address, servers MUST NOT send more than
        //# three times as many bytes as the number of bytes they have received.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
        //= type=test
        //# For the purposes of avoiding amplification prior to address validation,
        //# servers MUST count all of the payload bytes received in datagrams that
        //# are uniquely attributed to a single connection.
        #[test]
        fn exactly_three_times_the_received_bytes_can_be_sent(
            steps in prop::collection::vec((0u64..65_536, 0u64..200_000), 1..100),
        ) {
            let mut limit = Amplification::limited();
            let (mut received, mut sent) = (0, 0);
            for (arrives, wanted) in steps {
                limit.received(arrives);
                received += arrives;
                prop_assert_eq!(limit.allowance(), 3 * received - sent);
                let now = wanted.min(limit.allowance());
                limit.sent(now);
                sent += now;
                prop_assert!(sent <= 3 * received);
            }
        }
    }

    #[test]
    fn a_validated_address_has_no_limit() {
        let mut limit = Amplification::limited();
        assert_eq!(limit.allowance(), 0);
        limit.validate();
        limit.sent(1 << 40);
        assert_eq!(limit.allowance(), u64::MAX);
        assert!(limit.is_validated());
    }
}
