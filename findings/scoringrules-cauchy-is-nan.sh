#!/usr/bin/env bash
# scoringrules 0.10.0: the CRPS of a Student t with one degree of freedom is
# NaN, though it is finite (its integral converges; only the mean does not
# exist). The closed form divides by df - 1, and close to 1 two large numbers
# cancel, so an optimiser that walks there loses its digits before it gets NaN.
# Expected: the finite value, or an error. Hurt: fits of heavy tails by CRPS,
# and averages in which one NaN spoils all.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile scoringrules==0.10.0 \
  numpy==2.4.6 scipy==1.17.1
"$tmp/venv/bin/python" -W ignore - <<'E'
import numpy as np
import scoringrules as sr
from scipy.integrate import quad
from scipy.stats import t

X = 0.3


def integral(df):
    """CRPS by its definition."""
    below = quad(lambda z: t.cdf(z, df) ** 2, -np.inf, X)[0]
    return below + quad(lambda z: t.sf(z, df) ** 2, X, np.inf)[0]


print("scoringrules 0.10.0. CRPS of t(df) at 0.3, by scoringrules, integral:")
for df in [2, 1.01, 1 + 1e-12, 1]:
    got = float(sr.crps_t(X, df, 0, 1))
    print(f"df {df}: {got:.4f} {integral(df):.4f}")
    if df > 1.001:
        assert abs(got - integral(df)) < 1e-8
    elif df == 1:
        assert np.isnan(got) and abs(integral(df) - 0.4695) < 1e-4
    else:
        assert abs(got - integral(df)) > 1e-5
E
