/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: the only way a running relay is changed. It serves several clients; none can
 * make it wait or grow: what a client does not read is bounded, and then it is cut off.
 */
#ifndef NR_RELAY_CONTROL_H
#define NR_RELAY_CONTROL_H

#include <stdbool.h>
#include "common/ctl-proto.h"
#include "relay/loop.h"
#include "relay/unix-path.h"

#define CONTROL_CLIENTS_MAX 64
#define CONTROL_QUEUE_MAX   (256 * 1024) /* bytes a client may leave unread */
#define CONTROL_WAITS_MAX   1024         /* requests of a client under way */

struct keeper;
struct attachment;
struct holding;
struct control_client;

struct control {
    struct keeper *keeper;
    struct loop_io io; /* listening; fd -1: there is none */
    struct loop_timer rest;
    struct inet_address address; /* where it was made, and what: removed at the end */
    struct unix_path made_path;
    struct control_client *clients;
    unsigned n_clients;
};

/* Does a client decide who is admitted? */
bool control_has_judge(const struct control *control);
/* Has it much to read yet? */
bool control_is_behind(const struct control *control);
/* Either an inherited, bound socket (fd >= 0) or a path to bind. 0 or negative errno. */
int control_open(struct control *control, struct keeper *keeper, int fd, const char *path);
/* Clients come by this bound socket from here on, which is then the relay's; those that are there
 * stay. 0 or negative errno. */
int control_listen(struct control *control, int fd);
void control_close(struct control *control);

void control_endpoint_changed(struct control *control, const struct attachment *attachment);
void control_endpoint_gone(struct control *control, const struct attachment *attachment);
void control_port_changed(struct control *control, const struct holding *holding);
void control_port_gone(struct control *control, const struct holding *holding);
/* how: one sentence. */
void control_forwarder_ended(struct control *control, const char *how);
/* A pending attachment is through (r 0) or refused. */
void control_attached(struct control *control, const struct attachment *attachment, int r,
                      const char *error);
/* The counters asked for have come, as far as they will. */
void control_stats_ready(struct control *control);

#endif
