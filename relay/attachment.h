/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An endpoint that is attached to this relay: the keeper's side of it. It listens, dials or opens,
 * and gives what comes of it to the keeper as ports. Kinds differ behind struct attachment_ops.
 */
#ifndef NR_RELAY_ATTACHMENT_H
#define NR_RELAY_ATTACHMENT_H

#include <stdbool.h>
#include "common/companion.h"
#include "common/ctl-proto.h"
#include "common/endpoint.h"
#include "relay/inet.h"
#include "relay/loop.h"
#include "relay/resolver.h"
#include "relay/unix-path.h"

#define ATTACHMENT_TEXT_MAX  3328
#define ATTACHMENT_PENDING   1  /* attachment_started() will tell */
#define ATTACHMENT_RETRY_MIN 50 /* ms; doubled up to */
#define ATTACHMENT_RETRY_MAX 2000
#define ATTACHMENT_STEADY_MS 2000 /* a port that lived as long was a success */

struct attachment;
struct held_rules;
struct holding;
struct keeper;
struct strangers;

struct attachment_ops {
    bool ports_stay; /* when it is detached */
    bool takes_fd;   /* that was passed along */
    bool ports_last; /* other keepers can go on with them */
    /*
     * passed_fd: -1, or a descriptor that is the attachment's if this succeeds. 0,
     * ATTACHMENT_PENDING, or negative errno and a sentence in error.
     */
    int (*start)(struct attachment *attachment, int passed_fd, char error[ATTACHMENT_TEXT_MAX]);
    /* Lets go of everything but ports. */
    void (*stop)(struct attachment *attachment);
    /* One of its ports is gone; room: one of somebody else. May be NULL. */
    void (*port_gone)(struct attachment *attachment);
    void (*room)(struct attachment *attachment);
    /* Its process is dead; pid is no longer its own. NULL for kinds that have none. */
    void (*child_ended)(struct attachment *attachment, int status);
    /* A network device or address came, went or changed: see device-watch.h. May be NULL. */
    void (*devices_changed)(struct attachment *attachment);
    /* A port that it had under another keeper is its own again. May be NULL. */
    void (*claimed)(struct attachment *attachment);
    /* How many datagrams of strangers came for its port since this was asked last. May be NULL. */
    uint64_t (*strangers)(struct attachment *attachment);
};

struct attachment {
    struct keeper *keeper;
    struct attachment *next; /* keeper.attachments, ascending by id */
    const struct attachment_ops *ops;
    uint32_t id;
    bool by_hand; /* from the command line */
    struct endpoint endpoint;
    char text[ENDPOINT_TEXT_MAX]; /* canonical */
    char label[CTL_LABEL_MAX + 1];
    enum ctl_endpoint_state state;
    char detail[128]; /* why it is not through, a TAP's name, or whom a listener refused last */
    uint64_t since_s;
    uint64_t missing_since_s; /* of the state before it was connected last */
    unsigned n_ports;
    struct held_rules *rules; /* whom its listener admits; NULL: everybody */
    unsigned n_held;          /* of its ports: those not yet admitted */
    unsigned turned_away;     /* of those that were held, since its last rest */
    uint64_t refused;         /* connections that were not */
    uint64_t refused_hosts;   /* of these: other hosts' */
    uint64_t refused_told_ms; /* when that was told last; 0: never */
    bool closed;              /* its port was, by us */
    bool missed; /* that it cannot be reached has been said, and not yet that it can be */

    /* for the kinds' own use */
    struct loop_io io; /* listening, or connecting; fd -1: neither */
    struct loop_timer timer;
    struct resolver resolver;
    unsigned address_index;
    struct inet_address local;
    struct inet_address remote;
    bool local_known, remote_known;
    struct unix_path made_path;  /* at the local address */
    struct strangers *strangers; /* at the local address; NULL: not counted */
    uint32_t retry_ms;
    uint64_t up_ms;
    bool here;    /* what was dialled last is on this host */
    bool ours;    /* we open its device and see to it; else who handed it over does */
    bool made;    /* the device is ours: made again where it went away */
    bool waiting; /* resting for want of descriptors; or asked for and not yet answered */
    char ifname[ENDPOINT_NAME_MAX];
    int ifindex;   /* of a multicast group's device */
    pid_t pid;     /* of its companion; 0: none runs */
    int frames_fd; /* our end of the companion's frames, until there is a port; -1: none */
    int memory_fd; /* what companions hand down */
    int refusal;   /* negative errno of the companion's last word, and its text */
    char why[COMPANION_WORD_MAX];
};

extern const struct attachment_ops listener_ops, dialer_ops, udp_ops, mcast_ops, unix_dialer_ops,
    unix_listener_ops, unix_dgram_ops, tap_ops, bridge_ops, fd_ops, stdio_ops, user_ops, vde_ops;

/* On success it is in the keeper's list, also while it is pending. rules: NULL, or its from here
 * on. */
int attachment_new(struct attachment **ret, struct keeper *keeper, const struct endpoint *endpoint,
                   const char *label, int passed_fd, bool by_hand, struct held_rules *rules,
                   char error[ATTACHMENT_TEXT_MAX]);
/* Out of the list and freed; ports go too, unless they stay. */
void attachment_detach(struct attachment *attachment);
/* All of them, at the very end. */
void attachments_end(struct keeper *keeper);

/* Its first port, NULL where it has none. */
struct holding *attachment_port(const struct attachment *attachment);

void attachment_set_state(struct attachment *attachment, enum ctl_endpoint_state state,
                          const char *detail);
/* Its socket is there for whoever comes: listening, with a line. */
void attachment_listens(struct attachment *attachment);
/* It has its port: up, with a line. */
void attachment_connected(struct attachment *attachment);
/* The end of ATTACHMENT_PENDING. After a failure the attachment is gone. */
void attachment_started(struct attachment *attachment, int r, const char *error);
/* A child of this process is dead: some attachment's, or nobody's any more. */
void attachment_child_ended(struct keeper *keeper, pid_t pid, int status);
/* Sets the timer, farther each time until a port has been up for a while. */
void attachment_retry_later(struct attachment *attachment, const char *why);
/* The same where its port hardly was one: it is not through for as long as before that. */
void attachment_retry_as_before(struct attachment *attachment, const char *why);

#endif
