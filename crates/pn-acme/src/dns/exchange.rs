//! One message to one name server, and its answer. Questions go by UDP, and by TCP where the answer was cut off or
//! did not come; updates go by TCP. What the server is asked, and what its answer means, is decided elsewhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;

use super::error::DnsError;

/// Resolvers ask again after 1 to 5 s; a zone's own servers answer in a fraction of that.
const UDP_WAIT: Duration = Duration::from_secs(2);
/// For the connection, the message and its answer together: a primary may write its journal before it answers.
const TCP_WAIT: Duration = Duration::from_secs(10);
/// Without EDNS no answer is longer (RFC 1035 section 4.2.1); what would be is cut off, and comes by TCP.
const UDP_BYTES: usize = 512;
pub(super) const DNS_PORT: u16 = 53;

/// Asks for the records of this type at this name. `recursion`: the server may ask others (a resolver is wanted, and
/// not what it knows itself).
pub(super) async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    recursion: bool,
) -> Result<Message, DnsError> {
    let mut question = Message::query();
    question.metadata.recursion_desired = recursion;
    question.add_query(Query::query(name.clone(), kind));
    let bytes = question.to_vec().map_err(|error| DnsError::name(&name.to_ascii(), &error))?;
    if let Ok(Ok(answer)) = timeout(UDP_WAIT, by_udp(server, &bytes, &question)).await
        && !answer.truncation
    {
        return Ok(answer);
    }
    let answer = send(server, &bytes).await?;
    let answer = decode(server, &answer)?;
    if answers(&question, &answer) {
        Ok(answer)
    } else {
        Err(unreachable(server, "it answers something else"))
    }
}

/// Sends a message by TCP, and hands back the bytes of its answer, whose identifier is that of the message.
pub(super) async fn send(server: SocketAddr, message: &[u8]) -> Result<Vec<u8>, DnsError> {
    match timeout(TCP_WAIT, by_tcp(server, message)).await {
        Ok(Ok(answer)) if answer.get(..2) == message.get(..2) => Ok(answer),
        Ok(Ok(_)) => Err(unreachable(server, "it answers another message")),
        Ok(Err(error)) => Err(unreachable(server, error)),
        Err(_) => Err(unreachable(server, format!("nothing came within {} s", TCP_WAIT.as_secs()))),
    }
}

pub(super) fn decode(server: SocketAddr, answer: &[u8]) -> Result<Message, DnsError> {
    Message::from_vec(answer)
        .map_err(|error| unreachable(server, format!("its answer is malformed: {error}")))
}

/// The address of `host:port`, `host` or an IP address alone.
pub(super) async fn address_of(server: &str) -> Result<SocketAddr, DnsError> {
    if let Ok(address) = server.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = server.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, DNS_PORT));
    }
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| unresolved(server, "its port is no number"))?),
        None => (server, DNS_PORT),
    };
    let found = lookup_host((host, port)).await.map_err(|error| unresolved(server, error))?.next();
    found.ok_or_else(|| unresolved(server, "the name has no address"))
}

async fn by_udp(server: SocketAddr, bytes: &[u8], question: &Message) -> io::Result<Message> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = [0; UDP_BYTES];
    loop {
        let count = socket.recv(&mut buffer).await?;
        let answer = Message::from_vec(buffer.get(..count).unwrap_or_default());
        // Anything else may be a forgery; the answer itself may be on its way still.
        if let Ok(answer) = answer
            && answers(question, &answer)
        {
            return Ok(answer);
        }
    }
}

async fn by_tcp(server: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(message.len()).map_err(|_| io::Error::other("the message is too long"))?;
    let mut stream = TcpStream::connect(server).await?;
    let framed = [&length.to_be_bytes(), message].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// Whether this is the answer to that question. A server that could not read the question repeats none.
fn answers(question: &Message, answer: &Message) -> bool {
    answer.id == question.id
        && answer.message_type == MessageType::Response
        && (answer.queries.is_empty() || answer.queries == question.queries)
}

fn unreachable(server: SocketAddr, reason: impl ToString) -> DnsError {
    DnsError::Unreachable { server, reason: reason.to_string() }
}

fn unresolved(server: &str, reason: impl ToString) -> DnsError {
    DnsError::Unresolved { server: server.to_owned(), reason: reason.to_string() }
}
