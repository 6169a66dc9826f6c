"""
What a person is told who set something wrong, and what nobody is told: the value.
"""

import pytest
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.kit.settings import Networks, Settings, WorkerSettings


class Ours(Settings):
    """
    Settings as a service has them.
    """

    model_config = SettingsConfigDict(env_prefix="OURS_")
    secret: SecretStr = Field(min_length=16)
    proxies: Networks = frozenset()
    port: int = 1
    name: str = ""
    worker: WorkerSettings = Field(default_factory=WorkerSettings)

    @field_validator("name")
    @classmethod
    def _short(cls, given: str) -> str:
        if len(given) > 3:
            raise ValueError("OURS_NAME: three letters at most")
        return given

    @model_validator(mode="after")
    def _port_one(self) -> "Ours":
        if self.port != 1:
            raise ValueError("OURS_PORT must be 1 here")
        return self


@pytest.fixture(autouse=True)
def _complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS_SECRET", "a secret that is long")


def refused(capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        Ours.read()
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_what_is_right_is_read_and_cannot_be_changed() -> None:
    settings = Ours.read()
    assert settings.secret.get_secret_value() == "a secret that is long"
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 2


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("OURS_SECRET", "qwertz", "error: OURS_SECRET: Value should have at least 16 items"),
        ("OURS_PORT", "qwertz", "error: OURS_PORT: Input should be a valid integer"),
        ("OURS_NAME", "qwertz", "error: OURS_NAME: three letters"),
        ("OURS_PORT", "7", "error: OURS_PORT must be 1 here"),
        ("OURS_PROXIES", '["qwertz"]', "error: OURS_PROXIES: must be addresses or networks such as"),
        ("OURS_PROXIES", '["10.0.0.5/24"]', "error: OURS_PROXIES: must be addresses or networks such as"),
        ("OURS_PROXIES", "qwertz", "error: OURS_PROXIES: must be JSON"),
        ("WORKER_BATCH_SIZE", "0", "error: WORKER_BATCH_SIZE: Input should be greater than or equal to 1"),
        ("LIVENESS_END_AFTER", "qwertz", "error: LIVENESS_END_AFTER: Input should be a valid number"),
    ],
)
def test_the_variable_that_is_wrong_is_named_and_its_value_is_not(
    variable: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    (line,) = refused(capsys)
    assert line.startswith(told)
    assert "qwertz" not in line


def test_a_variable_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OURS_SECRET")
    assert refused(capsys) == ["error: OURS_SECRET: Field required"]


def test_no_error_shows_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS_SECRET", "qwertz")
    with pytest.raises(ValueError, match="secret") as broken:
        Ours()
    assert "qwertz" not in str(broken.value)
