use driver::SocketStatistics;
use futures::join;

use crate::drivers::Driver;
use crate::pair::{configs, pattern};

pub(crate) async fn errors_of_sockets_end_neither_endpoints_nor_connections<D: Driver>(driver: D) {
    let (server_config, client_config) = configs();
    let (server, client) = (driver.faulty(Some(server_config), 20), driver.faulty(None, 20));
    let address = server.local_addr().unwrap();
    let connecting = client.connect_with(client_config, address, "localhost").unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (client_end, server_end) = join!(connecting, accept);
    let client_end = client_end.unwrap();
    let data = pattern(1 << 20);
    let send = async {
        let mut send = client_end.open_uni().await.unwrap();
        send.write_all(&data).await.unwrap();
        send.finish().unwrap();
        assert_eq!(send.stopped().await, Ok(None));
    };
    let receive = async {
        let mut recv = server_end.accept_uni().await.unwrap();
        recv.read_to_end(data.len()).await.unwrap()
    };
    let ((), received) = join!(send, receive);
    assert!(received == data, "the data differs");
    for endpoint in [&server, &client] {
        let SocketStatistics { receive_errors, .. } = endpoint.socket_stats();
        assert!(receive_errors > 0, "nothing failed");
    }
}
