"""Classical forecasts with the same interface as the LSTM's.

``fit(histories)`` takes ``{ticker: prices}`` with one ticker; ``predict``
takes prices and the rows to forecast from, and reads no row after them.
"""

from functools import lru_cache

import numpy as np
import pandas as pd
from arch.univariate import GARCH as GJR
from arch.univariate import ConstantMean, StudentsT
from scipy import optimize, signal, special

from forecasting.market.prices import PriceError
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.features import TINY, log_close, premium
from forecasting.settings import STUDY, Settings
from forecasting.windows import make_targets


def fit_student_t(sample: np.ndarray) -> tuple[float, float]:
    """Maximum-likelihood scale and df of a Student-t centred on zero.

    NaN is skipped. df stays in 2.1 … 100: below, the variance is infinite;
    above, the likelihood is flat.
    """
    squares = sample[np.isfinite(sample)] ** 2 + TINY
    center = np.log(np.median(squares)) / 2 + 0.4  # near the scale sought

    def loss(p: np.ndarray) -> tuple[float, list[float]]:
        """Mean negative log likelihood and its gradient in log parameters."""
        scale, df = np.exp(p)
        far = squares / (df * scale**2)
        tails, weight = np.log1p(far).mean(), (far / (1 + far)).mean()
        constant = special.betaln(df / 2, 0.5) + np.log(df) / 2 + p[0]
        slope = special.digamma(df / 2) - special.digamma((df + 1) / 2)
        slope += 1 / df + tails - (df + 1) / df * weight
        gradient = [1 - (df + 1) * weight, df / 2 * slope]
        return constant + (df + 1) / 2 * tails, gradient

    bounds = [(center - 10, center + 10), tuple(np.log([2.1, 100]))]
    best = optimize.minimize(
        loss, [center, 1.6], jac=True, bounds=bounds, tol=1e-9
    )
    scale, df = np.exp(best.x)
    return scale, df


class _ScaledStudentT(Forecaster):
    """Student-t around a location, its scale following a volatility.

    Subclasses say how volatile the next h sessions look from each row (NaN
    where it is too early to say); how wide and heavy-tailed the returns are
    beside that is fitted on the training rows, once per horizon. Models of
    volatility share one location, ``features.premium``: they differ in their
    scale only.
    """

    def __init__(self, settings: Settings = STUDY) -> None:
        self.settings = settings
        self.ahead = np.arange(1, settings.horizons + 1)

    def fit(self, histories: dict[str, pd.DataFrame]) -> "_ScaledStudentT":
        """Fit to the one history in ``{ticker: prices}``."""
        ((self.ticker, prices),) = histories.items()
        close = log_close(prices)
        self._train(np.diff(close))
        targets = make_targets(close, len(self.ahead))
        volatility = self._volatility(np.diff(close, prepend=np.nan))
        residuals = (targets - self._location(prices)) / volatility
        fits = [fit_student_t(column) for column in residuals.T]
        self.scale, self.df = np.transpose(fits)
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from the given rows of ``prices``."""
        prices = prices.iloc[: np.max(origins) + 1]  # nothing later is read
        volatility = self._volatility(
            np.diff(log_close(prices), prepend=np.nan)
        )
        shape = (len(prices), len(self.ahead))
        return Forecast(
            np.broadcast_to(self._location(prices), shape)[origins],
            np.broadcast_to(volatility, shape)[origins] * self.scale,
            np.tile(self.df, (len(origins), 1)),
        )

    def state(self) -> dict[str, np.ndarray]:
        """Scale and df per horizon, and what a subclass estimates."""
        return {"scale": self.scale, "df": self.df}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Become the fitted model whose state it is."""
        self.scale, self.df = state["scale"], state["df"]

    def _train(self, returns: np.ndarray) -> None:
        """Estimate what the rest needs from the training returns."""

    def _location(self, prices: pd.DataFrame) -> np.ndarray:
        """Where the next h sessions lead, as log return, ``(rows, H)``."""
        return location(prices, self.settings)

    def _volatility(self, returns: np.ndarray) -> np.ndarray:
        """Of the next h sessions, broadcastable to ``(rows, horizons)``."""
        return np.sqrt(self.ahead)


def location(prices: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Where every model of volatility sees the close h sessions on.

    ``(n, horizons)`` log returns: the premium of shares, nothing else.
    """
    ahead = np.arange(1, settings.horizons + 1)
    return premium(prices, settings.premium)[:, None] * ahead


class RandomWalk(_ScaledStudentT):
    """Persistence: the future close is today's, give or take a constant."""

    def _location(self, prices: pd.DataFrame) -> np.ndarray:
        return np.zeros((1, len(self.ahead)))


class Drift(_ScaledStudentT):
    """A random walk that gains its mean training return every session."""

    def _train(self, returns: np.ndarray) -> None:
        self.mean = returns.mean()

    def _location(self, prices: pd.DataFrame) -> np.ndarray:
        return self.mean * self.ahead[None]

    def state(self) -> dict[str, np.ndarray]:
        """What the model has learnt."""
        return super().state() | {"mean": self.mean}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Become the fitted model whose state it is."""
        super().restore(state)
        self.mean = float(state["mean"])


class EWMA(_ScaledStudentT):
    """Exponentially weighted volatility, λ = 0.94.

    RiskMetrics (J. P. Morgan, 1996): σ²ₜ₊₁ = λ σ²ₜ + (1 − λ) r²ₜ.
    """

    DECAY = 0.94

    def _volatility(self, returns: np.ndarray) -> np.ndarray:
        squares = pd.Series(returns**2).ewm(alpha=1 - self.DECAY)
        volatility = np.sqrt(squares.mean().to_numpy() + TINY)
        return volatility[:, None] * np.sqrt(self.ahead)


class Climatology(_ScaledStudentT):
    """Volatility of the last 250 sessions, carried forward."""

    WINDOW = YEAR = 250

    def _volatility(self, returns: np.ndarray) -> np.ndarray:
        lately = pd.Series(returns).rolling(self.WINDOW, self.YEAR)
        volatility = np.sqrt(lately.var().to_numpy() + TINY)
        return volatility[:, None] * np.sqrt(self.ahead)


class LongClimatology(Climatology):
    """Volatility of the last 1,000 sessions; of 250 at least, if young."""

    WINDOW = 1000


class GARCH(_ScaledStudentT):
    """GJR-GARCH(1,1) with Student-t innovations and a constant mean.

    Glosten, Jagannathan & Runkle (1993), estimated by package arch on the
    training returns, and again every half year on the rows so far. Its mean
    serves to tell shocks from returns; its location is that of all. ``fit``
    and ``predict`` raise PriceError where an estimate does not converge.
    """

    REFIT = 126  # sessions

    def _train(self, returns: np.ndarray) -> None:
        self.rows = len(returns) + 1
        self.start = np.var(returns) + TINY
        self.params = self._estimate(returns)

    def _estimate(self, returns: np.ndarray) -> np.ndarray:
        try:
            return estimate_garch(returns.tobytes())
        except PriceError as error:
            raise PriceError(f"{self.ticker}: {error}") from error

    def _volatility(self, returns: np.ndarray) -> np.ndarray:
        count = len(self.ahead)
        variance = garch_variance(returns, self.params, self.start, count)
        for row in range(self.rows + self.REFIT, len(returns), self.REFIT):
            # Rows from here on know the returns up to this one.
            params = self._estimate(returns[1 : row + 1])
            later = garch_variance(returns, params, self.start, count)
            variance[row:] = later[row:]
        return np.sqrt(variance)

    def state(self) -> dict[str, np.ndarray]:
        """What the model has learnt."""
        names = "ticker", "rows", "start", "params"
        return super().state() | {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Become the fitted model whose state it is."""
        super().restore(state)
        self.ticker = str(state["ticker"])
        self.rows, self.start = int(state["rows"]), float(state["start"])
        self.params = state["params"]


@lru_cache(maxsize=256)  # of a stock's test years, most rows are the same
def estimate_garch(returns: bytes) -> np.ndarray:
    """Parameters μ, ω, α, γ, β of a GJR-GARCH(1,1) with Student-t shocks.

    ``returns``: the bytes of log returns ``(n,)``, which can be remembered.
    Raises PriceError where arch says that it has not converged, or says it
    has but to a mean outside all returns, which no maximum of this likelihood
    has: on a coin pegged to a dollar either is common.
    """
    percent = 100 * np.frombuffer(returns)  # the optimiser wants about one
    if not np.ptp(percent):  # never moved: nothing is to be searched for
        return np.array([percent[0] / 100, 0, 0, 0, 0])
    model = ConstantMean(percent, rescale=False)
    model.volatility = GJR(p=1, o=1, q=1)
    model.distribution = StudentsT()
    result = model.fit(disp="off", show_warning=False)
    mu, omega, alpha, gamma, beta, _ = result.params
    if result.convergence_flag or not percent.min() <= mu <= percent.max():
        raise PriceError(f"GARCH did not converge on {len(percent):,} returns")
    return np.array([mu / 100, omega / 1e4, alpha, gamma, beta])


def garch_variance(
    returns: np.ndarray, params: np.ndarray, start: float, horizons: int
) -> np.ndarray:
    """Variance of the next 1 … ``horizons`` sessions' log return, ``(n, H)``.

    ``returns (n,)``, ``params`` μ, ω, α, γ, β of a GJR-GARCH(1,1), ``start``
    the variance of the first session.
    """
    mu, omega, alpha, gamma, beta = params
    shock = np.nan_to_num(returns - mu)
    news = omega + (alpha + gamma * (shock < 0)) * shock**2
    # σ²ₜ₊₁ = news(t) + β σ²ₜ is a first-order linear filter.
    step, _ = signal.lfilter([1.0], [1.0, -beta], news, zi=[beta * start])
    steps = []
    for _ in range(horizons):
        steps.append(step)
        step = omega + (alpha + gamma / 2 + beta) * step
    return np.cumsum(np.transpose(steps), axis=1) + TINY
