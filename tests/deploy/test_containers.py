"""Image and compose file: what they name is there, and they may do as little as they say. Neither is built here."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from sensor.settings import load_settings
from tests.running import ROOT

CONTAINERFILE = ROOT / "deploy" / "container" / "Containerfile"
COMPOSE = ROOT / "deploy" / "compose" / "compose.yaml"


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """The steps of the image: instruction and the rest, continued lines joined, comments left out."""
    lines = [line for line in CONTAINERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name, " ".join(rest.split())) for name, rest in found]


def of(steps: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for each, rest in steps if each == name]


def test_everything_that_is_copied_is_there_and_let_in(steps: list[tuple[str, str]]) -> None:
    ignored = (CONTAINERFILE.parent / "Containerfile.dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {source for rest in of(steps, "COPY") for source in rest.split()[:-1]}
    copied |= set(re.findall(r"--mount=type=bind,source=([^,]+)", " ".join(of(steps, "RUN"))))
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source in let_in, source


def test_the_image_is_not_root_and_has_a_folder_of_its_own(steps: list[tuple[str, str]]) -> None:
    (user,) = of(steps, "USER")
    uid = user.split(":")[0]
    assert uid.isdecimal()
    assert int(uid) >= 1_000
    assert of(steps, "VOLUME") == ["/var/lib/mailsensor"]
    making = " ".join(of(steps, "RUN"))
    assert f"install -d -m 0700 -o {uid}" in making
    assert of(steps, "CMD")[0] == '["run", "--config", "/etc/mailsensor/sensor.toml"]'


def test_the_image_is_built_with_the_rust_that_the_core_needs(steps: list[tuple[str, str]]) -> None:
    needed = re.search(r'^rust-version = "(.*)"', (ROOT / "sensor/core/Cargo.toml").read_text(), re.MULTILINE)
    assert needed is not None
    assert f"rust:{needed[1]}-" in of(steps, "FROM")[0]


def test_the_health_check_asks_where_the_settings_listen(steps: list[tuple[str, str]]) -> None:
    text = CONTAINERFILE.read_text()
    for path in ("deploy/systemd/sensor.toml", "deploy/compose/sensor.toml.sample"):
        listen = load_settings(str(ROOT / path), {}, known_limits=()).web.listen
        assert f"http://{listen}/-/healthy" in text


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return made


def test_what_is_mounted_is_there(compose: dict[str, Any]) -> None:
    """But for what the reader makes: settings and a password."""
    own = {"./sensor.toml": "sensor.toml.sample", "./grafana-admin.password": None}
    for name, service in compose["services"].items():
        for volume in service["volumes"]:
            source, target, *how = volume.split(":")
            if source.startswith("."):
                assert how == ["ro"], volume
                path = COMPOSE.parent / (own.get(source) or source)
                assert path.exists(), f"{name}: {volume}"
                assert target.startswith("/etc/")
            else:
                assert source in compose["volumes"]


def test_no_service_may_more_than_it_has_to(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service.get("cap_add", []) == (["NET_RAW"] if name == "sensor" else [])
        assert "privileged" not in service
        assert name == "sensor" or service["security_opt"] == ["no-new-privileges:true"]


def test_images_have_versions(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert name == "sensor" or re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", service["image"])


def test_all_listen_on_loopback_where_the_others_look_for_them(compose: dict[str, Any]) -> None:
    """They share the host's network, so an address that is not loopback would be open to others."""
    services = compose["services"]
    assert {service["network_mode"] for service in services.values()} == {"host"}
    for name, address in (("prometheus", "127.0.0.1:9090"), ("alertmanager", "127.0.0.1:9093")):
        assert f"--web.listen-address={address}" in services[name]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert services["grafana"]["environment"]["PROMETHEUS_URL"] == "http://127.0.0.1:9090"
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    alerting = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert alerting == ["127.0.0.1:9093"]
    settings = load_settings(str(COMPOSE.parent / "sensor.toml.sample"), {}, known_limits=())
    assert prometheus["scrape_configs"][0]["static_configs"][0]["targets"] == [settings.web.listen]


def test_the_dashboards_are_where_grafana_looks_for_them(compose: dict[str, Any]) -> None:
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/mailsensor.yaml").read_text())
    wanted = provider["providers"][0]["options"]["path"]
    assert any(volume.split(":")[1] == wanted for volume in compose["services"]["grafana"]["volumes"])


def test_what_the_reader_makes_is_not_committed() -> None:
    """Settings name an organisation, and a password is one."""
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/deploy/compose/sensor.toml", "/deploy/compose/*.password"} <= set(ignored)
