"""Whether the sensor sees all there is to see, keeps up, and is believed by those it tells."""

from __future__ import annotations

from grafana.board import AMBER, BAD_ABOVE_0, RED, WARN_ABOVE_0, Board, Panel, Query, Row
from grafana.promql import increase, of, part_of_both, process, rate, share, summed

WORKER, INTERFACE = "instance, worker", "instance, interface"

STATE = Row(
    "State",
    (
        Panel(
            "Sources that do not read", "short",
            "Taps that died and wait for their next try; /-/ready says why. Runbook: MailsensorSourceDown.",
            (Query(f"count({of('worker_up')} == 0) or vector(0)", now=True),),
            kind="stat", width=4, height=4, steps=BAD_ABOVE_0,
        ),
        Panel(
            "Interfaces away", "short",
            "Interfaces that are not captured: down, or removed. Runbook: MailsensorInterfaceDown.",
            (Query(f"count({of('interface_up')} == 0) or vector(0)", now=True),),
            kind="stat", width=4, height=4, steps=BAD_ABOVE_0,
        ),
        Panel(
            "Age of the counts", "s",
            "Counts are brought up to date every second. More than some ten seconds: the analysis is stuck (runbook "
            "MailsensorStuck), or clocks differ (MailsensorClock).",
            (Query(f"max(time() - {of('published_timestamp_seconds')})", now=True),),
            kind="stat", width=4, height=4, steps=((30, AMBER), (60, RED)), decimals=0,
        ),
        Panel(
            "Latest mail", "s",
            "Wall clock less packet time of the latest mail. Grows on a quiet line; of old captures it is their age. "
            "Long on a busy line: runbook MailsensorNoMail.",
            (Query(f"max({of('event_lag_seconds')})", now=True),),
            kind="stat", width=4, height=4, decimals=0,
        ),
        Panel(
            "Running since", "dateTimeFromNow",
            "The latest start. A start that nobody ordered: see the journal, and memory below.",
            (Query(f"max({of('start_time_seconds')}) * 1000", now=True),),
            kind="stat", width=4, height=4,
        ),
        Panel(
            "Settings in force", "bool_yes_no",
            "No: the last reload was refused, and the settings before it are in force. Runbook: "
            "MailsensorSettingsRefused.",
            (Query(f"min({of('settings_reload_successful')})", now=True),),
            kind="stat", width=4, height=4,
        ),
    ),
)  # fmt: skip

CAPTURE = Row(
    "Packets",
    (
        Panel(
            "Frames", "pps",
            "Frames that the kernel put into the rings. Flat at zero on a busy line: cable, mirror session, or "
            "live.ports. A step down to half: one direction of the mirror is gone.",
            (Query(rate("interface_frames_total", by=INTERFACE), "{{instance}} {{interface}}"),),
        ),
        Panel(
            "Traffic", "bps",
            "Bits a second of those frames. One worker reads 1.3 to 2.7 Gbit/s of mail (docs/live.md); near that, "
            "add workers.",
            (Query(f"8 * {rate('interface_octets_total', by=INTERFACE)}", "{{instance}} {{interface}}"),),
        ),
        Panel(
            "Share of frames dropped by the kernel", "percentunit",
            "Dropped because a ring was full, among all that passed the filter. Any drop makes gaps in mail. Runbook: "
            "MailsensorPacketDrops.",
            (
                Query(
                    part_of_both(
                        rate("interface_dropped_total", by=INTERFACE), rate("interface_frames_total", by=INTERFACE)
                    ),
                    "{{instance}} {{interface}}",
                ),
            ),
            decimals=3,
        ),
        Panel(
            "Rings full, interfaces away", "short",
            "How often a ring was full (freezes) and an interface went away (outages), in the time shown. Freezes "
            "without drops were a near miss: enlarge live.ring_octets before it gets worse.",
            (
                Query(increase("interface_freezes_total"), "freezes", now=True),
                Query(increase("interface_outages_total"), "outages", now=True),
            ),
            kind="stat", steps=WARN_ABOVE_0,
        ),
        Panel(
            "Frames read", "pps",
            "Frames that the decoder took, by source: of captures as well. Less than what the kernel shows above "
            "for long: the sensor is behind.",
            (Query(rate("capture_frames_total", by=WORKER), "{{instance}} {{worker}}"),),
        ),
        Panel(
            "Share of frames that could not be used", "percentunit",
            "Malformed, of an unknown link type, cut by the snap length, or nested too deep. Steady and small is "
            "normal on a span port. More: docs/anomalies.md, and the panel of anomalies below.",
            tuple(
                Query(share(rate(f"capture_frames_{what}_total"), rate("capture_frames_total")), what)
                for what in ("malformed", "unsupported_link", "snapped", "nested_too_deep")
            ),
            decimals=3,
        ),
    ),
)  # fmt: skip

STREAMS = Row(
    "Streams",
    (
        Panel(
            "Share of octets lost in gaps", "percentunit",
            "Octets that no frame brought, among all of mail's streams. Without drops of the kernel above, the "
            "loss is before the sensor: the switch's mirror port or the network card. Runbook: MailsensorGaps.",
            (
                Query(
                    part_of_both(
                        rate("capture_gap_octets_total", by="instance"),
                        rate("capture_segment_octets_total", by="instance"),
                    ),
                    "{{instance}}",
                ),
            ),
            decimals=3,
        ),
        Panel(
            "Flows", "cps",
            "Flows opened, timed out and not mail, a second. Many that time out: ends of connections are not seen.",
            (
                Query(rate("capture_flows_total"), "opened"),
                Query(rate("capture_flows_timed_out_total"), "timed out"),
                Query(rate("capture_flows_not_mail_total"), "not mail"),
            ),
        ),
        Panel(
            "Dropped at a limit", "cps",
            "What was given up because a bound was reached: mail is then seen in part. A flood, or limits too small "
            "for this line: docs/limits.md says what each costs. Runbook: MailsensorLimitsReached.",
            (
                Query(rate("capture_flows_evicted_total"), "flows evicted"),
                Query(rate("capture_octets_dropped_out_of_order_total"), "octets out of order"),
                Query(rate("capture_session_octets_shed_total"), "octets shed by sessions"),
                Query(rate("capture_fragments_dropped_total"), "fragments"),
                Query(rate("capture_recipients_dropped_total"), "recipients"),
                Query(rate("capture_header_octets_dropped_total"), "octets of header"),
                Query(rate("ledger_evictions_total"), "accounts"),
                Query(rate("detector_states_evicted_total"), "states of detectors"),
            ),
        ),
        Panel(
            "Odd things on the wire", "short",
            "The ten most frequent anomalies in the time shown; docs/anomalies.md explains each. Watch for new ones, "
            "not for many: a scanner makes thousands.",
            (Query(f"topk(10, {increase('anomalies_total', by='anomaly')})", "{{anomaly}}", now=True),),
            kind="bargauge", width=12,
        ),
        Panel(
            "Sessions recognised", "cps",
            "Mail sessions that the core recognised, and those that turned to TLS. None while flows are opened: the "
            "ports carry something else, or one direction is missing.",
            (
                Query(rate("capture_sessions_total"), "mail"),
                Query(rate("capture_sessions_tls_total"), "turned to TLS"),
            ),
            width=12,
        ),
    ),
)  # fmt: skip

ANALYSIS = Row(
    "Analysis",
    (
        Panel(
            "Batches waiting", "short",
            "Of at most 8. At 8 for long, sources wait, rings fill, and the kernel drops. Runbook: "
            "MailsensorBehind.",
            (Query(f"max by (instance) ({of('batches_waiting')})", "{{instance}}"),),
            steps=((6, RED),),
        ),
        Panel(
            "Time that the analysis is busy", "s",
            "Seconds of work in each second. Near one: it keeps no more pace. Detectors are part of it.",
            (Query(rate("batch_duration_seconds_sum", by="instance"), "{{instance}}"),),
            decimals=2,
        ),
        Panel(
            "Mean time of a batch", "s",
            "Some milliseconds to a tenth of a second. Compare with the time of detectors.",
            (
                Query(
                    share(
                        rate("batch_duration_seconds_sum", by="instance"),
                        rate("batch_duration_seconds_count", by="instance"),
                    ),
                    "{{instance}}",
                ),
            ),
        ),
        Panel(
            "Time of detectors", "s",
            "Seconds of work in each second, by detector. One that grows with time: its states do, see below.",
            (Query(rate("detector_duration_seconds_sum", by="detector"), "{{detector}}"),),
            stacked=True, decimals=3,
        ),
        Panel(
            "Events on which a detector failed", "short",
            "In the time shown. Not zero: a fault in the detector; the others go on. Runbook: "
            "MailsensorDetectorFailures.",
            (Query(increase("detector_failures_total", by="detector"), "{{detector}}", now=True),),
            kind="bargauge", steps=BAD_ABOVE_0,
        ),
        Panel(
            "States of detectors", "short",
            "What detectors remember. Grows with the number of mailboxes, and stands still at its limit.",
            (Query(summed(of("detector_states"), "instance"), "{{instance}}"),),
        ),
    ),
)  # fmt: skip

OUT = Row(
    "Sinks, records, store",
    (
        Panel(
            "Sinks that fail", "short",
            "Sinks whose latest try failed. Alerts wait in the spool. Runbook: MailsensorSinkFailing.",
            (Query(f"count({of('sink_up')} == 0) or vector(0)", now=True),),
            kind="stat", width=4, steps=BAD_ABOVE_0,
        ),
        Panel(
            "Alerts that wait", "short",
            "For each sink. Zero but for moments. Rising: the sink is dead or slow, and the spool is finite. Runbook: "
            "MailsensorSpoolFilling.",
            (Query(summed(of("sink_alerts_owed"), "instance, sink"), "{{instance}} {{sink}}"),),
            width=10,
        ),
        Panel(
            "Alerts delivered, lost, refused", "short",
            "In the time shown. Lost: the spool was full, or there was none. Runbook: MailsensorAlertsLost. Refused: "
            "the receiver does not take what they say; they are set aside in the spool's folder.",
            (
                Query(increase("sink_alerts_delivered_total", by="sink"), "{{sink}} delivered", now=True),
                Query(increase("sink_alerts_lost_total", by="sink"), "{{sink}} lost", now=True),
                Query(increase("sink_alerts_refused_total", by="sink"), "{{sink}} refused", now=True),
                Query(increase("sink_failures_total", by="sink"), "{{sink}} tries failed", now=True),
            ),
            kind="bargauge", width=10,
        ),
        Panel(
            "Saves", "cps",
            "Saves of the state a second. Failed ones: disk full or read-only. Runbook: MailsensorStoreFailing.",
            (Query(rate("store_saves_total", by="result"), "{{result}}"),),
        ),
        Panel(
            "Time of a save", "s",
            "Mean. While the sensor saves it takes no mail; above a second, use a faster disk or a longer "
            "store.checkpoint_s.",
            (
                Query(
                    share(
                        rate("store_save_duration_seconds_sum", by="instance"),
                        rate("store_save_duration_seconds_count", by="instance"),
                    ),
                    "{{instance}}",
                ),
            ),
        ),
        Panel(
            "Records written", "Bps",
            "Octets a second. Nothing while mail flows and run.records is set: the disk is full (runbook "
            "MailsensorRecordsFailing).",
            (
                Query(rate("record_octets_total"), "octets"),
                Query(rate("record_failures_total"), "failed batches"),
            ),
        ),
    ),
)  # fmt: skip

PROCESS = Row(
    "Process",
    (
        Panel(
            "Memory", "bytes",
            "Resident. Bounded by the limits, flat in the length of a capture. Steady growth over days: runbook "
            "MailsensorMemory.",
            (Query(process("resident_memory_bytes"), "{{instance}}"),),
        ),
        Panel(
            "Processor", "s",
            "Seconds of processor time in each second: cores in use.",
            (Query(f"rate({process('cpu_seconds_total')}[$__rate_interval])", "{{instance}}"),),
            decimals=2,
        ),
        Panel(
            "File descriptors", "short",
            "Open, and how many may be. Steady growth is a leak: report it.",
            (
                Query(process("open_fds"), "{{instance}} open"),
                Query(process("max_fds"), "{{instance}} at most"),
            ),
        ),
        Panel(
            "HTTP answers", "cps",
            "By status. 401: somebody does not know the password; 503: too much is asked at once.",
            (Query(rate("http_requests_total", by="code"), "{{code}}"),),
        ),
        Panel(
            "Starts of sources", "short",
            "Times that a source died and was opened anew, in the time shown. Runbook: MailsensorSourceRestarts.",
            (Query(increase("worker_restarts_total", by=WORKER), "{{instance}} {{worker}}", now=True),),
            kind="stat", steps=WARN_ABOVE_0,
        ),
        Panel(
            "Series and reloads refused", "short",
            "Series refused: a family of metrics is full (runbook MailsensorSeriesRefused). Reloads refused: the "
            "settings file had a mistake.",
            (
                Query(f"sum({of('series_refused_total')}) or vector(0)", "series refused", now=True),
                Query(increase("settings_reloads_total", 'result="refused"'), "reloads refused", now=True),
            ),
            kind="stat", steps=WARN_ABOVE_0,
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "health",
    "sensor health",
    "Whether the sensor sees everything, keeps up, and delivers.",
    (STATE, CAPTURE, STREAMS, ANALYSIS, OUT, PROCESS),
)
