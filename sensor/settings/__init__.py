"""
Settings: one TOML file, then the environment, then the command line; the later speaks.

Whatever is unknown or out of range is an error that names the place and says what is allowed. Nothing is guessed.
"""

from sensor.settings.alerts import AlertSettings
from sensor.settings.allow import AllowEntry, allow_entry
from sensor.settings.artifacts import ArtifactSettings
from sensor.settings.capture import CaptureSettings
from sensor.settings.checks import ENVIRONMENT_PREFIX, Network, split_listen
from sensor.settings.errors import SettingsError
from sensor.settings.inline import Action, InlineRule, InlineSettings
from sensor.settings.journal import JournalSettings
from sensor.settings.live import LiveSettings
from sensor.settings.loading import load_settings
from sensor.settings.milter import MilterSettings
from sensor.settings.organisation import OrganisationSettings
from sensor.settings.privacy import PrivacySettings
from sensor.settings.relay import RelaySettings
from sensor.settings.replay import ReplaySettings
from sensor.settings.run import RunSettings
from sensor.settings.schema import DetectorOptions, Limit
from sensor.settings.sections import Settings
from sensor.settings.sensor import SensorSettings
from sensor.settings.severity import SeverityRule
from sensor.settings.sinks import (
    FACILITIES,
    SINK_KEYS,
    AlertmanagerSettings,
    FileSinkSettings,
    HttpSinkSettings,
    SecretSource,
    SinkSettings,
    SyslogSettings,
    TlsSettings,
    WebhookSettings,
)
from sensor.settings.store import StoreSettings
from sensor.settings.web import WebSettings

__all__ = [
    "ENVIRONMENT_PREFIX",
    "FACILITIES",
    "SINK_KEYS",
    "Action",
    "AlertSettings",
    "AlertmanagerSettings",
    "AllowEntry",
    "ArtifactSettings",
    "CaptureSettings",
    "DetectorOptions",
    "FileSinkSettings",
    "HttpSinkSettings",
    "InlineRule",
    "InlineSettings",
    "JournalSettings",
    "Limit",
    "LiveSettings",
    "MilterSettings",
    "Network",
    "OrganisationSettings",
    "PrivacySettings",
    "RelaySettings",
    "ReplaySettings",
    "RunSettings",
    "SecretSource",
    "SensorSettings",
    "Settings",
    "SettingsError",
    "SeverityRule",
    "SinkSettings",
    "StoreSettings",
    "SyslogSettings",
    "TlsSettings",
    "WebSettings",
    "WebhookSettings",
    "allow_entry",
    "load_settings",
    "split_listen",
]
