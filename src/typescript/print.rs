//! TypeScript on paper: indentation, names, texts and comments. It knows nothing of databases.

/// Text in the making.
#[derive(Default)]
pub(super) struct Printer {
    text: String,
    depth: usize,
}

impl Printer {
    pub(super) fn text(self) -> String {
        self.text
    }

    pub(super) fn line(&mut self, line: &str) {
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n("  ", self.depth));
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// `before { … }after`, with what `inside` prints in between.
    pub(super) fn object(&mut self, before: &str, after: &str, inside: impl FnOnce(&mut Self)) {
        self.line(&format!("{before} {{"));
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.line(&format!("}}{after}"));
    }

    pub(super) fn block(&mut self, before: &str, inside: impl FnOnce(&mut Self)) {
        self.object(before, "", inside);
    }

    /// A member that is an object.
    pub(super) fn member(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.block(&format!("{}:", key(name)), inside);
    }

    pub(super) fn property(&mut self, name: &str, value: &str) {
        self.line(&format!("{}: {value}", key(name)));
    }

    pub(super) fn optional(&mut self, name: &str, value: &str) {
        self.line(&format!("{}?: {value}", key(name)));
    }

    /// An object with a member for each of these; without any, TypeScript has a form of its own.
    pub(super) fn section<T>(
        &mut self,
        before: &str,
        members: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        let mut members = members.into_iter().peekable();
        self.block(before, |printer| {
            if members.peek().is_none() {
                printer.line("[_ in never]: never");
            }
            members.for_each(|member| each(printer, member));
        });
    }

    /// An SQL comment, as editors show it.
    pub(super) fn comment(&mut self, comment: Option<&str>) {
        let Some(comment) = comment else { return };
        let safe = comment.replace("*/", "*\u{200b}/");
        match safe.trim().lines().collect::<Vec<_>>().as_slice() {
            [] => {}
            [line] => self.line(&format!("/** {} */", line.trim())),
            lines => {
                self.line("/**");
                lines.iter().for_each(|line| self.line(format!(" * {}", line.trim_end()).trim_end()));
                self.line(" */");
            }
        }
    }
}

/// A text as a literal.
pub(super) fn text(value: &str) -> String {
    // JSON's literals are JavaScript's.
    serde_json::Value::from(value).to_string()
}

/// A name as a key, in quotes where it has to be.
pub(super) fn key(name: &str) -> String {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
        // A key of an object literal that is no key, but the object's prototype.
        && name != "__proto__";
    if is_name { name.to_owned() } else { text(name) }
}
