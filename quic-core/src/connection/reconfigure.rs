//! Following an endpoint whose configuration changes (RFC 9000 §5.1.2).

use std::sync::Arc;

use super::Connection;
use crate::config::EndpointConfig;

impl Connection {
    /// Takes over the endpoint's configuration, if it is another one by now.
    pub(crate) fn follow(&mut self, endpoint: &Arc<EndpointConfig>) {
        if !Arc::ptr_eq(&self.endpoint, endpoint) {
            self.take_over(endpoint);
        }
    }

    /// Not before the handshake is confirmed, and the peer is done with the change before: it is
    /// tried again with every input.
    fn take_over(&mut self, endpoint: &Arc<EndpointConfig>) {
        if !self.handshake.is_confirmed() || !self.lifecycle.is_alive() {
            return;
        }
        if self.endpoint.connection_ids == endpoint.connection_ids {
            self.endpoint = Arc::clone(endpoint);
        } else if self.local_ids.replace_all() {
            //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.1
            //# Servers MUST NOT generate new connection IDs using an old
            //# configuration after receiving a new one from the configuration agent.
            //# Servers MUST use that QUIC version's methods to update the client
            //# with CIDs (e.g., NEW_CONNECTION_ID frames) using the new
            //# configuration and retire CIDs using the old configuration.
            self.endpoint = Arc::clone(endpoint);
            let most = if endpoint.permits_migration() { u8::MAX } else { 1 };
            self.issue_ids_up_to(most);
        }
    }
}
