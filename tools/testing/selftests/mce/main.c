// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMM driver: run a scenario on one guest under QEMU, and print how the guest ended.
 * This file has the options, the machines and the table of scenarios.
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

#include "scenarios.h"

/* 16 MB of RAM that are a disk, for a file system with DAX */
#define DAX "memmap=16M!96M"

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
		.cpu = "Haswell-noTSX,-xsave,vendor=GenuineIntel,lmce=on",
		.ram_mb = 128,
		.local = true,
	},
	{
		/* for a stock KVM, as the firmware, qboot, does not set LMCE in FEAT_CTL */
		.name = "broadcast",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
		.cpu = "Haswell-noTSX,-xsave,vendor=GenuineIntel",
		.ram_mb = 128,
	},
	{
		.name = "amd",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
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

/*
 * By name. amd-NAME, bochs-NAME and broadcast-NAME are NAME on another machine, unless they
 * have an entry.
 */
static const struct scenario scenarios[] = {
	{ .name = "ao-page", .run = ao_page, .reported = true },
	{ .name = "ao-line", .run = ao_line },
	{ .name = "ar-load", .run = ar_load },
	{ .name = "ar-exec", .run = ar_exec },
	{ .name = "ar-line", .run = ar_line },
	{ .name = "copyin", .run = copyin },
	{ .name = "stray-zeropad", .run = stray_zeropad },
	{ .name = "stray-nofault", .run = stray_nofault },
	{ .name = "stray-copyout", .run = stray_copyout },
	{ .name = "stray-line", .run = stray_line },
	{ .name = "stray-hugetlb", .run = stray_hugetlb },
	{ .name = "stray-load", .run = stray_load },
	{ .name = "stray-zeropad-inside", .run = stray_zeropad_inside },
	{ .name = "stray-path", .run = stray_path, .cpus = 2 },
	{ .name = "stray-path-2", .run = stray_path_2, .cpus = 2 },
	{ .name = "truncate", .run = truncate_page },
	{ .name = "punch", .run = punch },
	{ .name = "dax-read", .run = dax_read, .kernel_args = DAX },
	{ .name = "dax-write", .run = dax_write, .kernel_args = DAX },
	{ .name = "pinned", .run = pinned },
	{ .name = "not-offlined", .run = not_offlined },
	{ .name = "not-offlined-futex", .run = not_offlined_futex },
	{ .name = "not-offlined-nofault", .run = not_offlined_nofault },
	{ .name = "page-kinds", .run = page_kinds },
	{ .name = "replug", .run = replug, .reported = true },
	{ .name = "replug-bare-metal", .run = replug, .reported = true,
	  .cpu_flags = ",-hypervisor" },
	{ .name = "replug-la57", .run = replug_la57, .reported = true, .cpu_flags = ",+la57" },
	{ .name = "replug-stray", .run = replug_stray, .reported = true },
	{ .name = "many-pages", .run = many_pages_reported, .reported = true, .ram_mb = 384 },
	{ .name = "amd-deferred", .run = deferred, .reported = true },
	{ .name = "amd-many-pages", .run = many_pages_required, .ram_mb = 384 },
	{ .name = "amd-soak-1", .run = run_short_soak, .ram_mb = 1344 },
	{ .name = "smp", .run = smp, .cpus = 4 },
	{ .name = "soak-1", .run = run_soak, .ram_mb = 1344 },
	{ .name = "soak-4", .run = run_soak, .cpus = 4, .ram_mb = 1344 },
	{ .name = "soak-leak", .run = run_leaking_soak, .ram_mb = 1344 },
	{ .name = "bare-metal", .run = bare_metal, .reported = true, .cpu_flags = ",-hypervisor" },
	{ .name = "clear", .run = clear_nospec, .reported = true,
	  .kernel_args = "memmap=1M$112M" /* NOT_RAM */ },
};

static bool find_scenario(const char *name, struct scenario *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		if (!strcmp(name, scenarios[i].name)) {
			*s = scenarios[i];
			return true;
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
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		fprintf(stderr, " %s", scenarios[i].name);
	fputc('\n', stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *kernel = NULL, *initrd = NULL;
	struct scenario s = { 0 };
	const struct machine *m = NULL;
	int opt, limit = 0;

	while ((opt = getopt(argc, argv, "l:n:s:m:k:i:")) != -1) {
		switch (opt) {
		case 'l':
			limit = atoi(optarg);
			if (limit <= 0)
				bad_arguments();
			break;
		case 'n':
			soak_poisons = atoi(optarg);
			if (soak_poisons <= 0)
				bad_arguments();
			break;
		case 's':
			soak_seed = strtoul(optarg, NULL, 10);
			break;
		case 'm':
			for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
				if (!strcmp(optarg, machines[i].name))
					m = &machines[i];
			break;
		case 'k':
			kernel = optarg;
			break;
		case 'i':
			initrd = optarg;
			break;
		default:
			bad_arguments();
		}
	}
	if (optind != argc - 1 || !find_scenario(argv[optind], &s) || !m || !kernel || !initrd)
		bad_arguments();

	return run_scenario(m, &s, kernel, initrd, limit);
}
