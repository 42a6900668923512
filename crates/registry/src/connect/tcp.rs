//! TCP with a least speed: a connection whose other end hardly reads is given up, and so is one that takes too
//! long to come about.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, ShutdownHandle,
    Transport,
};
use ureq::{Error, Timeout};

use crate::pace::Pace;

/// No attempt at one of several addresses is shorter.
const MIN_ATTEMPT: Duration = Duration::from_millis(10);

/// No write waits longer at a time: one that could not place all of its bytes says so only when its time is up,
/// and the wait would seem to have moved them.
const MAX_WRITE_WAIT: Duration = Duration::from_secs(1);

/// Opens connections to the addresses that were resolved.
#[derive(Debug)]
pub(super) struct TcpConnector {
    /// How long a connection may stand still.
    pub(super) idle_timeout: Duration,
}

impl<In: Transport> Connector<In> for TcpConnector {
    type Out = Either<In, TcpTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if chained.is_some() {
            return Ok(chained.map(Either::A));
        }
        let stream = connect(
            &details.addrs,
            *details.timeout.after,
            details.timeout.reason,
        )?;
        stream.set_nodelay(details.config.no_delay())?;
        let stream = Arc::new(stream);
        let handle = Arc::downgrade(&stream) as Weak<dyn ShutdownHandle>;
        (details.register_shutdown)(handle)?;
        Ok(Some(Either::B(TcpTransport {
            stream,
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
            pace: Pace::new(self.idle_timeout),
            timeouts: Timeouts::default(),
        })))
    }
}

/// Connects to the first address that accepts; each but the last gets half of the time that is left.
fn connect(
    addresses: &[SocketAddr],
    within: Duration,
    reason: Timeout,
) -> Result<TcpStream, Error> {
    let begun = Instant::now();
    let mut failure = Error::HostNotFound;
    for (n, address) in addresses.iter().enumerate() {
        let left = within.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(Error::Timeout(reason));
        }
        let share = if n + 1 == addresses.len() {
            left
        } else {
            left / 2
        };
        match TcpStream::connect_timeout(address, share.max(MIN_ATTEMPT)) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                failure = Error::Timeout(Timeout::Connect);
            }
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}

/// One connection.
#[derive(Debug)]
pub(super) struct TcpTransport {
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    /// How fast the other end reads.
    pace: Pace,
    timeouts: Timeouts,
}

/// What the socket's timeouts were set to, so that setting them costs a system call only where they change.
#[derive(Debug, Default)]
struct Timeouts {
    read: Option<Duration>,
    write: Option<Duration>,
}

/// A timeout in steps: one that shrinks by microseconds is not set anew for each read or write.
fn in_steps(timeout: Duration) -> Duration {
    const STEP: u128 = 100;
    let steps = timeout.as_millis().div_ceil(STEP).max(1);
    Duration::from_millis(u64::try_from(steps * STEP).unwrap_or(u64::MAX))
}

impl TcpTransport {
    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = Some(in_steps(timeout));
        if self.timeouts.write != timeout {
            self.stream.set_write_timeout(timeout)?;
            self.timeouts.write = timeout;
        }
        Ok(())
    }

    fn set_read_timeout(&mut self, timeout: NextTimeout) -> io::Result<()> {
        let timeout = timeout.not_zero().map(|timeout| in_steps(*timeout));
        if self.timeouts.read != timeout {
            self.stream.set_read_timeout(timeout)?;
            self.timeouts.read = timeout;
        }
        Ok(())
    }
}

fn timed_out(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let begun = Instant::now();
        let limit = timeout.for_write();
        let mut sent = 0;
        while sent < amount {
            let left = limit.after.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(Error::Timeout(limit.reason));
            }
            self.set_write_timeout(self.pace.left().min(left).min(MAX_WRITE_WAIT))?;
            let before = Instant::now();
            let written = match (&*self.stream).write(&self.buffers.output()[sent..amount]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) if timed_out(&error) => 0,
                Err(error) => return Err(error.into()),
            };
            sent += written;
            if !self.pace.keeps_up(written, before.elapsed()) {
                return Err(Error::Timeout(Timeout::PerWrite));
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let limit = timeout.for_read();
        if limit.after.is_zero() {
            return Err(Error::Timeout(limit.reason));
        }
        self.set_read_timeout(limit)?;
        let read = loop {
            match (&*self.stream).read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if timed_out(&error) => return Err(Error::Timeout(limit.reason)),
                result => break result?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Whether the other end has neither closed the connection nor sent what nobody requested.
    fn is_open(&mut self) -> bool {
        let waits = |stream: &TcpStream| -> io::Result<bool> {
            stream.set_nonblocking(true)?;
            let waits = matches!(stream.peek(&mut [0]), Err(error) if timed_out(&error));
            stream.set_nonblocking(false)?;
            Ok(waits)
        };
        waits(&self.stream).unwrap_or(false)
    }
}
