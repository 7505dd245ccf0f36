/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelay, and the two inner programs that it runs itself as. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "relay/command-line.h"
#include "relay/forwarder.h"
#include "relay/keeper.h"
#include "relay/resolver.h"

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
        command_line_number(argv[2], LOG_LEVEL_ERROR, LOG_LEVEL_DEBUG, &level)) {
        log_open(argv[3], (enum log_level)level);
        return forwarder_main(argv[3]);
    }
    return -1;
}

int main(int argc, char **argv)
{
    static struct keeper_config config;
    int status;

    if (open_standard() < 0)
        return EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* the keeper's alone, and harmless before it is ready */
    status = run_inner(argc, argv);
    if (status >= 0)
        return status;
    log_open("", LOG_LEVEL_NOTICE);
    status = command_line_read(&config, argc, argv);
    if (status)
        return status;
    log_open(config.network, config.log_level);
    return keeper_main(&config);
}
