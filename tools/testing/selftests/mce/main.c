// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMM driver: run a scenario on one guest under QEMU, and print how the guest ended.
 * This file has the options and the machines.
 *
 *   vmm [-l SECONDS] [-n POISONS] [-s SEED] -m MACHINE -k KERNEL -i INITRD SCENARIO
 *
 * -n and -s are for the scenarios soak-*. The driver prints the guest's console as it
 * comes, its own actions ("vmm: ..."), evidence, and as its last line the verdict:
 *
 *   vmm: verdict {"what":"lives","facts":{"code":"BUS_MCEERR_AO","lsb":"12",...}}
 *
 * If the JSON is incomplete, the line is still being written: read it again later. "what"
 * is lives (the guest powered off by itself), warns (the same, but the kernel printed a
 * warning), killed (the victim died, the kernel lives), oops, panic, hang (no end within
 * SECONDS), or error (the lab failed, which means nothing for the guest). The value of a
 * fact is a string without spaces, or an array of strings if there are several. The table
 * "scenarios" has the expected verdict.
 *
 * Exit status: 0 if there is a verdict, 1 if it is "error", 2 for bad arguments.
 */
#include <stdlib.h>
#include <unistd.h>

#include "vmm.h"

/*
 * succor: QEMU 9.1 and later. KVM does not offer succor and overflow-recov, so they are forced.
 * That would force ibpb, too, and 5.15 would write to an MSR that does not exist.
 */
#define AMD_CPU \
	"EPYC,-xsave,-rdseed,-sha-ni,-ibpb,+succor,+overflow-recov,x-force-features=on"

static const char *const microvm[] = {
	"-accel", "kvm",
	/* pcie: the kernel needs it to make a disk of memory (late e820 code) */
	"-machine", "microvm,memory-backend=ram,acpi=on,x-option-roms=off,pcie=on",
	NULL,
};

static const struct machine machines[] = {
	{
		.name = "microvm",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
		.nested = true,
		.cpu = "Haswell-noTSX,-xsave,vendor=GenuineIntel,lmce=on",
		.ram_mb = 128,
		.local = true,
	},
	{
		/* for a stock KVM, as the firmware, qboot, does not set LMCE in FEAT_CTL */
		.name = "broadcast",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
		.nested = true,
		.cpu = "Haswell-noTSX,-xsave,vendor=GenuineIntel",
		.ram_mb = 128,
	},
	{
		.name = "amd",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
		.nested = true,
		.cpu = AMD_CPU,
		.ram_mb = 128,
		.amd = true,
		.local = true,
	},
	{
		.name = "q35",
		.qemu = "qemu-system-x86_64",
		.args = (const char *const[]){
			"-accel", "tcg",
			"-machine", "q35,memory-backend=ram",
			NULL,
		},
		/* no LMCE, but the injected record is local, and there is one CPU */
		.cpu = "Haswell-noTSX,vendor=GenuineIntel",
		.ram_mb = 256,
		.local = true,
	},
};

static const struct scenario *const tables[] = {
	page_scenarios, stray_scenarios, soak_scenarios,
};

/*
 * By name. amd-NAME, bochs-NAME and broadcast-NAME are NAME on another machine, unless they
 * have a row.
 */
static bool find_scenario(const char *name, struct scenario *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct scenario *row = tables[i]; row->name; row++) {
			if (!strcmp(name, row->name)) {
				*s = *row;
				return true;
			}
		}
	}
	if (strncmp(name, "amd-", strlen("amd-")) && strncmp(name, "bochs-", strlen("bochs-")) &&
	    strncmp(name, "broadcast-", strlen("broadcast-")))
		return false;
	if (!find_scenario(strchr(name, '-') + 1, s))
		return false;
	s->broadcast = !strncmp(name, "broadcast-", strlen("broadcast-"));
	s->name = name;
	return true;
}

static void bad_arguments(void)
{
	fputs("usage: vmm [-l SECONDS] [-n POISONS] [-s SEED]", stderr);
	fputs(" -m MACHINE -k KERNEL -i INITRD SCENARIO\n", stderr);
	fputs("machines:", stderr);
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		fprintf(stderr, " %s", machines[i].name);
	fprintf(stderr, "\nscenarios:");
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct scenario *row = tables[i]; row->name; row++)
			fprintf(stderr, " %s", row->name);
	fputc('\n', stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *option[128] = { NULL };
	const struct machine *m = NULL;
	struct scenario s;
	int limit, poisons;

	if (!parse_options(argc, argv, "l:n:s:m:k:i:", option) || !option['m'] ||
	    !find_scenario(argv[optind], &s))
		bad_arguments();
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (!strcmp(option['m'], machines[i].name))
			m = &machines[i];
	limit = option['l'] ? atoi(option['l']) : 0;
	poisons = option['n'] ? atoi(option['n']) : 30;
	soak_poisons = poisons;
	soak_seed = option['s'] ? strtoul(option['s'], NULL, 10) : 1;
	if (!m || (option['l'] && limit <= 0) || poisons <= 0)
		bad_arguments();

	return run_scenario(m, &s, option['k'], option['i'], limit);
}
