//! Scalar functions: bind once, then one call a chunk.

use super::contain::{contain, drop_boxed, into_raw};
use super::shape::Shape;
use super::{c_text, ffi, Chunk, ColumnMut, Context, Host, LogicalType, TypeId};
use std::ffi::c_void;
use std::sync::Arc;

/// One signature of a scalar function.
pub struct Overload {
    pub parameters: &'static [TypeId],
    pub returns: TypeId,
}

/// A scalar function. The value itself lives as long as the host instance: its drop is the shutdown hook.
///
/// A function is registered as volatile: it is called for every row, and never folded into a constant.
pub trait Scalar: Send + Sync + 'static {
    /// What `bind` works out from the argument types, for all calls of the query.
    type Bound: Send + Sync + 'static;
    /// What one executing thread keeps between chunks.
    type Local: 'static;

    const NAME: &'static str;
    const OVERLOADS: &'static [Overload];

    fn bind(&self, arguments: &ScalarBind<'_>) -> Result<Self::Bound, String>;

    /// Runs at the start of every execution, on each thread that takes part, where a prepared statement binds once.
    fn start(&self, bound: &Self::Bound, context: &Context) -> Result<Self::Local, String>;

    fn call(
        &self,
        bound: &Self::Bound,
        local: &mut Self::Local,
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String>;
}

/// What is known when a call is bound.
pub struct ScalarBind<'a> {
    types: Vec<LogicalType>,
    context: &'a Context,
}

impl ScalarBind<'_> {
    pub fn types(&self) -> &[LogicalType] {
        &self.types
    }

    pub fn context(&self) -> &Context {
        self.context
    }
}

/// What DuckDB keeps for an overload.
struct Registered<F: Scalar> {
    function: Arc<F>,
    parameters: &'static [TypeId],
}

/// What DuckDB keeps for a bound call. Binding is repeated by copying, so the pointer it holds is a shared one.
struct Bound<F: Scalar> {
    shapes: Vec<Shape>,
    bound: F::Bound,
}

type SharedBound<F> = Arc<Bound<F>>;

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
                    into_raw(Registered {
                        function: Arc::clone(&function),
                        parameters: overload.parameters,
                    }),
                    Some(drop_boxed::<Registered<F>>),
                );
                ffi::duckdb_scalar_function_set_bind(raw, Some(bind::<F>));
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

unsafe extern "C" fn bind<F: Scalar>(info: ffi::duckdb_bind_info) {
    let outcome = contain(F::NAME, || {
        // SAFETY: `info` is live during the callback; the extra info is what `register_scalar` set.
        unsafe {
            let registered =
                &*ffi::duckdb_scalar_function_bind_get_extra_info(info).cast::<Registered<F>>();
            let mut raw_context = std::ptr::null_mut();
            ffi::duckdb_scalar_function_get_client_context(info, &mut raw_context);
            let context = Context::take(raw_context).ok_or("DuckDB gave no client context")?;
            let types: Vec<LogicalType> = registered
                .parameters
                .iter()
                .enumerate()
                .map(|(index, parameter)| match parameter {
                    TypeId::Any => argument_type(info, index),
                    // 1.5.6 shows the argument as it was before the cast to the declared type.
                    declared => LogicalType::new(*declared),
                })
                .collect();
            let shapes = types.iter().map(Shape::of).collect();
            let arguments = ScalarBind {
                types,
                context: &context,
            };
            let bound = registered.function.bind(&arguments)?;
            let shared: SharedBound<F> = Arc::new(Bound { shapes, bound });
            ffi::duckdb_scalar_function_set_bind_data(
                info,
                into_raw(shared),
                Some(drop_boxed::<SharedBound<F>>),
            );
            ffi::duckdb_scalar_function_set_bind_data_copy(info, Some(copy_bound::<F>));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        let error = c_text(&error);
        // SAFETY: `info` is live during the callback; the text is copied.
        unsafe { ffi::duckdb_scalar_function_bind_set_error(info, error.as_ptr()) };
    }
}

/// # Safety
/// `info` is that of a running bind callback.
unsafe fn argument_type(info: ffi::duckdb_bind_info, index: usize) -> LogicalType {
    // SAFETY: the caller's promise; the expression is made for us and destroyed after its last use.
    unsafe {
        let mut argument = ffi::duckdb_scalar_function_bind_get_argument(info, index as u64);
        let logical = LogicalType::from_raw(ffi::duckdb_expression_return_type(argument));
        ffi::duckdb_destroy_expression(&mut argument);
        logical
    }
}

unsafe extern "C" fn copy_bound<F: Scalar>(data: *mut c_void) -> *mut c_void {
    // SAFETY: `data` is what `bind` set.
    into_raw(unsafe { (*data.cast::<SharedBound<F>>()).clone() })
}

unsafe extern "C" fn init<F: Scalar>(info: ffi::duckdb_init_info) {
    let outcome = contain(F::NAME, || {
        // SAFETY: `info` is live during the callback; the pointers are what registration and `bind` set.
        unsafe {
            let registered =
                &*ffi::duckdb_scalar_function_init_get_extra_info(info).cast::<Registered<F>>();
            let bound =
                &*ffi::duckdb_scalar_function_init_get_bind_data(info).cast::<SharedBound<F>>();
            let mut raw_context = std::ptr::null_mut();
            ffi::duckdb_scalar_function_init_get_client_context(info, &mut raw_context);
            let context = Context::take(raw_context).ok_or("DuckDB gave no client context")?;
            let local = registered.function.start(&bound.bound, &context)?;
            ffi::duckdb_scalar_function_init_set_state(
                info,
                into_raw(local),
                Some(drop_boxed::<F::Local>),
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
        // registration, `bind` and `init` set. DuckDB has flattened the input.
        unsafe {
            let registered =
                &*ffi::duckdb_scalar_function_get_extra_info(info).cast::<Registered<F>>();
            let bound = &*ffi::duckdb_scalar_function_get_bind_data(info).cast::<SharedBound<F>>();
            let local = &mut *ffi::duckdb_scalar_function_get_state(info).cast::<F::Local>();
            let arguments = Chunk::new(input, &bound.shapes);
            let mut output = ColumnMut::new(output);
            registered
                .function
                .call(&bound.bound, local, &arguments, &mut output)
        }
    });
    if let Err(error) = outcome {
        let error = c_text(&error);
        // SAFETY: `info` is live during the callback; the text is copied.
        unsafe { ffi::duckdb_scalar_function_set_error(info, error.as_ptr()) };
    }
}
