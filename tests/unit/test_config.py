"""What the configuration promises: defaults, policies, and all faults at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from radnet.config import RadnetConfig, load_config
from radnet.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "radnet.toml"
    path.write_text(text, "utf-8")
    return path


def test_every_key_is_optional(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    assert load_config(path) == load_config(str(path)) == load_config() == RadnetConfig()


def test_the_paper_policy_is_section_2_1() -> None:
    labels = load_config(policy="paper").labels
    assert labels.exact_orientation
    assert labels.require_description
    assert labels.contrast_from_agent_alone
    assert labels.min_slices == 16
    assert labels.max_effective_spacing_mm == 15
    assert load_config(policy="paper").volumes.intensity == "min_max"


def test_the_paper_policy_trains_as_section_2_2() -> None:
    pretrain = load_config(policy="paper").pretrain
    assert (pretrain.network, pretrain.embedding, pretrain.norm) == ("paper", 1000, "batch")
    assert (pretrain.optimizer, pretrain.schedule, pretrain.warmup) == ("adam", "constant", 0)
    assert pretrain.input_shape == (48, 192, 192)
    assert pretrain.split == "paper"
    assert not pretrain.augmentation.enabled


def test_the_file_wins_over_the_policy_and_changes_win_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'policy = "paper"\n[labels]\nexact_orientation = false\nmin_slices = 20\n')
    config = load_config(path, changes={"labels": {"min_slices": 24}})
    assert (config.policy, config.labels.exact_orientation, config.labels.require_description) == (
        "paper",
        False,
        True,
    )
    assert config.labels.min_slices == 24


def test_all_faults_are_told_at_once_with_the_nearest_key(tmp_path: Path) -> None:
    text = "policy = 'papers'\n[label]\n[labels]\nmin_slice = 3\nmin_slices = 0\nkeep_sequences = ['t1_sa']\n"
    path = written(tmp_path, text + "[volumes]\nshape = [1, 2]\nct_window = [200, -100]\n")
    with pytest.raises(ConfigError) as fault:
        load_config(path)
    message = str(fault.value)
    assert message.startswith(str(path))
    assert "unknown key 'label'; did you mean 'labels'?" in message
    assert "unknown key 'labels.min_slice'; did you mean 'min_slices'?" in message
    assert "labels.min_slices: input should be greater than or equal to 1" in message
    assert "volumes.shape" in message
    assert "policy is 'papers'" in message
    assert "labels.keep_sequences: unknown word 't1_sa'" in message
    assert "volumes.ct_window: 200 must be below -100" in message


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("policy = 'papers'", "policy is 'papers'; it must be 'default' or 'paper'"),
        ("[pretrain]\nclose_up = [0.6, 0.4]", "close_up: .*0.6 is not below 0.4"),
        ("[labels]\nkeep_sequences = ['t1_sa']", "unknown word 't1_sa'; did you mean 't1_se'"),
        ("[labels]\nkeep_geometries = ['unifrom']", "did you mean 'uniform'"),
        ("[volumes]\nct_window = [200, -100]", "volumes.ct_window: 200 must be below -100"),
        ("policy = ['paper']", "policy is .*; it must be 'default' or 'paper'"),
        (
            "[series]\nspacing_tolerance_mm = inf",
            "series.spacing_tolerance_mm: input should be a finite number",
        ),
        ("[volumes]\nct_window = [nan, 0.0]", "volumes.ct_window.0: input should be a finite number"),
        ("[labels\n", "is not TOML"),
        ("[scan]\nchunk_files = 'many'", "scan.chunk_files: input should be a valid integer"),
        ("labels = 3", "labels: "),
    ],
    ids=[
        "policy",
        "close-up",
        "sequence",
        "geometry",
        "window",
        "policies",
        "endless",
        "no number",
        "syntax",
        "type",
        "table",
    ],
)
def test_bad_values_are_refused(text: str, match: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=match):
        load_config(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read"):
        load_config(tmp_path / "absent.toml")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[scan]\npatient_key = 'keys/site.key'\n[labels]\nrules = ['rules']\n")
    config = load_config(path)
    assert config.scan.patient_key == tmp_path / "keys" / "site.key"
    assert config.labels.rules == (tmp_path / "rules",)


def test_the_documented_configuration_is_complete_and_the_default() -> None:
    path = Path(__file__).parents[2] / "docs" / "reference" / "radnet.toml"
    assert load_config(path) == RadnetConfig()
    text = path.read_text("utf-8")
    for table, keys in documented_tables(RadnetConfig):
        _, _, section = text.partition(f"\n[{table}]\n")
        section = section.partition("\n[")[0]
        for key in keys:
            assert re.search(rf"^(# )?{key} = ", section, re.MULTILINE), f"{table}.{key} is undocumented"


def documented_tables(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield each table of the file with its own keys."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner = field.annotation.model_fields
            tables = [key for key, one in inner.items() if str(one.annotation).endswith("Config'>")]
            yield prefix + name, [key for key in inner if key not in tables]
            yield from documented_tables(field.annotation, f"{prefix}{name}.")
