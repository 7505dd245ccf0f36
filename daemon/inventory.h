/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guests known now, by UUID, from two witnesses: hooks announce and release, libvirt lists.
 * A guest that a hook announced stays announced until it is released, libvirt lists it as running
 * and then no more, or its deadline passes and libvirt is not starting it any more; no listing in
 * between forgets it. Holds no descriptor,
 * calls nobody but `changed`. Time comes in.
 */
#ifndef NR_DAEMON_INVENTORY_H
#define NR_DAEMON_INVENTORY_H

#include "xml/guest.h"

/* An announced guest that libvirt has not listed as running by then is forgotten. Hooks of others
 * run between ours and QEMU, without a time limit; this bounds what an interrupted start leaves. */
#define NR_ANNOUNCED_DEADLINE_MS 120000

typedef struct NrInventory NrInventory;
typedef void (*NrInventoryChanged)(gpointer data);

NrInventory *nr_inventory_new(NrInventoryChanged changed, gpointer data);
void nr_inventory_free(NrInventory *inventory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrInventory, nr_inventory_free)

/* A hook's prepare: takes a reference; replaces what was announced before. */
void nr_inventory_announce(NrInventory *inventory, NrGuest *guest, gint64 now_ms);
/* What a manager before us was told: a reference, too. Of one that is ANNOUNCED, the next list says
 * whether it still is; of one that is RUNNING only the order counts, once it is listed so. */
void nr_inventory_recall(NrInventory *inventory, NrGuest *guest, gint64 now_ms);
/* A hook's release, or a refused start: the guest is not active, whatever was said before. */
void nr_inventory_release(NrInventory *inventory, const char *uuid);
/* What libvirt says of one guest: NULL, NULL: it does not know it. One that it is starting comes as
 * `running` in the state ANNOUNCED. A running guest whose metadata cannot be read any more keeps
 * what it asked for before. */
void nr_inventory_sync_guest(NrInventory *inventory, const char *uuid, NrGuest *running,
                             NrGuest *defined);
/* What libvirt says of all (NrGuest, each as above; an active one may be in it as DEFINED, too):
 * those not listed are gone. unread (UUIDs, or NULL): it cannot say, so they stay as they were. */
void nr_inventory_sync_all(NrInventory *inventory, const GPtrArray *guests,
                           const GPtrArray *unread);
/* Forgets announced guests past their deadline; returns the time of the next one, or -1. */
gint64 nr_inventory_expire(NrInventory *inventory, gint64 now_ms);
/* One NrGuest (reference) for each UUID, the state that counts: running, else announced (by a hook,
 * or by libvirt's list), else defined; ordered by UUID. Free with g_ptr_array_unref(). */
GPtrArray *nr_inventory_snapshot(const NrInventory *inventory);
/*
 * Running guests that dial, whose start no hook announced although we were there, where no hook has
 * announced any guest since: libvirt does not call it. Their names, new strings.
 */
GPtrArray *nr_inventory_unannounced(const NrInventory *inventory);
/* By UUID or name: as it is now, and as it is defined (a transient one is not). Borrowed; NULL
 * where unknown. */
NrGuest *nr_inventory_find(const NrInventory *inventory, const char *guest);
NrGuest *nr_inventory_defined(const NrInventory *inventory, const char *guest);

#endif
