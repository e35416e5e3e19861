//! Regexes: only whether they compile, within the bound that the data plane has for them.

use super::Invalid;
use pn_model::limits::REGEX_BYTES;

/// Syntax of the `regex` crate, which is RE2's: linear time, no look-around, no back-references.
pub(crate) fn regex(text: &str) -> Result<String, Invalid> {
    match regex::RegexBuilder::new(text).size_limit(REGEX_BYTES).build() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(explain(text, &error)),
    }
}

fn explain(text: &str, error: &regex::Error) -> Invalid {
    if let regex::Error::CompiledTooBig(limit) = error {
        return Invalid::new(format!("the regex takes more than {} KiB when it is compiled", limit >> 10))
            .help("bounded repetitions of large classes are costly; make them smaller or open");
    }
    let syntax = regex_syntax::Parser::new().parse(text).err();
    let (why, span) = match &syntax {
        Some(regex_syntax::Error::Parse(error)) => (error.kind().to_string(), Some(*error.span())),
        Some(regex_syntax::Error::Translate(error)) => (error.kind().to_string(), Some(*error.span())),
        _ => (error.to_string(), None),
    };
    let invalid = Invalid::new(format!("the regex `{text}` does not compile: {why}"));
    let invalid = match span {
        Some(span) => invalid.at(span.start.offset..span.end.offset),
        None => invalid,
    };
    if why.contains("look-around") || why.contains("backreference") {
        return invalid.help("matching takes linear time, which leaves no room for it");
    }
    invalid
}
