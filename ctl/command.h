/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A subcommand of netrelayctl, and what it is called with. The one table of them is in main.c, with
 * a part for the manager and one for a relay; it is read by help, dispatch and completion. */
#ifndef NR_CTL_COMMAND_H
#define NR_CTL_COMMAND_H

#include <glib.h>
#include <sys/types.h>

/* Exit codes: documented in netrelayctl(1), and relied upon by scripts. */
typedef enum {
    NR_EXIT_DONE = 0,
    NR_EXIT_FAILED = 1, /* it was tried and did not work, or something is refused */
    NR_EXIT_USAGE = 2,  /* wrong arguments: nothing was tried */
    NR_EXIT_ABSENT = 3, /* netrelayd, or the relay, does not run, or does not answer */
} NrExit;

/* The options; a command says which ones it takes. */
typedef enum {
    NR_OPTION_HELP = 1 << 0,
    NR_OPTION_VERSION = 1 << 1,
    NR_OPTION_SYSTEM = 1 << 2,
    NR_OPTION_SESSION = 1 << 3,
    NR_OPTION_SOCKET = 1 << 4,
    NR_OPTION_JSON = 1 << 5,
    NR_OPTION_XML = 1 << 6,
    NR_OPTION_RELAY = 1 << 7,
    NR_OPTION_WRITE = 1 << 8,
    NR_OPTION_SIZE = 1 << 9,
    NR_OPTION_SECONDS = 1 << 10,
    NR_OPTION_PACKETS = 1 << 11,
    NR_OPTION_SNAPLEN = 1 << 12,
    NR_OPTION_SVG = 1 << 13,
    NR_OPTION_ALL = 1 << 14,
    NR_OPTION_INACTIVE = 1 << 15,
    NR_OPTION_DISABLE = 1 << 16,
    NR_OPTION_FORCE = 1 << 17,
    NR_OPTION_CONFIRM = 1 << 18,
    NR_OPTION_MAC = 1 << 20,
    NR_OPTION_ALIAS = 1 << 21,
    NR_OPTION_DEV = 1 << 22,
    NR_OPTION_NETWORK = 1 << 23,
    NR_OPTION_BRIDGE = 1 << 24,
    NR_OPTION_PEER = 1 << 25,
    NR_OPTION_LIVE = 1 << 26,
    NR_OPTION_CONFIG = 1 << 27,
    NR_OPTION_CURRENT = 1 << 28,
    NR_OPTION_WATCH = 1 << 29,
} NrOption;

#define NR_OPTIONS_ANY    (NR_OPTION_HELP)
#define NR_OPTIONS_PLACE  (NR_OPTION_SYSTEM | NR_OPTION_SESSION)
#define NR_OPTIONS_ASKING (NR_OPTIONS_PLACE | NR_OPTION_SOCKET)
#define NR_OPTIONS_RELAY  (NR_OPTIONS_ASKING | NR_OPTION_RELAY)
#define NR_OPTIONS_CAPTURE                                                                         \
    (NR_OPTION_WRITE | NR_OPTION_SIZE | NR_OPTION_SECONDS | NR_OPTION_PACKETS | NR_OPTION_SNAPLEN)

#define NR_OPTIONS_NIC                                                                             \
    (NR_OPTIONS_ASKING | NR_OPTION_JSON | NR_OPTION_MAC | NR_OPTION_ALIAS | NR_OPTION_DEV |        \
     NR_OPTION_LIVE | NR_OPTION_CONFIG | NR_OPTION_CURRENT)

/* One call of a command: options and operands, read and checked. */
typedef struct {
    guint options;      /* NrOption: those given */
    uid_t uid;          /* whose manager: 0 is the system's */
    char *runtime_dir;  /* where that manager has its sockets */
    const char *socket; /* --socket DIR; or NULL, as all of these */
    const char *xml;    /* --xml FILE */
    const char *watch;  /* --watch=SECONDS */
    const char *relay;  /* --relay PATH: a relay's control socket, or a network of the manager */
    const char *write, *size, *seconds, *packets, *snaplen; /* of a capture */
    const char *mac, *alias, *dev;                          /* a NIC, one of them */
    const char *network, *bridge, *peer;                    /* where it belongs, one of them */
    const char *confirm;                                    /* of net-start */
    char **operands;                                        /* NULL-terminated */
    guint operand_count;
} NrCall;

typedef struct {
    const char *name;
    const char *operands; /* for the usage line, or "" */
    const char *summary;  /* one line; NULL hides the command: programs call it, not people */
    guint options;        /* NrOption: those it takes, beside NR_OPTIONS_ANY */
    guint operands_min, operands_max;
    NrExit (*run)(const NrCall *call);
} NrCommand;

NrExit nr_status_run(const NrCall *call);
NrExit nr_plan_run(const NrCall *call);
NrExit nr_plan_xml_run(const NrCall *call); /* plan --xml */
NrExit nr_events_run(const NrCall *call);
NrExit nr_reload_run(const NrCall *call);
NrExit nr_graph_run(const NrCall *call);
NrExit nr_doctor_run(const NrCall *call);
NrExit nr_revive_run(const NrCall *call);
NrExit nr_upgrade_run(const NrCall *call);
NrExit nr_capture_by_name_run(const NrCall *call);
NrExit nr_attach_run(const NrCall *call);
NrExit nr_detach_run(const NrCall *call);
NrExit nr_ping_run(const NrCall *call);
NrExit nr_hook_run(const NrCall *call);
NrExit nr_net_list_run(const NrCall *call);
NrExit nr_net_define_run(const NrCall *call);
NrExit nr_net_undefine_run(const NrCall *call);
NrExit nr_net_dumpxml_run(const NrCall *call);
NrExit nr_net_leases_run(const NrCall *call);
NrExit nr_net_edit_run(const NrCall *call);
NrExit nr_net_start_run(const NrCall *call);
NrExit nr_net_confirm_run(const NrCall *call);
NrExit nr_net_destroy_run(const NrCall *call);
NrExit nr_net_autostart_run(const NrCall *call);
NrExit nr_tap_join_run(const NrCall *call);
NrExit nr_tap_leave_run(const NrCall *call);
NrExit nr_complete_run(const NrCall *call);

/* With --relay. */
NrExit nr_relay_status_run(const NrCall *call);
NrExit nr_relay_watch_run(const NrCall *call);
NrExit nr_relay_attach_run(const NrCall *call);
NrExit nr_relay_detach_run(const NrCall *call);
NrExit nr_relay_close_run(const NrCall *call);
NrExit nr_relay_label_run(const NrCall *call);
NrExit nr_relay_capture_run(const NrCall *call);
NrExit nr_relay_stop_run(const NrCall *call);

/* For completion: the tables and the options, as main.c has them. */
const NrCommand *nr_command_at(gboolean of_relay, guint index); /* NULL past the last one */
const char *nr_option_at(guint index, guint *ret_bit); /* long name; NULL past the last one */

/* "netrelayctl: " and one line to standard error, made fit for a terminal. */
void nr_complain(const char *format, ...) G_GNUC_PRINTF(1, 2);

#endif
