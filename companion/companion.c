/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "companion/companion.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "relay/log.h"

static int socket_type(int fd)
{
    int type = -1;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ? -1 : type;
}

const char *companion_begin(int argc, char **argv)
{
    int level = argc == 4 ? argv[1][0] - '0' : -1;

    if (level < LOG_LEVEL_ERROR || level > LOG_LEVEL_DEBUG ||
        socket_type(COMPANION_FRAMES_FD) != SOCK_STREAM ||
        socket_type(COMPANION_WORDS_FD) != SOCK_SEQPACKET) {
        fprintf(stderr, "%s: netrelay runs this program; it does nothing by itself\n",
                argc > 0 ? argv[0] : "");
        return NULL;
    }
    /* A relay that dies before this line is seen by the end of its sockets. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* A signal to the whole group is the relay's, which ends us with itself. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    log_open(argv[2], (enum log_level)level);
    return argv[3];
}

static void say(const struct companion_word *word)
{
    if (send(COMPANION_WORDS_FD, word, sizeof(*word), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        companion_end(); /* nobody is left to hear it */
}

void companion_is_up(void)
{
    const struct companion_word word = { .error = 0 };

    say(&word);
}

void companion_fail(int r, const char *format, ...)
{
    struct companion_word word = { .error = r };
    va_list args;

    va_start(args, format);
    vsnprintf(word.text, sizeof(word.text), format, args);
    va_end(args);
    say(&word);
    companion_end();
}

void companion_end(void)
{
    _exit(EXIT_SUCCESS);
}
