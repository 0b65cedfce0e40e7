#!/usr/bin/env bash
# scoringrules 0.10.0: two scores depend on whether numba is installed, for
# numba then is the default. weighted_interval_score: the NumPy code adds half
# the median itself where numba adds half of its distance from the
# observation (the definition), so a perfect forecast of a price of 100 scores
# 34 or 0.67. crps_ensemble(estimator="akr"): numba pairs the first member
# with the last but one instead of the last, so a sum over a ring is none.
# Hurt: scores of two machines, or before and after an innocent install.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile scoringrules==0.10.0 \
  numpy==2.4.6 scipy==1.17.1 numba==0.68.1
"$tmp/venv/bin/python" - <<'E'
import numpy as np
import scoringrules as sr

median, lower, upper, level = 100.0, [90.0], [110.0], [0.1]
members = np.array([0.0, 1.0, 3.0, 10.0])
print("scoringrules 0.10.0. Expected: twice the same. Seen:")
seen = {}
for backend in ["numpy", "numba"]:
    wis = sr.weighted_interval_score(
        np.array([100.0]), np.array([median]), np.array([lower]),
        np.array([upper]), np.array(level), backend=backend).item()
    akr = sr.crps_ensemble(2.0, members, estimator="akr", backend=backend)
    seen[backend] = [float(wis), float(akr)]
    print(f"{backend}: WIS {wis:.3f}, CRPS (akr) {akr:.3f}")
# By hand: WIS = 0.05 * width / 1.5; akr = mean |x - y| - half the mean
# distance between neighbours on the ring 0, 1, 3, 10, back to 0.
true = [0.05 * 20 / 1.5, (2 + 1 + 1 + 8) / 4 - (10 + 1 + 2 + 7) / 8]
print("by hand: WIS %.3f, CRPS (akr) %.3f" % (*true,))
assert np.allclose(seen["numpy"], [true[0] + 50 / 1.5, true[1]])
assert np.allclose(seen["numba"], [true[0], true[1] + (10 - 3) / 8])
E
