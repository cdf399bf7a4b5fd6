//! Errors of the core as Python exceptions.

use pyo3::create_exception;
use pyo3::exceptions::PyException;

create_exception!(
    _core,
    CaptureError,
    PyException,
    "A capture could not be opened or is not one."
);
