"""What the configuration promises: defaults, policies, and all faults at once."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    for table, model in RadnetConfig.model_fields.items():
        for key in getattr(model.annotation, "model_fields", {}):
            assert f"\n{key} = " in text or f"\n# {key} = " in text, f"{table}.{key} is undocumented"
