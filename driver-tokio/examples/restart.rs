//! A server that is replaced while it serves: nobody is refused, no connection ends. And one that is
//! killed: its clients hear of it at once.
//!
//! A supervisor owns the UDP socket and gives it to each server that it starts. The next one begins
//! to receive and to accept; then the one before it is told to retire: it receives nothing any more,
//! serves its connections to the end, and goes. What arrives for these, the new one hands over
//! through a Unix socket: connection IDs tell whose they are. If nobody reads there any more, clients
//! are told by a stateless reset that their connection is gone.
//!
//! `cargo run -p driver-tokio --example restart` shows it: three servers, and clients that keep a
//! connection to the first one and to the second.
#![expect(clippy::print_stdout, reason = "an example that shows what it does")]

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), unix::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => unix::supervise().await,
        [number, folder] => unix::serve(number.parse()?, folder.as_ref()).await,
        _ => Err("no arguments are expected".into()),
    }
}

#[cfg(not(unix))]
fn main() {
    println!("this example hands a socket over as Unix does");
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, File};
    use std::io::{ErrorKind, Read as _};
    use std::net::{SocketAddr, UdpSocket};
    use std::num::NonZeroU16;
    use std::os::fd::{AsFd as _, OwnedFd};
    use std::os::unix::net::UnixDatagram as StdUnixDatagram;
    use std::path::{Path, PathBuf};
    use std::process::Stdio;
    use std::sync::Arc;

    use driver_tokio::crypto::{TlsClientConfig, TlsServerConfig};
    use driver_tokio::{
        ClientConfig, Connection, ConnectionError, Endpoint, EndpointOptions, HandOver, HandedOver,
        KeyId, Keyring, Letter, Neighbours, ServerConfig, TransportConfig, VarInt,
    };
    use rustls::RootCertStore;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
    use tokio::net::UnixDatagram;
    use tokio::process::{Child, ChildStdout, Command};
    use tokio::sync::oneshot;

    pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

    /// Servers that may be there at the same time: further ones wait until the oldest has gone.
    const SERVERS: NonZeroU16 = NonZeroU16::new(16).unwrap();
    /// What the supervisor sends to a server that is to retire. No letter begins so.
    const RETIRE: &[u8] = b"retire";
    /// Longest letter: a train of 64 KiB, and its addresses.
    const LONGEST_LETTER: usize = (64 << 10) + 100;

    /// Where a server is told of what arrived for it, and to retire.
    fn mailbox(folder: &Path, number: u16) -> PathBuf {
        folder.join(format!("server-{number}.sock"))
    }

    // ---- A server ----------------------------------------------------------------------------

    /// Takes letters to the mailbox of the server that they are for.
    #[derive(Debug)]
    struct Post {
        socket: StdUnixDatagram,
        folder: PathBuf,
    }

    impl HandOver for Post {
        fn hand_over(&self, letter: Letter) -> HandedOver {
            let mailbox = mailbox(&self.folder, letter.shard.0);
            match self.socket.send_to(&letter.to_bytes(), mailbox).map_err(|it| it.kind()) {
                Ok(_) => HandedOver::Taken,
                // It went with its server, or nobody reads there since that was killed.
                Err(ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                    HandedOver::Unclaimed(letter)
                }
                // If it is full, the datagram is lost, as any may be.
                Err(_) => HandedOver::Lost,
            }
        }
    }

    /// The server with this number: it has the socket as its standard input.
    pub(crate) async fn serve(number: u16, folder: &Path) -> Result<(), Error> {
        let socket = UdpSocket::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        let post = Post { socket: StdUnixDatagram::unbound()?, folder: folder.to_owned() };
        post.socket.set_nonblocking(true)?;
        // All servers have the same secret: it makes tokens and stateless resets theirs alike, and
        // lets them tell each other's connection IDs.
        let keyring = Keyring::new(fs::read(folder.join("secret"))?.as_slice().try_into()?);
        let derived =
            keyring.derive(KeyId::FIRST, b"shards").ok_or("the keyring has a first key")?;
        let (secret, _) = derived.split_first_chunk().ok_or("32 bytes were derived")?;
        let neighbours = Neighbours {
            secret: *secret,
            total: SERVERS,
            first: number,
            hand_over: Arc::new(post),
        };
        let certificate = CertificateDer::from(fs::read(folder.join("certificate"))?);
        let key = PrivateKeyDer::try_from(fs::read(folder.join("key"))?)?;
        let tls = TlsServerConfig::from_certificate(vec![certificate], key, &[b"who"])?;
        let config = ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring.clone())?;
        let mut options = EndpointOptions::default();
        options.config.keyring = Some(keyring);
        options = options.with_server(Some(config)).with_neighbours(neighbours);
        let letters = UnixDatagram::bind(mailbox(folder, number))?;
        let endpoint = Endpoint::open(options, socket)?;
        println!("serving");

        tokio::spawn(read_letters(letters, endpoint.clone()));
        // Until it retires, and all who have knocked by then are let in.
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                // Who fails to connect tries again.
                if let Ok(connection) = incoming.await {
                    answer(connection, number).await;
                }
            });
        }
        println!("retired with {} connections", endpoint.open_connections());
        endpoint.wait_idle().await;
        fs::remove_file(mailbox(folder, number))?;
        println!("gone");
        Ok(())
    }

    /// Reads what comes to the server's mailbox: what others received for it, and that it is to
    /// retire.
    async fn read_letters(letters: UnixDatagram, endpoint: Endpoint) {
        let mut memory = vec![0; LONGEST_LETTER];
        while let Ok(length) = letters.recv(&mut memory).await {
            let received = memory.get(..length).unwrap_or_default();
            if received == RETIRE {
                endpoint.stop_receiving();
            } else if let Some(letter) = Letter::from_bytes(received) {
                // What finds no room is lost, as any datagram may be.
                let _: HandedOver = endpoint.deliver(letter);
            }
        }
    }

    /// Answers every question with the number of the server.
    async fn answer(connection: Connection, number: u16) {
        while let Ok((mut send, mut recv)) = connection.accept_bi().await {
            let asked = recv.read_to_end(100).await;
            if asked.is_err() || send.write_all(&number.to_be_bytes()).await.is_err() {
                break;
            }
            // Who hangs up does not want the answer.
            let _: Result<(), _> = send.finish();
        }
    }

    // ---- The supervisor ----------------------------------------------------------------------

    /// A server that was started.
    struct Started {
        number: u16,
        process: Child,
        says: Lines<BufReader<ChildStdout>>,
    }

    /// Starts a server, replaces it by another one, kills that, and has clients at all of them.
    pub(crate) async fn supervise() -> Result<(), Error> {
        let folder = std::env::temp_dir().join(format!("quic-restart-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let shown = show(&folder).await;
        fs::remove_dir_all(&folder)?;
        shown
    }

    async fn show(folder: &Path) -> Result<(), Error> {
        let roots = write_secrets(folder)?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let address = socket.local_addr()?;
        let client = client(roots)?;

        let mut first = start(&socket, 0, folder).await?;
        let faithful = client.connect(address, "localhost")?.await?;
        println!("a connection to server {}", ask(&faithful).await?);

        let (stop, stopped) = oneshot::channel();
        let others = tokio::spawn(come_and_go(client.clone(), address, stopped));
        let mut second = start(&socket, 1, folder).await?;
        retire(&mut first, folder).await?;
        println!("it is still with server {}", ask(&faithful).await?);
        // Others came all the time.
        let late = client.connect(address, "localhost")?.await?;
        println!("a new one is with server {}", ask(&late).await?);
        // Who does not hear it has failed, and tells why.
        let _: Result<(), ()> = stop.send(());
        let count = others.await??;
        println!("{count} others came and went in the meantime, and all of them were served");

        faithful.close(VarInt::from_u32(0), b"done");
        end(first).await?;
        println!("the new one is still with server {}", ask(&late).await?);
        println!("nobody was lost");

        let mut third = start(&socket, 2, folder).await?;
        second.process.kill().await?;
        if ask(&late).await.is_ok() || late.closed().await != ConnectionError::Reset {
            return Err("who is gone does not answer".into());
        }
        println!("server 1 was killed, and its client was told so");
        let last = client.connect(address, "localhost")?.await?;
        println!("a connection to server {}", ask(&last).await?);
        last.close(VarInt::from_u32(0), b"done");
        third.process.kill().await?;
        Ok(())
    }

    /// Starts the server with this number, and waits until it serves.
    async fn start(socket: &UdpSocket, number: u16, folder: &Path) -> Result<Started, Error> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(number.to_string())
            .arg(folder)
            .stdin(Stdio::from(OwnedFd::from(socket.try_clone()?)))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().ok_or("the server has an output")?;
        let mut started = Started { number, process, says: BufReader::new(output).lines() };
        started.wait_for("serving").await?;
        Ok(started)
    }

    /// Lets a server retire, and waits until it has.
    async fn retire(server: &mut Started, folder: &Path) -> Result<(), Error> {
        let socket = StdUnixDatagram::unbound()?;
        socket.send_to(RETIRE, mailbox(folder, server.number))?;
        server.wait_for("retired").await
    }

    /// Waits until a server that retired has served everybody.
    async fn end(mut server: Started) -> Result<(), Error> {
        server.wait_for("gone").await?;
        let status = server.process.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("the server failed: {status}").into()) }
    }

    impl Started {
        /// Waits until it says something that begins so.
        async fn wait_for(&mut self, beginning: &str) -> Result<(), Error> {
            while let Some(line) = self.says.next_line().await? {
                println!("server {}: {line}", self.number);
                if line.starts_with(beginning) {
                    return Ok(());
                }
            }
            Err(format!("server {} ended before it was {beginning}", self.number).into())
        }
    }

    /// Writes what all servers need; returns whom clients have to trust.
    fn write_secrets(folder: &Path) -> Result<RootCertStore, Error> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let mut secret = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut secret)?;
        fs::write(folder.join("secret"), secret)?;
        fs::write(folder.join("certificate"), made.cert.der())?;
        fs::write(folder.join("key"), made.signing_key.serialize_der())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        Ok(roots)
    }

    // ---- Clients -----------------------------------------------------------------------------

    fn client(roots: RootCertStore) -> Result<Endpoint, Error> {
        let tls = TlsClientConfig::from_roots(roots, &[b"who"])?;
        let endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
        endpoint.set_default_client_config(ClientConfig::new(
            Arc::new(tls),
            TransportConfig::default(),
        )?);
        Ok(endpoint)
    }

    /// The number of the server that a connection is with.
    async fn ask(connection: &Connection) -> Result<u16, Error> {
        let (mut send, mut recv) = connection.open_bi().await?;
        send.write_all(b"who are you?").await?;
        send.finish()?;
        let answer = recv.read_to_end(2).await?;
        Ok(u16::from_be_bytes(answer.as_slice().try_into()?))
    }

    /// Connects again and again, until it is told to stop; returns how often.
    async fn come_and_go(
        client: Endpoint,
        address: SocketAddr,
        mut stop: oneshot::Receiver<()>,
    ) -> Result<usize, Error> {
        let mut count = 0;
        while stop.try_recv().is_err() {
            let connection = client.connect(address, "localhost")?.await?;
            ask(&connection).await?;
            connection.close(VarInt::from_u32(0), b"done");
            count += 1;
        }
        Ok(count)
    }
}
