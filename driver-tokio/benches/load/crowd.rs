//! Many connections.

use std::time::{Duration, Instant};

use driver_tokio::VarInt;
use tokio::task::JoinSet;

use crate::honest::Client;
use crate::server::{Health, Server};

/// Clients that connect at a time.
const AT_ONCE: usize = 32;

/// Connections on which nothing happens.
pub(crate) async fn idle(count: usize) {
    let mut server = Server::start();
    let client = std::sync::Arc::new(Client::new(server.address));
    let before = server.health();
    let mut held = Vec::with_capacity(count);
    let begun = Instant::now();
    let mut opening = JoinSet::new();
    while held.len() < count {
        while opening.len() < AT_ONCE && held.len() + opening.len() < count {
            let client = std::sync::Arc::clone(&client);
            opening.spawn(async move { client.connect().await });
        }
        let connection = opening.join_next().await.expect("a task").expect("a task");
        held.push(connection.expect("a connection"));
    }
    println!("  {count} connections opened in {:.1?}", begun.elapsed());
    settle(&mut server, |health| health.connections >= count).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let full = server.health();
    let each = full.heap.saturating_sub(before.heap) / count.max(1);
    println!("  heap of the server: {each} bytes for each of {} connections", full.connections);
    let (begun, at) = (Instant::now(), full.cpu);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let cpu = server.health().cpu.saturating_sub(at);
    let share = cpu.as_secs_f64() / begun.elapsed().as_secs_f64();
    println!("  processor while nothing happens: {:.2} %", 100.0 * share);
    drop(held);
}

/// Connections after which every table of what was, such as that of retired connection IDs and that
/// of TLS sessions, is as full as it gets.
const FILLED_AFTER: usize = 30_000;

/// Connections that come and go.
pub(crate) async fn churn(count: usize) {
    let mut server = Server::start();
    let client = std::sync::Arc::new(Client::new(server.address));
    // What is remembered of connections that are over is bounded, and fills up with the first ones.
    come_and_go(&client, FILLED_AFTER).await;
    client.finish().await;
    let before = settle(&mut server, |health| health.connections == 0).await;
    let begun = Instant::now();
    come_and_go(&client, count).await;
    let took = begun.elapsed();
    client.finish().await;
    let after = settle(&mut server, |health| health.connections == 0).await;
    let change = after.heap as f64 / before.heap as f64 - 1.0;
    println!("  {count} connections in {took:.1?}: {:.0}/s", count as f64 / took.as_secs_f64());
    println!(
        "  heap of the server: {} KiB before, {} KiB at most, {} KiB after: {:+.2} %",
        before.heap >> 10,
        after.peak >> 10,
        after.heap >> 10,
        100.0 * change
    );
}

async fn come_and_go(client: &std::sync::Arc<Client>, count: usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        if tasks.len() >= AT_ONCE {
            tasks.join_next().await;
        }
        let client = std::sync::Arc::clone(client);
        tasks.spawn(async move {
            let connection = client.connect().await.expect("a connection");
            connection.close(VarInt::default(), b"");
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Waits until the server is as it should be, and nothing is left of closed connections.
async fn settle(server: &mut Server, is_settled: impl Fn(&Health) -> bool) -> Health {
    loop {
        let health = server.health();
        if is_settled(&health) {
            // Closed connections are remembered for three probe timeouts, IDs a little longer.
            tokio::time::sleep(Duration::from_secs(5)).await;
            return server.health();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
