"""Statistics of a price history, in the order in which EDA.ipynb asks.

Returns are log returns in percent. What one session can decide is given
without that session, too.
"""

from typing import Literal

import numpy as np
import pandas as pd
from arch.unitroot import ADF, KPSS, VarianceRatio
from scipy import stats
from statsmodels.api import OLS, add_constant
from statsmodels.stats.diagnostic import acorr_ljungbox, het_arch
from statsmodels.tsa.stattools import acf

from forecasting.evaluation.significance import holm
from forecasting.market import prices
from forecasting.models.base import Forecast
from forecasting.models.baselines import RandomWalk
from forecasting.models.features import garman_klass, log_close
from forecasting.settings import STUDY
from forecasting.windows import make_targets, rows_needed

MONTH, QUARTER, YEAR = 21, 63, 252  # sessions
LEVEL = 0.05  # of every test
Trend = Literal["c", "ct"]  # a constant; and a straight line


# --- 1. the price -----------------------------------------------------------
def growth(close: pd.Series) -> tuple[float, float]:
    """What a holder gained, % a year, and in how many years."""
    years = (close.index[-1] - close.index[0]).days / 365.25
    return 100 * ((close.iloc[-1] / close.iloc[0]) ** (1 / years) - 1), years


def drawdown(close: pd.Series) -> pd.Series:
    """How far each close stands below the highest so far, in %, ≤ 0."""
    return 100 * (close / close.cummax() - 1)


def outside_past(close: pd.Series) -> float:
    """% of the last fifth's closes outside the range of those before."""
    past, last = np.split(close.to_numpy(), [len(close) * 4 // 5])
    return 100 * np.mean((last < past.min()) | (last > past.max()))


# --- 2. the moves -----------------------------------------------------------
def log_returns(history: pd.DataFrame) -> pd.Series:
    """Log returns of the close in percent: a row less than the history."""
    return 100 * np.log(history["Close"]).diff().dropna()


def fits(returns: pd.Series) -> dict:
    """Maximum-likelihood normal and Student t of the returns, by name."""
    return {
        "normal": stats.norm(*stats.norm.fit(returns)),
        "Student t": stats.t(*stats.t.fit(returns)),
    }


def weight_of_largest(returns: pd.Series, count: int = 10) -> float:
    """% of the sum of squared returns that the largest of them make."""
    squares = returns**2
    return 100 * squares.nlargest(count).sum() / squares.sum()


def iqr(values: pd.Series) -> float:
    """Interquartile range: the width of the middle half."""
    return values.quantile(0.75) - values.quantile(0.25)


# --- 3. the direction -------------------------------------------------------
def autocorrelation(returns: pd.Series, lags: int) -> pd.DataFrame:
    """Autocorrelations ρ at lags 1 … ``lags``, and their standard errors.

    The errors hold under changing volatility, which 1/√n does not: the root
    of Σ z²ₜ z²ₜ₋ₖ over Σ z²ₜ, z being returns less their mean (Taylor 1984,
    "Estimating the variances of autocorrelations", Applied Statistics 33).
    """
    squares = ((returns - returns.mean()) ** 2).to_numpy()
    joint = [squares[k:] @ squares[:-k] for k in range(1, lags + 1)]
    found = {
        "correlation": acf(returns, nlags=lags)[1:],
        "error": np.sqrt(joint) / squares.sum(),
    }
    return pd.DataFrame(found, index=range(1, lags + 1))


def portmanteau(returns: pd.Series, lags: int = 20) -> tuple[float, float]:
    """P-values that all autocorrelations are zero: Ljung–Box, and robust.

    The robust statistic Σ (ρ/error)² is χ² under changing volatility, too
    (Lobato, Nankervis & Savin 2001, International Economic Review 42).
    """
    found = autocorrelation(returns, lags)
    robust = ((found["correlation"] / found["error"]) ** 2).sum()
    box = acorr_ljungbox(returns, lags=[lags])["lb_pvalue"].iloc[0]
    return box, stats.chi2.sf(robust, lags)


def variance_ratios(close: pd.Series) -> pd.DataFrame:
    """Variance ratios over 2, 5, 10 and 20 sessions; p adjusted by Holm.

    Lo & MacKinlay (1988), robust to changing volatility.
    """
    tests = [VarianceRatio(np.log(close), k) for k in (2, 5, 10, 20)]
    found = {
        "variance ratio": [t.vr for t in tests],
        "adjusted p-value": holm([t.pvalue for t in tests]),
    }
    index = pd.Index([t.lags for t in tests], name="sessions")
    return pd.DataFrame(found, index)


# --- 4. the size ------------------------------------------------------------
def arch_tests(returns: pd.Series) -> pd.DataFrame:
    """Engle's (1982) ARCH-LM with 10 lags, three ways; p adjusted by Holm.

    On squared returns, as usual; without the largest; and on absolute
    returns, where one session weighs less.
    """
    centred = returns - returns.mean()
    largest = centred.abs().idxmax()
    versions = {
        "squared returns": centred,
        f"squared, without {largest.date()}": centred.drop(largest),
        "absolute returns": np.sqrt(centred.abs()),  # it squares these
    }
    tests = [
        het_arch(x, nlags=10, result_object=True) for x in versions.values()
    ]
    found = {
        "LM": [t.lm for t in tests],
        "adjusted p-value": holm([t.lmpval for t in tests]),
    }
    return pd.DataFrame(found, index=list(versions))


def volatility(history: pd.DataFrame) -> pd.DataFrame:
    """Volatility of the last month, % a session, measured in three ways.

    From closes; from ranges by Parkinson (1980), (log high/low)²/(4 ln 2);
    and by Garman and Klass (1980). Ranges do not see the night.
    """
    width = np.log(history["High"] / history["Low"])
    daily = pd.DataFrame({"Parkinson": width**2 / (4 * np.log(2))})
    daily["Garman–Klass"] = garman_klass(history)
    found = 100 * np.sqrt(daily.rolling(MONTH).mean())
    found.insert(
        0, "close to close", log_returns(history).rolling(MONTH).std()
    )
    return found


def relative_volume(history: pd.DataFrame) -> pd.Series:
    """Volume over its median in the quarter before; NaN where none."""
    traded = history["Volume"].where(history["Volume"] > 0)
    return traded / traded.rolling(QUARTER, min_periods=20).median().shift(1)


def spikes(history: pd.DataFrame) -> pd.Series:
    """How far a high or low lies beyond both open and close, per session.

    In medians of the range of the month before: a wrong price stands out,
    and so does a crash that was over by the close.
    """
    log = np.log(history[prices.OHLC])
    body = log[["Open", "Close"]]
    above = log["High"] - body.max(axis=1)
    below = body.min(axis=1) - log["Low"]
    usual = (log["High"] - log["Low"]).rolling(MONTH).median().shift(1)
    return np.maximum(above, below) / usual.where(usual > 0)


def clues(history: pd.DataFrame) -> pd.Series:
    """Rank correlation of what is known at a close with the next size."""
    size = log_returns(history).abs()
    known = volatility(history).add_suffix(f" volatility of {MONTH} sessions")
    known["today's size"] = size
    known["today's return"] = log_returns(history)
    known["today's Garman–Klass"] = garman_klass(history)
    known["today's relative volume"] = relative_volume(history)
    known = known.loc[:, known.nunique() > 1]  # a constant has no ranks
    found = known.corrwith(size.shift(-1), method="spearman")
    return found.sort_values(ascending=False)


def next_by_volatility(history: pd.DataFrame) -> pd.DataFrame:
    """Each session's next return and its fifth of volatility, 1 the calmest.

    Cut on the whole history: a description, no test out of sample.
    """
    ranks = volatility(history)["close to close"].rank(method="first")
    fifth = pd.qcut(ranks, 5, labels=range(1, 6))
    ahead = log_returns(history).shift(-1)
    return pd.DataFrame({"fifth": fifth, "next": ahead}).dropna()


# --- 5. stationarity --------------------------------------------------------
VERDICTS = {  # (ADF rejects a unit root, KPSS rejects stationarity)
    (True, False): "stationary",
    (False, True): "not stationary",
    (True, True): "disputed",
    (False, False): "undecided",
}


def stationarity(close: pd.Series) -> pd.DataFrame:
    """P-values of ADF and KPSS, and what they say together, a row a series.

    Prices may vary around a straight trend, returns around a constant. ADF
    is given for the halves of the history, too.
    """
    returns = 100 * np.log(close).diff().dropna()
    rows = {}
    series_and_trends: list[tuple[str, pd.Series, Trend]] = [
        ("close", close, "ct"),
        ("log close", np.log(close), "ct"),
        ("log return", returns, "c"),
        ("size", returns.abs(), "c"),
    ]
    for name, series, trend in series_and_trends:
        half = len(series) // 2
        parts = [series, series.iloc[:half], series.iloc[half:]]
        found = [adf(part, trend).pvalue for part in parts]
        # Schwert's rule for the lags; simulated p-values.
        found.append(KPSS(series, trend=trend, lags=-1).pvalue)
        verdict = VERDICTS[bool(found[0] < LEVEL), bool(found[3] < LEVEL)]
        rows[name] = [*found, verdict]
    columns = ["ADF", "ADF, first half", "ADF, second half", "KPSS"]
    return pd.DataFrame(rows, [*columns, "together"]).T


def adf(series: pd.Series, trend: Trend) -> ADF:
    """Augmented Dickey–Fuller test; lags by AIC."""
    return ADF(series, trend=trend, low_memory=True)


def pull(close: pd.Series) -> float:
    """% of a return's variance that a pull to the trend explains.

    The partial R² of the level in the ADF regression of the log close:
    t²/(t² + degrees of freedom), in hindsight.
    """
    test = adf(np.log(close), "ct")
    return 100 * test.stat**2 / (test.stat**2 + test.regression.df_resid)


# --- 6. the others ----------------------------------------------------------
def common_returns(
    ticker: str, at_most: int = 10, least: int = 250
) -> pd.DataFrame:
    """Log returns (%) of a ticker and its peers on their common dates.

    Peers are the other histories of the data directory, longest first; one
    that would leave fewer than ``least`` common dates is left out, and so is
    a file that is no history: a line says which.
    """
    returns = {ticker: log_returns(prices.read_csv(prices.find(ticker)))}
    for t in [t for t in prices.tickers() if t != ticker]:
        try:
            returns[t] = log_returns(prices.read_csv(prices.find(t)))
        except prices.PriceError as error:
            print(f"left out: {error}")
    table = pd.DataFrame(returns)
    chosen = [ticker]
    counts = table.dropna(subset=ticker).drop(columns=ticker).count()
    for t in counts.sort_values(ascending=False, kind="stable").index:
        if len(table[[*chosen, t]].dropna()) >= least:
            chosen.append(t)
    return table[chosen[:at_most]].dropna()


def yearly_mean(returns: pd.Series) -> tuple[float, float]:
    """Mean log return, % a year of 252 sessions, and its 95 % half-width."""
    error = 1.96 * returns.std() / np.sqrt(len(returns))
    return YEAR * returns.mean(), YEAR * error


def mean_differences(together: pd.DataFrame) -> pd.DataFrame:
    """Mean return of the first column less each other's, % a year.

    Paired by session, which takes out what the two have in common; p-values
    of t-tests, adjusted by Holm. ``overlap``: whether the 95 % intervals of
    the two means do.
    """
    own, *peers = together
    rows, raw = {}, []
    mean, error = yearly_mean(together[own])
    for peer in peers:
        apart = together[own] - together[peer]
        other, its_error = yearly_mean(together[peer])
        overlap = abs(mean - other) <= error + its_error
        rows[peer] = [*yearly_mean(apart), overlap]
        raw.append(stats.ttest_1samp(apart, 0).pvalue)
    found = pd.DataFrame(rows, ["difference", "±", "overlap"]).T
    return found.assign(p=holm(raw))


def ties(together: pd.DataFrame) -> pd.DataFrame:
    """Correlation of the first column with each other's return, a row each.

    ``same``: of the same session; ``before``: the other's one session
    before. p: of a regression on the latter, with White's standard errors
    (HC1), adjusted by Holm.
    """
    own, *peers = together
    ahead, known = together[own].iloc[1:].to_numpy(), together.iloc[:-1]
    raw = [
        OLS(ahead, add_constant(known[[t]]))
        .fit(cov_type="HC1")
        .pvalues.iloc[1]
        for t in peers
    ]
    found = {
        "same": [together[own].corr(together[t]) for t in peers],
        "before": [np.corrcoef(ahead, known[t])[0, 1] for t in peers],
        "p": holm(raw),
    }
    table = pd.DataFrame(found, index=peers)
    return table.sort_values("same", ascending=False)


# --- 7. what to beat --------------------------------------------------------
def random_walk(
    history: pd.DataFrame, ticker: str
) -> tuple[pd.DataFrame, np.ndarray, Forecast]:
    """Rows to fit on, test origins, and the random walk's forecasts there.

    The test is the last trading year, or the last fifth of a history too
    short for that; an embargo as long as the longest horizon lies before.
    """
    enough = len(history) >= rows_needed(1)
    test = STUDY.block if enough else len(history) // 5
    origins = np.arange(len(history) - test, len(history))
    train = history.iloc[: origins[0] - STUDY.horizons]
    walk = RandomWalk().fit({ticker: train})
    return train, origins, walk.predict(history, origins)


def bars(history: pd.DataFrame, ticker: str) -> pd.DataFrame:
    """Scores of the random walk, 1, 5 and 20 sessions ahead, a row each.

    RMSE and MAE in the currency, R² of the closes, CRPS in % of return,
    % of returns inside the central intervals, % of closes that rose.
    """
    _, origins, forecast = random_walk(history, ticker)
    targets = make_targets(log_close(history), STUDY.horizons)[origins]
    today = history["Close"].to_numpy()[origins]
    crps, pit = 100 * forecast.crps(targets), forecast.pit(targets)
    rows = {}
    for h in STUDY.reported:
        known = np.isfinite(targets[:, h - 1])
        moves = targets[known, h - 1]
        error = today[known] * np.expm1(moves)
        rmse = np.sqrt(np.mean(error**2))
        off = 2 * np.abs(pit[known, h - 1] - 0.5)
        rows[h] = {
            "RMSE": rmse,
            "MAE": np.abs(error).mean(),
            "R²": 1 - rmse**2 / np.var(today[known] + error),
            "CRPS": crps[known, h - 1].mean(),
            "in 50 %": 100 * np.mean(off <= 0.5),
            "in 80 %": 100 * np.mean(off <= 0.8),
            "in 95 %": 100 * np.mean(off <= 0.95),
            "rose": 100 * np.mean(moves > 0),
        }
    return pd.DataFrame(rows).T.rename_axis("sessions ahead")
