//! Protobuf's wire format (<https://protobuf.dev/programming-guides/encoding/>),
//! as much of it as is written here.

/// How a field's value ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// By itself.
    Varint = 0,
    /// After eight bytes.
    Fixed64 = 1,
    /// After the length before it.
    Length = 2,
    /// After four bytes.
    Fixed32 = 5,
}

/// A field's number and wire type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag(u64);

impl Tag {
    pub(super) fn new(number: u32, wire: Wire) -> Self {
        Tag(u64::from(number) << 3 | wire as u64)
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        varint(self.0, out);
    }
}

/// Appends a number, seven bits to a byte.
pub(super) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends bytes and their length.
pub(super) fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// The bytes set aside for a length that is not known yet: enough for 2 MiB.
const SET_ASIDE: usize = 3;

/// Begins a field whose length is known only at its end.
pub(super) fn open(number: u32, out: &mut Vec<u8>) -> usize {
    Tag::new(number, Wire::Length).write(out);
    open_untagged(out)
}

/// As [`open`], when the tag is written already.
pub(super) fn open_untagged(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; SET_ASIDE]);
    out.len()
}

/// Writes the length of what came since `start`. A short one is padded, which
/// every decoder takes, so that nothing has to move.
pub(super) fn close(start: usize, out: &mut Vec<u8>) {
    let length = out.len() - start;
    let at = start - SET_ASIDE;
    if let (true, Some(place)) = (length < 1 << 21, out.get_mut(at..start)) {
        let seven = |shift: u32| (length >> shift) as u8 & 0x7f;
        place.copy_from_slice(&[seven(0) | 0x80, seven(7) | 0x80, seven(14)]);
    } else {
        let mut encoded = Vec::with_capacity(10);
        varint(length as u64, &mut encoded);
        out.splice(at..start, encoded);
    }
}
