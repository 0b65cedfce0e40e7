# Everything a reader types. Each target sets itself up in .venv first.
# (Windows: README.md has the plain commands behind each target.)
VERSION := -c 'import sys; print("%d.%d" % sys.version_info[:2])'
# The newest Python that is here and for which TensorFlow has a wheel
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
  case "$$($$p $(VERSION) 2>&1)" in (3.11|3.12|3.13) echo $$p; break;; esac; done)
TICKER ?= AAPL
export TICKER # a recipe that spelt it out would run what it says
BIN := .venv/bin

.PHONY: study forecast test book robust verdict pool vintages bench clean

# Read the chosen stock: EDA.ipynb and predictor.ipynb → results/TICKER/
# (FRESH=1 downloads it first)
study: .venv/ready
	@$(BIN)/python -m forecasting.study "$$TICKER" $(if $(filter-out 0,$(FRESH)),--fresh)

# The next 20 sessions from the newest prices: results/forecasts/TICKER/
forecast: .venv/ready
	@$(BIN)/python -m forecasting.forecast "$$TICKER"

# Prove it all again: lint, types, unit tests, every notebook re-executed
test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 3 --dist loadscope --no-loadscope-reorder

# The study as a site, nothing executed: site/index.html
book: .venv/ready
	$(BIN)/python book/build.py site

# Do the claims hold in another draw? Two hours: tests/README.md
robust: .venv/ready
	$(BIN)/python tests/robust.py

# Refresh the committed table: results/verdict.csv
verdict: .venv/ready
	$(BIN)/python -m forecasting --data data/snapshot \
	  --out results/verdict.csv

# How many stocks does a memory need? DATA=, DEV=: folders of CSVs
# (results/pool/README.md; hours; continues where it was stopped)
pool: .venv/ready
	$(BIN)/python -m forecasting.pool --data "$(DATA)" --dev "$(DEV)"

# Learn again what is shipped: forecasting/vintages/ (half an hour)
vintages: .venv/ready
	$(BIN)/python -m forecasting.pool.vintages --data "$(DATA)" --dev "$(DEV)"

# Measure speed, growth and skill beside peers: tests/bench/README.md
bench: .venv/ready .venv-bench/ready
	$(BIN)/python tests/bench/bench.py .venv-bench/bin/python

# Remove what these commands made and can make again: environments, caches,
# the site, studies, forecasts. What readers made stays: a study is
# known by the title of its page, a site by the mark of book/build.py
STUDY := index.html EDA.html EDA.ipynb predictor.html predictor.ipynb \
  forecast.csv figures theory
clean:
	rm -rf .venv .venv-bench lstm_study.egg-info
	rm -rf .pytest_cache .ruff_cache .hypothesis
	rm -rf results/forecasts results/.*-????????
	@for study in results/*; do \
	  title="<title>$${study#results/}: where may the close be"; \
	  if grep -Fqs "$$title" "$$study/index.html"; then \
	    (cd "$$study" && rm -rf $(STUDY)); \
	    rmdir "$$study" 2>/dev/null || echo "$$study: files of yours stay"; \
	  fi; \
	done
	@if [ -f site/.made-by-book-build ]; then rm -rf site; fi

.venv/ready: requirements.txt pyproject.toml
	@case "$$($(PYTHON) $(VERSION) 2>&1)" in 3.11|3.12|3.13) ;; *) \
	  for p in $(PYTHON) python3 python; do \
	    v=$$($$p $(VERSION) 2>/dev/null) && found="$$found $$p is $$v,"; done; \
	  echo "Python 3.11, 3.12 or 3.13 is needed (here:$${found:- none,} for" \
	    "which TensorFlow has no wheel); to get one: uv python install 3.13" \
	    "or, on a Mac, brew install python@3.13" >&2; exit 1;; esac
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

.venv-bench/ready: tests/bench/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --requirement $<
	@touch $@
