//! Requests through a proxy for plain HTTP: it is addressed with the whole URL (RFC 9112, section 3.2.2), since
//! proxies tunnel only to TLS ports.

use std::fmt;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};

use crate::secret::Secret;

/// Rewrites the head of every request for a proxy.
pub(super) struct ForwardConnector {
    /// `None` if there is no such proxy.
    pub(super) proxy: Option<ForwardProxy>,
}

/// A proxy that passes requests on.
#[derive(Debug)]
pub(super) struct ForwardProxy {
    /// The value of `Proxy-Authorization`, if it needs one.
    pub(super) authorization: Option<Secret>,
}

impl fmt::Debug for ForwardConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForwardConnector")
    }
}

impl<In: Transport> Connector<In> for ForwardConnector {
    type Out = Either<In, ForwardTransport<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| match &self.proxy {
            None => Either::A(inner),
            Some(proxy) => Either::B(ForwardTransport {
                inner,
                target: details
                    .uri
                    .authority()
                    .map(|authority| format!("http://{authority}"))
                    .unwrap_or_default(),
                authorization: proxy.authorization.clone(),
                body_left: 0,
            }),
        }))
    }
}

/// A connection to a proxy that passes requests on.
#[derive(Debug)]
pub(super) struct ForwardTransport<In> {
    inner: In,
    /// Scheme and authority of the host that the requests are for.
    target: String,
    authorization: Option<Secret>,
    /// How much of the current request's body is still to come: after it, the next head begins. A request
    /// whose body is not sent to its end is the last of its connection.
    body_left: u64,
}

impl<In: Transport> ForwardTransport<In> {
    /// Replaces the head that stands at the beginning of the output; its new length.
    fn rewrite(&mut self, amount: usize) -> Result<usize, Error> {
        let output = self.inner.buffers().output();
        let head = for_proxy(&output[..amount], &self.target, self.authorization.as_ref())
            .filter(|head| head.len() <= output.len())
            .ok_or_else(|| Error::Other("the request is too large for the proxy".into()))?;
        self.body_left = body_length(&output[..amount]);
        output[..head.len()].copy_from_slice(&head);
        Ok(head.len())
    }
}

impl<In: Transport> Transport for ForwardTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let amount = match (amount, self.body_left) {
            (0, _) => 0,
            (_, 0) => self.rewrite(amount)?,
            (_, left) => {
                self.body_left = left.saturating_sub(amount as u64);
                amount
            }
        };
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

/// A head with `target` before its path, and credentials for the proxy after its first line; `None` if it is
/// not a complete head.
fn for_proxy(head: &[u8], target: &str, authorization: Option<&Secret>) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(head)
        .ok()
        .filter(|head| head.ends_with("\r\n\r\n"))?;
    let (line, rest) = text.split_once("\r\n")?;
    let (method, path) = line.split_once(' ')?;
    let mut rewritten = format!("{method} {target}{path}\r\n");
    if let Some(authorization) = authorization {
        rewritten.push_str("proxy-authorization: ");
        rewritten.push_str(authorization.expose());
        rewritten.push_str("\r\n");
    }
    rewritten.push_str(rest);
    Some(rewritten.into_bytes())
}

/// How many bytes of body a head announces; all our bodies have a known length.
fn body_length(head: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(head);
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_names_the_whole_url_and_keeps_the_rest() {
        let head = b"PUT /v2/?a=b HTTP/1.1\r\nhost: r:5000\r\ncontent-length: 7\r\n\r\n";
        let secret = Secret::new("Basic eDp5");
        let rewritten = for_proxy(head, "http://r:5000", Some(&secret));
        let expected = b"PUT http://r:5000/v2/?a=b HTTP/1.1\r\nproxy-authorization: Basic eDp5\r\nhost: r:5000\r\ncontent-length: 7\r\n\r\n";
        assert_eq!(rewritten.as_deref(), Some(&expected[..]));
        assert_eq!(body_length(head), 7);
        assert_eq!(for_proxy(&head[..30], "http://r:5000", None), None);
    }
}
