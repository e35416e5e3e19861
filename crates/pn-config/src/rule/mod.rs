//! The rule language of Traefik v3: text to `pn_model::rule::Expr`. Ranking and matching live in `pn-core`.
//!
//! ```text
//! expr    = and *( "||" and )
//! and     = unary *( "&&" unary )
//! unary   = "!" unary | "(" expr ")" | matcher
//! matcher = NAME "(" string [ "," string ] ")"
//! string  = "`" raw "`" | DQUOTE text with Go's escapes DQUOTE
//! ```

mod lexer;
mod matchers;
#[cfg(test)]
mod tests;

use crate::parse::Invalid;
use lexer::{Lexer, Token, TokenKind};
use pn_model::limits;
use pn_model::rule::Expr;
use std::ops::Range;

/// Reads a whole rule. Errors carry the bytes of `text` that they are about.
///
/// `&&` binds tighter than `||`; operands of one operator are gathered into one node, so `a && (b && c)` and
/// `a && b && c` are the same expression. Nesting is bounded by [`limits::NESTING`].
pub fn parse(text: &str) -> Result<Expr, Invalid> {
    let mut parser = Parser { lexer: Lexer::new(text), ahead: None, depth: 0 };
    let expr = parser.any()?;
    let rest = parser.next()?;
    match rest.kind {
        TokenKind::End => Ok(expr),
        _ => Err(unexpected(&rest, "`&&`, `||` or the end of the rule")),
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    ahead: Option<Token>,
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<Token, Invalid> {
        self.ahead.take().map_or_else(|| self.lexer.next(), Ok)
    }

    /// Takes the next token when it is of this kind.
    fn eat(&mut self, kind: &TokenKind) -> Result<bool, Invalid> {
        let token = self.next()?;
        let same = token.kind == *kind;
        if !same {
            self.ahead = Some(token);
        }
        Ok(same)
    }

    fn any(&mut self) -> Result<Expr, Invalid> {
        let mut operands = vec![self.all()?];
        while self.eat(&TokenKind::Or)? {
            operands.push(self.all()?);
        }
        Ok(gather(operands, Expr::Or, |expr| match expr {
            Expr::Or(inner) => Ok(inner),
            other => Err(other),
        }))
    }

    fn all(&mut self) -> Result<Expr, Invalid> {
        let mut operands = vec![self.unary()?];
        while self.eat(&TokenKind::And)? {
            operands.push(self.unary()?);
        }
        Ok(gather(operands, Expr::And, |expr| match expr {
            Expr::And(inner) => Ok(inner),
            other => Err(other),
        }))
    }

    fn unary(&mut self) -> Result<Expr, Invalid> {
        let token = self.next()?;
        match token.kind {
            TokenKind::Not => {
                self.enter(&token)?;
                let inner = self.unary()?;
                self.depth -= 1;
                Ok(Expr::Not(Box::new(inner)))
            }
            TokenKind::Open => {
                self.enter(&token)?;
                let inner = self.any()?;
                self.depth -= 1;
                let close = self.next()?;
                match close.kind {
                    TokenKind::Close => Ok(inner),
                    _ => Err(unexpected(&close, "`&&`, `||` or `)`")),
                }
            }
            TokenKind::Name(ref name) => {
                let values = self.values(name)?;
                matchers::build(name, &token.at, &values).map(Expr::Atom)
            }
            _ => Err(unexpected(&token, "a matcher, `!` or `(`")),
        }
    }

    /// The strings between a matcher's parentheses.
    fn values(&mut self, name: &str) -> Result<Vec<Value>, Invalid> {
        let open = self.next()?;
        if open.kind != TokenKind::Open {
            return Err(unexpected(&open, "`(`").help(format!("a matcher is written {name}(`value`)")));
        }
        let mut values = Vec::new();
        if self.eat(&TokenKind::Close)? {
            return Ok(values);
        }
        loop {
            let token = self.next()?;
            let TokenKind::Text(text) = token.kind else {
                return Err(unexpected(&token, "a string in backticks or double quotes"));
            };
            values.push(Value { text, at: token.at });
            let end = self.next()?;
            match end.kind {
                TokenKind::Comma => {}
                TokenKind::Close => return Ok(values),
                _ => return Err(unexpected(&end, "`,` or `)`")),
            }
        }
    }

    fn enter(&mut self, token: &Token) -> Result<(), Invalid> {
        self.depth += 1;
        if self.depth > limits::NESTING {
            let message = format!("a rule is nested at most {} deep", limits::NESTING);
            return Err(Invalid::new(message).at(token.at.clone()));
        }
        Ok(())
    }
}

/// One string of a matcher and where it stands, quotes included.
struct Value {
    text: String,
    at: Range<usize>,
}

/// Operands of one operator as one node, those of the same operator inlined.
fn gather(
    mut operands: Vec<Expr>,
    node: fn(Vec<Expr>) -> Expr,
    same: fn(Expr) -> Result<Vec<Expr>, Expr>,
) -> Expr {
    if operands.len() == 1
        && let Some(only) = operands.pop()
    {
        return only;
    }
    let mut flat = Vec::with_capacity(operands.len());
    for operand in operands {
        match same(operand) {
            Ok(inner) => flat.extend(inner),
            Err(other) => flat.push(other),
        }
    }
    node(flat)
}

fn unexpected(token: &Token, wanted: &str) -> Invalid {
    Invalid::new(format!("expected {wanted}, found {}", token.kind)).at(token.at.clone())
}
