use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver::{
    ClosedStream, Connection, ConnectionError, EndpointOptions, HandOver, HandedOver, Keyring,
    Letter, Neighbours, ReadToEndError, RecvStream, Side, SocketStatistics, VarInt, WriteError,
};
use futures::future::{Either, join_all, select};
use futures::join;

use crate::drivers::Driver;
use crate::pair::{configs, pattern, transfer};

/// A server with shards, and what its clients need.
struct Sharded<D: Driver> {
    driver: D,
    server: D::Endpoint,
    config: driver::ClientConfig,
}

fn count(shards: u16) -> NonZeroU16 {
    NonZeroU16::new(shards).unwrap()
}

/// A socket for a client.
fn another<D: Driver>(driver: &D) -> D::Socket {
    driver.socket(Side::Client, None).unwrap()
}

impl<D: Driver> Sharded<D> {
    fn new(driver: &D, shards: u16) -> Self {
        let (server, config) = configs();
        let options = EndpointOptions::default().with_server(Some(server));
        let socket = driver.socket(Side::Server, None).unwrap();
        let server = driver.open(options.with_shards(count(shards)), socket);
        Self { driver: driver.clone(), server, config }
    }

    /// A client with a socket of its own.
    fn client(&self) -> D::Endpoint {
        let client = self.driver.client();
        client.set_default_client_config(self.config.clone());
        client
    }

    /// A connection of a client: its end and the server's.
    async fn connect(&self, client: &D::Endpoint) -> (Connection, Connection) {
        let address = self.server.local_addr().unwrap();
        let connecting = client.connect(address, "localhost").unwrap();
        let accept = async { self.server.accept().await.unwrap().await.unwrap() };
        let (client, server) = join!(connecting, accept);
        (client.unwrap(), server)
    }

    /// Connections of each shard.
    fn spread(&self) -> Vec<usize> {
        let each = (0..self.server.shard_count()).map(|index| self.server.shard(index).unwrap());
        each.map(|shard| shard.open_connections()).collect()
    }
}

pub(crate) async fn every_shard_has_its_share_of_the_connections<D: Driver>(driver: D) {
    let sharded = Sharded::new(&driver, 4);
    let mut connections = Vec::new();
    // The system chooses by addresses. Sooner or later, every shard has its turn.
    while sharded.spread().contains(&0) {
        let client = sharded.client();
        let (client, server) = sharded.connect(&client).await;
        connections.push((client, server));
    }
    assert_eq!(sharded.server.open_connections(), connections.len());
    join_all(connections.iter().map(|(client, server)| transfer(client, server, 50_000))).await;
    // Nothing arrived where it did not belong.
    assert_eq!(sharded.server.socket_stats().handed_over, 0);
}

pub(crate) async fn a_client_that_moves_is_heard_by_the_shard_that_knows_it<D: Driver>(driver: D) {
    let sharded = Sharded::new(&driver, 4);
    let endpoint = sharded.client();
    let (client, server) = sharded.connect(&endpoint).await;
    // As often as it takes to arrive at another shard, and as often again.
    let mut handed_over = 0;
    for _ in 0..2 {
        while sharded.server.socket_stats().handed_over == handed_over {
            driver.rebind(&endpoint, another(&driver)).unwrap();
            transfer(&client, &server, 300_000).await;
            let moved = || server.remote_address() == endpoint.local_addr().unwrap();
            driver.until("moved", moved).await;
        }
        handed_over = sharded.server.socket_stats().handed_over;
    }
    assert_eq!(sharded.server.open_connections(), 1);
}

pub(crate) async fn a_client_that_moves_all_the_time_is_served_all_the_same<D: Driver>(driver: D) {
    let sharded = Sharded::new(&driver, 8);
    let endpoint = sharded.client();
    let (client, server) = sharded.connect(&endpoint).await;
    let moves = async {
        for _ in 0..8 {
            driver.sleep(Duration::from_millis(20)).await;
            driver.rebind(&endpoint, another(&driver)).unwrap();
        }
    };
    join!(transfer(&client, &server, 10_000_000), moves);
    transfer(&server, &client, 1_000_000).await;
}

pub(crate) async fn each_shard_can_be_accepted_from_alone<D: Driver>(driver: D) {
    let sharded = Sharded::new(&driver, 3);
    let shards: Vec<_> = (0..3).map(|index| sharded.server.shard(index).unwrap()).collect();
    assert!(sharded.server.shard(3).is_none());
    let accepted: Arc<Mutex<[usize; 3]>> = Arc::default();
    let mut acceptors = Vec::new();
    for (index, shard) in shards.iter().cloned().enumerate() {
        let accepted = Arc::clone(&accepted);
        acceptors.push(driver.spawn(async move {
            let mut kept = Vec::new();
            while let Some(incoming) = shard.accept().await {
                kept.push(incoming.await.unwrap());
                accepted.lock().unwrap()[index] += 1;
                assert_eq!(shard.open_connections(), kept.len());
            }
            kept
        }));
    }
    let mut clients = Vec::new();
    while accepted.lock().unwrap().contains(&0) {
        let client = sharded.client();
        let address = sharded.server.local_addr().unwrap();
        clients.push(client.connect(address, "localhost").unwrap().await.unwrap());
        let complete = || accepted.lock().unwrap().iter().sum::<usize>() == clients.len();
        driver.until("accepted", complete).await;
    }
    assert_eq!(sharded.spread(), accepted.lock().unwrap().to_vec());
    // It ends for all of them.
    sharded.server.stop_accepting();
    let kept = join_all(acceptors).await;
    assert_eq!(kept.iter().map(Vec::len).sum::<usize>(), clients.len());
    sharded.server.close(VarInt::from_u32(0), b"");
}

pub(crate) async fn a_closed_endpoint_closes_the_connections_of_all_shards<D: Driver>(driver: D) {
    let sharded = Sharded::new(&driver, 4);
    let mut connections = Vec::new();
    for _ in 0..12 {
        connections.push(sharded.connect(&sharded.client()).await);
    }
    sharded.server.close(VarInt::from_u32(7), b"that is all");
    sharded.server.wait_idle().await;
    assert_eq!(sharded.server.open_connections(), 0);
    for (client, _) in &connections {
        let ConnectionError::ApplicationClosed(close) = client.closed().await else {
            panic!("closed otherwise");
        };
        assert_eq!(close.error_code, VarInt::from_u32(7));
    }
    assert!(sharded.server.accept().await.is_none());
}

pub(crate) async fn a_server_with_shards_goes_on_on_another_address_as_well<D: Driver>(driver: D) {
    let sharded = Sharded::new(&driver, 4);
    let (first, accepted) = sharded.connect(&sharded.client()).await;
    let before = sharded.server.local_addr().unwrap();
    driver.rebind(&sharded.server, driver.socket(Side::Server, None).unwrap()).unwrap();
    assert_ne!(sharded.server.local_addr().unwrap(), before);
    assert_eq!(sharded.server.local_addrs()[0], before);
    let mut others = Vec::new();
    while others.len() < 8 || sharded.spread().contains(&0) {
        others.push(sharded.connect(&sharded.client()).await);
    }
    transfer(&first, &accepted, 100_000).await;
    join_all(others.iter().map(|(client, server)| transfer(client, server, 100_000))).await;
}

pub(crate) async fn who_moves_goes_on_with_the_address_that_he_knows<D: Driver>(driver: D) {
    let sharded = Sharded::new(&driver, 4);
    driver.add_socket(&sharded.server, driver.socket(Side::Server, None).unwrap()).unwrap();
    let [_, second] = *sharded.server.local_addrs() else { panic!("there are two addresses") };
    let endpoint = sharded.client();
    let connecting = endpoint.connect(second, "localhost").unwrap();
    let accept = async { sharded.server.accept().await.unwrap().await.unwrap() };
    let (client, server) = join!(connecting, accept);
    let client = client.unwrap();
    transfer(&client, &server, 1000).await;
    while sharded.server.socket_stats().handed_over == 0 {
        driver.rebind(&endpoint, another(&driver)).unwrap();
        transfer(&client, &server, 10_000).await;
        transfer(&server, &client, 10_000).await;
    }
    assert_eq!(client.remote_address(), second);
}

pub(crate) async fn answers_to_a_client_with_shards_find_the_one_that_asked<D: Driver>(driver: D) {
    let sharded = Sharded::new(&driver, 1);
    let options = EndpointOptions::default().with_shards(count(4));
    let client = driver.open(options, another(&driver));
    client.set_default_client_config(sharded.config.clone());
    // All shards connect in turn, and what one server answers arrives at one of them: so at least
    // three of four have to be told by that one.
    for _ in 0..4 {
        let (client, server) = sharded.connect(&client).await;
        transfer(&client, &server, 100_000).await;
    }
    assert!(client.socket_stats().handed_over > 0);
    driver.rebind(&client, another(&driver)).unwrap();
    let (client, server) = sharded.connect(&client).await;
    transfer(&client, &server, 100_000).await;
}

/// What becomes of letters to another endpoint.
#[derive(Debug, Default)]
enum Fate {
    #[default]
    Lost,
    Delivered(driver::Endpoint),
    Unclaimed,
}

#[derive(Debug, Default)]
struct Postman(Mutex<Fate>);

impl HandOver for Postman {
    fn hand_over(&self, letter: Letter) -> HandedOver {
        match &*self.0.lock().unwrap() {
            Fate::Lost => HandedOver::Lost,
            Fate::Delivered(endpoint) => endpoint.deliver(letter),
            Fate::Unclaimed => HandedOver::Unclaimed(letter),
        }
    }
}

/// Two servers of one address, which send back what they read, and a client with a connection.
struct Neighbourly<D: Driver> {
    driver: D,
    servers: [D::Endpoint; 2],
    postmen: [Arc<Postman>; 2],
    client: D::Endpoint,
    connection: Connection,
}

impl<D: Driver> Neighbourly<D> {
    async fn new(driver: &D) -> Self {
        let (server, config) = configs();
        let postmen: [Arc<Postman>; 2] = Default::default();
        let [one, other] = driver.sharing(Side::Server);
        let open = |socket, first, postman: &Arc<Postman>| {
            let neighbours = Neighbours {
                secret: [9; 16],
                total: count(4),
                first,
                hand_over: Arc::clone(postman) as Arc<dyn HandOver>,
            };
            let mut options = EndpointOptions::default().with_server(Some(server.clone()));
            options.config.keyring = Some(Keyring::new([8; 32]));
            driver.open(options.with_neighbours(neighbours), socket)
        };
        let servers = [open(one, 0, &postmen[0]), open(other, 3, &postmen[1])];
        for server in &servers {
            drop(driver.spawn(echo((**server).clone())));
        }
        let client = driver.client();
        let address = servers[0].local_addr().unwrap();
        let connection = client.connect_with(config, address, "localhost").unwrap().await.unwrap();
        Self { driver: driver.clone(), servers, postmen, client, connection }
    }

    /// Lets each server's letters reach the other one.
    fn deliver(&self) {
        for (postman, server) in self.postmen.iter().zip(self.servers.iter().rev()) {
            *postman.0.lock().unwrap() = Fate::Delivered((**server).clone());
        }
    }

    /// Lets no server have any letter's shard.
    fn disclaim(&self) {
        for postman in &self.postmen {
            *postman.0.lock().unwrap() = Fate::Unclaimed;
        }
    }

    /// The counters of both servers.
    fn statistics(&self) -> [SocketStatistics; 2] {
        [0, 1].map(|index| self.servers[index].socket_stats())
    }

    /// What both servers counted together.
    fn count(&self, counter: impl Fn(SocketStatistics) -> u64) -> u64 {
        self.statistics().map(counter).iter().sum()
    }

    /// Lets every letter be lost.
    fn lose(&self) {
        for postman in &self.postmen {
            *postman.0.lock().unwrap() = Fate::Lost;
        }
    }

    /// Waits until a letter was lost.
    async fn lost(&self) {
        while self.count(|it| it.hand_overs_dropped) == 0 {
            self.driver.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Moves the client to another address, where it may be another server's peer, and asks. What
    /// comes back has to be read before many more are asked: both ends stop reading when the
    /// windows are full of answers.
    async fn ask(&self) -> Result<RecvStream, ConnectionError> {
        self.driver.rebind(&self.client, another(&self.driver)).unwrap();
        let (mut send, recv) = self.connection.open_bi().await?;
        // If the connection ends meanwhile, whoever reads hears of it.
        let _: Result<(), WriteError> = send.write_all(&pattern(20_000)).await;
        let _: Result<(), ClosedStream> = send.finish();
        Ok(recv)
    }
}

impl<D: Driver> Drop for Neighbourly<D> {
    fn drop(&mut self) {
        // Who hands over to each other would never go.
        self.lose();
    }
}

/// Sends back what it reads, as long as connections come.
async fn echo(server: driver::Endpoint) {
    while let Some(incoming) = server.accept().await {
        let connection = incoming.await.unwrap();
        while let Ok((mut send, mut recv)) = connection.accept_bi().await {
            let Ok(read) = recv.read_to_end(1 << 20).await else { break };
            send.write_all(&read).await.unwrap();
            send.finish().unwrap();
        }
    }
}

async fn answer(mut recv: RecvStream) -> Result<(), ReadToEndError> {
    assert!(recv.read_to_end(1 << 20).await? == pattern(20_000), "something else came");
    Ok(())
}

pub(crate) async fn endpoints_that_share_an_address_serve_each_others_peers<D: Driver>(driver: D) {
    let two = Neighbourly::new(&driver).await;
    two.deliver();
    // The client moves, until what it sends arrives at the one that does not know it.
    while two.count(|it| it.handed_over) < 10 {
        answer(two.ask().await.unwrap()).await.unwrap();
    }
    assert_eq!(two.count(|it| it.hand_overs_dropped + it.hand_overs_unclaimed), 0);
}

pub(crate) async fn what_is_lost_on_its_way_to_a_neighbour_is_sent_again<D: Driver>(driver: D) {
    let two = Neighbourly::new(&driver).await;
    two.deliver();
    answer(two.ask().await.unwrap()).await.unwrap();
    two.lose();
    loop {
        let answered = Box::pin(answer(two.ask().await.unwrap()));
        match select(answered, Box::pin(two.lost())).await {
            Either::Left((answered, _)) => answered.unwrap(),
            Either::Right(((), answered)) => {
                // Probes are lost, too.
                driver.sleep(Duration::from_millis(500)).await;
                two.deliver();
                answered.await.unwrap();
                break;
            }
        }
        driver.sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(two.count(|it| it.hand_overs_unclaimed), 0);
}

pub(crate) async fn whose_server_is_gone_hears_of_it_from_its_neighbour<D: Driver>(driver: D) {
    let two = Neighbourly::new(&driver).await;
    two.deliver();
    // Nobody moves before the handshake is confirmed.
    answer(two.ask().await.unwrap()).await.unwrap();
    two.disclaim();
    // As long as it arrives at its own server, it is served.
    while let Ok(recv) = two.ask().await {
        if answer(recv).await.is_err() {
            break;
        }
    }
    assert_eq!(two.connection.closed().await, ConnectionError::Reset);
    let unclaimed = two.count(|it| it.hand_overs_unclaimed);
    assert!(unclaimed > 0, "nobody was asked for");
}
