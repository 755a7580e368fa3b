//! What is said again and again is told once a second, with its number: a database that is away fails every request in
//! the same words.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// What is said again within this of when it was told is counted.
const WITHIN: Duration = Duration::from_secs(1);

/// Texts that are remembered. More different ones in a second are told each time.
const MOST: usize = 256;

/// What was told lately.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<String, Told>);

#[derive(Debug)]
struct Told {
    at: Instant,
    /// How often it was said again.
    again: u64,
}

impl Repeats {
    /// Whether this is to be told now. Else it is counted.
    pub(super) fn is_told(&mut self, text: &str, now: Instant) -> bool {
        if let Some(told) = self.0.get_mut(text) {
            told.again += 1;
            return false;
        }
        if self.0.len() < MOST {
            self.0.insert(text.to_owned(), Told { at: now, again: 0 });
        }
        true
    }

    /// What has been said again since it was told, with how often. It may be told anew then: what goes on is told of once a
    /// second.
    pub(super) fn over(&mut self, now: Instant) -> Vec<(String, u64)> {
        let over = self.0.extract_if(|_, told| now.duration_since(told.at) >= WITHIN);
        let mut over: Vec<_> = over.filter(|(_, told)| told.again > 0).collect();
        over.sort_by_key(|(_, told)| told.at);
        let mut said = Vec::with_capacity(over.len());
        for (text, told) in over {
            // It was told just now, by its number.
            self.0.insert(text.clone(), Told { at: now, again: 0 });
            said.push((text, told.again));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_again_is_told_once_a_second_with_its_number() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(repeats.is_told("a", at(0)) && repeats.is_told("b", at(0)));
        assert!(!repeats.is_told("a", at(10)) && !repeats.is_told("a", at(900)));
        assert_eq!(repeats.over(at(999)), []);
        assert_eq!(repeats.over(at(1000)), [("a".to_owned(), 2)]);
        assert!(!repeats.is_told("a", at(1500)) && repeats.is_told("b", at(1500)));
        assert_eq!(repeats.over(at(2000)), [("a".to_owned(), 1)]);
        assert_eq!(repeats.over(at(9000)), []);
        assert!(repeats.0.is_empty());
        let different = (0..2 * MOST).filter(|n| repeats.is_told(&n.to_string(), at(9000))).count();
        assert_eq!((different, repeats.0.len()), (2 * MOST, MOST));
    }
}
