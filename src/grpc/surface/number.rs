//! Numbers that things get at first sight: functions of their own names, by a hash that never changes and that other
//! programs can compute (docs/grpc.md has it). No neighbour, no order and no OID has a say, but where two things of one
//! message have one hash.

use std::collections::HashSet;

/// Where the numbers of fields begin: what is below belongs to fields that are there whatever the schema.
const FIRST: u32 = 2048;
/// The end of the numbers whose tags take three bytes.
const END: u32 = 1 << 18;
/// Numbers that protobuf keeps for itself.
const KEPT: std::ops::Range<u32> = 19_000..20_000;
/// The end of all numbers of fields.
const LAST: u32 = 1 << 29;
/// How many numbers of labels there are: the positive ones that an `int32` has.
const LABELS: u32 = i32::MAX.unsigned_abs();

/// What has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbered {
    /// A field of a message.
    Field,
    /// A label of an enum.
    Label,
    /// An operation of a transaction: a field of a message that has thousands of them where there are many relations, so
    /// that the numbers of fields would be too few to be one each.
    Operation,
}

impl Numbered {
    /// The number that this name has by itself.
    pub(crate) fn number(self, name: &str) -> u32 {
        match self {
            Self::Field => {
                let number = FIRST + hash(name) % (END - FIRST - (KEPT.end - KEPT.start));
                if number < KEPT.start { number } else { number + (KEPT.end - KEPT.start) }
            }
            Self::Label => 1 + hash(name) % LABELS,
            Self::Operation => END + hash(name) % (LAST - END),
        }
    }
}

/// FNV-1a with 32 bits, of the name's bytes in UTF-8.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The numbers of one message or enum.
#[derive(Debug)]
pub(crate) struct Numbers {
    of: Numbered,
    taken: HashSet<u32>,
}

impl Numbers {
    /// Those of one message or enum, where these are taken.
    pub(crate) fn of(of: Numbered, taken: impl IntoIterator<Item = u32>) -> Self {
        Self { of, taken: taken.into_iter().collect() }
    }

    /// A number for each of these names. Where two have one number the first in the order of names has it, and the other
    /// gets the number of its name with `'` behind it, or `''`, and so on.
    pub(crate) fn give(&mut self, names: &[&str]) -> Vec<u32> {
        let mut given: Vec<Option<u32>> = vec![None; names.len()];
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|at| names.get(*at));
        let mut suffix = String::new();
        while !order.is_empty() {
            order.retain(|at| {
                let (Some(name), Some(place)) = (names.get(*at), given.get_mut(*at)) else { return false };
                let number = match suffix.is_empty() {
                    true => self.of.number(name),
                    false => self.of.number(&format!("{name}{suffix}")),
                };
                let is_free = self.taken.insert(number);
                if is_free {
                    *place = Some(number);
                } else if suffix.is_empty() {
                    tracing::warn!(name, number, "number taken: another one over gRPC");
                }
                !is_free
            });
            suffix.push('\'');
        }
        given.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_numbers_that_the_documentation_computes() {
        // Published values of FNV-1a.
        assert_eq!([hash(""), hash("a"), hash("foobar")], [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]);
        let fields = ["id", "first_name", "Full Name", "größe"].map(|name| Numbered::Field.number(name));
        assert_eq!(fields, [179_104, 88_689, 167_831, 197_314]);
        let labels = ["male", "divers", ""].map(|name| Numbered::Label.number(name));
        assert_eq!(labels, [1_637_720_018, 42_649_894, 18_652_615]);
        assert_eq!(Numbered::Operation.number("CreateBook"), 252_839_744);
    }

    #[test]
    fn numbers_of_fields_have_tags_of_three_bytes_and_are_none_that_protobuf_keeps() {
        for at in 0..100_000 {
            let number = Numbered::Field.number(&format!("column_{at}"));
            assert!((2048..262_144).contains(&number) && !(19_000..20_000).contains(&number), "{number}");
            let number = Numbered::Label.number(&format!("label {at}"));
            assert!(i32::try_from(number).is_ok_and(|number| number > 0), "{number}");
        }
    }

    #[test]
    fn of_two_names_with_one_number_the_first_by_name_has_it_and_nobody_else_moves() {
        let names: Vec<String> = (0..20_000).map(|at| format!("c{at}")).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        let given: Vec<u32> = Numbers::of(Numbered::Field, []).give(&names);
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), names.len());
        let mut firsts = std::collections::BTreeMap::new();
        for name in &names {
            let first = firsts.entry(Numbered::Field.number(name)).or_insert(*name);
            *first = (*first).min(*name);
        }
        assert!(firsts.len() < names.len());
        for (number, name) in firsts {
            let at = names.iter().position(|found| *found == name).unwrap();
            assert_eq!(given[at], number, "{name}");
        }
        names.reverse();
        let mut again = Numbers::of(Numbered::Field, []).give(&names);
        again.reverse();
        assert_eq!(again, given, "their order has no say");
    }
}
