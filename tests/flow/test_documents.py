"""Every command and every file that the documents show works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from radnet.config import load_config
from radnet.labels.engine import Labeller
from radnet.terms import EXCLUSION_STEPS, FORMS, GEOMETRIES, REGIONS, SEQUENCES

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def fenced(document: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `make demo` leaves it, from a small archive."""
    folder = tmp_path_factory.mktemp("readme")
    for arguments in (
        ["synthesize", "demo", "--preset", "tiny"],
        ["run", "demo/archive", "--work", "demo/work", "--workers", "2"],
    ):
        subprocess.run([sys.executable, "-m", "radnet", *arguments], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_options_exist(document: Path) -> None:
    """Each `radnet …` line names a verb and options that its help shows."""
    shown = re.findall(r"^(?:    |\| `)(radnet [^`|#\n]+)", document.read_text("utf-8"), re.MULTILINE)
    for line in shown:
        words = line.split()
        verb = words[1:3] if words[1] in ("rules", "study") else words[1:2]
        help_text = subprocess.run(
            [sys.executable, "-m", "radnet", *verb, "--help"], capture_output=True, text=True, check=False
        )
        assert help_text.returncode == 0, line
        for option in re.findall(r"--[a-z-]+", line):
            assert option in help_text.stdout, f"{option} in: {line}"


@pytest.mark.parametrize(
    "code", fenced(ROOT / "docs/how-to/synthetic.md", "python"), ids=["stream", "scan", "body", "dirt"]
)
def test_synthetic_examples_run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("code", fenced(ROOT / "README.md", "python"), ids=["stages", "store"])
def test_notebook_examples_run(code: str, demo: Path) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=demo, check=True)


@pytest.mark.parametrize("code", fenced(ROOT / "docs/how-to/masks.md", "python"), ids=["seg"])
def test_mask_examples_run(code: str, demo: Path) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=demo, check=True)


def test_the_example_rule_loads_and_speaks(tmp_path: Path) -> None:
    document = ROOT / "docs" / "how-to" / "rules.md"
    (tmp_path / "rules").mkdir()
    for text in fenced(document, "toml"):
        name = re.match(r"# (\S+)", text)
        assert name
        (tmp_path / name[1]).write_text(text, "utf-8")
    (tmp_path / "decisions.csv").write_text(fenced(document, "csv")[0])
    config = load_config(tmp_path / "radnet.toml", changes={"labels": {"decisions": "decisions.csv"}})
    table = Labeller(config.labels).rulebook.tables["contrast"]
    names = [rule.name for rule in table.rules]
    assert "liver-protocol-is-enhanced" in names
    command = [sys.executable, "-m", "radnet", "rules", "check", "rules"]  # which radnet.toml names too
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_word_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "labels.md").read_text("utf-8")
    words = {*SEQUENCES, *FORMS, *REGIONS, *GEOMETRIES, *(set(EXCLUSION_STEPS) - set(GEOMETRIES))}
    assert {word for word in words if f"`{word}`" not in text} == set()
