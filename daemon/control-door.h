/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who comes to the control socket, until GDBus hears of it. GDBus's own server makes a thread of
 * everybody who connects, waits for whoever says nothing, and counts nobody. Here who may not ask
 * is turned away at once, and of the others each user has so many places; root's are root's alone.
 */
#ifndef NR_DAEMON_CONTROL_DOOR_H
#define NR_DAEMON_CONTROL_DOOR_H

#include <gio/gio.h>
#include <sys/types.h>

#define NR_DOOR_OWN_MAX    64 /* places of root's, or of the manager's own user */
#define NR_DOOR_OTHERS_MAX 32 /* of all others together */
#define NR_DOOR_USER_MAX   16 /* of one of them */

typedef struct NrControlDoor NrControlDoor;

typedef struct {
    /* No message is processed before it returns. */
    void (*entered)(GDBusConnection *connection, gpointer data);
    gpointer data;
} NrControlDoorParts;

/* Copies parts; for root and its own user only until admit() is called. */
NrControlDoor *nr_control_door_new(const NrControlDoorParts *parts);
/* From now on at this bound stream socket, which it owns. Who is in stays. */
void nr_control_door_listen(NrControlDoor *door, int sock);
/* Counts for who is in, too. */
void nr_control_door_admit(NrControlDoor *door, gid_t group);
/* Shows everybody out. */
void nr_control_door_free(NrControlDoor *door);

#endif
