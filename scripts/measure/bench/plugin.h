/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the plugin interface (QEMU's documentation, "QEMU TCG Plugins") that count.c
 * uses. Debian's QEMU supports plugins, but has no header. These parts are the same in
 * version 1, of QEMU 7.2, and version 2, the lowest that QEMU 10.0 accepts.
 */
#ifndef BENCH_PLUGIN_H
#define BENCH_PLUGIN_H

#include <stddef.h>

#ifndef PLUGIN_VERSION
#define PLUGIN_VERSION 1
#endif

struct qemu_plugin_tb;
struct qemu_plugin_insn;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
unsigned long qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(unsigned long id,
					   void (*cb)(unsigned long id,
						      struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int cpu, void *data), int flags,
					    void *data);

extern int qemu_plugin_version;
int qemu_plugin_install(unsigned long id, const void *info, int argc, char **argv);

#endif
