"""Several sensors side by side: which of them is away, blind, behind, or different from the others."""

from __future__ import annotations

from grafana.board import BAD_ABOVE_0, Board, Panel, Query, Row, Unit
from grafana.promql import HOUR, increase, of, or_zero, part_of_both, process, rate, share, summed

EACH = "instance"


def per_sensor(title: str, unit: Unit, description: str, expr: str, decimals: int | None = None) -> Panel:
    """A line for each sensor."""
    return Panel(title, unit, description, (Query(expr, "{{instance}}"),), decimals=decimals)


SENSORS = Row(
    "Sensors",
    (
        Panel(
            "Sensors that do not answer", "short",
            "Targets of the job that Prometheus can't scrape. Runbook: MailsensorDown.",
            (Query(or_zero('count(up{job=~"$job",instance=~"$instance"} == 0)'), now=True),),
            kind="stat", width=4, height=6, steps=BAD_ABOVE_0,
        ),
        Panel(
            "Sensors", "short",
            "Version, name, and what each is about. Different versions judge differently: update them together. A "
            "sensor with no mail beside busy ones is blind.",
            (
                Query(f"max by (instance, sensor, version) ({of('build_info')})", column="answers", unit="bool_yes_no"),
                Query(
                    f"max by (instance) ({of('start_time_seconds')}) * 1000", column="started", unit="dateTimeFromNow"
                ),
                Query(summed(of("active_mailboxes"), EACH), column="mailboxes"),
                Query(summed(of("active_forwarders"), EACH), column="forwarders"),
                Query(summed(of("alerts_firing"), EACH), column="alerts firing"),
                Query(f"min by (instance) ({of('worker_up')})", column="all sources read", unit="bool_yes_no"),
            ),
            kind="table", width=20, height=6,
        ),
    ),
)  # fmt: skip

SEEN = Row(
    "What each sees",
    (
        per_sensor(
            "Mail", "cps",
            "Transactions a second. Sensors on the same mail flow should agree; one that falls behind the others "
            "lost its mirror.",
            rate("transactions_total", by=EACH),
        ),
        per_sensor(
            "Forwards by a rule in an hour", "short",
            "In the hour before. The same mailbox may be seen by several sensors.",
            increase("forwards_total", 'kind=~"auto_only|auto_visible"', over=HOUR, by=EACH),
        ),
        per_sensor(
            "Alerts firing", "short",
            "Of mailboxes and destinations. One sensor with far more than the others stands where forwards pass.",
            summed(of("alerts_firing"), EACH),
        ),
        per_sensor(
            "Share of sessions in TLS", "percentunit",
            "A sensor outside the gateway sees mostly TLS, one behind it mostly clear text; a change of either is "
            "news.",
            share(
                rate("sessions_total", 'privacy="tls"', over=HOUR, by=EACH),
                rate("sessions_total", over=HOUR, by=EACH),
            ),
        ),
        per_sensor(
            "Share of frames dropped", "percentunit",
            "By the kernel. Runbook: MailsensorPacketDrops.",
            part_of_both(rate("interface_dropped_total", by=EACH), rate("interface_frames_total", by=EACH)),
            3,
        ),
        per_sensor(
            "Share of octets lost in gaps", "percentunit",
            "Loss anywhere between the mail servers and the sensor. Runbook: MailsensorGaps.",
            part_of_both(rate("capture_gap_octets_total", by=EACH), rate("capture_segment_octets_total", by=EACH)),
            3,
        ),
    ),
)  # fmt: skip

LOAD = Row(
    "How each does",
    (
        per_sensor(
            "Processor", "s",
            "Cores in use. Spread the load where one is far above the others.",
            f"rate({process('cpu_seconds_total')}[$__rate_interval])",
            2,
        ),
        per_sensor(
            "Memory", "bytes",
            "Resident; follows the number of mailboxes. Runbook: MailsensorMemory.",
            process("resident_memory_bytes"),
        ),
        per_sensor(
            "Batches waiting", "short",
            "Of at most 8. Runbook: MailsensorBehind.",
            f"max by (instance) ({of('batches_waiting')})",
        ),
        per_sensor(
            "Alerts that wait for a sink", "short",
            "All sinks of a sensor. Rising at every sensor: the receiver is down; at one: its own network.",
            summed(of("sink_alerts_owed"), EACH),
        ),
        per_sensor(
            "Age of the counts", "s",
            "A second or two. Larger at one sensor: it is stuck, or its clock is wrong.",
            f"time() - max by (instance) ({of('published_timestamp_seconds')})",
            0,
        ),
        per_sensor(
            "Time of a scrape", "s",
            "As Prometheus measured it. Above one: the sensor's machine is overloaded.",
            'max by (instance) (scrape_duration_seconds{job=~"$job",instance=~"$instance"})',
        ),
    ),
)  # fmt: skip

BOARD = Board("fleet", "fleet", "All sensors side by side.", (SENSORS, SEEN, LOAD))
