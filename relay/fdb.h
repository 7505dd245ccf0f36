/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The forwarding database: Ethernet address -> port, as 802.1D learns it. Pure: time comes in. The
 * table is given, so that it can live in memory which outlasts this process; an entry is one
 * 8-byte store. It is bounded, and eviction is fair: whoever floods it with addresses loses his
 * own, first those that were seen only once. fdb.c has the rule.
 */
#ifndef NR_RELAY_FDB_H
#define NR_RELAY_FDB_H

#include <stdbool.h>
#include <stdint.h>
#include "common/mac.h"

#define FDB_WAYS  8
#define FDB_SETS  4096
#define FDB_SIZE  (FDB_SETS * FDB_WAYS)
#define FDB_PORTS 4096
#define FDB_AGE_S 300
#define FDB_NONE  0xffff

struct fdb_table {
    uint64_t seed;            /* secret, so that nobody can aim at one set */
    uint64_t entry[FDB_SIZE]; /* address << 16 | port + 1; 0 is free */
    uint32_t seen[FDB_SIZE];  /* FDB_CONFIRMED | seconds */
};

struct fdb {
    struct fdb_table *table;
    uint32_t count[FDB_PORTS]; /* entries of each port */
};

/* Takes over what a table holds; a zeroed one is empty. Entries that make no sense are removed. */
void fdb_init(struct fdb *fdb, struct fdb_table *table);
void fdb_learn(struct fdb *fdb, struct mac mac, uint16_t port, uint32_t now_s);
/* The port, or FDB_NONE. */
uint16_t fdb_find(struct fdb *fdb, struct mac mac, uint32_t now_s);
void fdb_forget_port(struct fdb *fdb, uint16_t port);

#endif
