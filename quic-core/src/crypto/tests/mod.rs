mod builders;
mod handshake;
mod rfc_9001;
