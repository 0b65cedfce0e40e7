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

from forecasting.features import log_close
from forecasting.forecast import Forecast, Forecaster
from forecasting.settings import STUDY, Settings
from forecasting.windows import make_targets

TINY = 1e-12  # a price that never moved still has a distribution


def fit_student_t(sample: np.ndarray) -> tuple[float, float]:
    """Maximum-likelihood scale and df of a Student-t centred on zero.

    NaN is skipped. df stays in 2.1 … 100: below, the variance is infinite;
    above, the likelihood is flat.
    """
    squares = sample[np.isfinite(sample)] ** 2 + TINY
    center = np.log(np.median(squares)) / 2 + 0.4  # near the scale sought

    def loss(p: np.ndarray) -> float:
        scale, df = np.exp(p)
        constant = special.betaln(df / 2, 0.5) + np.log(df) / 2 + p[0]
        tails = np.log1p(squares / (df * scale**2)).mean()
        return constant + (df + 1) / 2 * tails

    bounds = [(center - 10, center + 10), tuple(np.log([2.1, 100]))]
    best = optimize.minimize(loss, [center, 1.6], bounds=bounds)
    scale, df = np.exp(best.x)
    return scale, df


class _ScaledStudentT(Forecaster):
    """Student-t around a location, its scale following a volatility.

    Subclasses say where the next h sessions lead and how volatile they look
    from each row (NaN where it is too early to say); how wide and
    heavy-tailed the returns are beside that is fitted on the training rows,
    once per horizon.
    """

    def __init__(self, settings: Settings = STUDY) -> None:
        self.ahead = np.arange(1, settings.horizons + 1)

    def fit(self, histories: dict[str, pd.DataFrame]) -> "_ScaledStudentT":
        """Fit to the one history in ``{ticker: prices}``."""
        (prices,) = histories.values()
        close = log_close(prices)
        self._train(np.diff(close))
        loc, volatility = self._moments(np.diff(close, prepend=np.nan))
        residuals = (make_targets(close, len(self.ahead)) - loc) / volatility
        fits = [fit_student_t(column) for column in residuals.T]
        self.scale, self.df = np.transpose(fits)
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from the given rows of ``prices``."""
        prices = prices.iloc[: np.max(origins) + 1]  # nothing later is read
        returns = np.diff(log_close(prices), prepend=np.nan)
        shape = (len(returns), len(self.ahead))
        loc, volatility = self._moments(returns)
        return Forecast(
            np.broadcast_to(loc, shape)[origins],
            np.broadcast_to(volatility, shape)[origins] * self.scale,
            np.tile(self.df, (len(origins), 1)),
        )

    def _train(self, returns: np.ndarray) -> None:
        """Estimate what ``_moments`` needs from the training returns."""

    def _moments(self, returns: np.ndarray) -> tuple:
        """Location and volatility, broadcastable to ``(rows, horizons)``."""
        raise NotImplementedError


class RandomWalk(_ScaledStudentT):
    """Persistence: the future close is today's, give or take a constant."""

    def _moments(self, returns: np.ndarray) -> tuple:
        return 0.0, np.sqrt(self.ahead)


class Drift(_ScaledStudentT):
    """A random walk that gains its mean training return every session."""

    def _train(self, returns: np.ndarray) -> None:
        self.mean = returns.mean()

    def _moments(self, returns: np.ndarray) -> tuple:
        return self.mean * self.ahead, np.sqrt(self.ahead)


class EWMA(_ScaledStudentT):
    """A random walk with exponentially weighted volatility, λ = 0.94.

    RiskMetrics (J. P. Morgan, 1996): σ²ₜ₊₁ = λ σ²ₜ + (1 − λ) r²ₜ.
    """

    DECAY = 0.94

    def _moments(self, returns: np.ndarray) -> tuple:
        squares = pd.Series(returns**2).ewm(alpha=1 - self.DECAY)
        volatility = np.sqrt(squares.mean().to_numpy() + TINY)
        return 0.0, volatility[:, None] * np.sqrt(self.ahead)


class Climatology(_ScaledStudentT):
    """Mean and volatility of the last 250 sessions, carried forward."""

    def _moments(self, returns: np.ndarray) -> tuple:
        year = pd.Series(returns).rolling(250)
        volatility = np.sqrt(year.var().to_numpy() + TINY)
        mean = year.mean().to_numpy()
        return mean[:, None] * self.ahead, volatility[:, None] * np.sqrt(
            self.ahead
        )


class GARCH(_ScaledStudentT):
    """GJR-GARCH(1,1) with Student-t innovations and a constant mean.

    Glosten, Jagannathan & Runkle (1993), estimated by package arch on the
    training returns, and again every half year on the rows so far.
    """

    REFIT = 126  # sessions

    def _train(self, returns: np.ndarray) -> None:
        self.rows = len(returns) + 1
        self.start = np.var(returns) + TINY
        self.params = estimate_garch(returns.tobytes())

    def _moments(self, returns: np.ndarray) -> tuple:
        count = len(self.ahead)
        loc, variance = garch_moments(returns, self.params, self.start, count)
        for row in range(self.rows + self.REFIT, len(returns), self.REFIT):
            # Rows from here on know the returns up to this one.
            params = estimate_garch(returns[1 : row + 1].tobytes())
            new = garch_moments(returns, params, self.start, count)
            loc[row:], variance[row:] = new[0][row:], new[1][row:]
        return loc, np.sqrt(variance)


@lru_cache(maxsize=256)  # every seed of a network corrects the same GARCH
def estimate_garch(returns: bytes) -> np.ndarray:
    """Parameters μ, ω, α, γ, β of a GJR-GARCH(1,1) with Student-t shocks.

    ``returns``: the bytes of log returns ``(n,)``, which can be remembered.
    """
    percent = 100 * np.frombuffer(returns)  # the optimiser wants about one
    model = ConstantMean(percent, rescale=False)
    model.volatility = GJR(p=1, o=1, q=1)
    model.distribution = StudentsT()
    result = model.fit(disp="off", show_warning=False)
    mu, omega, alpha, gamma, beta, _ = result.params
    return np.array([mu / 100, omega / 1e4, alpha, gamma, beta])


def garch_moments(
    returns: np.ndarray, params: np.ndarray, start: float, horizons: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the next 1 … ``horizons`` sessions' log return.

    ``returns (n,)``, ``params`` μ, ω, α, γ, β of a GJR-GARCH(1,1), ``start``
    the variance of the first session → two arrays ``(n, horizons)``.
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
    variance = np.cumsum(np.transpose(steps), axis=1) + TINY
    mean = mu * np.arange(1, horizons + 1)
    return np.tile(mean, (len(returns), 1)), variance


BASELINES = {
    model.__name__: model
    for model in (RandomWalk, Drift, EWMA, Climatology, GARCH)
}
