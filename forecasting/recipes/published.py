"""The published recipes, as ``published.toml`` states their facts."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recipe:
    """What a recipe reads, trains and reports: published.toml explains it."""

    name: str
    repository: str
    file: str
    licence: str
    claim: str
    flaw: str
    ticker: str
    scaling: str
    lookback: int
    layers: tuple[tuple, ...]
    optimizer: tuple[str, dict]
    rate: float
    batch: int
    epochs: int
    run: int
    split: float
    metric: str
    rows: int | None = None
    inputs: tuple[str, ...] = ("Close",)
    target: str = "Close"
    leak: bool = True
    chunk: int | None = None
    smooth: float = 1.0
    smooth_forecast: float = 1.0
    decay: tuple[int, float] | None = None
    loss: str = "mse"
    shuffled: bool = False
    ahead: int = 1
    steps: int = 1
    rule: str = "as today"
    backwards: bool = False


def read(toml: str) -> list[Recipe]:
    """A recipe per table; ``TypeError`` for a field missing or unknown."""
    return [
        Recipe(name, **{key: frozen(fact) for key, fact in facts.items()})
        for name, facts in tomllib.loads(toml).items()
    ]


def frozen(fact):
    """TOML's lists as tuples."""
    return tuple(map(frozen, fact)) if isinstance(fact, list) else fact


RECIPES = read(Path(__file__).with_suffix(".toml").read_text("utf-8"))
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
