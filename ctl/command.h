/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A subcommand of netrelayctl, and what it is called with. The one table of them is in main.c;
 * it is read by help, dispatch and completion. */
#ifndef NR_CTL_COMMAND_H
#define NR_CTL_COMMAND_H

#include <glib.h>
#include <sys/types.h>

/* Exit codes: documented in netrelayctl(1), and relied upon by scripts. */
typedef enum {
    NR_EXIT_DONE = 0,
    NR_EXIT_FAILED = 1,     /* it was tried and did not work, or something is refused */
    NR_EXIT_USAGE = 2,      /* wrong arguments: nothing was tried */
    NR_EXIT_NO_MANAGER = 3, /* netrelayd does not run, or does not answer */
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
} NrOption;

#define NR_OPTIONS_ANY    (NR_OPTION_HELP)
#define NR_OPTIONS_PLACE  (NR_OPTION_SYSTEM | NR_OPTION_SESSION)
#define NR_OPTIONS_ASKING (NR_OPTIONS_PLACE | NR_OPTION_SOCKET)

/* One call of a command: options and operands, read and checked. */
typedef struct {
    guint options;      /* NrOption: those given */
    uid_t uid;          /* whose manager: 0 is the system's */
    char *runtime_dir;  /* where that manager has its sockets */
    const char *socket; /* --socket DIR; or NULL */
    const char *xml;    /* --xml FILE; or NULL */
    char **operands;    /* NULL-terminated */
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
NrExit nr_reload_run(const NrCall *call);
NrExit nr_hook_run(const NrCall *call);
NrExit nr_complete_run(const NrCall *call);

/* For completion: the table and the options, as main.c has them. */
const NrCommand *nr_command_at(guint index);           /* NULL past the last one */
const char *nr_option_at(guint index, guint *ret_bit); /* long name; NULL past the last one */

/* "netrelayctl: " and one line to standard error, made fit for a terminal. */
void nr_complain(const char *format, ...) G_GNUC_PRINTF(1, 2);

#endif
