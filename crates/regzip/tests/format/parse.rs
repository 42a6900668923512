//! A second reader of recipes and maps, written after `FORMAT.md` alone: it knows where every field is, and what
//! it may be, but nothing of encoders.

type Result<T> = std::result::Result<T, String>;

/// What is left to read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (now, later) = self.0.split_at_checked(len).ok_or("cut short")?;
        self.0 = later;
        Ok(now)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().unwrap()))
    }

    fn number(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return match (byte, shift) {
                    (0, 7..) => Err("a number in more bytes than it needs".to_owned()),
                    _ => Ok(value),
                };
            }
        }
        Err("a number without end".to_owned())
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.number()?;
        self.take(len as usize)
    }

    /// A number between two others.
    fn within(&mut self, low: u64, high: u64) -> Result<u64> {
        let value = self.number()?;
        if (low..=high).contains(&value) {
            Ok(value)
        } else {
            Err(format!("{value} is not within {low} and {high}"))
        }
    }

    fn end(&self) -> Result<()> {
        match self.0 {
            [] => Ok(()),
            rest => Err(format!("{} bytes after the end", rest.len())),
        }
    }
}

/// How the encoder of a method keeps its state.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    None,
    Window,
    Piece { holds: bool, opens: bool },
}

#[derive(Clone, Copy)]
struct Method {
    kind: Kind,
    wrapper: u8,
}

pub(crate) fn recipe(bytes: &[u8]) -> Result<()> {
    let mut fields = Fields(bytes);
    if fields.take(3)? != b"RZ\x01" {
        return Err("not a recipe of version 1".to_owned());
    }
    fields.number()?;
    fields.u32()?;
    members(&mut fields, None)?;
    match fields.u8()? {
        0 => {}
        1 => drop(fields.number()?),
        2 => drop(fields.bytes()?),
        tail => return Err(format!("tail {tail}")),
    }
    fields.end()
}

pub(crate) fn map(bytes: &[u8]) -> Result<()> {
    let mut fields = Fields(bytes);
    if fields.take(3)? != b"RM\x01" {
        return Err("not a map of version 1".to_owned());
    }
    content(&mut fields)?;
    fields.end()
}

fn content(fields: &mut Fields<'_>) -> Result<()> {
    fields.number()?;
    fields.u32()?;
    let mut before = None;
    for _ in 0..fields.number()? {
        fields.number()?;
        let flags = fields.u8()?;
        fields.number()?;
        fields.u32()?;
        before = members(fields, before)?;
        if flags & 1 != 0 {
            for _ in 0..fields.within(1, 1 << 20)? {
                fields.within(0, u32::MAX.into())?;
                fields.within(1, u64::MAX)?;
            }
        }
        if flags & 2 != 0 {
            content(fields)?;
        }
    }
    Ok(())
}

fn members(fields: &mut Fields<'_>, mut before: Option<Method>) -> Result<Option<Method>> {
    for index in 0..fields.within(1, 1 << 20)? {
        let member = member(fields, before, index == 0)?;
        before = Some(member);
    }
    Ok(before)
}

fn member(fields: &mut Fields<'_>, before: Option<Method>, first: bool) -> Result<Method> {
    let flags = fields.u8()?;
    let has = |flag: u8| flags & flag != 0;
    let mut wrapper = before.map(|method| method.wrapper);
    if has(1) {
        wrapper = Some(fields.u8()?);
        fields.bytes()?;
    }
    let mut kind = before.map(|method| method.kind);
    if has(2) {
        kind = Some(method(fields)?);
    }
    let wrapper = wrapper.ok_or("no wrapper")?;
    let kind = kind.ok_or("no method")?;
    fields.number()?;
    fields.u32()?;
    if has(4) {
        fields.take(
            *[8, 4, 0]
                .get(usize::from(wrapper))
                .ok_or("unknown wrapper")?,
        )?;
    }
    if has(8) {
        for _ in 0..fields.within(1, 1 << 20)? {
            fields.within(0, 2)?;
            fields.number()?;
            fields.within(1, u64::MAX)?;
        }
    }
    if has(16) {
        checkpoints(fields, kind)?;
    }
    if has(32) == first && (first || has(16)) {
        return Err("a start where there is none, or none where one is needed".to_owned());
    }
    if has(32) {
        fields.within(1, u64::MAX)?;
        fields.u32()?;
    }
    Ok(Method { kind, wrapper })
}

fn method(fields: &mut Fields<'_>) -> Result<Kind> {
    let piece = |holds, opens| Kind::Piece { holds, opens };
    let level = |fields: &mut Fields<'_>| fields.u8().map(u8::cast_signed);
    Ok(match fields.u8()? {
        0 => {
            fields.bytes()?;
            Kind::None
        }
        1 => match level(fields)? {
            2.. => Kind::Window,
            level => piece(level == 1, false),
        },
        2 => {
            let level = level(fields)?;
            fields.within(0, 16)?;
            match level {
                7.. => Kind::None,
                level => piece(level > 0, true),
            }
        }
        3 => {
            fields.take(2)?;
            fields.within(16_385, 1 << 26)?;
            piece(false, false)
        }
        4 => {
            fields.take(4)?;
            Kind::Window
        }
        5 => {
            fields.take(1)?;
            Kind::Window
        }
        6 => {
            fields.take(2)?;
            fields.within(32_768, 1 << 26)?;
            piece(false, false)
        }
        7 => {
            fields.within(0, 1)?;
            piece(false, false)
        }
        8 => {
            fields.take(2)?;
            Kind::Window
        }
        255 => {
            fields.within(0, 16)?;
            fields.bytes()?;
            Kind::None
        }
        number => return Err(format!("method {number}")),
    })
}

fn checkpoints(fields: &mut Fields<'_>, kind: Kind) -> Result<()> {
    let mut bits = 0;
    for _ in 0..fields.within(1, 1 << 20)? {
        fields.within(65_536, u64::MAX)?;
        bits += fields.number()?;
        if bits % 8 != 0 {
            fields.take(1)?;
        }
        fields.u32()?;
        match kind {
            Kind::None => return Err("checkpoints of what takes none".to_owned()),
            Kind::Window => window(fields)?,
            Kind::Piece { holds, opens } => piece(fields, holds, opens)?,
        }
    }
    Ok(())
}

fn window(fields: &mut Fields<'_>) -> Result<()> {
    let flags = fields.within(0, 9)?;
    fields.within(1, 65_536)?;
    if flags & 1 != 0 {
        fields.within(2, 258)?;
        fields.within(0, 32_768)?;
    }
    Ok(())
}

fn piece(fields: &mut Fields<'_>, holds: bool, opens: bool) -> Result<()> {
    let field = fields.number()?;
    let (back, open) = (field >> 1, field & 1 == 1);
    if holds != (32_768..=1 << 20).contains(&back) || (open && !opens) {
        return Err(format!("{back} bytes held, block open: {open}"));
    }
    if back > 0 {
        for _ in 0..fields.within(0, 1024)? {
            fields.number()?;
            fields.take(2)?;
        }
    }
    if open {
        fields.number()?;
        for symbols in [286, 30] {
            let mut listed = 0;
            while listed < symbols {
                listed += (fields.number()? >> 4) + 1;
            }
            if listed != symbols {
                return Err("code lengths of too many symbols".to_owned());
            }
        }
    }
    Ok(())
}
