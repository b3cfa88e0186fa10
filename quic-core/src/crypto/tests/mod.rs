mod handshake;
mod rfc_9001;
