# SPDX-License-Identifier: Apache-2.0
# A thin front for Meson: the commands that people type. `make help` lists them.

SHELL := /bin/sh
BUILD ?= build
PREFIX ?= /usr
# Debian's own, whatever else is first in PATH: the packages for the tests belong to it.
MESON := $(shell test -x /usr/bin/meson && echo /usr/bin/meson || echo meson)
SETUP := $(MESON) setup --prefix=$(PREFIX) --sysconfdir=/etc --localstatedir=/var

.DEFAULT_GOAL := all
.PHONY: all help deps check check-packages unit demo interop api-fuzz bench format check-format tidy asan tsan fuzz install deb \
    clean ci

all: deps $(BUILD)/build.ninja ## build everything
	ninja -C $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

deps: ## install missing build packages (apt-get, with sudo when not root)
	@packaging/install-build-dependencies build

$(BUILD)/build.ninja:
	$(SETUP) $(BUILD)

check: ## build, then all tests: unit, known answers, system
	@packaging/install-build-dependencies build test
	@$(MAKE) --no-print-directory all
	@tests/interop/install-upstream >/dev/null 2>&1 || test -n "$$CI" || \
	    echo "Skipped are the tests with upstream's programs: the package registry is out of reach."
	$(MESON) test -C $(BUILD) --print-errorlogs

unit: all ## the fast tests only
	$(MESON) test -C $(BUILD) --print-errorlogs --suite unit

demo: ## a machine is enrolled, attests, and is caught: the whole chain, on this computer
	@packaging/install-build-dependencies build test
	@$(MAKE) --no-print-directory all
	demo/run $(abspath $(BUILD))

interop: ## upstream's programs with ours in every combination; writes docs/interoperability.md
	@packaging/install-build-dependencies build test
	@$(MAKE) --no-print-directory all
	rm -rf $(BUILD)/interop
	$(MESON) test -C $(BUILD) --print-errorlogs --suite interop
	tests/interop/write-matrix $(BUILD)

api-fuzz: ## made-up requests after docs/api, and near misses, at real servers
	@packaging/install-build-dependencies build test
	@$(MAKE) --no-print-directory all
	$(MESON) test -C $(BUILD) --print-errorlogs --suite api

bench: ## measure (in an optimised build of its own)
	@packaging/install-build-dependencies build test
	test -f $(BUILD)-bench/build.ninja || $(SETUP) --buildtype=release -Db_ndebug=false $(BUILD)-bench
	ninja -C $(BUILD)-bench
	bench/run $(abspath $(BUILD)-bench)

SOURCES = git ls-files '*.c' '*.h' '*.cpp'

format: ## rewrite the sources in the project's style
	$(SOURCES) | xargs clang-format -i

check-format: ## complain about sources in another style
	$(SOURCES) | xargs clang-format --dry-run -Werror

tidy: all ## static analysis
	run-clang-tidy -quiet -p $(BUILD) "$(CURDIR)/src/.*"

asan: ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@packaging/install-build-dependencies build test
	test -f $(BUILD)-asan/build.ninja || $(SETUP) -Db_sanitize=address,undefined $(BUILD)-asan
	ninja -C $(BUILD)-asan
	G_SLICE=always-malloc $(MESON) test -C $(BUILD)-asan --print-errorlogs --timeout-multiplier 3 \
	    --no-suite interop

tsan: ## the servers' tests under ThreadSanitizer
	@packaging/install-build-dependencies build test
	test -f $(BUILD)-tsan/build.ninja || $(SETUP) -Db_sanitize=thread $(BUILD)-tsan
	ninja -C $(BUILD)-tsan
	G_SLICE=always-malloc TSAN_OPTIONS=suppressions=$(CURDIR)/tests/sanitizers/tsan.supp \
	    $(MESON) test -C $(BUILD)-tsan --print-errorlogs --timeout-multiplier 4 --suite threads

fuzz: ## each parser for FUZZ_SECONDS (60)
	@packaging/install-build-dependencies build ci
	tests/fuzz/run $(BUILD)-fuzz

deb: ## Debian packages of what is committed, into build-deb/, checked by lintian
	@packaging/install-build-dependencies build deb
	packaging/make-deb build-deb
	cd build-deb && lintian --fail-on error,warning *.changes

check-packages: ## what make deb built, on fresh Debian systems that are booted for it (root)
	@packaging/install-build-dependencies test packages
	DEB_DIR=$(CURDIR)/build-deb BUILD_DIR=$(abspath $(BUILD)) \
	    /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests/packages

install: all ## install below DESTDIR
	$(MESON) install -C $(BUILD) --no-rebuild

clean: ## remove all build directories
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz $(BUILD)-bench build-deb

ci: ## what continuous integration runs
	.ci/run
