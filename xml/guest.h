/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All we want to know of a VM. Plain data, read by domain-xml.c, not changed after it is built;
 * shared by reference. libvirt's XML speaks for the guest (its "client" dials); here the sides are
 * swapped once and for all: `ours` is the address of our end, `theirs` that of the guest's.
 */
#ifndef NR_XML_GUEST_H
#define NR_XML_GUEST_H

#include <glib.h>
#include "common/mac.h"
#include "common/port-options.h"

typedef enum {
    NR_NIC_DIALS,     /* libvirt's client: we listen on `ours` before the guest starts */
    NR_NIC_LISTENS,   /* libvirt's server: we dial `theirs` after the guest started */
    NR_NIC_UDP,       /* both bind: we `ours` (its <source>), the guest `theirs` (its <local>) */
    NR_NIC_MULTICAST, /* `ours` is the group */
    NR_NIC_OTHER,     /* any other interface type: nothing of ours */
} NrNicKind;

/* An address as the XML has it. host may be a name, "" (libvirt's server without address: any), or
 * NULL where the element does not exist for this kind. */
typedef struct {
    char *host;
    guint16 l4_port; /* host byte order */
    char *admit;     /* of a network file's <listen>: other hosts, a blank between; NULL is none */
} NrAddress;

/* Whether a NIC's port lets in that NIC's own address only. */
typedef enum { NR_PIN_UNSAID, NR_PIN_NO, NR_PIN_YES } NrPin;

/* What the guest's metadata asks for one NIC (DESIGN: rule one, before any network file). */
typedef struct {
    char *network; /* name of a network, or NULL */
    char *bridge;  /* name of a kernel bridge, or NULL */
    char *peer;    /* another host's relay, as nr_value_peer() writes it, or NULL */
    gboolean ignore;
    NrPin pin;
} NrWish;

typedef struct {
    struct mac mac;
    NrNicKind kind;
    NrAddress ours;
    NrAddress theirs;
    char *alias;      /* user alias ("ua-...") only, or NULL */
    char *target_dev; /* <target dev>, or NULL */
    gboolean link_down;
    struct port_rate sends, gets; /* what its <bandwidth> allows it */
    NrWish wish;
    char *fault; /* why nobody can serve this NIC ("port 70000 is not ..."), or NULL */
} NrNic;

typedef enum {
    NR_GUEST_DEFINED,   /* libvirt knows it; it does not run */
    NR_GUEST_ANNOUNCED, /* a hook's prepare said it is about to start */
    NR_GUEST_RUNNING,   /* libvirt lists it as active */
} NrGuestState;

typedef struct {
    char *uuid;   /* lower case text: the key */
    char *name;   /* data only: never a file name, never raw on a terminal */
    int id;       /* libvirt's domain id: ascending in the order of starts; -1 when not active */
    gint64 order; /* of starts, where its hook came out of the order of ids; else 0 */
    NrGuestState state;
    GPtrArray *nics;      /* NrNic, in XML order, all kinds */
    char *metadata_fault; /* why our metadata in this guest is refused as a whole, or NULL */
    gatomicrefcount refs;
} NrGuest;

NrGuest *nr_guest_new(void);
NrGuest *nr_guest_ref(NrGuest *guest);
void nr_guest_unref(NrGuest *guest);
/* A copy that shares nothing, in another state. */
NrGuest *nr_guest_copy(const NrGuest *guest, NrGuestState state);
gboolean nr_guest_equal(const NrGuest *a, const NrGuest *b);
gboolean nr_guest_is_active(const NrGuest *guest); /* announced or running */
/* Its place in the order of starts; there is room for others between two ids. Needs an id. */
gint64 nr_guest_order(const NrGuest *guest);
const char *nr_guest_state_name(NrGuestState state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrGuest, nr_guest_unref)

NrNic *nr_nic_new(void);
void nr_nic_free(NrNic *nic);
/* What a person calls it: the user alias, <target dev>, or the MAC. Returns a new string. */
char *nr_nic_label(const NrNic *nic);
/* libvirt's own word: "client", "server", "udp", "mcast", "other". */
const char *nr_nic_kind_name(NrNicKind kind);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrNic, nr_nic_free)

/* A place among networks is asked for: a network, a bridge or a peer. */
gboolean nr_wish_has_place(const NrWish *wish);
/* `to` becomes a copy that shares nothing; what it had is freed. */
void nr_wish_copy(NrWish *to, const NrWish *from);
void nr_wish_clear(NrWish *wish);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NrWish, nr_wish_clear)

gboolean nr_address_equal(const NrAddress *a, const NrAddress *b);
/* "127.0.0.1:12345", "*:80", "[::1]:80". New string. */
char *nr_address_format(const NrAddress *address);
/* Any text made fit for a terminal or a log line: control bytes, bidirectional marks and broken
 * UTF-8 as \xNN. New string. */
char *nr_printable(const char *text);
/* FALSE: it gives a terminal an order, or changes how its neighbours look. */
gboolean nr_is_printable(gunichar c);

#endif
