//! Numbers of an expression on their way through the planner: a call of an internal function with their text.
//!
//! The planner would make a long, a decimal or a double of each before it is known what the number stands beside.

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use arrow_schema::DataType;
use datafusion_common::{Result, internal_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};

use super::number::Number;

/// The name of the internal function; expressions cannot call it, because it is not among those allowed.
pub(super) const NUMBER: &str = "number as written";

/// The internal function.
pub(super) fn function() -> &'static Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::new_from_impl(Written(Signature::exact(vec![DataType::Utf8], Volatility::Immutable))))
    });
    &FUNCTION
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Written(Signature);

impl ScalarUDFImpl for Written {
    fn name(&self) -> &'static str {
        NUMBER
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("a number as written is never computed")
    }
}

/// Puts calls in the place of numbers. Gives the text of a number that no double is near.
pub(super) fn keep(expr: &mut Expr) -> std::result::Result<(), String> {
    let mut keeper = Keeper { intervals: 0 };
    match VisitMut::visit(expr, &mut keeper) {
        ControlFlow::Break(number) => Err(number),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Keeper {
    /// How many intervals the visitor is in: their numbers belong to them.
    intervals: usize,
}

impl VisitorMut for Keeper {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        self.intervals += usize::from(matches!(expr, Expr::Interval(_)));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        self.intervals -= usize::from(matches!(expr, Expr::Interval(_)));
        if let Expr::Value(ValueWithSpan { value: Value::Number(text, _), span }) = expr
            && self.intervals == 0
        {
            if Number::read(text).is_none() {
                return ControlFlow::Break(text.clone());
            }
            let (text, span) = (std::mem::take(text), *span);
            let text = Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), span });
            let list = FunctionArgumentList {
                duplicate_treatment: None,
                args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(text))],
                clauses: vec![],
            };
            *expr = Expr::Function(Function {
                name: ObjectName::from(vec![Ident::with_quote('"', NUMBER)]),
                uses_odbc_syntax: false,
                parameters: FunctionArguments::None,
                args: FunctionArguments::List(list),
                filter: None,
                null_treatment: None,
                over: None,
                within_group: vec![],
            });
        }
        ControlFlow::Continue(())
    }
}
