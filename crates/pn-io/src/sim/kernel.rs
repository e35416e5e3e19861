//! The kernel's side of the simulation: connections, operations under way, and what it chooses to do next.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice};
use std::task::Waker;

use super::SimConfig;
use crate::pool::{Pool, PoolBuf, Size};
use crate::queue::{QUEUE_CHUNKS, SendQueue};

#[derive(Debug)]
pub(super) struct Kernel {
    config: SimConfig,
    random: u64,
    next: usize,
    /// By id, so that the order of choices does not depend on anything else.
    pub(super) ends: BTreeMap<usize, Endpoint>,
    /// Done, and not yet told.
    done: Vec<(usize, Done)>,
    pub(super) driver: Option<Waker>,
}

/// One end of a connection as the kernel has it. It stays until all of its operations are over, also when the stream
/// was dropped long ago.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    peer: usize,
    /// From when it is attached; without it nothing is received.
    pub(super) pool: Option<Pool>,
    /// Sent by the peer and not received yet.
    wire: VecDeque<u8>,
    /// The peer sends no more.
    finished: bool,
    /// The stream was dropped: operations are cancelled, what they bring is nobody's.
    pub(super) orphan: bool,
    pub(super) recv: Recv,
    pub(super) send: Send,
}

#[derive(Debug, Default)]
pub(super) struct Recv {
    pub(super) state: Operation,
    pub(super) arrived: VecDeque<PoolBuf>,
    pub(super) ended: bool,
    /// The last one found no buffer.
    pub(super) starved: bool,
    pub(super) waker: Option<Waker>,
}

#[derive(Debug, Default)]
pub(super) struct Send {
    pub(super) state: Operation,
    /// The kernel's while the operation is under way.
    pub(super) flight: SendQueue,
    pub(super) error: Option<io::Error>,
    /// The end is announced by an operation of its own.
    pub(super) shutdown: Operation,
    pub(super) is_shut: bool,
    pub(super) waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Operation {
    #[default]
    None,
    Submitted,
    /// Carried out, and in `done`.
    Done,
}

#[derive(Debug)]
enum Done {
    Received(PoolBuf),
    Ended,
    NoBuffer,
    Sent(io::Result<usize>),
    Shut,
    CancelledRecv,
    CancelledSend,
}

#[derive(Clone, Copy, Debug)]
enum Choice {
    Receive(usize),
    Send(usize),
    Shut(usize),
    CancelRecv(usize),
    CancelSend(usize),
    Tell(usize),
}

/// What is left to do when the kernel is not borrowed any more: it runs code of others.
#[derive(Debug, Default)]
pub(super) struct Turn {
    wakers: Vec<Waker>,
    buffers: Vec<PoolBuf>,
    sent: SendQueue,
}

impl Turn {
    pub(super) fn finish(self) {
        drop((self.buffers, self.sent));
        self.wakers.into_iter().for_each(Waker::wake);
    }
}

// === impl Kernel ===

impl Kernel {
    pub(super) fn new(config: SimConfig) -> Self {
        let (ends, done) = (BTreeMap::new(), Vec::new());
        Self { config, random: config.seed, next: 0, ends, done, driver: None }
    }

    pub(super) fn connect(&mut self) -> (usize, usize) {
        let (a, b) = (self.next, self.next + 1);
        self.next += 2;
        self.ends.insert(a, Endpoint { peer: b, ..Endpoint::default() });
        self.ends.insert(b, Endpoint { peer: a, ..Endpoint::default() });
        (a, b)
    }

    /// Something was submitted.
    pub(super) fn notify(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    /// Receives go on by themselves up to a bound, as with a multishot receive.
    pub(super) fn arm(&mut self, id: usize) {
        let ahead = self.config.ahead.max(1);
        if let Some(end) = self.ends.get_mut(&id)
            && end.recv.state == Operation::None
            && !end.recv.ended
            && !end.recv.starved
            && !end.orphan
            && end.recv.arrived.len() < ahead
        {
            end.recv.state = Operation::Submitted;
        }
    }

    /// What a look at the socket shows, without asking the kernel for more.
    pub(super) fn is_quiet(&self, id: usize) -> bool {
        let told = |end: &Endpoint| end.recv.arrived.is_empty() && !end.recv.ended;
        let known =
            self.done.iter().any(|(of, done)| *of == id && matches!(done, Done::Received(_) | Done::Ended));
        let open = |end: &Endpoint| end.wire.is_empty() && !end.finished;
        self.ends.get(&id).is_some_and(|end| told(end) && open(end)) && !known
    }

    /// The stream was dropped.
    pub(super) fn orphan(&mut self, id: usize) -> Turn {
        let mut turn = Turn::default();
        if let Some(end) = self.ends.get_mut(&id) {
            end.orphan = true;
            turn.buffers.extend(end.recv.arrived.drain(..));
            end.send.shutdown = Operation::None;
            if end.send.state == Operation::None {
                turn.sent = std::mem::take(&mut end.send.flight);
            }
        }
        self.done.retain(|(of, done)| *of != id || !matches!(done, Done::Shut));
        self.close_if_over(id);
        turn.wakers.extend(self.notify());
        turn
    }

    /// One thing of all that could happen, or nothing.
    pub(super) fn step(&mut self) -> Option<Turn> {
        let choices = self.choices();
        let choice = *choices.get(self.below(choices.len()))?;
        let mut turn = Turn::default();
        match choice {
            Choice::Receive(id) => self.receive(id),
            Choice::Send(id) => self.send(id),
            Choice::Shut(id) => self.done.push((id, Done::Shut)),
            Choice::CancelRecv(id) => self.done.push((id, Done::CancelledRecv)),
            Choice::CancelSend(id) => self.done.push((id, Done::CancelledSend)),
            Choice::Tell(index) => self.tell(index, &mut turn),
        }
        if let Choice::Shut(id) | Choice::CancelRecv(id) | Choice::CancelSend(id) = choice {
            self.mark_done(id, choice);
        }
        Some(turn)
    }

    fn choices(&self) -> Vec<Choice> {
        let mut all: Vec<Choice> = (0..self.done.len()).map(Choice::Tell).collect();
        for (&id, end) in &self.ends {
            if end.recv.state == Operation::Submitted {
                if !end.wire.is_empty() || end.finished {
                    all.push(Choice::Receive(id));
                }
                if end.orphan {
                    all.push(Choice::CancelRecv(id));
                }
            }
            if end.send.state == Operation::Submitted {
                if self.ends.get(&end.peer).is_none_or(|peer| peer.orphan || self.space(peer) > 0) {
                    all.push(Choice::Send(id));
                }
                if end.orphan {
                    all.push(Choice::CancelSend(id));
                }
            }
            if end.send.shutdown == Operation::Submitted {
                all.push(Choice::Shut(id));
            }
        }
        all
    }

    fn space(&self, end: &Endpoint) -> usize {
        self.config.wire_bytes.max(1) - end.wire.len().min(self.config.wire_bytes.max(1))
    }

    /// Fills a buffer of the pool, which is the kernel's until the stream is told.
    fn receive(&mut self, id: usize) {
        let starves = self.config.starve_one_in > 0 && self.below(self.config.starve_one_in) == 0;
        let part = self.random();
        let Some(end) = self.ends.get_mut(&id) else { return };
        end.recv.state = Operation::Done;
        let done = if end.wire.is_empty() {
            Done::Ended
        } else if starves {
            Done::NoBuffer
        } else {
            let buf = end.pool.as_ref().and_then(|pool| pool.take(Size::Large));
            buf.map_or(Done::NoBuffer, |buf| fill(buf, &mut end.wire, part))
        };
        self.done.push((id, done));
    }

    /// Reads the stream's chunks, which are the kernel's until the stream is told.
    fn send(&mut self, id: usize) {
        let part = self.random();
        let Some(end) = self.ends.get(&id) else { return };
        let peer = end.peer;
        let result = match self.ends.get(&peer) {
            Some(to) if !to.orphan => Ok(end.send.first(self.space(to), part)),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        };
        let result = result.map(|bytes| {
            let count = bytes.len();
            if let Some(peer) = self.ends.get_mut(&peer) {
                peer.wire.extend(bytes);
            }
            count
        });
        if let Some(end) = self.ends.get_mut(&id) {
            end.send.state = Operation::Done;
        }
        self.done.push((id, Done::Sent(result)));
    }

    fn mark_done(&mut self, id: usize, choice: Choice) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        match choice {
            Choice::Shut(_) => end.send.shutdown = Operation::Done,
            Choice::CancelRecv(_) => end.recv.state = Operation::Done,
            _ => end.send.state = Operation::Done,
        }
    }

    /// Tells a stream of an operation that is over: now its buffers are the stream's or the pool's.
    fn tell(&mut self, index: usize, turn: &mut Turn) {
        let (id, done) = self.done.swap_remove(index);
        let peer = self.ends.get(&id).map(|end| end.peer);
        let Some(end) = self.ends.get_mut(&id) else { return };
        match done {
            Done::Received(_) | Done::Ended | Done::NoBuffer | Done::CancelledRecv => {
                end.recv.told(done, end.orphan, turn);
                self.arm(id);
            }
            Done::Sent(result) => end.send.told(result, end.orphan, turn),
            Done::CancelledSend => end.send.told(Ok(0), end.orphan, turn),
            Done::Shut => {
                end.send.shutdown = Operation::None;
                end.send.is_shut = true;
                turn.wakers.extend(end.send.waker.take());
                if let Some(peer) = peer.and_then(|peer| self.ends.get_mut(&peer)) {
                    peer.finished = true;
                }
            }
        }
        self.close_if_over(id);
    }

    /// Close comes last: operations first, then the descriptor.
    fn close_if_over(&mut self, id: usize) {
        let Some(end) = self.ends.get(&id) else { return };
        let idle = end.recv.state == Operation::None && end.send.state == Operation::None;
        if !end.orphan || !idle {
            return;
        }
        let peer = end.peer;
        self.ends.remove(&id);
        if let Some(peer) = self.ends.get_mut(&peer) {
            peer.finished = true;
        }
    }

    /// splitmix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.random() % bound).unwrap_or(0)
    }
}

// === impl Recv, Send ===

impl Recv {
    fn told(&mut self, done: Done, orphan: bool, turn: &mut Turn) {
        self.state = Operation::None;
        match done {
            Done::Received(buf) if orphan => turn.buffers.push(buf),
            Done::Received(buf) => self.arrived.push_back(buf),
            Done::Ended => self.ended = true,
            _ => self.starved = true,
        }
        turn.wakers.extend(self.waker.take());
    }
}

impl Send {
    /// What one operation takes of the chunks, at most `space` bytes.
    fn first(&self, space: usize, part: u64) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); QUEUE_CHUNKS];
        let (_, total) = self.flight.slices(&mut slices);
        let count = portion(total.min(space), part);
        let mut bytes = Vec::with_capacity(count);
        for slice in &slices {
            let rest = count - bytes.len();
            bytes.extend_from_slice(slice.get(..rest.min(slice.len())).unwrap_or_default());
        }
        bytes
    }

    fn told(&mut self, result: io::Result<usize>, orphan: bool, turn: &mut Turn) {
        self.state = Operation::None;
        match result {
            Ok(count) if !orphan => self.flight.advance(count),
            Ok(_) => turn.sent = std::mem::take(&mut self.flight),
            Err(error) => {
                turn.sent = std::mem::take(&mut self.flight);
                self.error = Some(error);
            }
        }
        turn.wakers.extend(self.waker.take());
    }
}

fn fill(mut buf: PoolBuf, wire: &mut VecDeque<u8>, part: u64) -> Done {
    let count = portion(wire.len().min(buf.room()), part);
    let bytes: Vec<u8> = wire.drain(..count).collect();
    buf.extend(&bytes);
    Done::Received(buf)
}

/// All of it half of the time, otherwise any part but none.
fn portion(of: usize, part: u64) -> usize {
    let bound = u64::try_from(of.max(1)).unwrap_or(1);
    let any = usize::try_from((part >> 1) % bound).unwrap_or(0) + 1;
    if part.is_multiple_of(2) { of } else { any.min(of) }
}
