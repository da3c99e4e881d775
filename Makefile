# On a fresh Debian or Ubuntu machine two commands do everything: `make run` and `make test`.

VENV := .venv
# The first of these that is Python 3.11 or newer makes the environment; `make run PYTHON=/path/to/python` names another.
PYTHON := python3 python3.13 python3.12 python3.11

# What Qt's libraries and its X and Wayland plugins load, and a font for labels in any script. libglib2.0-bin stands for
# libglib2.0-0, whose own name differs from release to release.
RUN_PACKAGES := libegl1 libgl1 libfontconfig1 libglib2.0-bin libdbus-1-3 libwayland-cursor0 libxkbcommon-x11-0 \
    libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 \
    fonts-noto-cjk
# A screen without a monitor, a window manager for it, and the hands and eyes of the tests.
TEST_PACKAGES := xvfb xauth openbox xdotool imagemagick

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test setup test-setup lint format clean display run-packages test-packages

help:  ## Lists these targets
	@sed -n 's/^\([a-z-]*\):.*  ## /\1 /p' $(firstword $(MAKEFILE_LIST)) | while read -r target what; do \
	    printf '  make %-12s%s\n' "$$target" "$$what"; \
	done

run: display setup  ## Opens the window; the first time, installs all that it needs
	@$(VENV)/bin/python main.py

test: test-setup  ## Runs all tests but the slow ones, without a display; installs what they need
	@QT_QPA_PLATFORM=offscreen $(VENV)/bin/python -m pytest -n logical --dist worksteal -m "not slow"

setup: run-packages $(VENV)/.installed  ## Installs the app and its system libraries, and opens nothing

test-setup: test-packages $(VENV)/.installed-dev  ## The same with the tools for tests and checks

lint: $(VENV)/.installed-dev  ## Checks style, types and the layers
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

format: $(VENV)/.installed-dev  ## Sorts imports and formats the code
	@$(VENV)/bin/ruff check --select I --fix
	@$(VENV)/bin/ruff format

clean:  ## Removes caches and build output; .venv stays
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find main.py explorer tests -name __pycache__ -prune -exec rm -rf {} +

display:
	@if [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] && [ "$$(uname)" != Darwin ]; then \
	    { echo "No display to open the window on: neither DISPLAY nor WAYLAND_DISPLAY is set. Ways to go on:"; \
	    echo "  from another machine      ssh -X HOST, then make run"; \
	    echo "  on a virtual screen       xvfb-run make run    (sudo apt-get install xvfb xauth)"; \
	    echo "  without a window          make setup, then $(VENV)/bin/python main.py show resnet50"; } >&2; \
	    exit 2; \
	fi

run-packages:
	@$(call install_packages,$(RUN_PACKAGES))

test-packages:
	@$(call install_packages,$(RUN_PACKAGES) $(TEST_PACKAGES))

# pip is the last thing that comes into a new environment, so that one which was interrupted is made again.
$(VENV)/bin/pip:
	@command -v $(firstword $(PYTHON)) >/dev/null || { $(call install_packages,python3-venv); }; \
	python=; \
	for candidate in $(PYTHON); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        python="$$candidate"; \
	        break; \
	    fi; \
	done; \
	if [ -z "$$python" ]; then \
	    { echo "Python 3.11 or newer is needed; none found as: $(PYTHON)."; \
	    echo "Install one (Debian, Ubuntu: sudo apt-get install python3.11-venv) or name yours:" \
	        "make run PYTHON=/path/to/python"; } >&2; \
	    exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip' 2>/dev/null; then \
	    package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	    $(call install_packages,$$package); \
	fi; \
	"$$python" -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/pip
	@echo "Installing Architecture Explorer into $(VENV): several GB and some minutes the first time"
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/pip
	@echo "Installing Architecture Explorer and its test tools into $(VENV): several GB and some minutes the first time"
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --editable ".[dev]"
	@touch $(VENV)/.installed $@

# Shell code that installs those Debian packages of $(1) that are missing; where it may not, it names the command that
# does, and goes on: the app may work without them.
define install_packages
if [ -e /etc/debian_version ]; then \
    present=" $$(dpkg-query -W -f='$${Package}:$${db:Status-Status} ' $(1) 2>/dev/null)"; \
    missing=; \
    for name in $(1); do \
        case "$$present" in *" $$name:installed "*) ;; *) missing="$$missing $$name" ;; esac; \
    done; \
    if [ -n "$$missing" ]; then \
        as_root=; \
        if [ "$$(id -u)" = 0 ]; then as_root=env; elif sudo -n true 2>/dev/null; then as_root="sudo -n env"; fi; \
        if [ -n "$$as_root" ]; then \
            echo "Installing system packages:$$missing"; \
            $$as_root apt-get update -q; \
        fi; \
        if [ -z "$$as_root" ] || ! $$as_root DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends $$missing; then \
            { echo "System packages are missing and could not be installed from here; this does:"; \
            echo "  sudo apt-get install$$missing"; } >&2; \
        fi; \
    fi; \
else \
    echo "Not Debian or Ubuntu: system packages are left to you."; \
fi
endef
