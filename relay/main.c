/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of netrelay, and the two inner programs it runs itself as. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "relay/forwarder.h"
#include "relay/keeper.h"
#include "relay/resolver.h"

#define EXIT_USAGE      2
#define STALL_DEFAULT_S 2
#define STALL_MAX_S     3600
#define QUEUE_DEFAULT   (1024 * 1024)

/* What one option does with its argument. False: it is not what was expected. */
struct option {
    const char *name;
    const char *argument; /* NULL: none */
    const char *expected;
    const char *help;
    bool (*apply)(struct keeper_config *config, const char *argument);
};

static bool apply_verbose(struct keeper_config *config, const char *argument)
{
    if (config->log_level < LOG_LEVEL_DEBUG)
        ++config->log_level;
    return true;
}

static bool listens; /* -l: a switch, and the next argument is where */

static bool add_endpoint(struct keeper_config *config, const struct endpoint *endpoint,
                         const char *text)
{
    if (config->n_endpoints == KEEPER_ENDPOINTS_MAX)
        return false;
    config->endpoints[config->n_endpoints] = *endpoint;
    config->endpoint_texts[config->n_endpoints++] = text;
    return true;
}

static bool apply_listen(struct keeper_config *config, const char *argument)
{
    struct endpoint endpoint;
    const char *expected;

    listens = true;
    return endpoint_parse_listen(&endpoint, argument, &expected) == 0 &&
           add_endpoint(config, &endpoint, argument);
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

/* Digits only, from min to max. */
static bool read_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return !errno && !*end && *ret >= min && *ret <= max;
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
    return read_number(argument, SHARED_QUEUE_MIN, SHARED_QUEUE_MAX, &config->queue_bound);
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

    limits_storm = read_number(argument, 0, PORT_STORM_MAX, &rate);
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

    if (!read_number(argument, 0, 1 << 20, &fd) || fcntl((int)fd, F_GETFD) < 0)
        return false;
    config->control_fd = (int)fd;
    return true;
}

static bool apply_help(struct keeper_config *config, const char *argument);

static bool apply_version(struct keeper_config *config, const char *argument)
{
    puts("netrelay " NR_VERSION);
    exit(EXIT_SUCCESS);
}

static const struct option options[] = {
    { "-v", NULL, NULL, "say more; twice: still more", apply_verbose },
    { "-l", "[ADDR:]PORT", "[ADDR:]PORT", "listen for any number of clients: a switch",
      apply_listen },
    { "--hub", NULL, NULL, "repeat every frame to all, do not learn", apply_hub },
    { "--control", "PATH", "a path", "make a control socket there", apply_control },
    { "--stall", "SECONDS", "seconds from 0 to 3600",
      "how long a wire may push back before it drops (2)", apply_stall },
    { "--queue", "BYTES", "bytes from 4096 to 268435456",
      "how much may wait for a slow port (1048576)", apply_queue },
    { "--storm", "FRAMES", "frames a second from 0 (no limit) to 100000000",
      "floods a second taken from a port (100000)", apply_storm },
    { "--loops", "guard|ignore", "guard or ignore", "find loops and block a port (guard)",
      apply_loops },
    { "--link-local", "forward|drop", "forward or drop", "frames for bridges, as LLDP (forward)",
      apply_link_local },
    /* netrelayd's own, not shown */
    { "--managed", NULL, NULL, NULL, apply_managed },
    { "--network", "NAME", "a name", NULL, apply_network },
    { "--control-fd", "N", "the number of an open socket", NULL, apply_control_fd },
    { "--help", NULL, NULL, NULL, apply_help },
    { "--version", NULL, NULL, NULL, apply_version },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static bool apply_help(struct keeper_config *config, const char *argument)
{
    puts("netrelay " NR_VERSION " - joins QEMU's socket NICs, TAPs and other relays\n"
         "  netrelay [OPTION...] ENDPOINT ENDPOINT             a wire\n"
         "  netrelay [OPTION...] -l [ADDR:]PORT [ENDPOINT...]  a switch\n");
    for (size_t i = 0; i < N_OPTIONS; ++i)
        if (options[i].help)
            printf("  %-12s %-12s %s\n", options[i].name,
                   options[i].argument ? options[i].argument : "", options[i].help);
    puts("\nENDPOINT is one of these; ADDR is IPv4, IPv6 in brackets, or a host name:\n"
         "  -, fd:N                     stdio; an inherited stream socket or TAP\n"
         "  [tcp:]ADDR:PORT, unix:PATH  TCP or UNIX stream, dialled again and again\n"
         "  listen:[ADDR:]PORT          TCP, listened on; unix-listen:PATH is UNIX\n"
         "  LPORT:ADDR:RPORT            UDP; udp:LADDR:LPORT:ADDR:RPORT; udp:LPORT,learn\n"
         "  unix-dgram:PATH:PEER        UNIX datagrams, our socket's path and the peer's\n"
         "  mcast:GROUP:PORT[@DEVICE]   a group of IP multicast, on this device\n"
         "  [bridge:]NAME, tap:NAME     a TAP of ours in this bridge; this TAP\n"
         "  user:[OPTION,...], vde:PATH DHCP, DNS, NAT for guests; a VDE switch");
    exit(EXIT_SUCCESS);
}

static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < N_OPTIONS; ++i)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

static int wrong(const char *argument, const char *what, const char *expected)
{
    char shown[200];

    log_error("'%s': %s%s", log_printable(argument, shown, sizeof(shown)), what, expected);
    return EXIT_USAGE;
}

static int read_endpoint(struct keeper_config *config, const char *text)
{
    const char *expected = "an endpoint";
    struct endpoint endpoint;

    if (endpoint_parse(&endpoint, text, &expected) < 0)
        return wrong(text, "expected ", expected);
    if (!add_endpoint(config, &endpoint, text))
        return wrong(text, "too many endpoints", "");
    return 0;
}

/* Returns 0, or an exit status after one line that says which argument is wrong. */
static int read_arguments(struct keeper_config *config, char **argv)
{
    bool only_endpoints = false;

    for (; *argv; ++argv) {
        const struct option *option = only_endpoints ? NULL : find_option(*argv);
        const char *argument = NULL;
        int r;

        if (!option && !only_endpoints && strcmp(*argv, "--") == 0) {
            only_endpoints = true;
            continue;
        }
        if (!option && !only_endpoints && (*argv)[0] == '-' && (*argv)[1])
            return wrong(*argv, "there is no such option", "");
        if (!option) {
            r = read_endpoint(config, *argv);
            if (r)
                return r;
            continue;
        }
        if (option->argument && !*++argv)
            return wrong(option->name, "it needs ", option->expected);
        argument = *argv;
        if (!option->apply(config, argument))
            return wrong(argument, "expected ", option->expected);
    }
    return 0;
}

/* What only the whole of the arguments can show. */
static int check_config(struct keeper_config *config)
{
    unsigned stdios = 0;

    for (unsigned i = 0; i < config->n_endpoints; ++i)
        if (config->endpoints[i].kind == ENDPOINT_STDIO && stdios++)
            return wrong(config->endpoint_texts[i], "it can be given once only", "");
    if (config->managed) {
        if (config->n_endpoints)
            return wrong(config->endpoint_texts[0], "--managed takes no endpoints", "");
        if (config->control_fd < 0)
            return wrong("--managed", "it needs ", "--control-fd");
        return 0;
    }
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

/* Descriptors 0, 1 and 2 must be somebody's, or the next socket would be. */
static int open_standard(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
    return fd < 0 ? -errno : 0;
}

static int run_inner(int argc, char **argv)
{
    uint64_t level;

    if (argc == 4 && strcmp(argv[1], "--resolve") == 0)
        return resolver_main(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "--forwarder") == 0 &&
        read_number(argv[2], LOG_LEVEL_ERROR, LOG_LEVEL_DEBUG, &level)) {
        log_open(argv[3], (enum log_level)level);
        return forwarder_main(argv[3]);
    }
    return -1;
}

int main(int argc, char **argv)
{
    static struct keeper_config config = {
        .network = "",
        .log_level = LOG_LEVEL_NOTICE,
        .stall_ms = STALL_DEFAULT_S * 1000,
        .queue_bound = QUEUE_DEFAULT,
        .control_fd = -1,
    };
    int status;

    if (open_standard() < 0)
        return EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* the keeper's alone, and harmless before it is ready */
    status = run_inner(argc, argv);
    if (status >= 0)
        return status;
    log_open("", LOG_LEVEL_NOTICE);
    status = argc > 0 ? read_arguments(&config, argv + 1) : EXIT_USAGE;
    if (status == 0)
        status = check_config(&config);
    if (status)
        return status;
    if (!limits_storm && config.mode != VSWITCH_WIRE)
        config.storm = VSWITCH_STORM;
    log_open(config.network, config.log_level);
    return keeper_main(&config);
}
