# Everything a person types. Bare `make` explains it; `make run` and `make test` set up what they need.
# Set-up steps leave a stamp in .venv/.setup, so that a second call does nothing and needs no network.

DATA ?= .data/demo
PORT ?= 8000
TOWN ?= /srv/atelier
PYTEST_ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/.setup
# uv checks every hash, removes what the lock does not name and compiles bytecode (a start without is 1 s slower).
UV = $(PY) -m uv pip
UV_OPTIONS = --python $(PY) --quiet --no-config
LOCKED = --require-hashes --compile-bytecode
OURS := . extensions/atelier extensions/atelier_nbgrader extensions/atelier_widgets
LAB := extensions/atelier_lab
LAB_SOURCES := $(wildcard $(addprefix $(LAB)/,*.json *.lock *.toml *.py .yarnrc.yml src/* src/*/* style/* \
  server_config/* atelier_lab/*.py atelier_lab/*/*.py atelier_lab/*/*.json atelier_lab/*/*.html jupyterlab_language_pack_bg_BG/*.py))
TELL_REPAIR = { echo "The set-up could not download a part (see above). Repair: check the network, or set HTTPS_PROXY and" \
  "SSL_CERT_FILE; then run make again: it goes on where it stopped." >&2; exit 1; }
HTMX := extensions/atelier/atelier/pages/static/vendor/htmx.min.js
SET_UP = $(STAMPS)/run $(STAMPS)/ours $(STAMPS)/lab $(HTMX)

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help run tour test test-docker bench-page bench-bell images check fix lock reset clean \
  deploy deploy-check backup restore upgrade rollback

help: ## Explain every target (this text)
	@echo "Atelier. Usage: make <target>"; echo
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | \
	  while IFS=$$'\t' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done
	@echo; echo "Variables: DATA=$(DATA) (the demo's data)  PORT=$(PORT)  PYTEST_ARGS='tests/unit -k …'"

run: $(SET_UP) ## Set everything up and start the demo on http://atelier.localhost:8000 (PORT=, DATA=)
	@exec $(PY) -m demo.launch --data "$(DATA)" --port "$(PORT)"

tour: $(SET_UP) ## Play the whole walk, from roster to marks, on a demo of its own; ends in a table
	@exec $(PY) -m demo.tour

test: $(SET_UP) $(STAMPS)/test ## Set everything up, check the style and run all tests
	@style=0; $(MAKE) check || style=$$?; $(PY) -m $(if $(PYTEST_ARGS),pytest $(PYTEST_ARGS),tests.run) && exit $$style

test-docker: $(SET_UP) $(STAMPS)/test ## What needs Docker (as root): build the images, test them and the engine `docker`
	@exec $(PY) -m pytest -m docker $(PYTEST_ARGS)

bench-page: $(SET_UP) $(STAMPS)/test ## Measure Lab's first page against the stock: bytes, times, a class on the line (5 minutes)
	@exec $(PY) -m bench.page $(BENCH_ARGS)

bench-bell: $(SET_UP) $(STAMPS)/test ## As root: a class presses start at once, against stock DockerSpawner, and opens an announced lesson (12 minutes)
	@exec $(PY) -m bench.bell $(BENCH_ARGS)

images: $(SET_UP) ## Build the container images with the Docker that DOCKER_HOST names
	@exec $(PY) -m images.build

check: $(SET_UP) $(STAMPS)/test ## Style, types and import rules only: ruff, mypy --strict, import-linter
	@failed=0; for tool in "ruff check ." "ruff format --check ." "mypy" "mypy -p bench -p demo -p deploy -p front -p images"; do \
	  echo "== $$tool"; $(PY) -m $$tool || failed=1; done; \
	  echo "== lint-imports"; "$(VENV)/bin/lint-imports" || failed=1; exit $$failed

fix: $(STAMPS)/test ## Mend what ruff can mend: order of imports, line breaks
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

lock: $(STAMPS)/python ## Lock the Python dependencies again, with hashes, after a change in requirements/*.in
	@cd requirements && for name in run test bootstrap hub service workspace proxy; do \
	  limits=""; case $$name in hub|service|workspace|proxy) limits="-c run.txt";; esac; \
	  ../$(UV) compile $$name.in $$limits --excludes excluded.txt --python-version 3.11 --generate-hashes --quiet \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' -o $$name.txt; done
	@cd bench/stock && ../../$(UV) compile requirements.in -c ../../requirements/run.txt --python-version 3.11 --generate-hashes \
	  --quiet --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' -o requirements.txt
	@echo "Locked. Read the difference (git diff requirements), then: make test"

# A demo's data when DATA is given, else the town that `make deploy` set up.
WHERE = $(if $(filter command environment,$(firstword $(origin DATA))),--demo "$(DATA)",--town "$(TOWN)")

deploy: $(SET_UP) ## On a school's machine, as root: ask the few settings once, start everything (TOWN=, ANSWERS=)
	@exec $(PY) -m deploy up --town "$(TOWN)" $(if $(ANSWERS),--answers "$(ANSWERS)") \
	  $(if $(FROM),--restore "$(FROM)") $(if $(IDENTITY),--identity "$(IDENTITY)")

deploy-check: $(STAMPS)/ours ## Say what is missing or wrong on this machine, each with its repair
	@exec $(PY) -m deploy check --town "$(TOWN)"

backup: $(STAMPS)/ours ## Back up databases, archives and homes while all runs (BACKUP_KEY=age1…; DATA= for a demo)
	@exec $(PY) -m deploy backup $(WHERE)

restore: $(STAMPS)/ours ## Restore a backup into an empty stack, all hashes compared (FROM=file, IDENTITY=key file)
	@exec $(PY) -m deploy restore "$(FROM)" $(WHERE) $(if $(IDENTITY),--identity "$(IDENTITY)")

upgrade: $(SET_UP) ## Move the town to this checkout's version: images, backup, migration, start
	@exec $(PY) -m deploy upgrade --town "$(TOWN)"

rollback: $(STAMPS)/ours ## Go back to the version before; what was handed in since stays (FROM_BACKUP=yes takes the backup's)
	@exec $(PY) -m deploy rollback --town "$(TOWN)" $(if $(FROM_BACKUP),--from-backup) $(if $(IDENTITY),--identity "$(IDENTITY)")

reset: ## Throw the demo's data away (people, work, marks); the next `make run` begins anew
	@$(or $(wildcard $(PY)),python3) -m demo.reset --data "$(DATA)"

clean: ## Throw the set-up away (.venv, node_modules, what was built); data stay
	rm -rf $(VENV) node_modules $(LAB)/node_modules $(LAB)/lib $(LAB)/atelier_lab/labextension $(dir $(HTMX))
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.data/*' -prune -exec rm -rf {} +

# ---------------------------------------------------------------- set-up
$(STAMPS)/python: setup/find_python.sh requirements/bootstrap.txt
	@python=$$(sh setup/find_python.sh) && echo "Setting up $(VENV) with $$python …" && \
	  { [ -x $(PY) ] && $(PY) -m pip --version >/dev/null 2>&1 || "$$python" -m venv --clear $(VENV); }
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	  -r requirements/bootstrap.txt || $(TELL_REPAIR)
	@mkdir -p $(STAMPS) && touch $@

# uv does not read pip's configuration (a mirror, a proxy's certificate). Where only pip is set up, pip does it.
$(STAMPS)/run: $(STAMPS)/python requirements/run.txt
	@echo "Installing Python packages (requirements/run.txt) …"
	@rm -f $(STAMPS)/test $(STAMPS)/ours $(STAMPS)/lab
	@$(UV) sync $(UV_OPTIONS) $(LOCKED) requirements/run.txt || { \
	  echo "uv could not; trying pip …"; \
	  $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/run.txt; } || \
	  $(TELL_REPAIR)
	@touch $@

$(STAMPS)/test: $(STAMPS)/run requirements/test.txt
	@echo "Installing what the tests need (requirements/test.txt) …"
	@$(UV) install $(UV_OPTIONS) $(LOCKED) --no-deps -r requirements/test.txt || { \
	  echo "uv could not; trying pip …"; \
	  $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/test.txt; } || \
	  $(TELL_REPAIR)
	@touch $@

$(STAMPS)/ours: $(STAMPS)/run $(addsuffix /pyproject.toml,$(OURS))
	@echo "Installing our own packages …"
	@$(UV) install $(UV_OPTIONS) --offline --no-deps --no-build-isolation $(addprefix -e ./,$(OURS))
	@touch $@

# npm writes this file itself, last.
node_modules/.package-lock.json: package.json package-lock.json $(STAMPS)/run
	@echo "Installing Node packages (package-lock.json) …"
	@sh setup/with_node.sh . npm ci --no-audit --no-fund --loglevel=error || $(TELL_REPAIR)
	@touch $@

$(HTMX): node_modules/.package-lock.json
	@mkdir -p $(dir $@) && cp node_modules/htmx.org/dist/htmx.min.js $@

$(STAMPS)/lab: $(STAMPS)/run $(LAB_SOURCES)
	@echo "Building the JupyterLab extension …"
	@sh setup/with_node.sh $(LAB) jlpm install --immutable >$(STAMPS)/jlpm.log 2>&1 || { cat $(STAMPS)/jlpm.log; exit 1; }
	@sh setup/with_node.sh $(LAB) jlpm build:prod >$(STAMPS)/jlpm.log 2>&1 || { cat $(STAMPS)/jlpm.log; exit 1; }
	@$(UV) install $(UV_OPTIONS) --offline --no-deps --no-build-isolation --reinstall --compile-bytecode ./$(LAB)
	@touch $@
