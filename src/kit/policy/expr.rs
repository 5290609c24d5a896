//! The policy language.
//!
//! ```text
//! expr  = and ("or" and)*          check = "@" | "!" | kind ":" match
//! and   = not ("and" not)*         kind  = "rule" | "role" | "field" | 'literal' | credential
//! not   = "not" not | "(" expr ")" | check
//! ```

/// A parsed check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    Always,
    Never,
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// `rule:name`
    Rule(String),
    /// `role:name`
    Role(String),
    /// `'public':%(visibility)s` or `None:%(target.role.domain_id)s`
    Literal {
        literal: String,
        attribute: String,
    },
    /// `project_id:%(project_id)s`
    Attribute {
        credential: String,
        attribute: String,
    },
    /// `system_scope:all`
    Credential {
        credential: String,
        value: String,
    },
    /// `field:networks:shared=True`
    Field {
        attribute: String,
        value: String,
    },
    /// `field:port:device_owner=~^network:`
    FieldPrefix {
        attribute: String,
        prefix: String,
    },
}

/// Text that is no check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not expected here")]
pub struct ParseError(pub String);

impl Expr {
    /// Parses a check; the empty one always holds.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let spaced = space_out(text);
        let words: Vec<&str> = spaced.split_whitespace().collect();
        if words.is_empty() {
            return Ok(Expr::Always);
        }
        let mut parser = Parser { words: &words };
        let expr = parser.or()?;
        match parser.words.first() {
            None => Ok(expr),
            Some(word) => Err(ParseError((*word).to_owned())),
        }
    }

    /// The rules that the check refers to.
    pub fn references(&self) -> Vec<&str> {
        match self {
            Expr::Rule(name) => vec![name],
            Expr::Not(inner) => inner.references(),
            Expr::And(all) | Expr::Or(all) => all.iter().flat_map(Expr::references).collect(),
            _ => Vec::new(),
        }
    }
}

/// Parentheses stand alone as words, except those of `%(…)s`.
fn space_out(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut inside = false;
    let mut previous = ' ';
    for c in text.chars() {
        match c {
            '(' if previous == '%' => {
                inside = true;
                out.push(c);
            }
            ')' if inside => {
                inside = false;
                out.push(c);
            }
            '(' | ')' => out.extend([' ', c, ' ']),
            _ => out.push(c),
        }
        previous = c;
    }
    out
}

struct Parser<'a> {
    words: &'a [&'a str],
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.words.first().is_some_and(|first| first.eq_ignore_ascii_case(word));
        if there {
            self.words = &self.words[1..];
        }
        there
    }

    fn or(&mut self) -> Result<Expr, ParseError> {
        let mut any = vec![self.and()?];
        while self.take("or") {
            any.push(self.and()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Expr::Or(any) })
    }

    fn and(&mut self) -> Result<Expr, ParseError> {
        let mut all = vec![self.not()?];
        while self.take("and") {
            all.push(self.not()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::And(all) })
    }

    fn not(&mut self) -> Result<Expr, ParseError> {
        if self.take("not") {
            return Ok(Expr::Not(Box::new(self.not()?)));
        }
        if self.take("(") {
            let inner = self.or()?;
            return if self.take(")") { Ok(inner) } else { Err(ParseError("(".into())) };
        }
        check(self.next().ok_or_else(|| ParseError("the end".into()))?)
    }
}

fn check(word: &str) -> Result<Expr, ParseError> {
    let (kind, rest) = match word {
        "@" => return Ok(Expr::Always),
        "!" => return Ok(Expr::Never),
        _ => word.split_once(':').ok_or_else(|| ParseError(word.to_owned()))?,
    };
    let attribute = rest.strip_prefix("%(").and_then(|r| r.strip_suffix(")s"));
    let literal = kind.strip_prefix('\'').and_then(|k| k.strip_suffix('\''));
    Ok(match (kind, attribute) {
        ("rule", _) => Expr::Rule(rest.to_owned()),
        ("role", _) => Expr::Role(rest.to_owned()),
        ("field", _) => return field(word, rest),
        ("None" | "True" | "False", Some(attribute)) => {
            Expr::Literal { literal: kind.to_owned(), attribute: attribute.to_owned() }
        }
        (_, Some(attribute)) => match literal {
            Some(literal) => {
                Expr::Literal { literal: literal.to_owned(), attribute: attribute.to_owned() }
            }
            None => {
                Expr::Attribute { credential: kind.to_owned(), attribute: attribute.to_owned() }
            }
        },
        // A configuration may say is_admin:1 or is_admin:True.
        ("is_admin", None) => {
            Expr::Credential { credential: kind.to_owned(), value: "True".to_owned() }
        }
        (_, None) => Expr::Credential { credential: kind.to_owned(), value: rest.to_owned() },
    })
}

/// `resource:attribute=value`; the attribute may hold a colon of its own (`router:external`).
fn field(word: &str, rest: &str) -> Result<Expr, ParseError> {
    let wrong = || ParseError(word.to_owned());
    let (_resource, pair) = rest.split_once(':').ok_or_else(wrong)?;
    let (attribute, value) = pair.split_once('=').ok_or_else(wrong)?;
    let attribute = attribute.to_owned();
    Ok(match value.strip_prefix("~^") {
        Some(prefix) => Expr::FieldPrefix { attribute, prefix: prefix.to_owned() },
        None => Expr::Field { attribute, value: value.to_owned() },
    })
}
