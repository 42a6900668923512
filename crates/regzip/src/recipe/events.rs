//! What the original writer did besides writing, and when.

use crate::encode::Encode;
use crate::error::{Error, Result};
use crate::varint::{self, Fields};

/// Something that the original writer did besides writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    /// Plain bytes since the event before.
    pub(crate) distance: u64,
    /// How often in a row; 1 if the distance is 0.
    pub(crate) repeat: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// A sync flush.
    Flush,
    /// A write ended here.
    Boundary,
    /// A flush after which nothing before is referred to.
    FullFlush,
}

impl EventKind {
    /// Does what the original writer did.
    pub(crate) fn apply(self, encoder: &mut dyn Encode) {
        match self {
            Self::Flush => encoder.flush(),
            Self::FullFlush => encoder.full_flush(),
            Self::Boundary => encoder.boundary(),
        }
    }
}

/// A position in a list of events, which are expanded one at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventCursor {
    index: usize,
    done: u64,
    at: u64,
}

impl EventCursor {
    /// The first event after a plain position.
    pub(crate) fn after(events: &[Event], position: u64) -> Self {
        let mut cursor = Self::default();
        while let Some(event) = events.get(cursor.index) {
            let left = position - cursor.at;
            let whole = left
                .checked_div(event.distance)
                .unwrap_or(1)
                .min(event.repeat);
            cursor.at += whole * event.distance;
            if whole < event.repeat {
                cursor.done = whole;
                break;
            }
            cursor.index += 1;
        }
        cursor
    }

    /// Position and kind of the next event.
    pub(crate) fn peek(self, events: &[Event]) -> Option<(u64, EventKind)> {
        let event = events.get(self.index)?;
        Some((self.at.saturating_add(event.distance), event.kind))
    }

    /// Steps over the next event.
    pub(crate) fn advance(&mut self, events: &[Event]) {
        let Some(event) = events.get(self.index) else {
            return;
        };
        self.at = self.at.saturating_add(event.distance);
        self.done += 1;
        if self.done >= event.repeat {
            self.index += 1;
            self.done = 0;
        }
    }
}

/// Appends an event at `distance` from the one before, joining equal ones.
pub(crate) fn push_event(events: &mut Vec<Event>, kind: EventKind, distance: u64) {
    match events.last_mut() {
        Some(last) if last.kind == kind && last.distance == distance && distance > 0 => {
            last.repeat += 1;
        }
        _ => events.push(Event {
            kind,
            distance,
            repeat: 1,
        }),
    }
}

/// Appends a list of events.
pub(super) fn put(out: &mut Vec<u8>, events: &[Event]) {
    varint::put(out, events.len() as u64);
    for event in events {
        out.push(event.kind as u8);
        varint::put(out, event.distance);
        varint::put(out, event.repeat);
    }
}

/// Reads what [`put`] wrote; none lies after the end of the content.
pub(super) fn get(fields: &mut Fields<'_>, plain_len: u64) -> Result<Vec<Event>> {
    let count = fields.number()?;
    if count == 0 || count > fields.remaining() as u64 / 3 {
        return Err(Error::BadRecipe("more events than bytes"));
    }
    let mut events = Vec::with_capacity(count as usize);
    let mut left = plain_len;
    for _ in 0..count {
        let kind = match fields.byte()? {
            0 => EventKind::Flush,
            1 => EventKind::Boundary,
            2 => EventKind::FullFlush,
            _ => return Err(Error::BadRecipe("unknown event")),
        };
        let (distance, repeat) = (fields.number()?, fields.number()?);
        if repeat == 0 || (distance == 0 && repeat != 1) {
            return Err(Error::BadRecipe("impossible event"));
        }
        left = distance
            .checked_mul(repeat)
            .and_then(|span| left.checked_sub(span))
            .ok_or(Error::BadRecipe("event after the end"))?;
        events.push(Event {
            kind,
            distance,
            repeat,
        });
    }
    Ok(events)
}
