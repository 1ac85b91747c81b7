# SPDX-License-Identifier: GPL-2.0-only
# `make help` lists the targets.

ifneq ($(words $(TREE)),$(if $(TREE),1,0))
$(error TREE=$(TREE): give one series. Without TREE=, make check runs all)
endif
ifeq ($(origin SOURCE)$(SOURCE),command line)
$(error SOURCE= is empty: give the path of a kernel tree)
endif
# SOURCE= names the user's own tree. own-tree.sh derives the name TREE from it.
ifdef SOURCE
ifeq ($(MAKELEVEL),0)
ifneq ($(origin TREE),undefined)
$(error SOURCE= and TREE= exclude each other: SOURCE names the tree)
endif
TREE := $(shell scripts/fetch/own-tree.sh name '$(SOURCE)' '$(CONFIG)')
ifeq ($(TREE),)
$(error no tree to work on)
endif
CHECK := $(TREE)
endif
else ifdef CONFIG
ifeq ($(filter try,$(MAKECMDGOALS)),)
$(error CONFIG= is for a tree that SOURCE= names, or for make try)
endif
endif
TREE ?= 6.12
# the part of the name that is the series
SERIES = $(firstword $(subst ~, ,$(TREE)))
SCENARIO ?=
FOR ?= list
N ?= 1000
# random unless given; printed
SEED := $(or $(SEED),$(shell expr $$(date +%s) % 1000000))

B := $(CURDIR)/build
T := $(B)/$(TREE)
LAB := $(B)/lab
LOG := $(B)/log
SELFTEST := tools/testing/selftests/mce
# exec: the shell of a recipe would not pass on a signal
STEP := exec scripts/build/step.sh
# run.py ends when the shell of its recipe is killed
RUN := setpriv --pdeathsig TERM $(SELFTEST)/run.py -b scripts/lab
REPORT := scripts/measure/report

# L1 is the machine in which the guest runs. Its kernel is not under test, so it comes
# from one tree for all guests.
L1_TREE := 6.12

# The tree whose kunit.py runs the suite if the tree's own cannot
KUNIT_TOOL := $(B)/$(L1_TREE)/unpatched

# The scenarios that demo runs. Only 5.10 and 5.15 panic.
DEMO := ao-page ar-load replug
ifneq ($(filter 5.10 5.15,$(SERIES)),)
DEMO := ao-line
endif

# Without TREE=, check runs all trees.
CHECK := $(TREE)
ifeq ($(origin TREE)$(SOURCE),file)
# the most important first, as BUDGET= may skip the rest
CHECK := $(filter 6.12 7.3,$(shell cd patches && ls)) \
	$(filter-out 6.12 7.3,$(shell cd patches && ls))
endif

# Debian has no source of these: check skips them and prints so
NO_SOURCE := $(shell awk '$$2 == "-" { print $$1 }' scripts/fetch/debian-suites)

# for scripts/fetch/apt.sh, for run.py, and for check.sh
export MIRROR SECURITY_MIRROR BACKEND KUNIT_TOOL NO_SOURCE UPSTREAM BUDGET SOURCE CONFIG

goals := $(or $(MAKECMDGOALS),help)
ifneq ($(words $(CURDIR)),1)
$(error make cannot work in "$(CURDIR)": the path must not have blanks)
endif
ifneq ($(filter-out help,$(goals)),)
ifndef BUILD_LOCKED
# not with make -n
ifeq ($(findstring n,$(firstword -$(MAKEFLAGS))),)
$(shell scripts/build/lock.sh $$PPID)
ifneq ($(.SHELLSTATUS),0)
$(error nothing was done)
endif
export BUILD_LOCKED := yes
# BUDGET counts from here
export CHECK_START := $(shell date +%s)
endif
endif
endif

# Each kernel is built with -j. Two builds in one directory would collide, so -j has no effect
# here but with PAIRS=yes: the goals "kernels" and "lab" build in several directories, and one
# build uses the CPU that the link of another does not.
ifndef PAIRS
.NOTPARALLEL:
endif
IN_PAIRS := $(MAKE) --no-print-directory -j2 PAIRS=yes TREE=$(TREE)
ifneq ($(filter-out help clean distclean deps other-series report try try-programs,$(goals)),)
PATCHDIR := $(shell . scripts/lib.sh; patchdir '$(SERIES)')
ifeq ($(PATCHDIR),)
$(error $(if $(findstring command,$(origin PATCHDIR)),PATCHDIR= is empty,no tree to work on))
endif
ifneq ($(PATCHDIR),patches/$(SERIES))
ifeq ($(MAKELEVEL)$(origin PATCHDIR),0file)
$(info note: no patches/$(SERIES): trying $(PATCHDIR), the nearest)
endif
endif
PATCHES := $(abspath $(sort $(wildcard $(PATCHDIR)/*.patch)))
ifeq ($(PATCHES),)
$(error PATCHDIR=$(PATCHDIR): no patches in this directory. Directories with patches: $(wildcard patches/*))
endif
endif

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))
.PHONY: help

#: Targets (TREE is a kernel series; default: 6.12, for check and bench all series):
#:
#:   make demo [TREE=7.3]     fetch, build and run: a guest fails without the patches and lives with them
#:   make try KERNEL=FILE|PACKAGE [CONFIG=FILE] [BACKEND=tcg]
#:                            is this kernel affected? FILE is a bzImage, PACKAGE Debian's linux-image-*
#:   make check [TREE=7.3] [SCENARIO=ao-page] [BACKEND=kvm]
#:                            all tests, one scenario, or a group of scenarios (SCENARIO=amd)
#:   make lint [TREE=7.3]     check our C, shell and Python, and build the exported series in many configurations
#:   make grading [TREE=7.3]  compare how both kernels grade machine checks
#:   make kunit [TREE=7.3]    run the KUnit suite, as a guest and on bare metal
#:   make kunit-plain [TREE=7.3]
#:                            the same by "kunit.py run", which builds its own kernel; as a guest only
#:   make mutate [TREE=7.3] [MUTATION=any-page]
#:                            break the code in many ways, or in one: the KUnit suite must fail
#:   make kernels [TREE=7.3]  build the two guest kernels, build/TREE/*.bzImage
#:   make bench [TREE=7.3]    the cost of bad pages: instructions, interrupts, splits, seconds
#:   make soak [TREE=7.3] [N=1000] [SEED=7]
#:                            poison N pages of a busy guest, with one CPU and with four
#:   make fuzz [TREE=7.3] [SEED=7] [WHAT=boot]
#:                            inject some 35000 machine checks that no sane VMM sends
#:   make report              write the results of check and bench to build/report.html
#:   make export [TREE=7.3] [FOR=stable|debian]
#:                            write out/TREE: the series as mails, the fix for stable, or for Debian's package
#:   make debian [TREE=7.3]   test the export for Debian in Debian's source package
#:   make other-series        apply the patches to series that have none of their own, and compile
#:   make deps                install the Debian packages that all this needs
#:   make clean               remove what was built; keep the fetched sources
#:   make distclean           remove build/
#:   make help                this list
#:
#: UPSTREAM='ID none' gives the mainline commit of each patch for FOR=stable, or none.
#: SOURCE=/path/to/linux replaces TREE (not for debian): a git work tree, an unpacked tree or a tarball.
#: It is only read. With CONFIG=/path/to/config, it is built in that configuration.
#: PATCHDIR=patches/6.1 uses the patches of that folder.
#: BUDGET=MINUTES makes check skip whatever has not finished by then.
#: MIRROR= and SECURITY_MIRROR= replace the Debian mirrors of this machine's apt.

PROGRAMS = $(MAKE) --no-print-directory -s -C $(SELFTEST) LACKS= KDIR= OUTPUT=$(LAB) \
	QEMU_AMD=$(LAB)/qemu-amd

# show the failure on Debian's own kernel, which needs no build. Without MAKEFLAGS, as
# the make in try.sh must not look for this one's job server.
first:
	@[ -n '$(SCENARIO)$(SOURCE)' ] || env -u MAKEFLAGS setpriv --pdeathsig TERM scripts/check/try/try.sh linux-image-$(TREE) || :
.PHONY: first

try:
	@exec scripts/check/try/try.sh '$(KERNEL)' '$(CONFIG)' '$(BACKEND)'
.PHONY: try

# the programs that the q35 backend needs
try-programs: | deps
	+@$(PROGRAMS) $(LAB)/vmm $(LAB)/guest.cpio
.PHONY: try-programs

# refuse a SCENARIO= or BACKEND= that there is not, before anything is built
check-arguments: | deps
	@$(SELFTEST)/run.py -n -b scripts/lab '$(TREE)' $(SCENARIO) >/dev/null
.PHONY: check-arguments

demo: check-arguments
	+@NO_CLOCK=yes $(IN_PAIRS) first $(if $(SOURCE),,$(T)/source)
	+@$(IN_PAIRS) kernels lab
	@start=$$(date +%s); \
		$(RUN) $(LAB) $(T) $(LOG)/$(TREE)/demo $(TREE) $(or $(SCENARIO),$(DEMO)); \
		status=$$?; echo; \
		echo "demo,$(TREE) $$(($$(date +%s) - start))" >>$(LOG)/seconds; \
		$(REPORT)/results.py table -e $(LOG)/$(TREE)/demo; exit $$status
.PHONY: demo

check: | deps
	@exec scripts/check/check.sh '$(CHECK)' '$(SCENARIO)'
.PHONY: check

lint: $(T)/patched.bzImage $(T)/upstream $(B)/lint/sparse
	@setpriv --pdeathsig TERM scripts/check/lint/lint.sh $(T)/unpatched; status=$$?; \
		setpriv --pdeathsig TERM scripts/check/lint/series.sh $(T) $(PATCHDIR) $(B)/lint/sparse && exit $$status
.PHONY: lint

grading: $(T)/patched.bzImage
	@exec scripts/check/grading/grading.sh $(T)
.PHONY: grading

kunit: $(T)/patched.bzImage $(B)/$(L1_TREE)/source
	@exec scripts/check/kunit/kunit.sh $(T)/patched $(KUNIT_TOOL) $(LOG)/$(TREE)/kunit
.PHONY: kunit

kunit-plain: $(T)/patched.bzImage
	@exec scripts/check/kunit/plain.sh $(T)/patched $(LOG)/$(TREE)/kunit
.PHONY: kunit-plain

mutate: $(T)/patched.bzImage $(B)/$(L1_TREE)/source
	@exec scripts/check/kunit/mutate.sh $(notdir $(PATCHDIR)) $(T) $(KUNIT_TOOL) $(MUTATION)
.PHONY: mutate

bench:
	@status=0; for tree in $(or $(filter-out $(NO_SOURCE),$(CHECK)),$(CHECK)); do \
		$(IN_PAIRS) kernels lab TREE=$$tree && \
		setpriv --pdeathsig TERM scripts/measure/bench/bench.py $(LAB) $(B)/$$tree $(LOG)/$$tree/bench $$tree || status=1; \
	done; exit $$status
.PHONY: bench

soak:
	@. scripts/lib.sh; check_number N 1 '$(N)' && check_number SEED 0 '$(SEED)'
	+@$(IN_PAIRS) kernels lab
	@echo "# soak $(TREE): $(N) poisons, seed $(SEED)"; \
		SOAK_N=$(N) SOAK_SEED=$(SEED) $(RUN) $(LAB) $(T) $(LOG)/$(TREE)/soak $(TREE) soak-1 soak-4; \
		status=$$?; $(REPORT)/results.py table -f $(LOG)/$(TREE)/soak; \
		[ $$status -eq 0 ] || echo "# to repeat this run: make soak TREE=$(TREE) N=$(N) SEED=$(SEED)"; \
		exit $$status
.PHONY: soak

fuzz: | deps
	@. scripts/lib.sh; check_number SEED 0 '$(SEED)' && scripts/check/fuzz/fuzz.py -n $(WHAT)
	+@$(IN_PAIRS) kernels lab
	@exec scripts/check/fuzz/fuzz.py $(LAB) $(T) $(LOG)/$(TREE)/fuzz $(TREE) $(SEED) $(WHAT)
.PHONY: fuzz

report: | deps
	@exec $(REPORT)/report.py $(LOG) $(B)/report.html
.PHONY: report

export:
	@exec scripts/release/export.sh '$(TREE)' '$(PATCHDIR)' '$(FOR)' out
.PHONY: export

debian: $(T)/source
	@exec scripts/release/debian.sh $(T) $(PATCHDIR)
.PHONY: debian

other-series: | deps
	@exec scripts/check/other-series.sh $(B)/other-series
.PHONY: other-series

kernels: $(T)/unpatched.hook.cpio $(T)/patched.hook.cpio
lab: $(LAB)/stock.bzImage $(LAB)/l1.bzImage programs
programs: $(LAB)/qemu-amd
	+@$(PROGRAMS) all
.PHONY: kernels lab programs

deps:
	@exec scripts/fetch/deps.sh
.PHONY: deps

# ---- files

ifdef SOURCE
# it may have changed
$(T)/source: FORCE | deps
	@$(STEP) $(LOG)/$(TREE)/take.log "copy $(SOURCE), where it has changed" \
		scripts/fetch/own-tree.sh take '$(SOURCE)' $(@D)
# There is no upstream tarball: the tree is compared with itself.
$(T)/upstream: $(T)/source
	@: >$@
endif
FORCE:
.PHONY: FORCE

$(B)/%/source: | deps
	@$(STEP) $(LOG)/fetch-$*.log "fetch linux-source-$*" scripts/fetch/fetch.sh source $* $(@D)

# Absolute paths, as the kernel is built elsewhere. The unpatched guest kernel of L1_TREE also runs L1.
GUEST_CONFIG := $(addprefix $(CURDIR)/,scripts/lab/needs.config scripts/lab/guest.config \
	$(SELFTEST)/config)
L1_CONFIG := $(GUEST_CONFIG) $(CURDIR)/$(SELFTEST)/lab/l1.config \
	$(CURDIR)/scripts/lab/l1-modules.config
EXT2_DAX_CONFIG := $(CURDIR)/scripts/lab/ext2-dax.config
EXT2_DAX := 5.10 5.15 6.1 6.6 6.12
CONFIG_OF = $(if $(filter $(L1_TREE),$(1)),$(L1_CONFIG),$(GUEST_CONFIG)) \
	$(if $(BASE_OF),,$(if $(filter $(EXT2_DAX),$(firstword $(subst ~, ,$(1)))),$(EXT2_DAX_CONFIG)))
# the user's own tree in the user's configuration
BASE_OF = $(if $(and $(CONFIG),$(findstring ~,$(1))),-b '$(CONFIG)')
ifneq ($(CONFIG),)
GUEST_CONFIG := $(addprefix $(CURDIR)/,scripts/lab/needs.config $(SELFTEST)/config)
endif

$(B)/%/unpatched.bzImage: $(B)/%/source $(L1_CONFIG) $(EXT2_DAX_CONFIG)
	@$(STEP) $(LOG)/$*/unpatched.log "build the guest kernel $*, as $(if $(findstring ~,$*),it is,Debian ships it)" \
		scripts/lab/kernel.sh $(call BASE_OF,$*) \
			$(if $(filter $(L1_TREE),$*),-m $(@D)/unpatched.modules.cpio) $(@D)/unpatched $@ $(call CONFIG_OF,$*)
	@sed -n '/^the lab changes/p; /^  CONFIG_/p' $(LOG)/$*/unpatched.log

# the folder of the last build: PATCHDIR= may have changed
$(T)/patchdir: FORCE | $(T)/source
	@echo '$(PATCHDIR)' | cmp -s - $@ || echo '$(PATCHDIR)' >$@

# Depends on the folder, too: its time changes when a patch is added or removed.
$(T)/patched.bzImage: $(T)/unpatched.bzImage $(PATCHES) $(PATCHDIR) $(T)/patchdir
	@$(STEP) $(LOG)/$(TREE)/apply.log "apply $(PATCHDIR)" \
		scripts/build/apply.sh $(T)/unpatched $(T)/patched $(PATCHES)
	@scripts/lab/objects.sh $(T)/unpatched/obj $(T)/patched/obj
	@$(STEP) $(LOG)/$(TREE)/patched.log "build the guest kernel $(TREE), patched" \
		scripts/lab/kernel.sh $(call BASE_OF,$(TREE)) $(T)/patched $@ $(call CONFIG_OF,$(TREE))

HOOK := $(SELFTEST)/hook

$(T)/%.hook.cpio: $(T)/%.bzImage $(HOOK)/hook.c $(HOOK)/Makefile $(HOOK)/build.sh
	@$(STEP) $(LOG)/$(TREE)/$*.hook.log "build the hook module $(TREE), $*" \
		$(HOOK)/build.sh $(T)/$*/obj $@

ifndef SOURCE
$(T)/upstream: $(T)/source
	@$(STEP) $(LOG)/fetch-upstream-$(TREE).log "fetch the upstream tarball of $(TREE)" \
		scripts/fetch/fetch.sh upstream $(T)
endif

L1_PATCHES := $(addprefix $(CURDIR)/,$(wildcard scripts/lab/*.patch))

$(LAB)/stock.bzImage: $(B)/$(L1_TREE)/unpatched.bzImage
	@mkdir -p $(@D)
	@cp $(<:.bzImage=.modules.cpio) $(@:.bzImage=.modules.cpio)
	@cp $< $@

$(LAB)/l1.bzImage: $(B)/$(L1_TREE)/unpatched.bzImage $(L1_PATCHES)
	@mkdir -p $(@D)
	@$(STEP) $(LOG)/l1-apply.log "apply scripts/lab" \
		scripts/build/apply.sh $(B)/$(L1_TREE)/unpatched $(LAB)/l1 $(L1_PATCHES)
	@scripts/lab/objects.sh $(B)/$(L1_TREE)/unpatched/obj $(LAB)/l1/obj
	@$(STEP) $(LOG)/l1.log "build L1's KVM, $(L1_TREE) for Intel guests on SVM" \
		scripts/lab/kernel.sh -m $(@:.bzImage=.modules.cpio) $(LAB)/l1 $@ $(call CONFIG_OF,$(L1_TREE))

$(LAB)/qemu-amd: | deps
	@mkdir -p $(@D)
	@$(STEP) $(LOG)/fetch-qemu.log "find a QEMU with SUCCOR for AMD guests" scripts/fetch/fetch.sh qemu $@

$(B)/lint/sparse: | deps
	@mkdir -p $(@D)
	@$(STEP) $(LOG)/fetch-sparse.log "find a sparse for the newest trees" scripts/fetch/fetch.sh sparse $@

clean:
	rm -rf $(LAB) $(LOG) $(B)/*/patched $(B)/*/mutant $(B)/*/kunit-mutant $(B)/*/unpatched/obj $(B)/*/grading $(B)/*/series $(B)/*/mails $(B)/*/debian $(B)/*/*.bzImage $(B)/*/*.hook.cpio $(B)/*/*.modules.cpio $(B)/*/*.new
distclean:
	rm -rf $(B)
.PHONY: clean distclean

# bzImages are intermediate to the rule for hooks, and expensive
.SECONDARY:
.DELETE_ON_ERROR:
