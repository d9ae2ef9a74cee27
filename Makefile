# ssot: build, test and try the extension. `make help` lists the targets.
#
# PG_CONFIG is named in full because Debian's /usr/bin/pg_config is a wrapper
# that takes the newest server it finds.

PG_MAJOR ?= 15
debian_pg_config := /usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config
PG_CONFIG ?= $(if $(wildcard $(debian_pg_config) /etc/debian_version),$(debian_pg_config),pg_config)
WERROR ?= -Werror

# These targets are scripts and need no PGXS: they work before `deps` has
# installed it, and `check` may not be defined beside PGXS's own.
scripted := help deps demo check bench lint indent typedefs
SCRIPTED_GOALS := $(filter $(scripted),$(MAKECMDGOALS))

ifneq ($(SCRIPTED_GOALS),)

.NOTPARALLEL:
.PHONY: $(MAKECMDGOALS)
export PG_CONFIG PG_MAJOR WERROR

help:
	@echo 'make                    build'
	@echo 'make install            install into the server that PG_CONFIG names'
	@echo 'make deps               install the packages that the build needs'
	@echo 'make demo [KEEP=1]      the story on real data, in a cluster of its own'
	@echo 'make check [ONLY="a b"] all tests, or those of the given names;'
	@echo '           [ACCEPT=1]   keep what they print as the expected output'
	@echo 'make bench [ONLY="a b"] measure; writes test/bench/RESULTS.md'
	@echo 'make lint               rules of the house, cppcheck, codespell, layout'
	@echo 'make indent             lay out the C files with pg_bsd_indent'
	@echo 'make typedefs           write src/typedefs.list anew'
	@echo 'make clean'
	@echo 'PG_CONFIG=... or PG_MAJOR=... choose the server.'

deps:
	@test/deps build

demo: deps
	@test/demo

# Java is large: it is installed when the test that needs it is to run.
check: deps
	@case " $${ONLY:-clients} " in *" clients "*) test/deps clients ;; esac
	@test/check

bench: deps
	@test/deps bench
	@test/bench/run

lint: deps
	@test/deps lint
	@test/lint

indent:
	@test/deps lint
	@test/typedefs
	@test/indent

typedefs: deps
	@test/typedefs

# Other goals named beside one of these, as in `make clean check`.
$(filter-out $(scripted),$(MAKECMDGOALS)):
	@$(MAKE) $@

else

EXTENSION = ssot
MODULE_big = ssot
DATA := $(sort $(wildcard ssot--*.sql))
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))

# libphonenumber is C++ and large: a library of its own, loaded on first use.
PHONE_OBJS = $(patsubst %.cc,%.o,$(wildcard src/text/phone.cc))
PHONE_LIB = $(if $(PHONE_OBJS),ssot_phone.so)

REGRESS := $(sort $(basename $(notdir $(wildcard sql/*.sql))))
REGRESS_OPTS = --load-extension=ssot
ISOLATION := $(sort $(basename $(notdir $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test --load-extension=ssot
TAP_TESTS := $(if $(wildcard test/t/*.pl),1)
PROVE_TESTS = test/t/*.pl

# -MMD -MP record each file's headers. The switches turned off are those that
# PostgreSQL's own headers and macros set off.
PG_CPPFLAGS = -Isrc -MMD -MP
warnings = -Wall -Wextra $(WERROR) -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers
PG_CFLAGS = $(warnings)
PG_CXXFLAGS = $(warnings) -fPIC
SHLIB_LINK = -licui18n -licuuc -licudata
EXTRA_CLEAN = build results $(OBJS:.o=.d) $(PHONE_OBJS) $(PHONE_OBJS:.o=.d) \
	ssot_phone.so regression.diffs regression.out

# Bitcode for JIT inlining is not worth a second compiler.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) has no PGXS: run "make deps", or name another with PG_CONFIG=...)
endif
include $(PGXS)

all: $(PHONE_LIB)

$(PHONE_OBJS): %.o: %.cc
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -c -o $@ $<

ssot_phone.so: $(PHONE_OBJS)
	$(CXX) $(CXXFLAGS) -shared -o $@ $(PHONE_OBJS) $(LDFLAGS) $(LDFLAGS_SL) -lphonenumber -lstdc++

ifneq ($(PHONE_LIB),)
install: install-phone
.PHONY: install-phone
install-phone: $(PHONE_LIB) installdirs
	$(INSTALL_SHLIB) $(PHONE_LIB) '$(DESTDIR)$(pkglibdir)/'

uninstall: uninstall-phone
.PHONY: uninstall-phone
uninstall-phone:
	rm -f '$(DESTDIR)$(pkglibdir)/ssot_phone.so'
endif

# A file that goes away must leave the library too: the list of objects is a
# prerequisite, rewritten only when it changes.
$(MODULE_big).so: build/objects
.PHONY: force
build/objects: force
	@mkdir -p build; echo '$(OBJS)' | cmp -s - $@ || echo '$(OBJS)' > $@

$(OBJS) $(PHONE_OBJS): Makefile
-include $(OBJS:.o=.d) $(PHONE_OBJS:.o=.d)

endif
