import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from forecasting.models.base import Forecast, Forecaster
from forecasting.models.baselines import fit_student_t
from forecasting.models.features import garman_klass, log_close
from forecasting.settings import STUDY
from forecasting.windows import make_targets


class RangeRegression(Forecaster):
    """How far the close moves, from the last day's, week's, month's range."""

    def fit(self, histories):
        (prices,) = histories.values()
        h = STUDY.horizons
        x, y = self.read(prices), make_targets(log_close(prices), h)
        x, y = x[22:-h], y[22:-h]
        self.model = Ridge().fit(x, np.log(np.abs(y) + 1e-4))
        moves = y / np.exp(self.model.predict(x))
        self.scale, self.df = np.transpose([fit_student_t(m) for m in moves.T])
        return self

    def predict(self, prices, origins):
        width = np.exp(self.model.predict(self.read(prices)[origins]))
        df = np.tile(self.df, (len(origins), 1))
        return Forecast(np.zeros(width.shape), width * self.scale, df)

    def read(self, prices):
        ranges = pd.Series(np.sqrt(garman_klass(prices)) + 1e-4)
        return np.log([ranges.rolling(n).mean() for n in (1, 5, 22)]).T
