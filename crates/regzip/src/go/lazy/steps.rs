//! One position after the other, as the levels advance.

use super::{Lazy, MAX_TOKENS, MIN_MATCH, SHIFT_AT, Search};
use crate::coding::token::{MAX_MATCH, Token, WINDOW};
use crate::search::ahead::{AHEAD, at};
use crate::search::links::Limits;

impl Lazy {
    /// Enters strings, if the search needs them soon.
    pub(super) fn enter(&mut self, flush: bool) {
        let Search::Lazy(_, ahead) = &mut self.search else {
            return;
        };
        ahead.enter(&self.buffer, self.pos, self.origin);
        let end = self.buffer.len();
        if flush && ahead.known() == end && ahead.entered() < end {
            ahead.enter_all(&self.buffer, self.pos, self.origin);
            self.skipped = end;
        }
    }

    /// Searches from `pos` on, to `last` or where something else is to be done first.
    pub(super) fn step_lazy(&mut self, last: usize) {
        let Search::Lazy(effort, ahead) = &self.search else {
            return;
        };
        let links = &ahead.links;
        let end = self.buffer.len();
        let mut stop = last;
        if ahead.known() < end {
            stop = stop.min(ahead.known() - AHEAD);
        }
        let shift = self.base + SHIFT_AT;
        stop = stop.min(if self.pos < shift {
            shift
        } else {
            self.pos + 1
        });
        let (mut pos, mut pending) = (self.pos, self.pending);
        let (mut length, mut distance) = (self.length, self.distance);
        while pos < stop && self.tokens.len() < MAX_TOKENS {
            let (before, previous) = (length, distance);
            (length, distance) = (MIN_MATCH - 1, 0);
            let at = at(self.origin, pos);
            let longest = MAX_MATCH.min(end - pos);
            if before < effort.lazy && before < longest {
                let limits = Limits {
                    reach: WINDOW.min(pos - self.base) as u16,
                    longest: longest as u16,
                    nice: effort.nice.min(longest) as u16,
                    chain: effort.chain,
                    base_only: ahead.lacks(pos),
                };
                if let Some(found) = links.find(at, before as u16, &limits) {
                    (length, distance) = (usize::from(found.0), usize::from(found.1));
                }
            }
            if before >= MIN_MATCH && length <= before {
                let token = Token::new_match(before as u32, previous as u32);
                self.tokens.matched(token);
                pos += before - 1;
                pending = false;
                length = MIN_MATCH - 1;
            } else {
                if pending {
                    let byte = links.byte(at.wrapping_sub(1));
                    self.tokens.literal(byte);
                }
                pos += 1;
                pending = true;
            }
        }
        (self.pos, self.pending) = (pos, pending);
        (self.length, self.distance) = (length, distance);
    }

    pub(super) fn step_greedy(&mut self) {
        let Search::Greedy(greedy) = &mut self.search else {
            return;
        };
        let (token, next) = greedy.step(&self.buffer, self.origin, self.base, self.pos);
        self.tokens.push(token);
        self.pos = next;
    }
}
