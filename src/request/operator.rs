//! THE operator table: every operator of the filter grammar, with its name in
//! the URL, its SQL and what stands on its right side.

/// What stands on the right side of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// One value.
    Value,
    /// One value, or several by a quantifier: `eq(any).{1,2}`.
    Quantifiable,
    /// As [`Operand::Quantifiable`], and `*` stands for `%`.
    Pattern,
    /// A parenthesised list.
    List,
    /// `null`, `not_null`, `true`, `false`, `unknown`.
    Is,
    /// One value; NULL counts as a value.
    Distinct,
    /// A text search query, with a configuration on request: `fts(english)`.
    FullText,
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// The name in the URL and in `pgduet.query.v1`.
    pub name: &'static str,
    /// The SQL operator; of a text search the function that makes the query.
    pub sql: &'static str,
    /// What stands on the right.
    pub operand: Operand,
}

macro_rules! operator_table {
    ($($operator:ident $name:literal $sql:literal $operand:ident;)*) => {
        /// An operator of the filter grammar.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operator { $(#[doc = $sql] $operator,)* }

        impl Operator {
            /// Every operator, in the table's order.
            pub const ALL: &'static [Operator] = &[$(Operator::$operator,)*];

            /// The operator's row in the table.
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Operator::$operator => &Row { name: $name, sql: $sql, operand: Operand::$operand },)*
                }
            }

            /// The operator of this name.
            pub fn named(name: &str) -> Option<Operator> {
                match name {
                    $($name => Some(Operator::$operator),)*
                    _ => None,
                }
            }
        }
    };
}

operator_table! {
    Eq         "eq"         "="                    Quantifiable;
    Gte        "gte"        ">="                   Quantifiable;
    Gt         "gt"         ">"                    Quantifiable;
    Lte        "lte"        "<="                   Quantifiable;
    Lt         "lt"         "<"                    Quantifiable;
    Like       "like"       "LIKE"                 Pattern;
    Ilike      "ilike"      "ILIKE"                Pattern;
    Match      "match"      "~"                    Quantifiable;
    Imatch     "imatch"     "~*"                   Quantifiable;
    Neq        "neq"        "<>"                   Value;
    Cs         "cs"         "@>"                   Value;
    Cd         "cd"         "<@"                   Value;
    Ov         "ov"         "&&"                   Value;
    Sl         "sl"         "<<"                   Value;
    Sr         "sr"         ">>"                   Value;
    Nxr        "nxr"        "&<"                   Value;
    Nxl        "nxl"        "&>"                   Value;
    Adj        "adj"        "-|-"                  Value;
    In         "in"         "= ANY"                List;
    Is         "is"         "IS"                   Is;
    IsDistinct "isdistinct" "IS DISTINCT FROM"     Distinct;
    Fts        "fts"        "to_tsquery"           FullText;
    Plfts      "plfts"      "plainto_tsquery"      FullText;
    Phfts      "phfts"      "phraseto_tsquery"     FullText;
    Wfts       "wfts"       "websearch_to_tsquery" FullText;
}
