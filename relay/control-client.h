/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client of the control socket; for control*.c. Messages to it go through its queue in order,
 * whatever they are; a dump, which can be long, is put there piece by piece as the client reads.
 * Requests that take time leave a wait behind, which is answered when their port or endpoint has
 * come to its end.
 */
#ifndef NR_RELAY_CONTROL_CLIENT_H
#define NR_RELAY_CONTROL_CLIENT_H

#include <stdbool.h>
#include "relay/control.h"

struct queued;
struct wait;

enum dump_state {
    DUMP_NONE,
    DUMP_COUNTERS, /* waits for the forwarder's numbers */
    DUMP_ENDPOINTS,
    DUMP_PORTS,
};

struct control_client {
    struct control_client *next; /* control.clients */
    struct control *control;
    struct loop_io io;
    bool greeted; /* gets events */
    bool judges;  /* decides who is admitted */
    bool looks;   /* and may change nothing */
    bool passing; /* a descriptor is to be passed as soon as there is room */
    bool dead;    /* freed at the end of its turn */
    struct queued *first, **last;
    size_t queued;
    struct wait *waits;
    unsigned n_waits;
    enum dump_state dump;
    uint32_t dump_serial;
    uint32_t dump_next; /* id of the endpoint, or slot */
};

/* fd is its from here on. 0 or negative errno. */
int client_new(struct control *control, int fd);
void client_free(struct control_client *client);

/* Never waits; a client that leaves too much unread is cut off, and freed in its own turn. */
void client_put(struct control_client *client, const struct ctl_msg *msg);
/* After all that was put, with a descriptor, which stays the caller's. 0 or negative errno;
 * -EAGAIN: the loop has a round as soon as it can be tried again. */
int client_pass(struct control_client *client, const struct ctl_msg *msg, int fd);
/* endpoint_id: 0 for none. */
void client_reply(struct control_client *client, uint32_t serial, int r, const char *text,
                  uint32_t endpoint_id);
/* Answers later: when this port is gone, or this endpoint is there; the other id is 0. */
void client_wait_for(struct control_client *client, uint32_t serial, uint32_t port_id,
                     uint32_t attachment_id);
void client_answer_waits(struct control_client *client, uint32_t port_id, uint32_t attachment_id,
                         int r, const char *error);
/* Goes on with a dump as far as the client reads. */
void client_dump(struct control_client *client);

void control_put_endpoint(struct ctl_msg *msg, enum ctl_type type, uint32_t serial,
                          const struct attachment *attachment);
void control_put_port(struct ctl_msg *msg, enum ctl_type type, uint32_t serial,
                      const struct holding *holding);
/* Obeys one request. What is taken of fd is -1 afterwards. */
void control_handle(struct control_client *client, const struct ctl_msg *msg, int *fd);

#endif
