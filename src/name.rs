//! Names of other languages: from whatever a database calls its things to the words of which protobuf's messages, OpenAPI's
//! components and their operations are named. A leaf of pure text: that two things end at one name is its callers' business.

/// The words of a name: split at whatever is no letter or digit, and where
/// camel case begins a word, as `buf lint` sees it. Letters outside of ASCII become `u` and their code
/// point, as protobuf has none.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let hump = letter.is_ascii_uppercase()
            && before.is_some_and(|before: char| {
                before.is_ascii_lowercase()
                    || (before.is_ascii_alphanumeric()
                        && letters.peek().is_some_and(char::is_ascii_lowercase))
            });
        if hump || (letter.is_ascii() && !letter.is_ascii_alphanumeric()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            if letter.is_ascii_alphanumeric() {
                word.push(letter.to_ascii_lowercase());
            } else if !letter.is_ascii() {
                word.push_str(&format!("u{:x}", u32::from(letter)));
            }
        }
        before = Some(letter);
    }
    words.retain(|word| !word.is_empty());
    match words.first_mut() {
        Some(first) if first.starts_with(|letter: char| letter.is_ascii_digit()) => first.insert(0, 'n'),
        Some(_) => {}
        None => words.push("unnamed".to_owned()),
    }
    words
}

/// `lower_snake_case`: fields, packages and files of protobuf.
pub(crate) fn snake(text: &str) -> String {
    words(text).join("_")
}

/// `PascalCase`: messages, enums, services and methods.
pub(crate) fn pascal(text: &str) -> String {
    let capital = |word: String| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    words(text).into_iter().map(capital).collect()
}

/// One of them, of a name in `snake_case`: only the last word is inflected.
pub(crate) fn singular(snake: &str) -> String {
    inflect(snake, 1)
}

/// Several of them, of a name in `snake_case`.
pub(crate) fn plural(snake: &str) -> String {
    inflect(snake, 2)
}

fn inflect(snake: &str, count: isize) -> String {
    let (head, last) = snake.rsplit_once('_').map_or(("", snake), |(head, last)| (head, last));
    // Irregular words may come back with a capital or a space.
    let inflected = self::snake(&pluralizer::pluralize(last, count, false));
    if head.is_empty() { inflected } else { format!("{head}_{inflected}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_an_identifier_in_each_style() {
        let cases = [
            ("first_name", "first_name", "FirstName"),
            ("firstName", "first_name", "FirstName"),
            ("HTTPServer", "http_server", "HttpServer"),
            ("Order Details", "order_details", "OrderDetails"),
            ("__x__", "x", "X"),
            ("1st", "n1st", "N1st"),
            ("größe", "gruf6udfe", "Gruf6udfe"),
            ("%", "unnamed", "Unnamed"),
        ];
        for (text, as_snake, as_pascal) in cases {
            assert_eq!((snake(text), pascal(text)), (as_snake.to_owned(), as_pascal.to_owned()), "{text}");
        }
    }

    #[test]
    fn only_the_last_word_is_inflected() {
        assert_eq!(singular("course_students"), "course_student");
        assert_eq!(plural("person"), "people");
        assert_eq!((singular("sheep"), plural("sheep")), ("sheep".to_owned(), "sheep".to_owned()));
        assert_eq!((singular("status"), plural("status")), ("status".to_owned(), "statuses".to_owned()));
    }
}
