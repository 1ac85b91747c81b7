# SPDX-License-Identifier: GPL-2.0-only
# `make help` lists the targets.

# SOURCE= is a tree of the user's own, and then TREE is what that is called here
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
# what of the name is the series
SERIES = $(firstword $(subst ~, ,$(TREE)))
SCENARIO ?=
FOR ?= list
N ?= 1000
# another one each time; what was taken is printed
SEED := $(or $(SEED),$(shell expr $$(date +%s) % 1000000))

B := $(CURDIR)/build
T := $(B)/$(TREE)
LAB := $(B)/lab
LOG := $(B)/log
SELFTEST := tools/testing/selftests/mce
STEP := scripts/build/step.sh
# it ends when the shell of its recipe is killed
RUN := setpriv --pdeathsig TERM $(SELFTEST)/run.py -b scripts/lab
REPORT := scripts/measure/report

# L1's kernel comes from one tree, whatever tree the guest is: it is a part of
# the lab and not under test.
L1_TREE := 6.12

# The tree whose kunit.py runs the suite where the tree's own has no x86_64
KUNIT_TOOL := $(B)/$(L1_TREE)/unpatched

# What demo shows of what check runs. The panic of 5.10 is not to be seen on
# another tree.
DEMO := ao-page ar-load replug
ifneq ($(filter 5.10 5.15,$(SERIES)),)
DEMO := ao-line
endif

# check does all trees when none is asked for.
CHECK := $(TREE)
ifeq ($(origin TREE)$(SOURCE),file)
# those that matter most first, for BUDGET=
CHECK := $(filter 6.12 7.3,$(shell cd patches && ls)) \
	$(filter-out 6.12 7.3,$(shell cd patches && ls))
endif

# those that Debian does not have: check prints that it skips them
NO_SOURCE := $(shell awk '$$2 == "-" { print $$1 }' scripts/fetch/debian-suites)

# for scripts/fetch/apt.sh, for run.py, and for check.sh
export MIRROR SECURITY_MIRROR BACKEND KUNIT_TOOL NO_SOURCE UPSTREAM BUDGET SOURCE CONFIG

goals := $(or $(MAKECMDGOALS),help)
ifneq ($(words $(CURDIR)),1)
$(error make cannot work in "$(CURDIR)": the path must not have blanks)
endif
# before anything is built for it
BACKENDS := amd bochs kvm kvm-emulated q35 tcg
ifneq ($(filter check demo try,$(goals)),)
ifneq ($(filter-out $(BACKENDS),$(BACKEND)),)
$(error no backend $(BACKEND): it is one of $(BACKENDS))
endif
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
# what BUDGET counts from
export CHECK_START := $(shell date +%s)
endif
endif
endif

# kernels are built with -j each, and two of these in one directory get in each other's way
.NOTPARALLEL:
ifneq ($(filter-out help clean distclean deps other-series report try try-programs,$(goals)),)
PATCHDIR := $(shell . scripts/lib.sh; patchdir '$(SERIES)')
ifeq ($(PATCHDIR),)
$(error no tree to work on)
endif
ifneq ($(PATCHDIR),patches/$(SERIES))
ifeq ($(MAKELEVEL),0)
$(info note: no patches/$(SERIES): trying $(PATCHDIR), the nearest)
endif
endif
PATCHES := $(addprefix $(CURDIR)/,$(sort $(wildcard $(PATCHDIR)/*.patch)))
ifeq ($(PATCHES),)
$(error PATCHDIR=$(PATCHDIR): no patches in it. There are: $(wildcard patches/*))
endif
endif

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))
.PHONY: help

#: Targets (TREE is a kernel series, 6.12 when not given, all of them for check and bench):
#:
#:   make demo [TREE=7.3]     fetch, build and run: the failure before, the living guest after
#:   make try KERNEL=FILE|PACKAGE [CONFIG=FILE] [BACKEND=tcg]
#:                            is that kernel affected? a bzImage, or Debian's linux-image-*
#:   make check [TREE=7.3] [SCENARIO=replug] [BACKEND=bochs]
#:                            all tests, or one scenario, or a group of them (SCENARIO=amd)
#:   make lint [TREE=7.3]     only our C, shell and Python, and the series as it is exported, built in many ways
#:   make grading [TREE=7.3]  only the kernels' grading of machine checks, compared
#:   make kunit [TREE=7.3]    only the KUnit suite, as a guest and on bare metal
#:   make kunit-plain [TREE=7.3]
#:                            the same with kunit.py as people call it, as a guest: a kernel from nothing
#:   make mutate [TREE=7.3] [MUTATION=any-page]
#:                            break the code in many ways, or one: the suite has to notice
#:   make kernels [TREE=7.3]  only the two guest kernels, build/TREE/*.bzImage
#:   make bench [TREE=7.3]    what bad pages cost: instructions, interrupts, splits, seconds
#:   make soak [TREE=7.3] [N=1000] [SEED=7]
#:                            a guest that works takes N poisons, with one CPU and with four
#:   make fuzz [TREE=7.3] [SEED=7] [WHAT=boot]
#:                            some 35000 machine checks that no sane VMM sends
#:   make report              build/report.html, of what check and bench have found
#:   make export [TREE=7.3] [FOR=stable|debian]
#:                            the series as mails, the fix for stable, or for Debian's package, in out/TREE
#:   make debian [TREE=7.3]   prove that Debian's source package takes the latter
#:   make other-series        apply the patches to series that have none of their own, and compile
#:   make deps                only the Debian packages that all this needs
#:   make clean               remove what was built, keep the fetched sources
#:   make distclean           remove build/
#:   make help                this list
#:
#: UPSTREAM='ID none' names the commits in mainline to FOR=stable, or that there is none.
#: SOURCE=/path/to/linux takes that tree, which is only read, in place of TREE (not for debian): a git
#: work tree, an unpacked one, or a tarball; with CONFIG=/path/to/config, built in that configuration.
#: PATCHDIR=patches/6.1 takes the patches of that folder.
#: BUDGET=MINUTES has check skip what has not come to its end by then.
#: MIRROR= and SECURITY_MIRROR= name other Debian mirrors than those of this machine's apt.

PROGRAMS = $(MAKE) --no-print-directory -s -C $(SELFTEST) LACKS= KDIR= OUTPUT=$(LAB) \
	QEMU_AMD=$(LAB)/qemu-amd

# the failure before, on the kernel that Debian ships: it takes no build
first:
	@[ -n '$(SCENARIO)$(SOURCE)' ] || scripts/check/try/try.sh linux-image-$(TREE) || :
.PHONY: first

try:
	@scripts/check/try/try.sh '$(KERNEL)' '$(CONFIG)' '$(BACKEND)'
.PHONY: try

# what q35 takes
try-programs: | deps
	@$(PROGRAMS) $(LAB)/vmm $(LAB)/guest.cpio
.PHONY: try-programs

demo: first kernels lab
	@start=$$(date +%s); \
		$(RUN) $(LAB) $(T) $(LOG)/$(TREE)/demo $(TREE) $(or $(SCENARIO),$(DEMO)); \
		status=$$?; echo; \
		echo "demo,$(TREE) $$(($$(date +%s) - start))" >>$(LOG)/seconds; \
		$(REPORT)/results.py table -e $(LOG)/$(TREE)/demo; exit $$status
.PHONY: demo

check: | budget deps
	@scripts/check/check.sh '$(CHECK)' '$(SCENARIO)'
.PHONY: check

budget:
	@[ -z '$(BUDGET)' ] || { . scripts/lib.sh; number BUDGET 1 '$(BUDGET)'; }
.PHONY: budget

lint: $(T)/patched.bzImage $(T)/upstream $(B)/lint/sparse
	@scripts/check/lint/lint.sh $(T)/unpatched; status=$$?; \
		scripts/check/lint/series.sh $(T) $(PATCHDIR) $(B)/lint/sparse && exit $$status
.PHONY: lint

grading: $(T)/patched.bzImage
	@scripts/check/grading/grading.sh $(T)
.PHONY: grading

kunit: $(T)/patched.bzImage $(B)/$(L1_TREE)/source
	@scripts/check/kunit/kunit.sh $(T)/patched $(KUNIT_TOOL) $(LOG)/$(TREE)/kunit
.PHONY: kunit

kunit-plain: $(T)/patched.bzImage
	@scripts/check/kunit/plain.sh $(T)/patched $(LOG)/$(TREE)/kunit
.PHONY: kunit-plain

mutate: $(T)/patched.bzImage $(B)/$(L1_TREE)/source
	@scripts/check/kunit/mutate.sh $(notdir $(PATCHDIR)) $(T) $(KUNIT_TOOL) $(MUTATION)
.PHONY: mutate

bench:
	@status=0; for tree in $(or $(filter-out $(NO_SOURCE),$(CHECK)),$(CHECK)); do \
		$(MAKE) --no-print-directory kernels lab TREE=$$tree && \
		setpriv --pdeathsig TERM scripts/measure/bench/bench.py $(LAB) $(B)/$$tree $(LOG)/$$tree/bench $$tree || status=1; \
	done; exit $$status
.PHONY: bench

soak:
	@. scripts/lib.sh; number N 1 '$(N)' && number SEED 0 '$(SEED)'
	@$(MAKE) --no-print-directory kernels lab TREE=$(TREE)
	@echo "# soak $(TREE): $(N) poisons, seed $(SEED)"; \
		SOAK_N=$(N) SOAK_SEED=$(SEED) $(RUN) $(LAB) $(T) $(LOG)/$(TREE)/soak $(TREE) soak-1 soak-4; \
		status=$$?; $(REPORT)/results.py table -f $(LOG)/$(TREE)/soak; \
		[ $$status -eq 0 ] || echo "# the same again: make soak TREE=$(TREE) N=$(N) SEED=$(SEED)"; \
		exit $$status
.PHONY: soak

fuzz:
	@. scripts/lib.sh; number SEED 0 '$(SEED)' && scripts/check/fuzz/fuzz.py -n $(WHAT)
	@$(MAKE) --no-print-directory kernels lab TREE=$(TREE)
	@scripts/check/fuzz/fuzz.py $(LAB) $(T) $(LOG)/$(TREE)/fuzz $(TREE) $(SEED) $(WHAT)
.PHONY: fuzz

report: | deps
	@$(REPORT)/report.py $(LOG) $(B)/report.html
.PHONY: report

export:
	@scripts/release/export.sh '$(TREE)' '$(PATCHDIR)' '$(FOR)' out
.PHONY: export

debian: $(T)/source
	@scripts/release/debian.sh $(T) $(PATCHDIR)
.PHONY: debian

other-series: | deps
	@scripts/check/other-series.sh $(B)/other-series
.PHONY: other-series

kernels: $(T)/unpatched.hook.cpio $(T)/patched.hook.cpio
lab: $(LAB)/stock.bzImage $(LAB)/l1.bzImage programs
programs: $(LAB)/qemu-amd
	@$(PROGRAMS) all
.PHONY: kernels lab programs

deps:
	@scripts/fetch/deps.sh
.PHONY: deps

# ---- files

ifdef SOURCE
# it may have changed
$(T)/source: FORCE | deps
	@$(STEP) $(LOG)/$(TREE)/take.log "copy $(SOURCE), where it has changed" \
		scripts/fetch/own-tree.sh take '$(SOURCE)' $(@D)
# what it is of is what it is compared with
$(T)/upstream: $(T)/source
	@: >$@
endif
FORCE:

$(B)/%/source: | deps
	@$(STEP) $(LOG)/fetch-$*.log "fetch linux-source-$*" scripts/fetch/fetch.sh source $* $(@D)

# absolute, as the kernel's build is elsewhere; the kernel of L1's tree can be L1's, too
GUEST_CONFIG := $(addprefix $(CURDIR)/,scripts/lab/needs.config scripts/lab/guest.config \
	$(SELFTEST)/config)
L1_CONFIG := $(GUEST_CONFIG) $(CURDIR)/$(SELFTEST)/lab/l1.config
CONFIG_OF = $(if $(filter $(L1_TREE),$(1)),$(L1_CONFIG),$(GUEST_CONFIG))
# a tree of the user's own in his own configuration
BASE_OF = $(if $(and $(CONFIG),$(findstring ~,$(1))),-b '$(CONFIG)')
ifneq ($(CONFIG),)
GUEST_CONFIG := $(addprefix $(CURDIR)/,scripts/lab/needs.config $(SELFTEST)/config)
endif

$(B)/%/unpatched.bzImage: $(B)/%/source $(L1_CONFIG)
	@$(STEP) $(LOG)/$*/unpatched.log "build the guest kernel $*, as $(if $(findstring ~,$*),it is,Debian ships it)" \
		scripts/lab/kernel.sh $(call BASE_OF,$*) $(@D)/unpatched $@ $(call CONFIG_OF,$*)
	@sed -n '/^the lab changes/p; /^  CONFIG_/p' $(LOG)/$*/unpatched.log

# which folder it is of: PATCHDIR= may name another each time
$(T)/patchdir: FORCE | $(T)/source
	@echo '$(PATCHDIR)' | cmp -s - $@ || echo '$(PATCHDIR)' >$@

# the folder as well: a patch that comes or goes changes nothing else
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
	@cp $< $@

$(LAB)/l1.bzImage: $(B)/$(L1_TREE)/unpatched.bzImage $(L1_PATCHES)
	@mkdir -p $(@D)
	@$(STEP) $(LOG)/l1-apply.log "apply scripts/lab" \
		scripts/build/apply.sh $(B)/$(L1_TREE)/unpatched $(LAB)/l1 $(L1_PATCHES)
	@scripts/lab/objects.sh $(B)/$(L1_TREE)/unpatched/obj $(LAB)/l1/obj
	@$(STEP) $(LOG)/l1.log "build L1's kernel, $(L1_TREE) with KVM for Intel guests on SVM" \
		scripts/lab/kernel.sh $(LAB)/l1 $@ $(L1_CONFIG)

$(LAB)/qemu-amd: | deps
	@mkdir -p $(@D)
	@$(STEP) $(LOG)/fetch-qemu.log "find a QEMU with SUCCOR for AMD guests" scripts/fetch/fetch.sh qemu $@

$(B)/lint/sparse: | deps
	@mkdir -p $(@D)
	@$(STEP) $(LOG)/fetch-sparse.log "find a sparse for the newest trees" scripts/fetch/fetch.sh sparse $@

clean:
	rm -rf $(LAB) $(LOG) $(B)/*/patched $(B)/*/mutant $(B)/*/kunit-mutant $(B)/*/unpatched/obj $(B)/*/grading $(B)/*/series $(B)/*/mails $(B)/*/debian $(B)/*/*.bzImage $(B)/*/*.hook.cpio $(B)/*/*.new
distclean:
	rm -rf $(B)
.PHONY: clean distclean

# bzImages are intermediate to the rule for hooks, and expensive
.SECONDARY:
.DELETE_ON_ERROR:
