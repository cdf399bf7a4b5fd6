//! Waiting for events that other threads send, without the GIL.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The next events of *from*: an empty list if *timeout_s* passes first, none if no thread sends any more.
///
/// # Errors
/// ValueError: no time is that long or that short.
pub fn next_events<Events: Default + Send>(
    py: Python<'_>,
    from: &Receiver<Events>,
    timeout_s: Option<f64>,
) -> PyResult<Option<Events>> {
    let timeout = timeout_s
        .map(Duration::try_from_secs_f64)
        .transpose()
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let received = py.detach(|| match timeout {
        None => from.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(timeout) => from.recv_timeout(timeout),
    });
    Ok(match received {
        Ok(events) => Some(events),
        Err(RecvTimeoutError::Timeout) => Some(Events::default()),
        Err(RecvTimeoutError::Disconnected) => None,
    })
}
