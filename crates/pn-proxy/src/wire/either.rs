//! One stream type out of two: plain or TLS, one's or the other's.

/// Both ways of reading and writing, by the variant that is there.
macro_rules! either_stream {
    ($enum:ident { $first:ident, $second:ident }) => {
        $crate::wire::either_data_stream!($enum { $first, $second });

        impl ::tokio::io::AsyncRead for $enum {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &mut ::tokio::io::ReadBuf<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                match self.get_mut() {
                    Self::$first(stream) => {
                        ::tokio::io::AsyncRead::poll_read(::std::pin::Pin::new(stream), cx, buf)
                    }
                    Self::$second(stream) => {
                        ::tokio::io::AsyncRead::poll_read(::std::pin::Pin::new(stream), cx, buf)
                    }
                }
            }
        }

        impl ::tokio::io::AsyncWrite for $enum {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bytes: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                match self.get_mut() {
                    Self::$first(stream) => {
                        ::tokio::io::AsyncWrite::poll_write(::std::pin::Pin::new(stream), cx, bytes)
                    }
                    Self::$second(stream) => {
                        ::tokio::io::AsyncWrite::poll_write(::std::pin::Pin::new(stream), cx, bytes)
                    }
                }
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                pieces: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                match self.get_mut() {
                    Self::$first(stream) => {
                        ::tokio::io::AsyncWrite::poll_write_vectored(::std::pin::Pin::new(stream), cx, pieces)
                    }
                    Self::$second(stream) => {
                        ::tokio::io::AsyncWrite::poll_write_vectored(::std::pin::Pin::new(stream), cx, pieces)
                    }
                }
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                match self.get_mut() {
                    Self::$first(stream) => {
                        ::tokio::io::AsyncWrite::poll_flush(::std::pin::Pin::new(stream), cx)
                    }
                    Self::$second(stream) => {
                        ::tokio::io::AsyncWrite::poll_flush(::std::pin::Pin::new(stream), cx)
                    }
                }
            }

            fn poll_shutdown(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                match self.get_mut() {
                    Self::$first(stream) => {
                        ::tokio::io::AsyncWrite::poll_shutdown(::std::pin::Pin::new(stream), cx)
                    }
                    Self::$second(stream) => {
                        ::tokio::io::AsyncWrite::poll_shutdown(::std::pin::Pin::new(stream), cx)
                    }
                }
            }
        }
    };
}

/// With owned buffers alone.
macro_rules! either_data_stream {
    ($enum:ident { $first:ident, $second:ident }) => {
        impl ::pn_io::DataStream for $enum {
            fn poll_recv(
                &mut self,
                cx: &mut ::std::task::Context<'_>,
                max: usize,
            ) -> ::std::task::Poll<::std::io::Result<Option<::pn_io::PoolBuf>>> {
                match self {
                    Self::$first(stream) => ::pn_io::DataStream::poll_recv(&mut *stream, cx, max),
                    Self::$second(stream) => ::pn_io::DataStream::poll_recv(&mut **stream, cx, max),
                }
            }

            fn queue_send(&mut self, chunk: ::pn_io::Chunk) -> Result<(), ::pn_io::Chunk> {
                match self {
                    Self::$first(stream) => ::pn_io::DataStream::queue_send(&mut *stream, chunk),
                    Self::$second(stream) => ::pn_io::DataStream::queue_send(&mut **stream, chunk),
                }
            }

            fn queued(&self) -> usize {
                match self {
                    Self::$first(stream) => ::pn_io::DataStream::queued(&*stream),
                    Self::$second(stream) => ::pn_io::DataStream::queued(&**stream),
                }
            }

            fn poll_flush(
                &mut self,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                match self {
                    Self::$first(stream) => ::pn_io::DataStream::poll_flush(&mut *stream, cx),
                    Self::$second(stream) => ::pn_io::DataStream::poll_flush(&mut **stream, cx),
                }
            }

            fn poll_shutdown(
                &mut self,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                match self {
                    Self::$first(stream) => ::pn_io::DataStream::poll_shutdown(&mut *stream, cx),
                    Self::$second(stream) => ::pn_io::DataStream::poll_shutdown(&mut **stream, cx),
                }
            }

            fn is_reusable(&mut self) -> bool {
                match self {
                    Self::$first(stream) => ::pn_io::DataStream::is_reusable(&mut *stream),
                    Self::$second(stream) => ::pn_io::DataStream::is_reusable(&mut **stream),
                }
            }
        }
    };
}

pub(crate) use {either_data_stream, either_stream};
