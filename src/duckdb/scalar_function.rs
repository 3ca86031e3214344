//! Scalar functions: one call a chunk.

use super::callback::{contain, drop_boxed, into_raw};
use super::resolved_type::ResolvedType;
use super::{c_text, ffi, Chunk, ColumnMut, Context, Host, Interruption, LogicalType, TypeId};
use std::sync::Arc;

/// One signature of a scalar function.
pub struct Overload {
    pub parameters: &'static [TypeId],
    pub returns: TypeId,
}

/// A scalar function. The value itself lives as long as the host instance: its drop is the shutdown hook.
///
/// A function is registered as volatile: it is called for every row, and never folded into a constant.
///
/// What the arguments are is known from the first chunk only. While a query is bound DuckDB would show them by copying
/// them, and it cannot copy a scalar subquery: the query would fail.
pub trait Scalar: Send + Sync + 'static {
    /// How the arguments are read, worked out from their types.
    type Plan: 'static;
    /// What one executing thread keeps between chunks.
    type Local: 'static;

    const NAME: &'static str;
    const OVERLOADS: &'static [Overload];

    /// Runs at the start of every execution, on each thread that takes part.
    fn start(&self, context: &Context) -> Result<Self::Local, String>;

    /// Runs once behind `start`, before the first call.
    fn plan(&self, arguments: &[LogicalType]) -> Result<Self::Plan, String>;

    fn call(
        &self,
        plan: &Self::Plan,
        local: &mut Self::Local,
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String>;
}

/// What DuckDB keeps for one executing thread.
struct Execution<F: Scalar> {
    local: F::Local,
    /// None before the first chunk.
    arguments: Option<(Vec<ResolvedType>, F::Plan)>,
    interruption: Option<Interruption>,
}

impl<F: Scalar> Drop for Execution<F> {
    /// The two are dropped one by one: two panics at once would abort the process.
    fn drop(&mut self) {
        let arguments = self.arguments.take();
        let _ = contain(F::NAME, || {
            drop(arguments);
            Ok(())
        });
    }
}

impl Host<'_> {
    pub fn register_scalar<F: Scalar>(&self, function: F) -> Result<(), String> {
        let function = Arc::new(function);
        let name = c_text(F::NAME);
        // SAFETY: every handle is live for the calls, which copy what they are given; each overload gets a pointer of
        // its own to the shared function, which DuckDB frees with the instance.
        let state = unsafe {
            let mut set = ffi::duckdb_create_scalar_function_set(name.as_ptr());
            for overload in F::OVERLOADS {
                let mut raw = ffi::duckdb_create_scalar_function();
                ffi::duckdb_scalar_function_set_name(raw, name.as_ptr());
                for parameter in overload.parameters {
                    ffi::duckdb_scalar_function_add_parameter(
                        raw,
                        LogicalType::new(*parameter).raw(),
                    );
                }
                ffi::duckdb_scalar_function_set_return_type(
                    raw,
                    LogicalType::new(overload.returns).raw(),
                );
                ffi::duckdb_scalar_function_set_volatile(raw);
                // Without this DuckDB answers NULL for a NULL argument by itself and never calls.
                ffi::duckdb_scalar_function_set_special_handling(raw);
                ffi::duckdb_scalar_function_set_extra_info(
                    raw,
                    into_raw(Arc::clone(&function)),
                    Some(drop_boxed::<Arc<F>>),
                );
                ffi::duckdb_scalar_function_set_init(raw, Some(init::<F>));
                ffi::duckdb_scalar_function_set_function(raw, Some(call::<F>));
                ffi::duckdb_add_scalar_function_to_set(set, raw);
                ffi::duckdb_destroy_scalar_function(&mut raw);
            }
            let state = ffi::duckdb_register_scalar_function_set(self.connection(), set);
            ffi::duckdb_destroy_scalar_function_set(&mut set);
            state
        };
        self.registered("function", F::NAME, state)
    }
}

unsafe extern "C" fn init<F: Scalar>(info: ffi::duckdb_init_info) {
    let outcome = contain(F::NAME, || {
        // SAFETY: `info` is live during the callback; the extra info is what `register_scalar` set.
        unsafe {
            let function = &*ffi::duckdb_scalar_function_init_get_extra_info(info).cast::<Arc<F>>();
            let mut raw_context = std::ptr::null_mut();
            ffi::duckdb_scalar_function_init_get_client_context(info, &mut raw_context);
            let context = Context::take(raw_context).ok_or("DuckDB gave no client context")?;
            let execution = Execution::<F> {
                local: function.start(&context)?,
                arguments: None,
                interruption: Interruption::of(&context),
            };
            ffi::duckdb_scalar_function_init_set_state(
                info,
                into_raw(execution),
                Some(drop_boxed::<Execution<F>>),
            );
        }
        Ok(())
    });
    if let Err(error) = outcome {
        let error = c_text(&error);
        // SAFETY: `info` is live during the callback; the text is copied.
        unsafe { ffi::duckdb_scalar_function_init_set_error(info, error.as_ptr()) };
    }
}

unsafe extern "C" fn call<F: Scalar>(
    info: ffi::duckdb_function_info,
    input: ffi::duckdb_data_chunk,
    output: ffi::duckdb_vector,
) {
    let outcome = contain(F::NAME, || {
        // SAFETY: all are live during the callback, and the state belongs to this thread alone; the pointers are what
        // registration and `init` set. DuckDB has flattened the input, whose types are those of the function's
        // arguments in each call of an execution.
        unsafe {
            let function = &*ffi::duckdb_scalar_function_get_extra_info(info).cast::<Arc<F>>();
            let execution =
                &mut *ffi::duckdb_scalar_function_get_state(info).cast::<Execution<F>>();
            let (resolved_types, plan) = match &mut execution.arguments {
                Some(known) => known,
                unknown => {
                    let types = Chunk::types(input);
                    let plan = function.plan(&types)?;
                    unknown.insert((types.iter().map(ResolvedType::of).collect(), plan))
                }
            };
            let arguments = Chunk::new(input, resolved_types);
            let mut output = ColumnMut::new(output);
            Interruption::during(execution.interruption, || {
                function.call(plan, &mut execution.local, &arguments, &mut output)
            })
        }
    });
    if let Err(error) = outcome {
        let error = c_text(&error);
        // SAFETY: `info` is live during the callback; the text is copied.
        unsafe { ffi::duckdb_scalar_function_set_error(info, error.as_ptr()) };
    }
}
