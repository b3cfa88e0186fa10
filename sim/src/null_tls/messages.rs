//! Messages framed as in TLS 1.3: kind, length in three bytes, contents.

/// Longest message that is taken, in bytes.
pub(super) const MAXIMUM_MESSAGE: usize = 1 << 17;
const HEADER: usize = 4;

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const NEW_SESSION_TICKET: u8 = 4;
pub(super) const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const FINISHED: u8 = 20;

/// Appends a message; `contents` are padded so that it has at least `length` bytes in all.
pub(super) fn append(out: &mut Vec<u8>, kind: u8, contents: &[u8], length: usize) {
    let padded = contents.len().max(length.saturating_sub(HEADER)).min(MAXIMUM_MESSAGE);
    let [_, size @ ..] = u32::try_from(padded).unwrap_or_default().to_be_bytes();
    out.push(kind);
    out.extend_from_slice(&size);
    let end = out.len() + padded;
    out.extend_from_slice(contents);
    out.resize(end, 0);
}

/// The first message in `bytes`, if it is whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) contents: &'a [u8],
    /// All of its bytes.
    pub(super) whole: &'a [u8],
}

/// A message that is longer than any may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooLong;

pub(super) fn first(bytes: &[u8]) -> Result<Option<Message<'_>>, TooLong> {
    let Some(([kind, a, b, c], rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
    if length > MAXIMUM_MESSAGE {
        return Err(TooLong);
    }
    Ok(rest.get(..length).zip(bytes.get(..HEADER + length)).map(|(contents, whole)| Message {
        kind: *kind,
        contents,
        whole,
    }))
}

/// Appends `value` after its length in two bytes.
pub(super) fn put(out: &mut Vec<u8>, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value.get(..usize::from(length)).unwrap_or(value));
}

/// Takes a value off the front of `bytes`.
pub(super) fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *bytes = rest;
    Some(value)
}

/// The contents of a client's first message.
#[derive(Clone, Debug)]
pub(super) struct ClientHello {
    pub(super) server_name: String,
    pub(super) parameters: Vec<u8>,
    pub(super) protocols: Vec<Vec<u8>>,
    /// The ticket of the session to resume, with early data.
    pub(super) early_ticket: Option<u64>,
}

impl ClientHello {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, self.server_name.as_bytes());
        put(&mut out, &self.parameters);
        let mut protocols = Vec::new();
        for protocol in &self.protocols {
            put(&mut protocols, protocol);
        }
        put(&mut out, &protocols);
        if let Some(id) = self.early_ticket {
            put(&mut out, &id.to_be_bytes());
        }
        out
    }

    pub(super) fn decode(mut contents: &[u8]) -> Option<Self> {
        let server_name = String::from_utf8(take(&mut contents)?.to_vec()).ok()?;
        let parameters = take(&mut contents)?.to_vec();
        let mut list = take(&mut contents)?;
        let mut protocols = Vec::new();
        while !list.is_empty() {
            protocols.push(take(&mut list)?.to_vec());
        }
        // Padding has the same look as no ticket.
        let early_ticket = take(&mut contents).and_then(|id| id.try_into().ok());
        let early_ticket = early_ticket.map(u64::from_be_bytes);
        Some(Self { server_name, parameters, protocols, early_ticket })
    }
}
