//! What the artifact table wants kept, and limits by name.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use wire::interest::{InterestSpec, LabelSpec};
use wire::limits::Limits;

/// What the artifact table wants kept, made ready for searching.
#[pyclass(frozen, module = "sensor._core")]
pub struct Interest {
    pub(crate) inner: Arc<wire::interest::Interest>,
}

#[pymethods]
impl Interest {
    #[new]
    #[allow(clippy::too_many_arguments)] // each is a keyword of its own in Python
    #[pyo3(
        signature = (*, fields = Vec::new(), reverse_path_marks = Vec::new(), subject_prefixes = Vec::new(), body_marks = Vec::new(),
            context_fields = Vec::new(), reply_prefixes = Vec::new(), labels = Vec::new(), reply_marks = Vec::new()),
        text_signature = "(*, fields=(), reverse_path_marks=(), subject_prefixes=(), body_marks=(), context_fields=(), reply_prefixes=(), labels=(), reply_marks=())"
    )]
    fn new(
        fields: Vec<String>,
        reverse_path_marks: Vec<String>,
        subject_prefixes: Vec<String>,
        body_marks: Vec<String>,
        context_fields: Vec<String>,
        reply_prefixes: Vec<String>,
        labels: Vec<(u32, u32, String)>,
        reply_marks: Vec<String>,
    ) -> PyResult<Self> {
        let spec = InterestSpec {
            fields,
            reverse_path_marks,
            subject_prefixes,
            body_marks,
            context_fields,
            reply_prefixes,
            labels: labels
                .into_iter()
                .map(|(language, kind, text)| LabelSpec { language, kind, text })
                .collect(),
            reply_marks,
        };
        let inner = wire::interest::Interest::new(&spec).map_err(PyValueError::new_err)?;
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// The default limits with *overrides* by name; a name that is none is an error that names it.
pub fn limits_with(overrides: Option<HashMap<String, usize>>) -> PyResult<Limits> {
    let mut limits = Limits::default();
    for (name, value) in overrides.unwrap_or_default() {
        if !limits.set(&name, value) {
            return Err(PyValueError::new_err(format!(
                "there is no limit named {name:?}; sensor._core.limits() lists them"
            )));
        }
    }
    Ok(limits)
}
