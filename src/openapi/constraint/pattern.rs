//! Regular expressions that mean the same to PostgreSQL and to readers of JSON Schema (ECMA-262 with `u`, RE2, Python).

/// The longest expression that is passed on.
const LONGEST: usize = 500;

/// The expression, if every reader takes it for the same.
pub(super) fn portable(pattern: &str) -> Option<String> {
    if pattern.len() > LONGEST || pattern.starts_with("***") {
        return None;
    }
    let mut characters = pattern.chars().peekable();
    let mut depth = 0_usize;
    let mut in_class = false;
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next()? {
                'd' | 'D' => {}
                '^' | '$' | '\\' | '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '/' => {}
                // What else follows a backslash is a class, a constraint or a reference that others do not have.
                _ => return None,
            },
            '[' if in_class => return None,
            '[' => {
                in_class = true;
                characters.next_if_eq(&'^');
                // A bracket that comes first is itself to PostgreSQL, and ends the class elsewhere.
                if characters.peek() == Some(&']') {
                    return None;
                }
            }
            ']' if in_class => in_class = false,
            ']' | '}' if !in_class => return None,
            '(' if !in_class => {
                // `(?…)` has options.
                if characters.peek() == Some(&'?') {
                    return None;
                }
                depth += 1;
            }
            ')' if !in_class => depth = depth.checked_sub(1)?,
            '{' if !in_class => {
                let mut bound = String::new();
                loop {
                    match characters.next()? {
                        '}' => break,
                        c => bound.push(c),
                    }
                }
                let mut numbers = bound.split(',');
                let is_number = |text: &str| text.parse::<u8>().is_ok();
                let (first, second) = (numbers.next()?, numbers.next());
                let fits = is_number(first) && second.is_none_or(|text| text.is_empty() || is_number(text));
                if !fits || numbers.next().is_some() {
                    return None;
                }
            }
            '*' | '+' | '?' if !in_class => {
                // Of two quantifiers the second one would be possessive elsewhere, or an error.
                if matches!(characters.peek(), Some('*' | '+' | '?' | '{')) {
                    return None;
                }
            }
            '&' | '-' | '~' if in_class && characters.peek() == Some(&c) => return None,
            c if c.is_control() => return None,
            _ => {}
        }
    }
    (depth == 0 && !in_class).then(|| pattern.to_owned())
}
