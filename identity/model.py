"""The linkage model: comparisons with trained parameters, as Splink settings. Parameters are a dated artefact."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from identity.comparisons import COMPARED_COLUMNS, COMPARISONS

if TYPE_CHECKING:
    from splink import SettingsCreator

PARAMETERS = Path(__file__).parent / "parameters"


class ModelUnusable(RuntimeError):
    """The trained parameters do not fit the comparisons; the message says what to mend."""


@dataclass(frozen=True)
class Parameters:
    """Weight in bits of every level of every comparison and of being a candidate pair; what was seen in training.

    ``observed`` counts, per level, the labelled pairs that match and those that do not.
    """

    trained_on: str
    prior_weight: float
    weights: dict[str, dict[str, float]]
    observed: dict[str, dict[str, list[int]]]
    source: str

    @classmethod
    def read(cls, file: Path) -> Parameters:
        """Read one artefact. Raises ``ModelUnusable`` when it is unreadable or lacks a parameter of a level."""
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            read = cls(found["trained_on"], found["prior_weight"], found["weights"], found["observed"], file.name)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnusable(f"identity: parameters {file.name} cannot be read ({error}); train again.") from error
        read.check()
        return read

    @classmethod
    def latest(cls, folder: Path = PARAMETERS) -> Parameters:
        """Read the newest artefact by its date. Raises ``ModelUnusable`` when there is none."""
        files = sorted(folder.glob("*.json"))
        if not files:
            raise ModelUnusable("identity: there are no trained parameters; run python -m identity.train.")
        return cls.read(files[-1])

    def check(self) -> None:
        """Raise ``ModelUnusable`` when a level has no parameter: a default would weigh evidence nobody has seen."""
        for comparison in COMPARISONS:
            for level, _ in comparison.levels:
                if level not in self.weights.get(comparison.name, {}):
                    raise ModelUnusable(
                        f"identity: parameters {self.source} have no weight for level {level} of {comparison.name};"
                        " train again."
                    )

    def write(self, file: Path) -> None:
        """Write the artefact as readable JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "trained_on": self.trained_on,
            "prior_weight": self.prior_weight,
            "weights": self.weights,
            "observed": self.observed,
        }
        file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def blank_parameters() -> Parameters:
    """No weight for any level: enough to learn which level each pair reaches."""
    return Parameters("nothing", 0.0, {c.name: {level: 0.0 for level, _ in c.levels} for c in COMPARISONS}, {}, "none")


def level_number(comparison: str, level: str) -> int:
    """Splink's gamma value of a level: the best has the highest, the last 0."""
    levels = next(c.levels for c in COMPARISONS if c.name == comparison)
    return len(levels) - 1 - [name for name, _ in levels].index(level)


def splink_settings(parameters: Parameters) -> SettingsCreator:
    """Splink settings over the node columns ``COMPARED_COLUMNS``; pairs are registered, so no blocking rules."""
    # Here, because it takes half a second that a command without linking need not wait.
    from splink import SettingsCreator, block_on
    from splink import comparison_level_library as cll
    from splink import comparison_library as cl

    parameters.check()
    odds = 2**parameters.prior_weight
    comparisons: list[Any] = []
    for comparison in COMPARISONS:
        levels: list[Any] = [cll.CustomLevel(comparison.unknown, "unknown").configure(is_null_level=True)]
        for level, condition in comparison.levels:
            made = cll.ElseLevel() if condition == "ELSE" else cll.CustomLevel(condition, level)
            # Splink takes a level's weight as log2(m / u); only the ratio counts.
            ratio = 2 ** parameters.weights[comparison.name][level]
            levels.append(made.configure(m_probability=min(1.0, ratio), u_probability=min(1.0, 1 / ratio)))
        comparisons.append(cl.CustomComparison(levels, output_column_name=comparison.name))
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="node",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[block_on("node")],
        probability_two_random_records_match=odds / (1 + odds),
        # Splink drops the gamma_ columns, too, when the matching columns are not retained.
        retain_matching_columns=True,
        retain_intermediate_calculation_columns=True,
        additional_columns_to_retain=[],
    )


__all__ = ["COMPARED_COLUMNS", "ModelUnusable", "Parameters", "blank_parameters", "level_number", "splink_settings"]
