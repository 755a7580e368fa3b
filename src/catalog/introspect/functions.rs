//! Functions, from the rows of `functions.sql`.

use super::row::Fields;
use crate::{
    catalog::descriptor::{Argument, Function, ResultColumn, Setting, Volatility},
    error::Result,
};
use tokio_postgres::Row;

/// The functions, by schema, name and number of arguments: the order in which
/// PostgREST lists overloads.
pub(super) fn functions(rows: &[Row]) -> Result<Vec<Function>> {
    let mut functions = rows.iter().map(function).collect::<Result<Vec<_>>>()?;
    functions.sort_by_cached_key(|function| {
        let arguments = &function.arguments;
        let named: Vec<_> = arguments.iter().map(|a| (a.name.clone(), a.sql_type.clone())).collect();
        (function.schema.clone(), function.name.clone(), arguments.len(), function.comment.clone(), named)
    });
    Ok(functions)
}

fn function(row: &Row) -> Result<Function> {
    let mut fields = Fields::of(row);
    let mut function = Function {
        oid: fields.next()?,
        schema: fields.next()?,
        name: fields.next()?,
        comment: fields.next()?,
        ..Function::default()
    };
    let names: Option<Vec<String>> = fields.next()?;
    let types: Vec<u32> = fields.next()?;
    let modes: Option<Vec<i8>> = fields.next()?;
    let sql_types: Vec<String> = fields.next()?;
    let defaults = usize::try_from(fields.next::<i16>()?).unwrap_or_default();
    for (at, (r#type, sql_type)) in types.into_iter().zip(sql_types).enumerate() {
        let name = names.as_ref().and_then(|names| names.get(at)).cloned().unwrap_or_default();
        let mode = modes.as_ref().and_then(|modes| modes.get(at)).map_or(b'i', |mode| mode.cast_unsigned());
        // By `pg_proc.proargmodes`: i IN, o OUT, b INOUT, v VARIADIC, t TABLE.
        if matches!(mode, b'i' | b'b' | b'v') {
            function.arguments.push(Argument {
                name: name.clone(),
                r#type,
                sql_type: sql_type.clone(),
                has_default: false,
                variadic: mode == b'v',
            });
        }
        if matches!(mode, b'o' | b'b' | b't') {
            function.result_columns.push(ResultColumn { name, r#type, sql_type });
        }
    }
    // Only the last arguments can have defaults.
    for argument in function.arguments.iter_mut().rev().take(defaults) {
        argument.has_default = true;
    }
    function.return_type = fields.next()?;
    function.returns_set = fields.next()?;
    function.volatility = volatility(fields.letter()?).into();
    for setting in fields.next::<Option<Vec<String>>>()?.unwrap_or_default() {
        if let Some((name, value)) = setting.split_once('=') {
            function.settings.push(Setting { name: name.into(), value: value.into() });
        }
    }
    function.returns_one_row = fields.next()?;
    Ok(function)
}

/// By `pg_proc.provolatile`.
fn volatility(letter: u8) -> Volatility {
    match letter {
        b'i' => Volatility::Immutable,
        b's' => Volatility::Stable,
        _ => Volatility::Volatile,
    }
}
