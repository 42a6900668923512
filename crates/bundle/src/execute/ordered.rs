//! Content that many threads fetch ahead and one takes in order, in bounded memory.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::execute::transfer::Sink;

/// How many bytes may wait for their turn.
const AHEAD: usize = 32 << 20;
/// How many bytes of the blob whose turn it is may wait, whatever the others do.
const OWN: usize = 2 << 20;
/// No piece is counted as less: a piece has a cost of its own.
const LEAST: usize = 4 << 10;

/// What the threads share.
#[derive(Default)]
pub(crate) struct Ordered {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the blob that is taken now.
    turn: usize,
    pieces: BTreeMap<usize, Pieces>,
    waiting: usize,
    stopped: bool,
}

#[derive(Default)]
struct Pieces {
    queue: VecDeque<Vec<u8>>,
    bytes: usize,
    ended: bool,
}

impl Ordered {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more is taken; whoever waits is woken.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Where the content of the blob with this number goes in.
    pub(crate) fn feed(&self, number: usize) -> Feed<'_> {
        Feed {
            ordered: self,
            number,
            position: 0,
        }
    }

    /// Where it comes out. Blobs are taken in the order of their numbers.
    pub(crate) fn take(&self, number: usize) -> Taker<'_> {
        self.lock().turn = number;
        self.changed.notify_all();
        Taker {
            ordered: self,
            number,
            piece: Vec::new(),
            read: 0,
        }
    }

    /// All of the blob went in.
    pub(crate) fn end(&self, number: usize) {
        self.lock().pieces.entry(number).or_default().ended = true;
        self.changed.notify_all();
    }

    /// Waits until there is room for `piece`, and puts it in.
    fn push(&self, number: usize, piece: &[u8]) -> io::Result<()> {
        let cost = piece.len().max(LEAST);
        let mut state = self.lock();
        loop {
            if state.stopped {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let own = state.pieces.get(&number).map_or(0, |pieces| pieces.bytes);
            if state.waiting + cost <= AHEAD || (state.turn == number && own + cost <= OWN) {
                break;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting += cost;
        let pieces = state.pieces.entry(number).or_default();
        pieces.bytes += cost;
        pieces.queue.push_back(piece.to_vec());
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// The next piece; none at the end.
    fn pop(&self, number: usize) -> io::Result<Option<Vec<u8>>> {
        let mut state = self.lock();
        loop {
            let pieces = state.pieces.entry(number).or_default();
            if let Some(piece) = pieces.queue.pop_front() {
                let cost = piece.len().max(LEAST);
                pieces.bytes -= cost;
                state.waiting -= cost;
                drop(state);
                self.changed.notify_all();
                return Ok(Some(piece));
            }
            if pieces.ended {
                state.pieces.remove(&number);
                return Ok(None);
            }
            if state.stopped {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Takes in one blob.
pub(crate) struct Feed<'a> {
    ordered: &'a Ordered,
    number: usize,
    position: u64,
}

impl Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ordered.push(self.number, bytes)?;
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Feed<'_> {
    fn position(&self) -> u64 {
        self.position
    }
}

/// Gives out one blob.
pub(crate) struct Taker<'a> {
    ordered: &'a Ordered,
    number: usize,
    piece: Vec<u8>,
    read: usize,
}

impl Read for Taker<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            match self.ordered.pop(self.number)? {
                Some(piece) => (self.piece, self.read) = (piece, 0),
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len() - self.read);
        buffer[..length].copy_from_slice(&self.piece[self.read..self.read + length]);
        self.read += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blobs_come_out_in_order_and_no_more_waits_than_may() {
        let ordered = Ordered::default();
        let sizes: Vec<usize> = (0..12).map(|n| (n * 7 % 5) << 20).collect();
        std::thread::scope(|scope| {
            for first in 0..3 {
                let (ordered, sizes) = (&ordered, &sizes);
                scope.spawn(move || {
                    for number in (first..sizes.len()).step_by(3) {
                        let mut feed = ordered.feed(number);
                        let byte = u8::try_from(number).unwrap();
                        for _ in 0..sizes[number] >> 16 {
                            feed.write_all(&vec![byte; 1 << 16]).unwrap();
                        }
                        ordered.end(number);
                    }
                });
            }
            for (number, size) in sizes.iter().enumerate() {
                let mut content = Vec::new();
                ordered.take(number).read_to_end(&mut content).unwrap();
                assert!(ordered.lock().waiting <= AHEAD + OWN);
                assert_eq!(content.len(), *size);
                assert!(content.iter().all(|byte| usize::from(*byte) == number));
            }
        });
    }

    #[test]
    fn the_blob_whose_turn_it_is_gets_through_when_others_wait() {
        let ordered = Ordered::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut later = ordered.feed(1);
                for _ in 0..AHEAD >> 20 {
                    later.write_all(&vec![1; 1 << 20]).unwrap();
                }
                let mut first = ordered.feed(0);
                first.write_all(&vec![0; 1 << 20]).unwrap();
                ordered.end(0);
            });
            let mut content = Vec::new();
            ordered.take(0).read_to_end(&mut content).unwrap();
            assert_eq!(content.len(), 1 << 20);
        });
    }

    #[test]
    fn stopping_wakes_whoever_waits() {
        let ordered = Ordered::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut feed = ordered.feed(5);
                while feed.write_all(&vec![0; 1 << 20]).is_ok() {}
            });
            ordered.stop();
            waiting.join().unwrap();
        });
        assert!(ordered.take(0).read(&mut [0; 1]).is_err());
    }
}
