#!/usr/bin/env bash
# statsforecast 2.1.1, GARCH: the "mean" forecast is one draw of a fixed seed,
# +1.62 standard deviations at the first step, whatever the data; and the band
# is mean +- z times the variance where the standard deviation belongs, so it
# depends on the unit: prices in cents make it ten thousand times as wide,
# not a hundred times. Expected of returns without a mean: forecast 0, 95 %
# band +- 1.96 sd. Hurt: every comparison in which this model is the rival.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile statsforecast==2.1.1 \
  numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$tmp/venv/bin/python" - <<'E'
import numpy as np
import statsforecast
from statsforecast.models import GARCH

print("statsforecast", statsforecast.__version__)
print("Expected: mean 0, half a band 1.96 sd. Seen, in sd of the model:")
half = {}
for unit in [1, 3]:
    for seed in [0, 1, 2]:
        y = unit * np.random.default_rng(seed).standard_normal(1000)
        step = GARCH(1, 1).fit(y).predict(h=1, level=[95])
        sd = np.sqrt(step["sigma2"][0])
        mean = step["mean"][0] / sd
        half[unit, seed] = (step["hi-95"][0] - step["mean"][0]) / sd
        print(f"unit {unit}, data {seed}: mean {mean:+.3f}, "
              f"half band {half[unit, seed]:.2f}")
        assert abs(mean - 1.6243) < 1e-3
        assert abs(half[unit, seed] - 1.96 * sd) < 0.01 * sd
assert all(2.9 < half[3, seed] / half[1, seed] < 3.1 for seed in [0, 1, 2])
E
