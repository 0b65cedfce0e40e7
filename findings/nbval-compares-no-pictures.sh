#!/usr/bin/env bash
# nbval 0.11.0, strict mode (--nbval): pictures are never compared. A figure
# of a falling line passes for one of a rising line, a stored picture that
# cannot even be decoded passes, and a picture that is not drawn any more
# passes where it was stored without a text beside it. Only image/png and
# image/jpeg are left out: the same figure as SVG is compared.
# Hurt: whoever believes that a green run means that the figures recur.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile nbval==0.11.0 nbformat==5.11.1 \
  ipykernel==7.4.0 matplotlib==3.11.2 numpy==2.4.6
cd "$tmp"
venv/bin/python - <<'E'
import base64
import io

import matplotlib.pyplot as plt
import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

plt.plot([3, 2, 1])
plt.savefig(falling := io.BytesIO(), format="png")
FALLING = base64.b64encode(falling.getvalue()).decode()
NO_PICTURE = base64.b64encode(b"no picture").decode()
TEXT = {"text/plain": "<Figure size 640x480 with 1 Axes>"}
RISING = "%matplotlib inline\nimport matplotlib.pyplot as plt\n" \
         "plt.plot([1, 2, 3]); plt.show()"
for name, source, data in [
    ("other_picture", RISING, {"image/png": FALLING, **TEXT}),
    ("not_a_picture", RISING, {"image/png": NO_PICTURE, **TEXT}),
    ("vanished", "pass", {"image/png": FALLING}),
    ("other_svg", RISING.replace("plt.plot", \
     "%config InlineBackend.figure_format = 'svg'\nplt.plot"),
     {"image/svg+xml": "<svg/>", **TEXT}),
]:
    output = new_output("display_data", data=data)
    cell = new_code_cell(source, execution_count=1, outputs=[output])
    nbformat.write(new_notebook(cells=[cell]), f"{name}.ipynb")
E
echo "nbval 0.11.0. Expected: four failures. Seen:"
export MPLBACKEND=agg
(venv/bin/python -m pytest -q -p no:cacheprovider --color=no -rA \
  --nbval --nbval-current-env ./*.ipynb || true) |
  grep -E '^(PASSED|FAILED)' |
  cut -d: -f1 | sort | tee seen.txt
diff seen.txt - <<'E'
FAILED other_svg.ipynb
PASSED not_a_picture.ipynb
PASSED other_picture.ipynb
PASSED vanished.ipynb
E
