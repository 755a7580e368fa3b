//! The framing of one chunked body (RFC 9112, section 7.1): where it ends, and nothing about what is in it.
//!
//! It is no laxer than hyper's decoder anywhere: what hyper refuses may be accepted here, because hyper then closes the
//! connection, but what hyper accepts ends here at the same byte or is [`Progress::Malformed`].

/// What some bytes did to a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// All of them belong to the body, and more have to come.
    Incomplete,
    /// The body ended after this many of them.
    Complete(usize),
    /// They are not a chunked body.
    Malformed,
}

/// A chunked body as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
    /// Bytes of the current chunk's data that have not come yet.
    remaining: u64,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    FirstDigit,
    Digits,
    /// White space after the size: no further digit may follow.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
}

impl Chunked {
    /// Reads on, without copying.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Progress {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let State::Data = self.state {
                at += take(&mut self.remaining, bytes.len() - at);
                if self.remaining == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            at += 1;
            if let (State::EndLf, b'\n') = (self.state, byte) {
                return Progress::Complete(at);
            }
            match self.next(byte) {
                Some(state) => self.state = state,
                None => return Progress::Malformed,
            }
        }
        Progress::Incomplete
    }

    /// The state after one byte outside of chunk data; `None` where the byte has no place.
    fn next(&mut self, byte: u8) -> Option<State> {
        Some(match (self.state, byte) {
            (State::FirstDigit | State::Digits, digit) if digit.is_ascii_hexdigit() => {
                let digit = char::from(digit).to_digit(16)?;
                self.remaining = self.remaining.checked_mul(16)?.checked_add(digit.into())?;
                State::Digits
            }
            (State::Digits | State::Space, b' ' | b'\t') => State::Space,
            (State::Digits | State::Space, b';') => State::Extension,
            (State::Digits | State::Space | State::Extension, b'\r') => State::SizeLf,
            (State::SizeLf, b'\n') if self.remaining == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::FirstDigit,
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            // A bare line feed ends a line for some parsers and not for others: not a thing to build on.
            (State::Extension | State::TrailerStart | State::Trailer, b'\n') => return None,
            (State::Extension, _) => State::Extension,
            (State::TrailerStart | State::Trailer, _) => State::Trailer,
            (
                State::FirstDigit
                | State::Digits
                | State::Space
                | State::SizeLf
                | State::Data
                | State::DataCr
                | State::DataLf
                | State::TrailerLf
                | State::EndLf,
                _,
            ) => return None,
        })
    }
}

/// Takes up to `available` bytes off `remaining`; returns how many were taken.
pub(super) fn take(remaining: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*remaining).map_or(available, |remaining| remaining.min(available));
    *remaining -= taken as u64;
    taken
}
