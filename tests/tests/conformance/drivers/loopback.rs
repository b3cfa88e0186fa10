//! Drivers for runtimes, over sockets of the loopback interface.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::task::{Context, Poll};
use std::time::Duration;

use driver::{
    Arrivals, AsyncSocket, Clock, CurrentRuntime, EndpointConfig, EndpointOn, EndpointOptions,
    Outgoing, Runtime, ServerConfig, Side, Socket, Warning,
};
use driver_smol::AsyncIo;
use driver_tokio::Tokio;
use futures::future::{Either, select};
use socket2::{Domain, SockRef, Type};

use super::{Driver, Task};

/// What runs tasks, and waits.
pub(crate) trait Executor {
    type Runtime: CurrentRuntime;

    fn block_on<F: Future<Output = ()>>(future: F);

    fn spawn(task: Task);

    fn sleep(duration: Duration) -> impl Future<Output = ()>;
}

/// A runtime whose endpoints are on the loopback interface.
pub(crate) struct Loopback<E>(PhantomData<E>);

impl<E> Clone for Loopback<E> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

/// How long a promise may take.
const LIMIT: Duration = Duration::from_mins(1);

impl<E: Executor> Driver for Loopback<E> {
    type Endpoint = EndpointOn<E::Runtime>;
    type Socket = UdpSocket;

    fn run<F: Future<Output = ()>>(promise: impl FnOnce(Self) -> F) {
        E::block_on(async {
            let (promise, limit) = (promise(Self(PhantomData)), E::sleep(LIMIT));
            if let Either::Right(_) = select(Box::pin(promise), Box::pin(limit)).await {
                panic!("not kept within {LIMIT:?}");
            }
        });
    }

    fn socket(&self, _: Side, address: Option<SocketAddr>) -> io::Result<UdpSocket> {
        UdpSocket::bind(address.unwrap_or((Ipv4Addr::LOCALHOST, 0).into()))
    }

    fn address(&self, socket: &UdpSocket) -> SocketAddr {
        socket.local_addr().unwrap()
    }

    fn sharing(&self, side: Side) -> [UdpSocket; 2] {
        let first = self.socket(side, None).unwrap();
        SockRef::from(&first).set_reuse_port(true).unwrap();
        let second = socket2::Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        second.set_reuse_port(true).unwrap();
        second.bind(&first.local_addr().unwrap().into()).unwrap();
        [first, second.into()]
    }

    fn send(&self, socket: &UdpSocket, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        socket.send_to(datagram, to).map(drop)
    }

    fn open(&self, options: EndpointOptions, socket: UdpSocket) -> EndpointOn<E::Runtime> {
        EndpointOn::open(options, socket).unwrap()
    }

    fn faulty(&self, server: Option<ServerConfig>, percent: u32) -> driver::Endpoint {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let runtime = Faulty { inner: E::Runtime::current().unwrap(), percent };
        let config = EndpointConfig::default();
        (*EndpointOn::new_on(runtime, config, server, socket).unwrap()).clone()
    }

    fn rebind(&self, endpoint: &EndpointOn<E::Runtime>, socket: UdpSocket) -> io::Result<()> {
        endpoint.rebind(socket)
    }

    fn add_socket(&self, endpoint: &EndpointOn<E::Runtime>, socket: UdpSocket) -> io::Result<()> {
        endpoint.add_socket(socket)
    }

    fn spawn_task(&self, task: Task) {
        E::spawn(task);
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> {
        E::sleep(duration)
    }
}

pub(crate) type TokioMultiThread = Loopback<MultiThread>;
pub(crate) type TokioCurrentThread = Loopback<CurrentThread>;
pub(crate) type Smol = Loopback<OnSmol>;
pub(crate) type AsyncStd = Loopback<OnAsyncStd>;

pub(crate) struct MultiThread;

impl Executor for MultiThread {
    type Runtime = Tokio;

    fn block_on<F: Future<Output = ()>>(future: F) {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap().block_on(future);
    }

    fn spawn(task: Task) {
        tokio::spawn(task);
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(duration)
    }
}

pub(crate) struct CurrentThread;

impl Executor for CurrentThread {
    type Runtime = Tokio;

    fn block_on<F: Future<Output = ()>>(future: F) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(future);
    }

    fn spawn(task: Task) {
        tokio::spawn(task);
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(duration)
    }
}

pub(crate) struct OnSmol;

impl Executor for OnSmol {
    type Runtime = AsyncIo<driver_smol::Smol>;

    fn block_on<F: Future<Output = ()>>(future: F) {
        smol::block_on(future);
    }

    fn spawn(task: Task) {
        smol::spawn(task).detach();
    }

    async fn sleep(duration: Duration) {
        smol::Timer::after(duration).await;
    }
}

pub(crate) struct OnAsyncStd;

impl Executor for OnAsyncStd {
    type Runtime = AsyncIo<driver_smol::AsyncStd>;

    fn block_on<F: Future<Output = ()>>(future: F) {
        async_std::task::block_on(future);
    }

    fn spawn(task: Task) {
        drop(async_std::task::spawn(task));
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        async_std::task::sleep(duration)
    }
}

/// A runtime whose sockets fail now and then.
#[derive(Clone, Debug)]
struct Faulty<R> {
    inner: R,
    percent: u32,
}

impl<R: Runtime> Runtime for Faulty<R> {
    type Socket = FaultySocket<R::Socket>;
    type Timer = R::Timer;

    fn socket(&self, socket: UdpSocket) -> io::Result<(Self::Socket, Vec<Warning>)> {
        let (inner, warnings) = self.inner.socket(socket)?;
        Ok((FaultySocket { inner, percent: self.percent, calls: Cell::new(0) }, warnings))
    }

    fn timer(&self, clock: Clock) -> io::Result<R::Timer> {
        self.inner.timer(clock)
    }

    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        self.inner.spawn(run);
    }
}

/// A socket that fails now and then, always at the same calls.
struct FaultySocket<S> {
    inner: S,
    percent: u32,
    calls: Cell<u32>,
}

impl<S> FaultySocket<S> {
    fn call(&self) -> io::Result<()> {
        let call = self.calls.get().wrapping_add(1);
        self.calls.set(call);
        if call.wrapping_mul(0x9e37_79b9) >> 16 & 0xffff < self.percent * 0xffff / 100 {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        }
        Ok(())
    }
}

impl<S: Socket> Socket for FaultySocket<S> {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        self.call()?;
        self.inner.receive(arrivals)
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        self.call()?;
        self.inner.send(outgoing)
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        self.inner.maximum_segments()
    }
}

impl<S: AsyncSocket> AsyncSocket for FaultySocket<S> {
    fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_receivable(cx)
    }

    fn poll_sendable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_sendable(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}
