/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper: the process that holds a network's descriptors and memory, and so its guests' links,
 * for as long as the network lives. It accepts, dials and opens; it never reads a byte of a frame.
 */
#ifndef NR_RELAY_KEEPER_H
#define NR_RELAY_KEEPER_H

#include "relay/attachment.h"
#include "relay/capture-keep.h"
#include "relay/control.h"
#include "relay/deposit.h"
#include "relay/forwarder-proc.h"
#include "relay/holding.h"
#include "relay/log.h"
#include "relay/tally.h"
#include "relay/vswitch.h"

#define KEEPER_ENDPOINTS_MAX 256 /* of a command line */
#define KEEPER_FDS_RESERVED  16  /* kept free for what is more important than one more client */

struct keeper_config {
    const char *network;
    enum vswitch_mode mode;
    enum log_level log_level;
    uint32_t stall_ms;
    uint64_t queue_bound;
    uint32_t storm; /* floods a second that a port may send; 0: no limit */
    bool drop_link_local;
    bool ignore_loops;
    bool managed;
    unsigned n_deposited;     /* a relay before us left, in descriptors after control_fd */
    int control_fd;           /* -1: none */
    const char *control_path; /* NULL: none */
    struct endpoint endpoints[KEEPER_ENDPOINTS_MAX];
    const char *endpoint_texts[KEEPER_ENDPOINTS_MAX]; /* as they were typed */
    unsigned n_endpoints;
};

struct keeper {
    const struct keeper_config *config;
    struct loop loop;
    struct loop_io signals;
    int memory_fd;
    struct forwarder_proc forwarder;
    struct control control;
    struct capture_keep captures;
    struct tally tally;
    struct loop_timer summaries; /* of log lines that were left out */
    struct attachment *attachments;
    struct strangers *strangers;
    uint32_t last_attachment_id;
    int left_memory_fd; /* of a detached endpoint's companion, for the next one; -1: none */
    struct holding *holdings[SHARED_PORTS]; /* by slot */
    uint32_t n_slots;                       /* none is used from here on */
    uint32_t n_holdings;
    uint32_t max_holdings; /* by the limit of descriptors */
    uint32_t last_port_id;
    struct deposit deposit;
    struct loop_io links; /* changes of network devices; fd -1: nobody wants them */
    struct loop_timer links_timer;
    int exit_status;
    bool ended;
};

/* Returns an exit status. */
int keeper_main(const struct keeper_config *config);

/* Room for one more port? */
bool keeper_has_room(const struct keeper *keeper);
/* A connected descriptor becomes a port; both are the keeper's on success. 0 or negative errno. */
int keeper_hold(struct keeper *keeper, struct attachment *attachment, enum port_kind kind, int rfd,
                int wfd, const char *detail);
/* The one that a keeper before us had, whose endpoint is the caller's to set; as keeper_hold(). */
int keeper_hold_again(struct keeper *keeper, uint32_t slot, uint32_t id, enum port_kind kind,
                      int fd, struct holding **ret);
/* It may be passed on: to the forwarder, and to those who listen to the control socket. */
void keeper_announce(struct keeper *keeper, struct holding *holding);
/* Gives it this name, also for captures that ask for it. */
void keeper_label_port(struct keeper *keeper, struct holding *holding, const char *label);
/* What its port may is this from here on. */
void keeper_set_options(struct keeper *keeper, struct holding *holding,
                        const struct port_options *options);
/* A TCP connection that another relay had, by an endpoint of this text, becomes a port that no
 * endpoint of ours has; the descriptor is the keeper's on success. 0 or negative errno. */
int keeper_take(struct keeper *keeper, int fd, const char *endpoint, const char *label,
                const struct port_options *options);
/* Another relay has it: it goes, and its far end does not notice. */
void keeper_port_moved(struct keeper *keeper, struct holding *holding);
struct holding *keeper_find_port(struct keeper *keeper, uint32_t id);
struct attachment *keeper_find_attachment(struct keeper *keeper, uint32_t id);
/* Begins to close it; holding_gone() ends it, at once where no forwarder has it. */
void keeper_close_port(struct keeper *keeper, struct holding *holding);
/* No other process has its descriptors any more: closes ours, tells everybody, frees it. */
void keeper_port_gone(struct keeper *keeper, struct holding *holding, int error);
/* That of a relay which could not have an endpoint: was it asked for nonsense? */
int keeper_exit_status(int r);
/* Brings a port's count of strangers up to date; or those of all. */
void keeper_count_strangers(struct holding *holding);
void keeper_count_all_strangers(struct keeper *keeper);
/* Ends the loop. */
void keeper_end(struct keeper *keeper, int exit_status);
/* Seconds since the epoch. */
uint64_t keeper_clock_s(void);

#endif
