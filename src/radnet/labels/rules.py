"""Rule tables: what stands in `rules/*.toml`, checked as a whole before a single header is read.

A table decides one label. A rule votes for its value where its `when` holds, and abstains otherwise. Tiers
order the evidence: only the votes of the highest tier that speaks count; there, agreement decides and
disagreement is a conflict. For coverage the votes of a tier add up, and rules that `remove` regions
take them from what was decided.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from radnet.errors import RuleError
from radnet.labels.conditions import Condition, Every, Never, words_in
from radnet.labels.evidence import KNOWN_ATTRIBUTES
from radnet.labels.lexicon import Lexicon, Reader
from radnet.labels.parse import CONCLUSIONS, VALUES, Parser, nearest
from radnet.labels.text import fold, words_of
from radnet.terms import REGIONS

RULES_FOLDER: Final = Path(__file__).parent / "rules"
COLLECTIONS_FOLDER: Final = RULES_FOLDER / "collections"
"""Overlays of known public collections; each speaks only where a header names its `collection_id`."""
LEXICON_NAME: Final = "lexicon.toml"
NO_REGION: Final = "none"
"""Coverage of none of the nine regions, as one word."""
ABSTAIN: Final = "abstain"
"""Key of a rule's cases in which it must not vote."""
TABLE_KEYS: Final = ("label", "tiers", "repeat", "case_defaults", "applies", "disable", "rule")
SHARED_KEYS: Final = ("applies", "collection")
"""What a file that overlays several labels may hold beside a table for each of them."""
RULE_KEYS: Final = ("name", "value", "remove", "tier", "repeat", "when", "unless", "why", "cases")
REQUIRED_KEYS: Final = ("name", "tier", "when", "why")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a table.

    Attributes:
        name: Unique within the label.
        values: The value voted for; for coverage the regions, none of them for `none`.
        remove: Whether the regions are taken away instead.
        tier: Which evidence this is.
        condition: Where the rule votes.
        why: The reason, for the reader.
        cases: Texts or headers by value or `abstain`.
        source: The file that it stands in.
    """

    name: str
    values: tuple[str, ...]
    remove: bool
    tier: str
    condition: Condition
    why: str
    cases: Mapping[str, tuple[str | Mapping[str, Any], ...]]
    source: str

    @property
    def value(self) -> str:
        """The value as one word, as in the votes table."""
        return joined(self.values)


@dataclass(frozen=True, slots=True)
class RuleTable:
    """All rules of one label.

    Attributes:
        label: Which label.
        tiers: Kinds of evidence, strongest first.
        repeat: Tiers that repeat the text rules of another, by their name.
        rules: In the order of the file.
        case_defaults: Header attributes that every case of the table shares.
    """

    label: str
    tiers: tuple[str, ...]
    repeat: Mapping[str, str]
    rules: tuple[Rule, ...]
    case_defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything that decides labels, in the order in which they are decided."""

    lexicon: Lexicon
    tables: Mapping[str, RuleTable]

    def reader(self) -> Reader:
        """Return a reader that knows the lexicon and the words that rules name themselves."""
        rules = (rule for table in self.tables.values() for rule in table.rules)
        literals = {word for rule in rules for word in words_in(rule.condition) if not word.startswith("@")}
        return Reader(self.lexicon, sorted(literals))


def joined(values: Iterable[str]) -> str:
    """Return regions as one word in the order of the terms; `none` when there are none."""
    given = set(values)
    return ";".join(word for word in REGIONS if word in given) or ";".join(sorted(given)) or NO_REGION


def load_rules(overlays: Iterable[Path] = (), contrast_table: str = "contrast") -> Rulebook:
    """Read the shipped tables and lay others over them.

    Args:
        overlays: Folders with tables of the same form; later ones win. A rule of the same name replaces,
            `disable` names rules to drop, `applies = { collection_id = [...] }` limits both to some headers.
            A file for several labels holds a table for each (`[coverage]`, `[[coverage.rule]]`) below one
            `applies`, and `[collection]`, which tells of the collection to a reader.
        contrast_table: Name of the shipped contrast table: `contrast`, or `contrast_paper` for section 2.1.3.

    Returns:
        The tables and their lexicon.

    Raises:
        RuleError: If any file has a fault; all faults are listed.
    """
    folders = [RULES_FOLDER, *overlays]
    for folder in folders[1:]:
        if not folder.is_dir():
            raise RuleError(f"{folder}: no such folder of rule tables; name an existing one in labels.rules")
        if not any(path.suffix in (".toml", ".csv") for path in folder.iterdir()):
            raise RuleError(
                f"{folder}: holds no rule table; its files must end with .toml, not in a folder below"
            )
    faults: list[str] = []
    lexicon = Lexicon()
    for folder in folders:
        if (folder / LEXICON_NAME).exists():
            lexicon = _extend(lexicon, folder / LEXICON_NAME, faults)
    tables: dict[str, RuleTable] = {}
    for label in CONCLUSIONS:
        name = contrast_table if label == "contrast" else label
        path = RULES_FOLDER / f"{name}.toml"
        tables[label] = _read_table(_parse(path, faults), path, lexicon, None, faults)
    for folder in (COLLECTIONS_FOLDER, *folders[1:]):
        for path in sorted(folder.glob("*.toml")):
            if path.name != LEXICON_NAME:
                _overlay(path, lexicon, tables, contrast_table == "contrast", faults)
    if faults:
        raise RuleError("; ".join(faults))
    return Rulebook(lexicon, tables)


def _parse(path: Path, faults: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        faults.append(f"{path}: cannot be read ({error.strerror})")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"{path}: is not TOML: {error}")
    return {}


def _extend(lexicon: Lexicon, path: Path, faults: list[str]) -> Lexicon:
    data = _parse(path, faults)
    for key in data:
        if key not in ("group", "spelling", "text"):
            faults.append(f"{path}: unknown key '{key}'; {nearest(key, ('group', 'spelling', 'text'))}")
    groups = dict(lexicon.groups)
    for name, group in data.get("group", {}).items():
        unknown = sorted({*group} - {"words", "why"}) if isinstance(group, dict) else [""]
        words = group.get("words") if isinstance(group, dict) else None
        if unknown or not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            faults.append(f"{path}: group '{name}' must hold `words`, a list of phrases, and `why`")
            continue
        if not all(words_of(fold(phrase)) for phrase in words):
            faults.append(f"{path}: group '{name}' holds a phrase without a word")
            continue
        groups[name] = (*groups.get(name, ()), *words)
    texts = {name: tuple(attributes) for name, attributes in data.get("text", {}).items()}
    for name, attributes in texts.items():
        for attribute in attributes:
            if attribute not in KNOWN_ATTRIBUTES:
                hint = nearest(attribute, KNOWN_ATTRIBUTES)
                faults.append(f"{path}: text '{name}' names the unknown attribute '{attribute}'; {hint}")
    spellings = {**lexicon.spellings, **data.get("spelling", {})}
    return Lexicon(groups, spellings, {**lexicon.texts, **texts})


def _read_table(
    data: Mapping[str, Any], path: Path, lexicon: Lexicon, below: RuleTable | None, faults: list[str]
) -> RuleTable:
    """Read the table of one label; `below` is the one that it overlays, which then gives its tiers."""
    parser = Parser(lexicon, str(path))
    for key in data:
        if key not in TABLE_KEYS:
            parser.fault(f"unknown key '{key}'; {nearest(key, TABLE_KEYS)}")
    label = str(data.get("label", path.stem))
    if label not in VALUES:
        parser.fault(f"unknown label '{label}'; {nearest(label, VALUES)}")
        faults.extend(parser.faults)
        return RuleTable("", (), {}, ())
    parser.conclusions = CONCLUSIONS[: CONCLUSIONS.index(label)]
    tiers = tuple(data.get("tiers", below.tiers if below else ()))
    repeat = data.get("repeat", below.repeat if below else {})
    rules: list[Rule] = []
    for row in _repeated(_rows(data, parser), repeat):
        rule = _read_rule(row, label, tiers, parser, path)
        if rule and any(rule.name == other.name for other in rules):
            parser.fault("a rule of this name stands above; names must be unique")
        elif rule:
            rules.append(rule)
    faults.extend(parser.faults)
    return RuleTable(label, tiers, repeat, tuple(rules), data.get("case_defaults", {}))


def _rows(data: Mapping[str, Any], parser: Parser) -> list[dict[str, Any]]:
    rows = data.get("rule", [])
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return rows
    parser.fault("'rule' must be a list of tables; write [[rule]] above each")
    return []


def _repeated(rows: list[dict[str, Any]], repeat: Mapping[str, str]) -> list[dict[str, Any]]:
    """Write the rules of a tier again for another: the tier and the text of one name become the other's."""
    more = [
        {**_renamed(row, there, here), "tier": here, "name": f"{row.get('name')}-by-{here}", "cases": {}}
        for here, there in repeat.items()
        for row in rows
        if row.get("tier") == there and row.get("repeat", True) and there in _keys(row)
    ]
    return [*rows, *more]


def _renamed(data: Any, old: str, new: str) -> Any:
    if isinstance(data, dict):
        return {new if key == old else key: _renamed(value, old, new) for key, value in data.items()}
    return [_renamed(part, old, new) for part in data] if isinstance(data, list) else data


def _keys(data: Any) -> set[str]:
    parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    own = {*data} if isinstance(data, dict) else set()
    return own.union(*(_keys(part) for part in parts))


def _read_rule(
    row: Mapping[str, Any], label: str, tiers: tuple[str, ...], parser: Parser, path: Path
) -> Rule | None:
    before = len(parser.faults)
    parser.where = f"{path}, rule '{row.get('name', '?')}'"
    for key in row:
        if key not in RULE_KEYS:
            parser.fault(f"unknown key '{key}'; {nearest(key, RULE_KEYS)}")
    for key in REQUIRED_KEYS:
        if key not in row:
            parser.fault(f"lacks '{key}'")
    for key in ("name", "why"):
        if not isinstance(row.get(key, ""), str):
            parser.fault(f"'{key}' must be a text")
    if ("value" in row) == ("remove" in row):
        parser.fault("must have either 'value' or 'remove'")
    if "tier" in row and row["tier"] not in tiers:
        parser.fault(f"unknown tier '{row['tier']}'; {nearest(str(row['tier']), tiers)}")
    values = _values(row.get("value", row.get("remove")), label, "remove" in row, parser)
    cases = _cases(row.get("cases", {}), label, parser)
    when = parser.condition(row.get("when", {}), "when")
    unless = parser.condition(row["unless"], "unless") if "unless" in row else None
    if when is None and len(parser.faults) == before:
        parser.fault("'when' must hold at least one test")
    if len(parser.faults) > before or when is None:
        return None
    condition = Every((when, Never(unless))) if unless else when
    return Rule(row["name"], values, "remove" in row, row["tier"], condition, row["why"], cases, str(path))


def _values(given: Any, label: str, remove: bool, parser: Parser) -> tuple[str, ...]:
    words = given if isinstance(given, list) else [given]
    if (label == "coverage") != isinstance(given, list) or (remove and label != "coverage"):
        parser.fault("coverage takes a list of regions, every other label one word")
        return ()
    for word in words:
        if word not in VALUES[label]:
            parser.fault(f"unknown value '{word}'; {nearest(str(word), VALUES[label])}")
    return tuple(str(word) for word in words)


def _cases(given: Any, label: str, parser: Parser) -> dict[str, tuple[str | Mapping[str, Any], ...]]:
    if not isinstance(given, Mapping):
        parser.fault("'cases' must be a table of lists")
        return {}
    known = (*VALUES[label], NO_REGION, ABSTAIN)
    for key, cases in given.items():
        if any(word not in known for word in key.split(";")):
            parser.fault(f"unknown value '{key}' in 'cases'; {nearest(key, known)}")
        if not isinstance(cases, list) or not all(isinstance(case, str | Mapping) for case in cases):
            parser.fault(f"'cases.{key}' must be a list of texts or headers")
            return {}
        for case in cases:
            for name in case if isinstance(case, Mapping) else ():
                if name not in KNOWN_ATTRIBUTES and name not in CONCLUSIONS:
                    hint = nearest(name, [*KNOWN_ATTRIBUTES, *CONCLUSIONS])
                    parser.fault(f"unknown attribute '{name}' in 'cases.{key}'; {hint}")
    return {key: tuple(cases) for key, cases in given.items()}


def _overlay(
    path: Path, lexicon: Lexicon, tables: dict[str, RuleTable], with_contrast: bool, faults: list[str]
) -> None:
    """Lay one file over the tables of its labels; the paper's contrast table takes no overlay."""
    for label, data in _by_label(_parse(path, faults), path, faults).items():
        below = tables.get(label)
        if label == "contrast" and not with_contrast:
            continue
        above = _read_table(data, path, lexicon, below, faults)
        if below and above.label:
            tables[label] = _laid_over(below, above, data, Parser(lexicon, str(path)), faults)


def _by_label(data: dict[str, Any], path: Path, faults: list[str]) -> dict[str, dict[str, Any]]:
    """Return the tables of a file by label: it is one of them, or holds several below one `applies`."""
    tables = {key: value for key, value in data.items() if key in VALUES and isinstance(value, dict)}
    if not tables and "collection" not in data:
        return {str(data.get("label", path.stem)): data} if data else {}
    for key in data:
        if key not in (*tables, *SHARED_KEYS):
            faults.append(f"{path}: unknown key '{key}'; {nearest(key, (*VALUES, *SHARED_KEYS))}")
    shared = {"applies": data["applies"]} if "applies" in data else {}
    return {label: {**table, **shared, "label": label} for label, table in tables.items()}


def _laid_over(
    below: RuleTable, above: RuleTable, data: Mapping[str, Any], parser: Parser, faults: list[str]
) -> RuleTable:
    """Add the rules of an overlay, drop those that it replaces or disables; both only where it applies."""
    applies = parser.condition(data["applies"], "applies") if "applies" in data else None
    disabled = tuple(data.get("disable", ()))
    names = [rule.name for rule in below.rules]
    for name in disabled:
        if name not in names:
            parser.fault(f"'disable' names the unknown rule '{name}'; {nearest(name, names)}")
    faults.extend(parser.faults)
    dropped = {*disabled, *(rule.name for rule in above.rules)}
    kept = [rule for rule in below.rules if rule.name not in dropped]
    added = list(above.rules)
    if applies:
        gone = (rule for rule in below.rules if rule.name in dropped)
        kept += [replace(rule, condition=Every((rule.condition, Never(applies)))) for rule in gone]
        added = [replace(rule, condition=Every((applies, rule.condition))) for rule in added]
    return replace(below, rules=(*kept, *added))
