//! `sensor._core`: the streaming core as a Python module. This crate alone knows PyO3.
//!
//! It registers what `sensor/_core.pyi` describes; `reading.rs` runs the threads that `replay.rs` shows, `live.rs` those of live interfaces,
//! `inline.rs` takes mail from whoever holds it, `shortcut.rs` follows what a relay passes as it came, `convert.rs` shows records to
//! Python, `error.rs` maps errors.

mod convert;
mod error;
mod events;
mod inline;
mod interest;
mod live;
mod parse;
mod reading;
mod receive;
mod replay;
mod shortcut;
mod tally;
mod trace;
mod traffic;

use pyo3::prelude::*;
use wire::anomaly::Anomaly;
use wire::counters::Counters;
use wire::limits::Limits;

/// Every bound of the core: name, reason, default.
#[pyfunction]
fn limits() -> Vec<(&'static str, &'static str, usize)> {
    Limits::default().list()
}

/// Every counter of the core: name, meaning.
#[pyfunction]
fn counters() -> Vec<(&'static str, &'static str)> {
    Counters::default()
        .list()
        .into_iter()
        .map(|(name, meaning, _)| (name, meaning.trim()))
        .collect()
}

/// Every anomaly of the core: slug, meaning.
#[pyfunction]
fn anomalies() -> Vec<(&'static str, &'static str)> {
    Anomaly::ALL
        .iter()
        .map(|anomaly| (anomaly.slug(), anomaly.meaning()))
        .collect()
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("CaptureError", module.py().get_type::<error::CaptureError>())?;
    module.add_class::<interest::Interest>()?;
    module.add_class::<replay::Replay>()?;
    module.add_class::<live::Live>()?;
    module.add_class::<inline::Inline>()?;
    module.add_class::<shortcut::Shortcut>()?;
    module.add_class::<live::InterfaceStatus>()?;
    module.add_class::<replay::Damage>()?;
    module.add_class::<tally::Tally>()?;
    module.add_class::<trace::Trace>()?;
    module.add_class::<traffic::Traffic>()?;
    convert::register(module)?;
    for function in [
        wrap_pyfunction!(limits, module)?,
        wrap_pyfunction!(counters, module)?,
        wrap_pyfunction!(anomalies, module)?,
        wrap_pyfunction!(parse::parse_message, module)?,
        wrap_pyfunction!(replay::is_probably_capture, module)?,
        wrap_pyfunction!(live::mail_ports, module)?,
    ] {
        module.add_function(function)?;
    }
    Ok(())
}
