//! What a command keeps when it is interrupted, and so what to do next.

/// What is left of the work of an interrupted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// What was done so far: the same command resumes.
    Progress,
    /// Nothing: the command prints a result at its end, or writes it at once.
    Nothing,
}

impl Kept {
    /// What to do next.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Progress => "run the same command again: it resumes",
            Self::Nothing => "run the same command again: it starts from the beginning",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::Sealift;

    #[test]
    fn what_an_interrupted_command_keeps_follows_from_what_it_writes() {
        for (line, kept) in [
            ("bundle a/b:1 -o x.tar", Kept::Progress),
            ("bundle a/b:1 -o x.tar --profile compact", Kept::Progress),
            ("bundle a/b:1 -o x.tar --dry-run", Kept::Nothing),
            ("bundle a/b:1 -o -", Kept::Nothing),
            ("compact x.tar -o y.tar", Kept::Progress),
            ("compact x.tar --dry-run", Kept::Nothing),
            ("export x.tar -o y.tar", Kept::Progress),
            ("export x.tar -o -", Kept::Nothing),
            ("load x.tar r.corp", Kept::Progress),
            ("load x.tar r.corp --dry-run", Kept::Nothing),
            ("extract x.tar --to out", Kept::Progress),
            ("extract x.tar --to out --dry-run", Kept::Nothing),
            ("record x.tar -o x.record", Kept::Nothing),
            ("verify x.tar", Kept::Nothing),
            ("inspect x.tar", Kept::Nothing),
            ("diff x.tar y.tar", Kept::Nothing),
            ("report x.tar -o x.html", Kept::Nothing),
            ("check x.tar r.corp", Kept::Nothing),
        ] {
            let words = std::iter::once("sealift").chain(line.split(' '));
            let sealift = Sealift::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(sealift.command.keeps(), kept, "{line}");
        }
    }
}
