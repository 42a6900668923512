//! Arguments of instructions: mostly numbers of names, locals or constants, which the first or last token of the
//! instruction's range names.

use crate::channel::{Readers, Sinks};
use crate::error::DecodeError;

use super::coder::{Patch, reader, sink};
use super::instructions::Instruction;
use super::locations::Span;
use super::stream::Stream;
use super::tokens::Source;
use super::value::Value;

/// How an argument may be predicted: as it is, by the first or last token as a name, local or constant, as twice the
/// name (newer versions have a flag in the lowest bit), or as one more than the largest so far.
const STRATEGIES: usize = 10;
const AS_IT_IS: usize = 0;
const TWICE: [usize; 2] = [7, 8];
const NEXT: usize = 9;

/// How often each strategy was right recently, out of 256.
type Weights = [u16; STRATEGIES];

/// The least weight of a strategy that is used.
const MIN_WEIGHT: u16 = 96;

/// What is learned over all code objects of a module.
pub(crate) struct Predictions<'a> {
    source: &'a Source<'a>,
    weights: Vec<Weights>,
    /// For each word of the source its number among names, locals and constants, and the code object that this is for.
    numbers: [Vec<(u32, u8)>; 3],
    code: u32,
}

impl<'a> Predictions<'a> {
    pub(crate) fn new(source: &'a Source<'a>) -> Self {
        Self {
            source,
            weights: vec![[0; STRATEGIES]; 256],
            numbers: std::array::from_fn(|_| vec![(0, 0); source.words()]),
            code: 0,
        }
    }

    /// The patch for the arguments of a code object with these names, locals and constants.
    pub(crate) fn patch<'p>(
        &'p mut self,
        tables: [&Value; 3],
        instructions: &'p [Instruction],
        spans: &'p [Span],
    ) -> Arguments<'p, 'a> {
        self.code += 1;
        for (numbers, table) in self.numbers.iter_mut().zip(tables) {
            // Larger numbers do not fit into an argument.
            for (number, value) in (0..=u8::MAX).zip(table.items()) {
                let slot = value.word().map(|word| &mut numbers[word]);
                if let Some(slot) = slot.filter(|slot| slot.0 != self.code) {
                    *slot = (self.code, number);
                }
            }
        }
        Arguments {
            predictions: self,
            instructions,
            spans,
        }
    }

    /// The number of the word of a token.
    fn number(&self, kind: usize, token: usize) -> Option<u8> {
        let word = self.source.word_of(token)?;
        let (code, number) = self.numbers[kind][word];
        (code == self.code).then_some(number)
    }
}

/// Stores the arguments of a code object.
pub(crate) struct Arguments<'p, 'a> {
    predictions: &'p mut Predictions<'a>,
    instructions: &'p [Instruction],
    spans: &'p [Span],
}

impl Arguments<'_, '_> {
    /// Visits all arguments: `pass` gets the position and the predicted value of each and returns the actual value.
    fn pass(
        &mut self,
        mut pass: impl FnMut(usize, u8) -> Result<u8, DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut next = [0u8; 256];
        let mut spans = self.spans.iter();
        let (mut left, mut tokens) = (0, None);
        for instruction in self.instructions {
            if left == 0 {
                let span = spans.next();
                left = span.map_or(usize::MAX, |span| span.instructions);
                tokens = span.and_then(|span| span.tokens);
            }
            left -= 1;
            let opcode = usize::from(instruction.opcode);
            let guesses = self.guesses(tokens, next[opcode]);
            let weights = &self.predictions.weights[opcode];
            let best =
                (1..STRATEGIES).max_by_key(|strategy| (weights[*strategy], STRATEGIES - strategy));
            let best = best.filter(|strategy| weights[*strategy] >= MIN_WEIGHT);
            let strategy = best.unwrap_or(AS_IT_IS);
            let argument = pass(
                2 * instruction.at as usize + 1,
                guesses[strategy].unwrap_or(0),
            )?;
            self.predictions.learn(opcode, &guesses, argument);
            next[opcode] = next[opcode].max(argument.saturating_add(1));
        }
        Ok(())
    }

    fn guesses(&self, tokens: Option<(usize, usize)>, next: u8) -> [Option<u8>; STRATEGIES] {
        let mut guesses = [None; STRATEGIES];
        guesses[AS_IT_IS] = Some(0);
        guesses[NEXT] = Some(next);
        if let Some((first, last)) = tokens {
            for kind in 0..3 {
                for (end, token) in [first, last].into_iter().enumerate() {
                    let number = self.predictions.number(kind, token);
                    guesses[1 + 2 * kind + end] = number;
                    if kind == 0 {
                        guesses[TWICE[end]] = number.map(|number| number << 1);
                    }
                }
            }
        }
        guesses
    }
}

impl Predictions<'_> {
    fn learn(&mut self, opcode: usize, guesses: &[Option<u8>; STRATEGIES], argument: u8) {
        let weights = &mut self.weights[opcode];
        for (strategy, (weight, guess)) in weights.iter_mut().zip(guesses).enumerate() {
            let right = guess.is_some_and(|guess| {
                guess == argument || TWICE.contains(&strategy) && guess | 1 == argument
            });
            *weight -= *weight / 8;
            if right {
                *weight += 32;
            }
        }
    }
}

impl Patch for Arguments<'_, '_> {
    fn put(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), DecodeError> {
        let stream = sink(sinks, Stream::Arguments);
        self.pass(|at, predicted| {
            stream.push(bytes[at].wrapping_sub(predicted));
            Ok(bytes[at])
        })
    }

    fn get(&mut self, bytes: &mut [u8], readers: &mut Readers<'_>) -> Result<(), DecodeError> {
        let stream = reader(readers, Stream::Arguments);
        self.pass(|at, predicted| {
            bytes[at] = stream.byte()?.wrapping_add(predicted);
            Ok(bytes[at])
        })
    }
}
