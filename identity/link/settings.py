"""What the door knows about a kind of table: a configuration says columns, comparisons, blocking keys and thresholds.

Two ship with the package, for names in Latin and in Han script. A file given by the caller may map columns, choose the
script and change switches and thresholds; it never needs to repeat the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

CONFIGURATIONS = Path(__file__).parent / "configurations"
SCRIPTS = ("latin", "han")
OWN_KEYS = frozenset(("script", "columns", "unique_within_source", "date_order", "thresholds", "seed"))


class ConfigurationUnusable(ValueError):
    """A configuration cannot be used; the message names the file, the place and what to mend."""


@dataclass(frozen=True)
class Level:
    """One level of a comparison: its SQL condition over _l and _r, and what is believed of it before training.

    ``m`` and ``u`` are the shares of matching and of not matching pairs that reach it. ``rare`` names a column on which
    both records agree at this level: the rarer its value, the more the level weighs.
    """

    name: str
    when: str
    m: float
    u: float
    rare: str | None = None


@dataclass(frozen=True)
class Comparison:
    """One comparison: the columns without which it says nothing, all of ``needs`` and one of ``needs_one_of``; when it
    says nothing of a pair; its levels from best to worst.
    """

    name: str
    needs: tuple[str, ...]
    unknown: str
    levels: tuple[Level, ...]
    needs_one_of: tuple[str, ...] = ()

    def can_read(self, known: set[str]) -> bool:
        """Whether a table with these columns has what it needs."""
        return known.issuperset(self.needs) and (not self.needs_one_of or not known.isdisjoint(self.needs_one_of))


@dataclass(frozen=True)
class BlockingKey:
    """Records that share this key are candidates; ``needs`` are the columns it reads.

    More than ``limit`` of them are too many: the key proposes nothing.
    """

    name: str
    key: str
    needs: tuple[str, ...]
    limit: int


@dataclass(frozen=True)
class Veto:
    """Pairs at one of these levels are no link, whatever they weigh, unless another comparison reaches one of its own.

    ``unless`` maps a comparison to the levels that outvote the veto.
    """

    name: str
    comparison: str
    levels: tuple[str, ...]
    unless: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Thresholds:
    """Every number that decides about links of the door, in bits where a weight is meant."""

    link_weight: float
    certain_weight: float
    tie_margin: float
    contradiction_weight: float
    placeholder_names: int
    block_limit: int
    random_records: int
    training_pairs: int
    m_strength: float
    u_strength: float
    rounds: int
    small_change: float


@dataclass(frozen=True)
class Configuration:
    """Everything the door needs to know about one table."""

    source: str
    script: str
    columns: dict[str, tuple[str, ...]]
    placeholders: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    blocking: tuple[BlockingKey, ...]
    vetoes: tuple[Veto, ...]
    thresholds: Thresholds
    unique_within_source: bool = False
    date_order: str = "dmy"
    seed: int = 1
    renamed: dict[str, str] = field(default_factory=dict)

    def forbidden(self) -> str:
        """SQL over compared pairs: true where a veto forbids the link."""
        rules = ["false"]
        names = {comparison.name for comparison in self.comparisons}
        for veto in self.vetoes:
            if veto.comparison in names:
                allowed = [self._reaches(c, levels) for c, levels in sorted(veto.unless.items()) if c in names]
                unless = f" AND NOT ({' OR '.join(allowed)})" if allowed else ""
                rules.append(f"({self._reaches(veto.comparison, veto.levels)}{unless})")
        return " OR ".join(rules)

    def _reaches(self, comparison: str, levels: tuple[str, ...]) -> str:
        """SQL: the pair is at one of the levels; Splink counts them from the worst up."""
        known = [level.name for c in self.comparisons if c.name == comparison for level in c.levels]
        numbers = ", ".join(str(len(known) - 1 - known.index(level)) for level in levels)
        return f"gamma_{comparison} IN ({numbers})"

    def restricted_to(self, known: set[str]) -> Configuration:
        """Keep the comparisons and blocking keys that the table has the columns for."""
        return replace(
            self,
            comparisons=tuple(c for c in self.comparisons if c.can_read(known)),
            blocking=tuple(b for b in self.blocking if known.issuperset(b.needs)),
        )


@dataclass(frozen=True)
class Wishes:
    """What the caller's file says; ``script`` is 'auto' when the table itself shall tell."""

    source: str = "no file"
    script: str = "auto"
    columns: dict[str, str] = field(default_factory=dict)
    unique_within_source: bool = False
    date_order: str = "dmy"
    thresholds: dict[str, float] = field(default_factory=dict)
    seed: int = 1

    @classmethod
    def read(cls, file: Path | None) -> Wishes:
        """Read the caller's file. Raises ``ConfigurationUnusable`` when it is none or says what nobody knows."""
        if file is None:
            return cls()
        said = _load(file)
        if unknown := sorted(set(said) - OWN_KEYS):
            raise ConfigurationUnusable(
                f"{file.name}: nobody knows {', '.join(unknown)};"
                f" a configuration may say {', '.join(sorted(OWN_KEYS))}."
            )
        for key, choices in (("script", ("auto", *SCRIPTS)), ("date_order", ("dmy", "mdy"))):
            if said.get(key, choices[0]) not in choices:
                raise ConfigurationUnusable(f"{file.name}: {key} is {said[key]!r}; say one of {', '.join(choices)}.")
        for key, kind in (("columns", dict), ("thresholds", dict), ("unique_within_source", bool), ("seed", int)):
            if key in said and not isinstance(said[key], kind):
                raise ConfigurationUnusable(f"{file.name}: {key} must be a {kind.__name__}, not {said[key]!r}.")
        for known, column in said.get("columns", {}).items():
            if not isinstance(column, str):
                raise ConfigurationUnusable(
                    f"{file.name}: columns.{known} is {column!r}; name one column of the table."
                )
        return cls(source=file.name, **said)


def _load(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise ConfigurationUnusable(f"{file}: there is no such file; name the configuration's YAML file.")
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationUnusable(
            f"{file.name}: the configuration cannot be read ({str(error).splitlines()[0]}); write it as YAML."
        ) from error
    if said is None:
        # An empty file says nothing else than what ships.
        return {}
    if not isinstance(said, dict):
        raise ConfigurationUnusable(
            f"{file.name}: the configuration must be a list of settings, one 'name: value' a line."
        )
    return said


def configure(script: str, wishes: Wishes) -> Configuration:
    """The shipped configuration of ``script`` with the caller's wishes in it."""
    shipped = _load(CONFIGURATIONS / f"{script}.yml")
    columns = {name: tuple(synonyms) for name, synonyms in shipped["columns"].items()}
    if unknown := sorted(set(wishes.columns) - set(columns)):
        raise ConfigurationUnusable(
            f"{wishes.source}: columns names {', '.join(unknown)}; the door knows {', '.join(sorted(columns))}."
        )
    thresholds: dict[str, Any] = dict(shipped["thresholds"])
    if unknown := sorted(set(wishes.thresholds) - set(thresholds)):
        raise ConfigurationUnusable(
            f"{wishes.source}: thresholds names {', '.join(unknown)}; the door knows {', '.join(sorted(thresholds))}."
        )
    for name, value in wishes.thresholds.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigurationUnusable(f"{wishes.source}: thresholds.{name} is {value!r}; give a number.")
    thresholds |= wishes.thresholds
    return Configuration(
        source=f"{script}.yml",
        script=script,
        columns=columns,
        placeholders=tuple(str(value) for value in shipped["placeholders"]),
        comparisons=tuple(_comparison(name, said) for name, said in shipped["comparisons"].items()),
        blocking=tuple(
            _blocking_key(name, said, int(thresholds["block_limit"])) for name, said in shipped["blocking"].items()
        ),
        vetoes=tuple(
            Veto(
                name,
                said["comparison"],
                tuple(said["levels"]),
                {c: tuple(found) for c, found in said["unless"].items()},
            )
            for name, said in shipped["vetoes"].items()
        ),
        thresholds=Thresholds(**thresholds),
        unique_within_source=wishes.unique_within_source,
        date_order=wishes.date_order,
        seed=wishes.seed,
        renamed=dict(wishes.columns),
    )


def _comparison(name: str, said: dict[str, Any]) -> Comparison:
    levels = tuple(Level(level, str(spec["when"]), spec["m"], spec["u"], spec.get("rare"))
                   for level, spec in said["levels"].items())  # fmt: skip
    needs, one_of = tuple(said.get("needs", ())), tuple(said.get("needs_one_of", ()))
    return Comparison(name, needs, said["unknown"], levels, one_of)


def _blocking_key(name: str, said: dict[str, Any], limit: int) -> BlockingKey:
    return BlockingKey(
        name,
        said["key"],
        tuple(said["needs"]),
        int(said.get("limit", limit)),
    )
