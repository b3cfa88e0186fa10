//! The streams as the byte streams of tokio and of the futures crates.

#[cfg(feature = "tokio")]
mod tokio_io {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use crate::{RecvStream, SendStream};

    impl AsyncRead for RecvStream {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let count =
                std::task::ready!(Self::poll_read(self.get_mut(), cx, out.initialize_unfilled()))?;
            out.advance(count.unwrap_or(0));
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for SendStream {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            data: &[u8],
        ) -> Poll<io::Result<usize>> {
            Self::poll_write(self.get_mut(), cx, data).map_err(Into::into)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(self.get_mut().finish().map_err(Into::into))
        }
    }
}

#[cfg(feature = "futures-io")]
mod futures_io_io {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_io::{AsyncRead, AsyncWrite};

    use crate::{RecvStream, SendStream};

    impl AsyncRead for RecvStream {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            out: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let count = std::task::ready!(Self::poll_read(self.get_mut(), cx, out))?;
            Poll::Ready(Ok(count.unwrap_or(0)))
        }
    }

    impl AsyncWrite for SendStream {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            data: &[u8],
        ) -> Poll<io::Result<usize>> {
            Self::poll_write(self.get_mut(), cx, data).map_err(Into::into)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(self.get_mut().finish().map_err(Into::into))
        }
    }
}
