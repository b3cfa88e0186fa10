mod early_data;
mod handshake;
mod rfc_9001;
