/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/command-line.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "relay/keeper.h"

#define EXIT_USAGE      2
#define STALL_DEFAULT_S 2
#define STALL_MAX_S     3600
#define QUEUE_DEFAULT   (1024 * 1024)

/* What one option does with its argument. False: it is not what was expected. */
struct row {
    const char *name;     /* without hyphens; of one letter: short */
    const char *argument; /* NULL: none */
    const char *expected;
    const char *help; /* NULL: not shown */
    bool (*apply)(struct keeper_config *config, const char *argument);
};

bool command_line_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return !errno && !*end && *ret >= min && *ret <= max;
}

static bool apply_verbose(struct keeper_config *config, const char *argument)
{
    if (config->log_level < LOG_LEVEL_DEBUG)
        ++config->log_level;
    return true;
}

static bool apply_hub(struct keeper_config *config, const char *argument)
{
    config->mode = VSWITCH_HUB;
    return true;
}

static bool apply_control(struct keeper_config *config, const char *argument)
{
    config->control_path = argument;
    return *argument != '\0';
}

static bool apply_stall(struct keeper_config *config, const char *argument)
{
    double seconds;
    char *end;

    if (*argument < '0' || *argument > '9')
        return false;
    seconds = strtod(argument, &end);
    if (*end || !(seconds <= STALL_MAX_S))
        return false;
    config->stall_ms = (uint32_t)(seconds * 1000);
    return true;
}

static bool apply_queue(struct keeper_config *config, const char *argument)
{
    return command_line_number(argument, SHARED_QUEUE_MIN, SHARED_QUEUE_MAX, &config->queue_bound);
}

static bool apply_link_local(struct keeper_config *config, const char *argument)
{
    config->drop_link_local = strcmp(argument, "drop") == 0;
    return config->drop_link_local || strcmp(argument, "forward") == 0;
}

static bool apply_loops(struct keeper_config *config, const char *argument)
{
    config->ignore_loops = strcmp(argument, "ignore") == 0;
    return config->ignore_loops || strcmp(argument, "guard") == 0;
}

static bool limits_storm; /* --storm: not what the mode has by itself */

static bool apply_storm(struct keeper_config *config, const char *argument)
{
    uint64_t rate = 0;

    limits_storm = command_line_number(argument, 0, PORT_STORM_MAX, &rate);
    config->storm = (uint32_t)rate;
    return limits_storm;
}

static bool apply_managed(struct keeper_config *config, const char *argument)
{
    config->managed = true;
    return true;
}

static bool apply_network(struct keeper_config *config, const char *argument)
{
    config->network = argument;
    return true;
}

static bool apply_control_fd(struct keeper_config *config, const char *argument)
{
    uint64_t fd;

    if (!command_line_number(argument, 0, 1 << 20, &fd) || fcntl((int)fd, F_GETFD) < 0)
        return false;
    config->control_fd = (int)fd;
    return true;
}

static bool apply_deposited(struct keeper_config *config, const char *argument)
{
    uint64_t n;

    if (!command_line_number(argument, 2, 2 + SHARED_PORTS, &n))
        return false;
    config->n_deposited = (unsigned)n;
    return true;
}

static bool apply_help(struct keeper_config *config, const char *argument);

static bool apply_version(struct keeper_config *config, const char *argument)
{
    puts("netrelay " NR_VERSION);
    exit(EXIT_SUCCESS);
}

/* -l is read with the endpoints. */
static const struct row rows[] = {
    { "v", NULL, NULL, "say more; twice: still more", apply_verbose },
    { "l", "[ADDR:]PORT", "[ADDR:]PORT", "listen for any number of clients: a switch", NULL },
    { "hub", NULL, NULL, "repeat every frame to all, do not learn", apply_hub },
    { "control", "PATH", "a path", "make a control socket there", apply_control },
    { "stall", "SECONDS", "seconds from 0 to 3600", "how long a wire waits for a stuck end (2)",
      apply_stall },
    { "queue", "BYTES", "bytes from 4096 to 268435456",
      "how much may wait for a slow port (1048576)", apply_queue },
    { "storm", "FRAMES", "frames a second from 0 (no limit) to 100000000",
      "floods a second taken from a port (100000)", apply_storm },
    { "loops", "guard|ignore", "guard or ignore", "find loops and block a port (guard)",
      apply_loops },
    { "link-local", "forward|drop", "forward or drop", "frames for bridges, as LLDP (forward)",
      apply_link_local },
    /* netrelayd's own */
    { "managed", NULL, NULL, NULL, apply_managed },
    { "network", "NAME", "a name", NULL, apply_network },
    { "control-fd", "N", "the number of an open socket", NULL, apply_control_fd },
    { "deposited", "N", "how many descriptors follow the control socket's, from 2 on", NULL,
      apply_deposited },
    { "help", NULL, NULL, NULL, apply_help },
    { "version", NULL, NULL, NULL, apply_version },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const char endpoints_help[] =
    "\nENDPOINT[,OPTION...]; ADDR is IPv4, IPv6 in brackets, or a host name:\n"
    "  [tcp:]ADDR:PORT, listen:[ADDR:]PORT         TCP, dialled for ever; listened on\n"
    "  LPORT:ADDR:RPORT, udp:LADDR:LPORT:ADDR:RPORT   UDP; a port may be left out\n"
    "  udp:[LADDR:]LPORT,learn  UDP, with whoever sends the first frame\n"
    "  mcast:GROUP:PORT[@IF]    IP multicast on this device or address; ttl=HOPS\n"
    "  unix:PATH, unix-listen:PATH, unix-dgram:PATH:PEER   QEMU's stream and dgram\n"
    "  [bridge:]NAME, tap:NAME  a TAP of ours in a bridge; a TAP, ip=ADDR/PREFIX\n"
    "  user:[KEY=VALUE,...], vde:PATH  DHCP, DNS and NAT for guests; a VDE switch\n"
    "  -, fd:N                  stdin and stdout; an inherited socket or TAP\n"
    "OPTION: pin[=MAC], allow=MAC[/BITS], deny=MAC[/BITS], storm=FRAMES, guest,\n"
    "  ingress=RATE, egress=RATE: AVERAGE[:PEAK[:BURST]] in KiB a second and KiB";

static bool is_short(const struct row *row)
{
    return !row->name[1];
}

static bool apply_help(struct keeper_config *config, const char *argument)
{
    puts("netrelay " NR_VERSION " - joins QEMU's socket NICs, TAPs and other relays\n"
         "  netrelay [OPTION...] ENDPOINT ENDPOINT             a wire\n"
         "  netrelay [OPTION...] -l [ADDR:]PORT [ENDPOINT...]  a switch");
    for (size_t i = 0; i < N_ROWS; ++i)
        if (rows[i].help)
            printf("  %s%-*s %-12s %s\n", is_short(&rows[i]) ? "-" : "--",
                   is_short(&rows[i]) ? 11 : 10, rows[i].name,
                   rows[i].argument ? rows[i].argument : "", rows[i].help);
    puts(endpoints_help);
    exit(EXIT_SUCCESS);
}

static int wrong(const char *argument, const char *what, const char *expected)
{
    char shown[200];

    log_error("'%s': %s%s", log_printable(argument, shown, sizeof(shown)), what, expected);
    return EXIT_USAGE;
}

static int wrong_value(const struct row *row, const char *argument)
{
    char shown[200];

    log_error("--%s '%s': expected %s", row->name, log_printable(argument, shown, sizeof(shown)),
              row->expected);
    return EXIT_USAGE;
}

typedef int parse(struct endpoint *ret, const char *text, const char **ret_expected);

static int add_endpoint(struct keeper_config *config, parse *parse_it, const char *text)
{
    const char *expected = "an endpoint";

    if (config->n_endpoints == KEEPER_ENDPOINTS_MAX)
        return wrong(text, "too many endpoints", "");
    if (parse_it(&config->endpoints[config->n_endpoints], text, &expected) < 0)
        return wrong(text, "expected ", expected);
    config->endpoint_texts[config->n_endpoints++] = text;
    return 0;
}

/* For getopt: value i + 256 is row i, so that no letter is one. */
static void build_getopt(char *shorts, struct option *longs)
{
    *shorts++ = ':'; /* tell what is missing from what is unknown */
    for (size_t i = 0; i < N_ROWS; ++i) {
        if (!is_short(&rows[i])) {
            *longs++ = (struct option){
                .name = rows[i].name,
                .has_arg = rows[i].argument ? required_argument : no_argument,
                .val = (int)i + 256,
            };
            continue;
        }
        *shorts++ = rows[i].name[0];
        if (rows[i].argument)
            *shorts++ = ':';
    }
    *shorts = '\0';
    *longs = (struct option){ 0 };
}

/* NULL where there is none. */
static const struct row *row_of(int value)
{
    if (value >= 256)
        return &rows[value - 256];
    for (size_t i = 0; i < N_ROWS; ++i)
        if (is_short(&rows[i]) && rows[i].name[0] == value)
            return &rows[i];
    return NULL;
}

static int refuse_option(int value, char **argv)
{
    const struct row *row = row_of(optopt);
    const char letter[] = { '-', (char)optopt, '\0' };
    const char *typed = optopt && optopt < 256 ? letter : argv[optind - 1];

    if (value == ':')
        return wrong(typed, "it needs ", row ? row->expected : "an argument");
    if (row) /* known, but not like this */
        return wrong(typed, "it takes no argument", "");
    return wrong(typed, "there is no such option; see --help", "");
}

static int read_arguments(struct keeper_config *config, int argc, char **argv, bool *ret_listens)
{
    char shorts[2 * N_ROWS + 2];
    struct option longs[N_ROWS + 1];
    int value, r = 0;

    build_getopt(shorts, longs);
    opterr = 0;
    while (r == 0 && (value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        const struct row *row = row_of(value);

        if (!row || value == ':') {
            r = refuse_option(value, argv);
        } else if (!row->apply) {
            *ret_listens = true;
            r = add_endpoint(config, endpoint_parse_listen, optarg);
        } else if (!row->apply(config, optarg)) {
            r = wrong_value(row, optarg);
        }
    }
    for (; r == 0 && optind < argc; ++optind)
        r = add_endpoint(config, endpoint_parse, argv[optind]);
    return r;
}

/* One thing, whatever is said of its port. A far end that took us twice would close a loop. */
static bool is_same(const struct endpoint *a, const struct endpoint *b)
{
    struct endpoint bare[2] = { *a, *b };
    char text[2][ENDPOINT_TEXT_MAX];

    for (unsigned i = 0; i < 2; ++i) {
        bare[i].options = (struct port_options){ 0 };
        endpoint_format(&bare[i], text[i]);
    }
    return strcmp(text[0], text[1]) == 0;
}

static int refuse_twice(const struct keeper_config *config)
{
    for (unsigned i = 1; i < config->n_endpoints; ++i)
        for (unsigned k = 0; k < i; ++k)
            if (is_same(&config->endpoints[i], &config->endpoints[k]))
                return wrong(config->endpoint_texts[i], "it can be given once only", "");
    return 0;
}

/* What only the whole of the arguments can show. */
static int check(struct keeper_config *config, bool listens)
{
    int r = refuse_twice(config);

    if (r)
        return r;
    if (config->managed) {
        if (config->n_endpoints)
            return wrong(config->endpoint_texts[0], "--managed takes no endpoints", "");
        if (config->control_fd < 0)
            return wrong("--managed", "it needs ", "--control-fd");
        return 0;
    }
    if (config->n_deposited)
        return wrong("--deposited", "it needs ", "--managed");
    if (listens)
        return 0;
    if (config->n_endpoints == 0) {
        log_error("two endpoints, or -l, are needed; see --help");
        return EXIT_USAGE;
    }
    if (config->n_endpoints != 2)
        return wrong(config->endpoint_texts[config->n_endpoints - 1],
                     config->n_endpoints > 2 ? "one too many: " : "it needs another end: ",
                     "two endpoints, or -l, are needed; see --help");
    if (config->mode == VSWITCH_SWITCH)
        config->mode = VSWITCH_WIRE;
    return 0;
}

int command_line_read(struct keeper_config *config, int argc, char **argv)
{
    bool listens = false;
    int r;

    config->network = "";
    config->log_level = LOG_LEVEL_NOTICE;
    config->stall_ms = STALL_DEFAULT_S * 1000;
    config->queue_bound = QUEUE_DEFAULT;
    config->control_fd = -1;
    r = read_arguments(config, argc, argv, &listens);
    if (r == 0)
        r = check(config, listens);
    if (r == 0 && !limits_storm && config->mode != VSWITCH_WIRE)
        config->storm = VSWITCH_STORM;
    return r;
}
