//! One token after the other, coded by how it differs from the one expected.

use super::coder::{Chance, Coder, Number};
use super::finder::{Finder, Found, Next};
use crate::coding::token::{MAX_MATCH, MIN_MATCH, Token, WINDOW};

/// Groups of lengths, matches near and far, how the next position compares, and what came
/// before.
const GROUPS: usize = 13;
const SITUATIONS: usize = GROUPS * 2 * 4 * 4;
/// The format's bits for a distance.
const DISTANCE_BITS: u32 = 15;
/// Further candidates are given by their distance.
const RANKS: usize = 255;
/// Short matches from further away are disliked by most encoders.
const FAR: usize = 4096;

/// What was learnt of an encoder's choices, and the state between two tokens.
pub(crate) struct Tokens {
    is_match: Vec<Chance>,
    as_expected: Vec<Chance>,
    same_length: [Chance; GROUPS],
    longer: [Chance; GROUPS],
    difference: [Number; 2],
    length: Number,
    nearest: [Chance; GROUPS],
    by_rank: Chance,
    rank: Number,
    /// The match at the current position, if it was found already.
    known: Option<Found>,
    /// Whether the last token was a literal, and whether it was expected.
    history: usize,
}

fn group(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=8 => length - 2,
        9..=12 => 7,
        13..=16 => 8,
        17..=32 => 9,
        33..=128 => 10,
        129..=257 => 11,
        _ => 12,
    }
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self {
            is_match: vec![Chance::default(); SITUATIONS],
            as_expected: vec![Chance::default(); SITUATIONS],
            same_length: [Chance::default(); GROUPS],
            longer: [Chance::default(); GROUPS],
            difference: std::array::from_fn(|_| Number::default()),
            length: Number::default(),
            nearest: [Chance::default(); GROUPS],
            by_rank: Chance::default(),
            rank: Number::default(),
            known: None,
            history: 0,
        }
    }

    /// Codes the token at the finder's position and steps over it; `None` for what cannot be.
    ///
    /// At least one byte must be available, and [`super::finder::LOOKAHEAD`] bytes unless the content ends.
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        finder: &mut Finder,
        actual: Token,
    ) -> Option<Token> {
        let here = self.known.take().or_else(|| finder.find());
        let next = here.map_or(Next::NotSought, |(length, _)| finder.find_next(length));
        let situation = self.situation(here, next);
        let is_match = coder.bit(&mut self.is_match[situation], actual.is_match());
        if !is_match {
            let token = Token::literal(*finder.buffer.get(finder.pos)?);
            // If the next position has nothing longer, what it has was not looked for.
            self.known = match next {
                Next::Longer(found) => Some(found),
                Next::Nothing | Next::NotSought => None,
            };
            self.remember(true, here.is_none() || self.known.is_some());
            finder.step(1);
            return Some(token);
        }
        let wanted = (
            actual.length_index() + MIN_MATCH as usize,
            actual.distance_index() + 1,
        );
        let (length, distance) = self.matched(coder, finder, here, situation, wanted)?;
        self.remember(false, here == Some((length, distance)));
        finder.step(length);
        Some(Token::new_match(length as u32, distance as u32))
    }

    /// What was found at the next position is of no use if the chains were cut.
    pub(crate) fn forget(&mut self) {
        self.known = None;
    }

    fn remember(&mut self, literal: bool, expected: bool) {
        self.history = usize::from(literal) | usize::from(expected) << 1;
    }

    fn situation(&self, here: Option<Found>, next: Next) -> usize {
        let (length, distance) = here.unwrap_or((0, 0));
        let compared = match next {
            Next::NotSought => 0,
            Next::Nothing => 1,
            Next::Longer((n, _)) if n == length + 1 => 2,
            Next::Longer(_) => 3,
        };
        let far = usize::from(distance > FAR);
        ((group(length) * 2 + far) * 4 + compared) * 4 + self.history
    }

    fn matched<C: Coder>(
        &mut self,
        coder: &mut C,
        finder: &Finder,
        here: Option<Found>,
        situation: usize,
        wanted: Found,
    ) -> Option<Found> {
        let at_hand = finder.ahead().min(MAX_MATCH);
        let length = match here {
            Some(expected) => {
                let chance = &mut self.as_expected[situation];
                if coder.bit(chance, expected == wanted) {
                    return Some(expected);
                }
                self.other_length(coder, expected.0, wanted.0)?
            }
            None => self.length.code(coder, wanted.0 as u32 - MIN_MATCH) as usize + 3,
        };
        if !(MIN_MATCH as usize..=at_hand).contains(&length) {
            return None;
        }
        let distance = self.distance(coder, finder, length, wanted.1)?;
        (1..=WINDOW)
            .contains(&distance)
            .then_some((length, distance))
    }

    fn other_length<C: Coder>(
        &mut self,
        coder: &mut C,
        expected: usize,
        wanted: usize,
    ) -> Option<usize> {
        let group = group(expected);
        if coder.bit(&mut self.same_length[group], wanted == expected) {
            return Some(expected);
        }
        let longer = coder.bit(&mut self.longer[group], wanted > expected);
        let difference = wanted.abs_diff(expected).saturating_sub(1) as u32;
        let number = &mut self.difference[usize::from(longer)];
        let difference = number.code(coder, difference) as usize + 1;
        if longer {
            Some(expected + difference)
        } else {
            expected.checked_sub(difference)
        }
    }

    /// Usually the nearest position that shares so many bytes.
    fn distance<C: Coder>(
        &mut self,
        coder: &mut C,
        finder: &Finder,
        length: usize,
        wanted: usize,
    ) -> Option<usize> {
        let mut near = finder.sharing(length);
        let nearest = near.next();
        if let Some(nearest) = nearest
            && coder.bit(&mut self.nearest[group(length)], nearest == wanted)
        {
            return Some(nearest);
        }
        let rank = if C::WRITES {
            near.by_ref().take(RANKS).position(|d| d == wanted)
        } else {
            None
        };
        if coder.bit(&mut self.by_rank, rank.is_some()) {
            let rank = self.rank.code(coder, rank.unwrap_or(0) as u32) as usize;
            if C::WRITES {
                return Some(wanted);
            }
            return near.take(RANKS).nth(rank);
        }
        Some(coder.raw(wanted as u32 - 1, DISTANCE_BITS) as usize + 1)
    }
}
