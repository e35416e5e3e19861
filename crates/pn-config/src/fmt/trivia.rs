//! What stands between values: comments and blank lines.

/// Comments before something, with the blank lines that set them apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Trivia {
    /// Whether a blank line comes first.
    pub(super) apart: bool,
    /// Comments; `None` is a blank line, never first, never two in a row.
    pub(super) lines: Vec<Option<String>>,
}

impl Trivia {
    /// From the text between two lines; what follows its last line break is indentation.
    pub(super) fn of(text: Option<&str>) -> Self {
        let mut trivia = Self::default();
        for line in text.unwrap_or_default().split_inclusive('\n') {
            match line.trim() {
                "" if !line.ends_with('\n') => {}
                "" => trivia.blank(),
                comment => trivia.lines.push(Some(comment.to_owned())),
            }
        }
        trivia
    }

    fn blank(&mut self) {
        match self.lines.last() {
            None => self.apart = true,
            Some(None) => {}
            Some(Some(_)) => self.lines.push(None),
        }
    }

    pub(super) fn has_comments(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Every comment of a text, wherever it stands.
    pub(super) fn comments(text: Option<&str>) -> Vec<String> {
        Self::of(text).lines.into_iter().flatten().collect()
    }
}

/// The comment on the rest of the line that a text starts in, and what comes after that line.
pub(super) fn same_line(text: &str) -> (Option<String>, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let comment = line.trim();
    (comment.starts_with('#').then(|| comment.to_owned()), rest)
}
