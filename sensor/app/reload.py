"""What changed settings mean for a sensor that runs: which parts are made anew, or why it has to be restarted."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.app.build import Plan, taps_of

# What is opened once, with rights that may be gone by now, or names what is on disk: by section and key.
_FIXED: tuple[tuple[str, str], ...] = (
    ("store", "path"),
    ("store", "keep_days"),
    ("web", "listen"),
    ("web", "config_file"),
    ("web", "allow_without_auth"),
    ("web", "connections"),
    ("web", "recent_records"),
    ("web", "top_mailboxes"),
    ("privacy", "mode"),
    ("privacy", "clear_domains"),
    ("privacy", "key_file"),
    ("privacy", "clear_labels"),
    ("sensor", "name"),
    ("run", "user"),
    ("run", "group"),
    ("run", "keep_net_raw"),
    ("alerts", "sinks"),
    ("alerts", "spool_dir"),
    ("alerts", "spool_octets"),
    ("alerts", "spool_sync"),
    ("alerts", "drain_s"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """Parts to be made anew; ``refused`` says what stands in the way."""

    pipeline: bool = False
    runner: bool = False
    policy: bool = False
    workers: tuple[str, ...] = ()
    output: bool = False
    refused: str | None = None


def change_between(before: Plan, after: Plan) -> Change:
    """What has to be done to get from one plan to the other."""
    old, new = before.settings, after.settings
    fixed = [
        f"{section}.{key}"
        for section, key in _FIXED
        if getattr(getattr(old, section), key) != getattr(getattr(new, section), key)
    ]
    if fixed:
        return Change(refused=f"{', '.join(fixed)}: can't change while the sensor runs; restart it")
    if (
        new.privacy.clear_domains == "internal"
        and old.organisation.internal_domains != new.organisation.internal_domains
    ):
        why = "organisation.internal_domains: names that stay clear would change while the sensor runs; restart it"
        return Change(refused=why)
    own_limits = before.own_limits != after.own_limits
    pipeline = own_limits or old.organisation != new.organisation or old.artifacts != new.artifacts
    return Change(
        pipeline=pipeline,
        runner=own_limits or old.detect != new.detect,
        policy=old.alerts != new.alerts,
        workers=_changed_workers(before, after),
        # The store's section says when files of records and alerts are moved aside.
        output=old.run != new.run or old.store != new.store,
    )


def _changed_workers(before: Plan, after: Plan) -> tuple[str, ...]:
    """Workers that go, come, or read in another way."""
    old, new = taps_of(before, set()), taps_of(after, set())
    anew = before.core_limits != after.core_limits or before.settings.artifacts != after.settings.artifacts
    names = dict.fromkeys((*old, *new))
    return tuple(
        name for name in names if anew or name not in old or name not in new or old[name].what != new[name].what
    )
