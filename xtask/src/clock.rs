//! Processor time, of this process and of the programs that it ran: less disturbed by what else the machine
//! does than time on the clock.

use std::error::Error;
use std::fs;
use std::time::Duration;

/// `/proc` counts in hundredths of a second.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Processor time of this process and of its children that have ended.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) own: Duration,
    pub(crate) children: Duration,
}

impl Times {
    /// Up to now.
    pub(crate) fn now() -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string("/proc/self/stat")?;
        // The name of the program may contain anything; what follows its parenthesis are numbers.
        let (_, fields) = text.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
        let fields: Vec<u32> = fields
            .split_whitespace()
            .skip(11)
            .take(4)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let [user, system, child_user, child_system] = fields[..] else {
            return Err("/proc/self/stat has too few fields".into());
        };
        Ok(Self {
            own: TICK * (user + system),
            children: TICK * (child_user + child_system),
        })
    }

    /// What was added since.
    pub(crate) fn since(self) -> Result<Self, Box<dyn Error>> {
        let now = Self::now()?;
        Ok(Self {
            own: now.own.saturating_sub(self.own),
            children: now.children.saturating_sub(self.children),
        })
    }
}
