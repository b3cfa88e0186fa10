mod builders;
mod early_data;
mod handshake;
mod rfc_9001;
mod rfc_9369;
mod versions;
