"""What every model is, and what it returns: a Student-t per horizon."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scoringrules
from scipy import stats


@dataclass(frozen=True)
class Forecast:
    """Distribution of the cumulative log return from the origin's close.

    Column h − 1 is the Student-t of ``log(close[t + h] / close[t])``.

    Parameters
    ----------
    loc, scale, df
        Arrays ``(origins, horizons)``: location and scale in log return,
        degrees of freedom.
    own
        The variance of the sessions ahead, added up, as the model itself
        forecasts it, ``(origins, horizons)``; None where it does not.

    Raises
    ------
    ValueError
        For unequal shapes, or where a value makes no distribution.
    """

    loc: np.ndarray
    scale: np.ndarray
    df: np.ndarray
    own: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Refuse what is not a distribution."""
        shapes = {np.shape(p) for p in (self.loc, self.scale, self.df)}
        if len(shapes) > 1 or np.ndim(self.loc) != 2:
            raise ValueError(
                f"loc, scale, df: (origins, horizons), not {shapes}"
            )
        finite = all(
            np.isfinite(p).all() for p in (self.loc, self.scale, self.df)
        )
        if not finite or (self.scale <= 0).any() or (self.df <= 1).any():
            raise ValueError(
                "a forecast needs a finite loc, scale > 0 and df > 1, or its "
                "CRPS does not exist in closed form"
            )

    @classmethod
    def combine(cls, members: list["Forecast"]) -> "Forecast":
        """An ensemble as one model: the members' parameters averaged.

        Averages location, log scale and log degrees of freedom, close to
        averaging quantiles (Vincentization), which unlike a mixture of the
        members does not widen the intervals by their disagreement.
        """
        own = [m.own for m in members if m.own is not None]
        return cls(
            np.mean([m.loc for m in members], axis=0),
            np.exp(np.mean([np.log(m.scale) for m in members], axis=0)),
            np.exp(np.mean([np.log(m.df) for m in members], axis=0)),
            np.exp(np.mean(np.log(own), axis=0)) if own else None,
        )

    def quantile(self, p: float) -> np.ndarray:
        """Quantile of the log return, ``(origins, horizons)``."""
        return self.loc + self.scale * stats.t.ppf(p, self.df)

    def close_quantile(self, p: float, close: np.ndarray) -> np.ndarray:
        """Quantile of the future close in the currency of ``close``.

        ``close``: the origins' closes, ``(origins,)``. At p = 0.5 this is
        the point forecast.
        """
        return np.asarray(close)[:, None] * np.exp(self.quantile(p))

    def crps(self, observed: np.ndarray) -> np.ndarray:
        """Continuous ranked probability score, in units of log return.

        ``observed``: log returns ``(origins, horizons)``; NaN stays NaN.
        Lower is better (Gneiting & Raftery 2007, eq. 20).
        """
        return scoringrules.crps_t(observed, self.df, self.loc, self.scale)

    def log_score(self, observed: np.ndarray) -> np.ndarray:
        """Negative log density of what was observed; NaN stays NaN.

        ``observed``: log returns ``(origins, horizons)``. Lower is better
        (Good 1952); beside the CRPS it is stricter with the tails.
        """
        return scoringrules.logs_t(observed, self.df, self.loc, self.scale)

    def variance(self) -> np.ndarray:
        """Variance of the log return, ``(origins, horizons)``.

        The model's own forecast of it; where there is none, the Student-t's,
        infinite where df ≤ 2: such tails have no variance to speak of.
        """
        if self.own is not None:
            return self.own
        excess = np.maximum(self.df - 2, 0)
        with np.errstate(divide="ignore"):
            return self.scale**2 * (self.df / excess)

    def pit(self, observed: np.ndarray) -> np.ndarray:
        """Probability integral transform: the level of what was observed.

        Uniform on (0, 1) where the forecast is calibrated.
        """
        z = (observed - self.loc) / self.scale
        return np.where(np.isnan(z), np.nan, stats.t.cdf(z, self.df))

    def at(self, horizons: tuple[int, ...]) -> "Forecast":
        """The same distributions at some horizons only."""
        columns = [h - 1 for h in horizons]
        own = None if self.own is None else self.own[:, columns]
        loc, scale, df = (
            p[:, columns] for p in (self.loc, self.scale, self.df)
        )
        return Forecast(loc, scale, df, own)

    def sample(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Draws of the log return, ``(size, origins, horizons)``."""
        shape = (size, *self.loc.shape)
        return self.loc + self.scale * rng.standard_t(self.df, shape)


class Forecaster:
    """What a model is made of; a reader's own inherits from it.

    ``pooled``: one fit learns from all tickers at once (else one each).
    ``seed``: an integer where a fit is random, which is then repeated for
    every seed; None where it is not.
    """

    pooled: bool = False
    seed: int | None = None

    def fit(self, histories: dict[str, pd.DataFrame]) -> "Forecaster":
        """Learn from histories.

        Parameters
        ----------
        histories
            ``{ticker: prices}``, which end where fitting ends: all tickers
            for a pooled model, else one.

        Returns
        -------
        Forecaster
            Itself.

        Raises
        ------
        PriceError
            In one line, where it cannot learn from them.
        """
        raise NotImplementedError

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from some rows of a history.

        Parameters
        ----------
        prices
            The whole history of one ticker.
        origins
            Rows ``(origins,)`` to forecast from; for each, no later row may
            be read.

        Returns
        -------
        Forecast
            Each part ``(origins, horizons)``.
        """
        raise NotImplementedError
