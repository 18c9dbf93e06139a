"""Settings: defaults, every override, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eisenergy.config import Mail, OpenId, PortalSettings, Settings
from eisenergy.variables import KNOWN, BadSetting


def test_defaults_lie_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.load({})
    assert settings.root == tmp_path
    assert settings.home == tmp_path / "data"
    assert settings.params == tmp_path / "params"
    assert settings.samples == tmp_path / "data" / "samples"
    assert settings.lake == str(tmp_path / "data" / "lake")
    assert settings.database_url is None
    assert settings.client == "EIS"
    assert settings.workers == os.cpu_count()
    assert settings.renderer == "auto"
    assert settings.notebook_timeout == 300
    assert settings.inbox == tmp_path / "data" / "inbox"
    assert settings.sites == tmp_path / "data" / "sites"
    assert settings.runs == tmp_path / "data" / "runs"


FULL = {
    "EISENERGY_HOME": "/srv/eis",
    "EISENERGY_PARAMS": "/srv/params",
    "EISENERGY_SAMPLES": "/srv/samples",
    "EISENERGY_DATABASE_URL": "postgresql://db/eis",
    "EISENERGY_LAKE": "s3://readings",
    "EISENERGY_CLIENT": "ABC",
    "EISENERGY_WORKERS": "3",
    "EISENERGY_RENDERER": "quarto",
    "EISENERGY_NOTEBOOK_TIMEOUT": "60",
    "EISENERGY_NOTEBOOK_ENGINE": "kernel",
    "EISENERGY_BATCH": "7",
    "EISENERGY_CHILD_MEMORY": "512",
    "EISENERGY_UNPACKED": "64",
    "EISENERGY_SCHEDULER": "tcp://10.0.0.5:8786",
}


def test_every_setting_is_read_and_passed_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.load(FULL)
    assert settings == Settings(
        root=tmp_path,
        home=Path("/srv/eis"),
        params=Path("/srv/params"),
        samples=Path("/srv/samples"),
        database_url="postgresql://db/eis",
        lake="s3://readings",
        client="ABC",
        workers=3,
        renderer="quarto",
        notebook_timeout=60,
        notebook_engine="kernel",
        batch=7,
        child_memory=512,
        unpacked=64,
        scheduler="tcp://10.0.0.5:8786",
    )
    assert settings.environment() == FULL
    assert Settings.load(settings.environment()) == settings


def test_a_notebooks_folder_finds_the_projects_workspace(tmp_path, monkeypatch):
    (tmp_path / "_quarto.yml").touch()
    (tmp_path / "params").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    settings = Settings.load({"EISENERGY_SAMPLES": "there"})
    assert (settings.root, settings.home) == (tmp_path, tmp_path / "data")
    assert settings.samples == tmp_path / "notebooks" / "there"


def test_without_a_database_none_is_passed_on():
    assert "EISENERGY_DATABASE_URL" not in Settings.load({"EISENERGY_DATABASE_URL": ""}).environment()


def test_the_callers_word_goes_before_the_environment(tmp_path):
    settings = Settings.load(FULL, home=tmp_path, client="XYZ")
    assert (settings.home, settings.client, settings.lake) == (tmp_path, "XYZ", "s3://readings")


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("EISENERGY_CLIENT", "ENV")
    assert Settings.load().client == "ENV"


def test_a_misspelt_setting_is_refused():
    with pytest.raises(BadSetting, match="EISENERGY_HOMES is not a setting") as caught:
        Settings.load({"EISENERGY_HOMES": "x", "PATH": "/bin"})
    assert all(f"EISENERGY_{name}" in str(caught.value) for name in KNOWN)


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
@pytest.mark.parametrize("name", ["WORKERS", "NOTEBOOK_TIMEOUT", "BATCH", "CHILD_MEMORY", "SMTP_PORT"])
def test_a_number_that_is_none_is_refused(name, value):
    with pytest.raises(BadSetting, match=f"EISENERGY_{name}='{value}': expected a whole number from 1"):
        Settings.load({f"EISENERGY_{name}": value})


@pytest.mark.parametrize("value", ["10.0.0.5:8786", "tcp://10.0.0.5", "http://host:80", "tcp://user:secret@host:1"])
def test_a_scheduler_that_has_no_address_is_refused(value):
    with pytest.raises(BadSetting, match="expected the address of a dask scheduler, such as tcp://"):
        Settings.load({"EISENERGY_SCHEDULER": value})
    assert Settings.load({"EISENERGY_SCHEDULER": "tls://[fd00::1]:8786"}).scheduler == "tls://[fd00::1]:8786"
    assert Settings.load({"EISENERGY_SCHEDULER": ""}).scheduler is None


def test_an_unknown_renderer_is_refused():
    with pytest.raises(BadSetting, match="expected auto, embedded or quarto"):
        Settings.load({"EISENERGY_RENDERER": "latex"})


PORTAL = {
    "EISENERGY_URL": "https://portal.example/",
    "EISENERGY_PROXY": "10.0.0.1",
    "EISENERGY_SMTP_HOST": "mail.example",
    "EISENERGY_SMTP_PORT": "465",
    "EISENERGY_SMTP_TLS": "tls",
    "EISENERGY_SMTP_USER": "eis",
    "EISENERGY_SMTP_PASSWORD": "opensesame",
    "EISENERGY_OIDC_ISSUER": "https://id.example/realm",
    "EISENERGY_OIDC_CLIENT_ID": "portal",
    "EISENERGY_OIDC_CLIENT_SECRET": "opensesame",
}


def test_the_portals_settings_stay_with_the_portal():
    settings = Settings.load(PORTAL)
    assert settings.portal == PortalSettings(
        url="https://portal.example",
        proxy="10.0.0.1",
        mail=Mail(
            host="mail.example",
            port=465,
            tls="tls",
            user="eis",
            password="opensesame",
            sender="eisenergy@mail.example",
        ),
        openid=OpenId(
            issuer="https://id.example/realm", client_id="portal", client_secret="opensesame", label="OpenID"
        ),
    )
    assert "opensesame" not in repr(settings)
    assert not set(PORTAL) & set(settings.environment())
    assert Settings.load({}).portal == PortalSettings()


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"EISENERGY_URL": "portal.example"}, "expected an address such as https"),
        ({"EISENERGY_URL": "https://portal.example/eis"}, "expected scheme and host alone"),
        ({"EISENERGY_OIDC_ISSUER": "https://id.example"}, "expected EISENERGY_OIDC_CLIENT_ID and _CLIENT_SECRET"),
        ({"EISENERGY_SMTP_TLS": "ssl"}, "expected starttls, tls or none"),
    ],
)
def test_a_portals_setting_that_cannot_be_used_is_refused(environ, message):
    with pytest.raises(BadSetting, match=message):
        Settings.load(environ)
