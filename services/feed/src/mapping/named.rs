//! The code tables that a map names: so that one which the feed has not is found before the first row.

use jaq_core::load::Lexer;
use jaq_core::load::lex::{StrPart, Tok, Token};

/// The names in a map's `lookup("NAME")` and `$tables.NAME`; what it puts together while it runs is not seen.
pub(super) fn tables(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(tokens) = Lexer::new(code).lex() {
        look(&tokens, &mut found);
    }
    found
}

fn look(tokens: &[Token<&str>], found: &mut Vec<String>) {
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 1)) {
            (Token("lookup", Tok::Word), Some(Token(_, Tok::Block(inner)))) => found.extend(literal(inner)),
            // (a path's `.name` is one token)
            (Token("$tables", Tok::Var), Some(Token(path, Tok::Sym))) => {
                let name =
                    path.strip_prefix('.').filter(|name| name.starts_with(|c: char| c.is_alphabetic() || c == '_'));
                found.extend(name.map(str::to_owned));
            }
            _ => {}
        }
        match &token.1 {
            Tok::Block(inner) => look(inner, found),
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(term) = part {
                        look(std::slice::from_ref(term), found);
                    }
                }
            }
            Tok::Word | Tok::Var | Tok::Fmt | Tok::Num | Tok::Sym => {}
        }
    }
}

/// A call's only argument, where that is a plain string. (A block's last token closes it.)
fn literal(inner: &[Token<&str>]) -> Option<String> {
    let [Token(_, Tok::Str(parts)), rest @ ..] = inner else { return None };
    let closes = |Token(text, _): &Token<&str>| *text == ")";
    match parts.as_slice() {
        [StrPart::Str(name)] if rest.iter().all(closes) => Some((*name).to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::tables;

    #[test]
    fn tables_are_found_wherever_they_are_named() {
        let code = r#"
            # lookup("comment") is none
            def state: lookup("state");
            {a: (.a | lookup( "区县" )), b: $tables.kinds[.b], c: "lookup(\"text\") \(.c | lookup("deep"))", d: [.d | state]}
            | select(.e | lookup("x" + "y") != lookup(.f))"#;
        assert_eq!(tables(code), ["state", "区县", "kinds", "deep"]);
    }
}
