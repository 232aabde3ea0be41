"""One file a role: the environment goes before it, options before both; what is wrong has a name."""

from pathlib import Path
from typing import Annotated

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command
from typer.testing import CliRunner

from petra.cli import app as petra
from petra.config.load import ConfigError, load, role_of
from petra.config.option import config_option
from petra.config.roles import ROLES, BoardSettings, RelaySettings


def file(tmp_path: Path, text: str, name: str = "relay.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path, 'port = 1\ntick = 3\ndatabase = "q.db"\ndeployments = "/d"\n')
    monkeypatch.setenv("PETRA_RELAY_PORT", "2")
    monkeypatch.setenv("PETRA_RELAY_RELAYER_KEY_FILE", "here")
    settings = load(RelaySettings, path)
    assert (settings.port, settings.tick) == (2, 3)
    assert settings.database == tmp_path / "q.db", "a path in a file is relative to it"
    assert settings.deployments == Path("/d")
    assert settings.relayer_key_file == Path("here"), "one of the environment is not"


def test_a_database_may_be_a_file_or_a_server(tmp_path: Path) -> None:
    for text, meant in (("b.db", str(tmp_path / "b.db")), ("postgresql://u@h/n", "postgresql://u@h/n")):
        path = file(tmp_path, f'database = "{text}"\nany_session = true\n')
        assert load(BoardSettings, path).database == meant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1", "relay.toml: prot: Extra inputs are not permitted"),
        ('port = "many"', "relay.toml: port: "),
        ("port = 70000", "relay.toml: port: "),
        ('rpc = "ftp://x"', "relay.toml: rpc: "),
        ("port = ", "relay.toml: "),
        ("\udc80", "no UTF-8"),
        ("[port]\na = 1", "relay.toml: port"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_field(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "relay.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as wrong:
        load(RelaySettings, path)
    assert says in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_wrong_variable_is_named_as_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PETRA_RELAY_PORT", "many")
    with pytest.raises(ConfigError, match="environment PETRA_RELAY_PORT"):
        load(RelaySettings, None)
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load(RelaySettings, tmp_path / "none.toml")


@given(st.text(max_size=80))
def test_no_text_ends_in_anything_but_settings_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("config") / "relay.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    said = str(path)
    try:
        load(RelaySettings, path)
    except ConfigError as error:
        said = str(error)
    assert said.startswith(str(path))


def test_a_role_is_told_by_its_line_or_by_the_files_name() -> None:
    assert role_of(Path("board.toml"), {}) == "board"
    assert role_of(Path("x/bidstore-2.toml"), {}) == "bidstore"
    assert role_of(Path("anything.toml"), {"role": "relay"}) == "relay"
    for path, values in ((Path("anything.toml"), {}), (Path("board.toml"), {"role": "boat"})):
        with pytest.raises(ConfigError, match="say which role"):
            role_of(path, values)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_field_is_an_option_of_the_roles_command(role: str) -> None:
    command = get_command(petra)
    for word in ROLES[role].command.split()[1:]:
        command = command.commands[word]  # type: ignore[attr-defined]
    options = {parameter.name for parameter in command.params}
    assert set(ROLES[role].model_fields) - {"role"} <= options
    assert "config" in options


def test_options_go_before_the_environment_and_the_environment_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()

    @app.command()
    def serve(
        port: int = 5,
        tick: float = 2.0,
        waiting: int = 7,
        host: str = "h",
        config: Annotated[Path | None, config_option("relay")] = None,
    ) -> None:
        typer.echo(f"{port} {tick} {waiting} {host}")

    path = file(tmp_path, 'port = 1\ntick = 1\nwaiting = 1\nrole = "relay"\n')
    monkeypatch.setenv("PETRA_RELAY_PORT", "3")
    monkeypatch.setenv("PETRA_RELAY_TICK", "3")
    said = CliRunner().invoke(app, ["--config", str(path), "--port", "4"])
    assert said.output == "4 3.0 1 h\n"
    assert CliRunner().invoke(app, []).output == "3 3.0 7 h\n"
    path.write_text("prot = 1\n")
    said = CliRunner().invoke(app, ["--config", str(path)])
    assert (said.exit_code, "relay.toml: prot" in said.output, "Traceback" in said.output) == (2, True, False)
