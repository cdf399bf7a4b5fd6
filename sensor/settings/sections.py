"""
Every section of the settings file, each in a file of its own: a further one is a file, an entry here, and a field.

``[limits]`` and ``[detect.NAME]`` stand beside them: what those may hold is told by the parts that they are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sensor.settings.alerts import ALERTS, AlertSettings
from sensor.settings.artifacts import ARTIFACTS, ArtifactSettings
from sensor.settings.capture import CAPTURE, CaptureSettings
from sensor.settings.inline import INLINE, InlineSettings
from sensor.settings.journal import JOURNAL, JournalSettings
from sensor.settings.live import LIVE, LiveSettings
from sensor.settings.milter import MILTER, MilterSettings
from sensor.settings.organisation import ORGANISATION, OrganisationSettings
from sensor.settings.privacy import PRIVACY, PrivacySettings
from sensor.settings.relay import RELAY, RelaySettings
from sensor.settings.replay import REPLAY, ReplaySettings
from sensor.settings.run import RUN, RunSettings
from sensor.settings.section import Section
from sensor.settings.sensor import SENSOR, SensorSettings
from sensor.settings.store import STORE, StoreSettings
from sensor.settings.web import WEB, WebSettings

SECTIONS: tuple[Section, ...] = (
    ORGANISATION,
    SENSOR,
    REPLAY,
    LIVE,
    ARTIFACTS,
    ALERTS,
    RUN,
    CAPTURE,
    STORE,
    WEB,
    PRIVACY,
    MILTER,
    INLINE,
    JOURNAL,
    RELAY,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Everything that can be set. ``limits`` holds only those that are set, and so does ``detect``: by detector its
    options, and "enabled".
    """

    organisation: OrganisationSettings = field(default_factory=OrganisationSettings)
    sensor: SensorSettings = field(default_factory=SensorSettings)
    replay: ReplaySettings = field(default_factory=ReplaySettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    artifacts: ArtifactSettings = field(default_factory=ArtifactSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    run: RunSettings = field(default_factory=RunSettings)
    capture: CaptureSettings = field(default_factory=CaptureSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    web: WebSettings = field(default_factory=WebSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    milter: MilterSettings = field(default_factory=MilterSettings)
    inline: InlineSettings = field(default_factory=InlineSettings)
    journal: JournalSettings = field(default_factory=JournalSettings)
    relay: RelaySettings = field(default_factory=RelaySettings)
    detect: Mapping[str, Mapping[str, float | bool]] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
