//! How ureq gets to the server: TLS with our own idea of whom to believe, or a Unix socket.

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

/// Puts TLS over a connection.
pub(crate) struct Tls(pub(crate) Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Stream<StreamOwned<ClientConnection, TransportAdapter>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(chained) = chained else { return Ok(None) };
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ureq::Error::BadUri(format!("{host} is no name of a server")))?;
        let mut connection = ClientConnection::new(self.0.clone(), name)?;
        let below: Box<dyn Transport> = Box::new(chained);
        let mut sock = TransportAdapter::new(below, details.current_time.clone());
        sock.set_timeout(details.timeout);
        connection.complete_io(&mut sock)?;
        Ok(Some(Stream::new(StreamOwned { conn: connection, sock }, details)))
    }
}

/// Connects to a Unix socket, whatever the address says.
#[derive(Debug)]
pub(crate) struct Unix(pub(crate) PathBuf);

impl Connector<()> for Unix {
    type Out = Stream<UnixStream>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(Some(Stream::new(UnixStream::connect(&self.0)?, details)))
    }
}

/// What bytes go over, with a limit of time.
pub(crate) trait Limited: Read + Write + Send + Sync + 'static {
    /// Sets the limit of the next reads and writes.
    fn limit(&mut self, timeout: NextTimeout) -> std::io::Result<()>;
    /// Whether it can be used for another request.
    fn is_open(&mut self) -> bool;
    /// Whether it is TLS.
    const TLS: bool;
}

impl Limited for StreamOwned<ClientConnection, TransportAdapter> {
    fn limit(&mut self, timeout: NextTimeout) -> std::io::Result<()> {
        self.sock.set_timeout(timeout);
        Ok(())
    }

    fn is_open(&mut self) -> bool {
        self.sock.get_mut().is_open()
    }

    const TLS: bool = true;
}

impl Limited for UnixStream {
    fn limit(&mut self, timeout: NextTimeout) -> std::io::Result<()> {
        let after: Option<Duration> = timeout.not_zero().map(|after| *after);
        self.set_read_timeout(after)?;
        self.set_write_timeout(after)
    }

    /// A new one costs nothing.
    fn is_open(&mut self) -> bool {
        false
    }

    const TLS: bool = false;
}

/// A connection as ureq wants it.
pub(crate) struct Stream<S> {
    buffers: LazyBuffers,
    stream: S,
}

impl<S> Stream<S> {
    fn new(stream: S, details: &ConnectionDetails<'_>) -> Self {
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        Stream { buffers: LazyBuffers::new(input, output), stream }
    }
}

impl<S> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl<S: Limited> Transport for Stream<S> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.limit(timeout)?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.limit(timeout)?;
        let read = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.is_open()
    }

    fn is_tls(&self) -> bool {
        S::TLS
    }
}
