#!/usr/bin/env bash
# nbval 0.11.0, strict mode: a cell tagged raises-exception need not raise
# anything, and of a cell without an execution count nothing is compared.
# So "this must fail" cells go on passing after the check that they show has
# been lost, and cells that an editor saved as "never run" are no test.
# Expected: as with pytest.raises, no exception is a failure; and an output
# that is not stored is reported, as it is for a cell with a count.
# Hurt: notebooks that show how a library refuses bad input.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile nbval==0.11.0 nbformat==5.11.1 \
  ipykernel==7.4.0
cd "$tmp"
venv/bin/python - <<'E'
import nbformat
from nbformat.v4 import new_code_cell, new_notebook

FINE = "window = 5"  # once it was int("five")
for name, source, count, tags in [
    ("must_raise", FINE, 1, ["raises-exception"]),
    ("never_run", "print('anything')", None, []),
    ("run_once", "print('anything')", 1, []),
]:
    cell = new_code_cell(source, execution_count=count)
    cell.metadata["tags"] = tags
    nbformat.write(new_notebook(cells=[cell]), f"{name}.ipynb")
E
echo "nbval 0.11.0. Expected: three failures. Seen:"
(venv/bin/python -m pytest -q -p no:cacheprovider --color=no -rA \
  --nbval --nbval-current-env ./*.ipynb || true) |
  grep -E '^(PASSED|FAILED)' |
  cut -d: -f1 | sort | tee seen.txt
diff seen.txt - <<'E'
FAILED run_once.ipynb
PASSED must_raise.ipynb
PASSED never_run.ipynb
E
