/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libvirt knows of guests. Its API blocks, on a guest in its hook for as long as the hook
 * runs: so one worker thread makes every call and hands plain data to the main loop. Events only
 * say where to look again.
 */
#ifndef NR_DAEMON_GUEST_SOURCE_H
#define NR_DAEMON_GUEST_SOURCE_H

#include "xml/guest.h"

typedef struct NrGuestSource NrGuestSource;
struct _virConnect;

/* All in the main loop. */
typedef struct {
    /* All guests: NrGuest, RUNNING (ANNOUNCED: libvirt is starting it) or DEFINED, a guest may be
     * there as both. unread: UUIDs of those that run and whose XML could not be had or read, so
     * nothing is known to be new of them. */
    void (*all)(const GPtrArray *guests, const GPtrArray *unread, gpointer data);
    /* The same of one guest; NULL, NULL: libvirt does not know it. Not called for one that would be
     * unread. */
    void (*one)(const char *uuid, NrGuest *running, NrGuest *defined, gpointer data);
    /* "connected", "connecting", or why not. */
    void (*state)(const char *text, gpointer data);
} NrGuestSourceEvents;

/* Something to be done with libvirt, in its turn. */
typedef struct {
    const char *uuid; /* the guest, which is looked at anew before `done` */
    /* In the worker; NULL: there is no connection. */
    void (*work)(struct _virConnect *connection, gpointer data);
    void (*done)(gpointer data);
    gpointer data;
} NrGuestSourceJob;

/* Before any other call into libvirt, in the main thread. */
NrGuestSource *nr_guest_source_new(const char *uri, const NrGuestSourceEvents *events,
                                   gpointer data);
/* Ends the worker, if it is not inside a call that hangs; no callback comes after this. */
void nr_guest_source_free(NrGuestSource *source);
/* Look again at one guest, at all. */
void nr_guest_source_ask(NrGuestSource *source, const char *uuid);
void nr_guest_source_resync(NrGuestSource *source);
/* uuid is the job's until it is done. */
void nr_guest_source_do(NrGuestSource *source, NrGuestSourceJob job);

#endif
