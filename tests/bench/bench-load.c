/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The benchmark's load: it speaks for all stations around a relay, in one process. See --help. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "modes.h"
#include "watch.h"

static const char usage[] =
    "usage: bench-load [OPTION]... STATION...\n"
    "  STATION         s:FD stream, d:FD datagrams, g:FD datagrams cut by the kernel, t:FD TAP\n"
    "  --flow A:B[:N]  frames from station A to B, or `all`; as fast as it goes, or N a second\n"
    "  --sizes S       64, imix, 1514, ... bytes a frame\n"
    "  --window BYTES  at most so many on the way\n"
    "  --one-by-one    a write for each frame, not for 256 KiB\n"
    "  --deaf A        station A is never read\n"
    "  --half A        station A sends half a frame first, and then no more\n"
    "  --hub           stations hear what is for others\n"
    "  --ping A:B      measures round trips between A and B, beside the flows\n"
    "  --burst N:PORT  N clients dial PORT at once and get a broadcast of station 0\n"
    "  --watch PID     counts this process's CPU time and memory\n"
    "  --seconds S     --warm-up S\n"
    "Prints one line of JSON.\n";

static struct mode_options options = {
    .flow = { .sizes = "1514", .window = 512 * 1024 },
    .seconds = 1,
    .warm_up = 0.1,
};
static const char *flow_texts[FLOWS_MAX], *deaf_text, *half_text, *ping_text, *burst_text;
static unsigned flow_texts_count;

static void die(const char *what, int error)
{
    fprintf(stderr, "bench-load: %s: %s\n", what, strerror(-error));
    exit(1);
}

static void take_option(int key)
{
    switch (key) {
    case 'f':
        if (flow_texts_count == FLOWS_MAX)
            die("--flow", -E2BIG);
        flow_texts[flow_texts_count++] = optarg;
        break;
    case 's':
        options.flow.sizes = optarg;
        break;
    case 'w':
        options.flow.window = strtoull(optarg, NULL, 10);
        break;
    case '1':
        options.flow.one_by_one = true;
        break;
    case 'd':
        deaf_text = optarg;
        break;
    case 'h':
        half_text = optarg;
        break;
    case 'H':
        station_hub = true;
        break;
    case 'p':
        ping_text = optarg;
        break;
    case 'b':
        burst_text = optarg;
        break;
    case 'W':
        if (watch_add(optarg) < 0)
            die("--watch", -EINVAL);
        break;
    case 't':
        options.seconds = atof(optarg);
        break;
    case 'u':
        options.warm_up = atof(optarg);
        break;
    default:
        fputs(usage, key == '?' ? stderr : stdout);
        exit(key == '?' ? 2 : 0);
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option table[] = {
        { "flow", 1, NULL, 'f' },       { "sizes", 1, NULL, 's' }, { "window", 1, NULL, 'w' },
        { "one-by-one", 0, NULL, '1' }, { "deaf", 1, NULL, 'd' },  { "half", 1, NULL, 'h' },
        { "hub", 0, NULL, 'H' },        { "ping", 1, NULL, 'p' },  { "burst", 1, NULL, 'b' },
        { "watch", 1, NULL, 'W' },      { "help", 0, NULL, 'x' },  { "seconds", 1, NULL, 't' },
        { "warm-up", 1, NULL, 'u' },    { NULL, 0, NULL, 0 },
    };
    int key;

    while ((key = getopt_long(argc, argv, "", table, NULL)) != -1)
        take_option(key);
}

/* The stations first: what the options say of them refers to them. */
static void add_all(char **texts)
{
    int r;

    for (; *texts; texts++) {
        r = flows_add_station(*texts);
        if (r < 0)
            die(*texts, r);
    }
    for (unsigned i = 0; i < flow_texts_count; i++) {
        r = flow_add(flow_texts[i], &options.flow);
        if (r < 0)
            die(flow_texts[i], r);
    }
    options.has_flows = flow_texts_count > 0;
}

static struct station *named(const char *text)
{
    struct station *s = flows_station((unsigned)atoi(text));

    if (!s)
        die(text, -ENODEV);
    return s;
}

static void send_half(struct station *s)
{
    struct batch one;

    if (batch_init(&one, "1514", 1514, true, CONTENT_DATA, s->index, TO_ALL) < 0 ||
        write(s->fd, one.data, 700) != 700)
        die("half a frame", -errno);
    batch_done(&one);
}

static int run(void)
{
    if (ping_text) {
        if (sscanf(ping_text, "%u:%u", &options.ping_one, &options.ping_other) != 2)
            die(ping_text, -EINVAL);
        return mode_ping(&options);
    }
    if (burst_text) {
        if (sscanf(burst_text, "%u:%hu", &options.clients, &options.l4_port) != 2)
            die(burst_text, -EINVAL);
        return mode_burst(&options);
    }
    return mode_throughput(&options);
}

int main(int argc, char **argv)
{
    int r;

    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    read_options(argc, argv);
    add_all(argv + optind);
    if (deaf_text)
        flows_deafen(named(deaf_text));
    if (half_text)
        send_half(named(half_text));
    r = run();
    if (r < 0)
        die(r == -ETIME ? "the stations do not reach one another" : "measuring", r);
    return 0;
}
