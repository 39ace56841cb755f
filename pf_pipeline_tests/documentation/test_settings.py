"""The settings table of the README and ``.env.example`` name every setting, with its default."""

import re
from pathlib import Path

import pytest

from pf_pipeline.settings import Settings, load_settings
from pf_pipeline_tests.documentation.pages import PAGES, PROJECT, README, read, section, table_rows

ENV_EXAMPLE = PROJECT / ".env.example"
MADE_FOR_REAL_LEADS = {"data_dir": "data/live"}
FILLED_IN_BY_HAND = {"api_key", "api_secret"}


def field_of(name: str) -> str:
    return name.removeprefix("PF_").lower()


@pytest.fixture
def defaults() -> Settings:
    return load_settings(_env_file=None)


def table_of_settings() -> dict[str, str]:
    rows = table_rows(section(README, "Settings"))
    return {field_of(row[0].strip("`")): row[1].strip("`") for row in rows}


def example_of_settings() -> tuple[dict[str, str], dict[str, str]]:
    """What the example sets, and what it only mentions."""
    lines = re.findall(r"^(#?)(PF_[A-Z_]+)=(.*)$", read(ENV_EXAMPLE), re.MULTILINE)
    names = [name for _, name, _ in lines]
    assert len(names) == len(set(names)), "a setting stands there twice"
    set_ = {field_of(name): value for mark, name, value in lines if not mark}
    mentioned = {field_of(name): value for mark, name, value in lines if mark}
    return set_, mentioned


def test_the_table_names_every_setting_with_its_default(defaults: Settings) -> None:
    documented = table_of_settings()
    assert set(documented) == set(Settings.model_fields)
    assert_defaults({name: "" if value == "none" else value for name, value in documented.items()})
    for name, value in documented.items():
        assert (value == "none") == (getattr(defaults, name) in (None, "")), name


def test_the_example_names_every_setting_with_its_default() -> None:
    set_, mentioned = example_of_settings()
    assert set_.keys() | mentioned.keys() == set(Settings.model_fields)
    assert_defaults(mentioned)


def test_the_example_sets_what_a_first_backfill_needs_and_no_more() -> None:
    set_, _ = example_of_settings()
    assert set_ == dict.fromkeys(FILLED_IN_BY_HAND, "") | MADE_FOR_REAL_LEADS


def test_the_example_can_be_used_as_it_is(defaults: Settings) -> None:
    copied = load_settings(_env_file=ENV_EXAMPLE)
    assert copied == defaults.model_copy(update={"data_dir": Path(MADE_FOR_REAL_LEADS["data_dir"])})


def assert_defaults(documented: dict[str, str]) -> None:
    """Setting every value that is documented changes nothing."""
    given = {name: value for name, value in documented.items() if value}
    defaults = load_settings(_env_file=None)
    assert load_settings(_env_file=None, **given) == defaults
    for name, value in documented.items():
        assert value or getattr(defaults, name) in (None, ""), f"{name} has a default"


def test_a_wrong_default_is_found() -> None:
    for wrong in ({"default_country": "FR"}, {"data_dir": ""}, {"request_attempts": "7"}):
        with pytest.raises(AssertionError):
            assert_defaults(wrong)


@pytest.mark.parametrize("page", [*PAGES, ENV_EXAMPLE], ids=lambda page: page.name)
def test_settings_that_are_named_exist(page: Path) -> None:
    named = set(re.findall(r"\bPF_[A-Z]+(?:_[A-Z]+)*", read(page)))
    assert {field_of(name) for name in named} <= set(Settings.model_fields)
