#!/usr/bin/env bash
# MAPIE 1.6.0, TimeSeriesRegressor(method="aci"): 1 - confidence_level is
# rounded to two decimals. 97.5 % gives the band of 98 %, 99.4 % that of 99 %,
# and 99.5 % becomes 100 % and raises, though method="enbpi" answers for all
# on the same fit. And adapt_conformal_inference() without a level, before any
# predict(), adapts no level and says nothing: the next band is as it was.
# Hurt: risk levels of finance (97.5 % and 99.5 %), and online loops that adapt
# first and predict after.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile mapie==1.6.0 numpy==2.4.6 \
  scikit-learn==1.9.1 scipy==1.17.1
"$tmp/venv/bin/python" -W ignore - <<'E'
import mapie
import numpy as np
from mapie.regression import TimeSeriesRegressor
from mapie.subsample import BlockBootstrap
from sklearn.linear_model import LinearRegression

x, y = np.random.default_rng(0).standard_normal((2, 1000))
x = x[:, None]


def fitted(method):
    cv = BlockBootstrap(20, length=20, random_state=0)
    model = TimeSeriesRegressor(LinearRegression(), method=method, cv=cv)
    return model.fit(x, y)


def width(model, level):
    try:
        band = model.predict(x[:1], confidence_level=level)[1].ravel()
    except ValueError:
        return np.nan
    return round(float(np.diff(band)[0]), 3)


print("mapie", mapie.__version__, "- expected: a width for each level. Seen:")
seen = {method: [width(fitted(method), level) for level in
                 [0.97, 0.975, 0.98, 0.99, 0.994, 0.995]]
        for method in ["enbpi", "aci"]}
print(seen)
assert len(set(seen["enbpi"])) == 6
aci = seen["aci"]
assert aci[0] < aci[1] == aci[2] < aci[3] == aci[4] and np.isnan(aci[5])
for level in [None, 0.9]:
    model = fitted("aci")
    missed = x[:9], y[:9] + 5  # each outside of its band
    model.adapt_conformal_inference(
        *missed, gamma=0.01, confidence_level=level)
    print(f"adapted with level {level}: width", width(model, 0.9))
    assert (width(model, 0.9) == width(fitted("aci"), 0.9)) == (level is None)
E
