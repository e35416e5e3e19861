//! Tokens of the rule language.

use crate::parse::Invalid;
use std::fmt;
use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// Bytes of the rule's text.
    pub(super) at: Range<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Name(String),
    Text(String),
    And,
    Or,
    Not,
    Open,
    Close,
    Comma,
    End,
}

pub(super) struct Lexer<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, chars: text.char_indices().peekable() }
    }

    pub(super) fn next(&mut self) -> Result<Token, Invalid> {
        while self.chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let Some((start, first)) = self.chars.next() else {
            return Ok(Token { kind: TokenKind::End, at: self.text.len()..self.text.len() });
        };
        let kind = match first {
            '(' => TokenKind::Open,
            ')' => TokenKind::Close,
            ',' => TokenKind::Comma,
            '!' => TokenKind::Not,
            '&' => self.doubled(start, '&', TokenKind::And)?,
            '|' => self.doubled(start, '|', TokenKind::Or)?,
            '`' => TokenKind::Text(self.raw(start)?),
            '"' => TokenKind::Text(self.quoted(start)?),
            '\'' => {
                return Err(Invalid::new("strings stand in backticks or double quotes").at(start..start + 1));
            }
            c if c.is_ascii_alphabetic() => TokenKind::Name(self.name(c)),
            c => return Err(Invalid::new(format!("unexpected {c:?}")).at(start..start + c.len_utf8())),
        };
        Ok(Token { kind, at: start..self.position() })
    }

    /// Where the next character starts.
    fn position(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |&(at, _)| at)
    }

    fn doubled(&mut self, start: usize, c: char, kind: TokenKind) -> Result<TokenKind, Invalid> {
        match self.chars.next_if(|&(_, next)| next == c) {
            Some(_) => Ok(kind),
            None => {
                Err(Invalid::new(format!("expected `{c}{c}`, found a single `{c}`")).at(start..start + 1))
            }
        }
    }

    fn name(&mut self, first: char) -> String {
        let mut name = String::from(first);
        while let Some((_, c)) = self.chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        name
    }

    fn raw(&mut self, start: usize) -> Result<String, Invalid> {
        let mut value = String::new();
        for (_, c) in self.chars.by_ref() {
            if c == '`' {
                return Ok(value);
            }
            value.push(c);
        }
        Err(self.unclosed(start, '`'))
    }

    fn quoted(&mut self, start: usize) -> Result<String, Invalid> {
        let mut value = String::new();
        while let Some((at, c)) = self.chars.next() {
            match c {
                '"' => return Ok(value),
                '\\' => value.push(self.escape(at)?),
                '\n' => break,
                _ => value.push(c),
            }
        }
        Err(self.unclosed(start, '"'))
    }

    /// The character after a backslash at `start`, by the rules of Go's interpreted strings.
    fn escape(&mut self, start: usize) -> Result<char, Invalid> {
        let simple = match self.chars.next().map(|(_, c)| c) {
            Some('a') => '\x07',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\x0b',
            Some(c @ ('\\' | '"')) => c,
            Some('x') => return self.digits(start, 2, 16, 0),
            Some('u') => return self.digits(start, 4, 16, 0),
            Some('U') => return self.digits(start, 8, 16, 0),
            Some(c @ '0'..='7') => return self.digits(start, 2, 8, c.to_digit(8).unwrap_or_default()),
            _ => {
                let help = "in backticks a backslash stands for itself: regexes are best written there";
                return Err(Invalid::new("unknown escape").help(help).at(start..self.position()));
            }
        };
        Ok(simple)
    }

    fn digits(&mut self, start: usize, count: usize, radix: u32, first: u32) -> Result<char, Invalid> {
        let mut code = first;
        for _ in 0..count {
            let digit = self.chars.next_if(|(_, c)| c.is_digit(radix)).and_then(|(_, c)| c.to_digit(radix));
            let Some(digit) = digit else {
                return Err(Invalid::new("an escape with too few digits").at(start..self.position()));
            };
            // Eight hexadecimal digits fit exactly.
            code = code.wrapping_mul(radix).wrapping_add(digit);
        }
        char::from_u32(code)
            .filter(|&c| count > 2 || c.is_ascii())
            .ok_or_else(|| Invalid::new("an escape that is no character").at(start..self.position()))
    }

    fn unclosed(&self, start: usize, quote: char) -> Invalid {
        Invalid::new(format!("a string without its closing {quote}")).at(start..self.text.len())
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Text(_) => f.write_str("a string"),
            Self::And => f.write_str("`&&`"),
            Self::Or => f.write_str("`||`"),
            Self::Not => f.write_str("`!`"),
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::Comma => f.write_str("`,`"),
            Self::End => f.write_str("the end of the rule"),
        }
    }
}
