/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/hook-client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/scope.h"
#include "ctl/manager.h"
#include "xml/guest.h"

#define AGAIN_US  50000
#define TRIES_MAX 3 /* one that dies of the question itself comes back each time */

#define WHY_ABSENT "netrelayd is not running"
#define WHY_MUTE   "netrelayd does not answer"
#define WHY_SLOW   "netrelayd was not done in time"
#define WHY_DIED   "netrelayd ended while it worked on it"

/* The XML in a memfd that nobody can change while the manager reads it. Descriptor, or -errno. */
static int sealed_copy(const char *xml, gsize length)
{
    _cleanup_(closep) int fd = memfd_create("netrelay-domain-xml", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    gsize done = 0;

    if (fd < 0)
        return -errno;
    while (done < length) {
        ssize_t n = write(fd, xml + done, length - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (gsize)n : 0;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        return -errno;
    return steal_fd(&fd);
}

/* A full backlog is waited for, but no longer than timeout_ms. Descriptor, or -errno. */
static int connect_within(const char *runtime_dir, int timeout_ms)
{
    _cleanup_(closep) int dir_fd = nr_manager_open_dir(runtime_dir);
    _cleanup_(closep) int fd = -1;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };

    if (dir_fd < 0)
        return dir_fd;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
        return -errno;
    g_snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd,
               HOOK_SOCKET_NAME);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return steal_fd(&fd);
}

static int send_request(int fd, const NrHookQuestion *question)
{
    _cleanup_(closep) int xml_fd = sealed_copy(question->xml, question->xml_length);
    struct hook_request request = { .magic = HOOK_MAGIC,
                                    .version = HOOK_VERSION,
                                    .op = (uint16_t)question->op };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec iov = { .iov_base = &request, .iov_len = sizeof(request) };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

    if (xml_fd < 0)
        return xml_fd;
    g_strlcpy(request.name, question->guest, sizeof(request.name));
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &xml_fd, sizeof(int));
    return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* One answer: its code, 0 when the manager hung up, -ETIMEDOUT, or -errno. */
static int next_answer(int fd, gint64 deadline_us, char text[HOOK_ANSWER_MAX + 1])
{
    for (;;) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        gint64 left_ms = MAX(0, (deadline_us - g_get_monotonic_time()) / 1000);
        int r = poll(&poll_fd, 1, (int)left_ms);
        ssize_t n;

        if (r == 0)
            return -ETIMEDOUT;
        n = r < 0 ? -1 : recv(fd, text, HOOK_ANSWER_MAX, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return errno == ECONNRESET ? 0 : -errno;
        text[n] = '\0';
        return n == 0 ? 0 : (unsigned char)text[0];
    }
}

static NrHookOutcome outcome(NrHookOutcome outcome, const char *sentence, char **ret_sentence)
{
    g_free(*ret_sentence);
    *ret_sentence = nr_printable(sentence);
    return outcome;
}

/* Progress renews nothing but the first deadline, and waiting for others its own: the whole is
 * bounded, whoever reports what. *ret_again_ms: 0, or how long to look for the successor of one
 * that died: a guest that was told to wait has an address that is still held for somebody. */
static NrHookOutcome await_answer(int fd, gint64 began_us, const NrHookQuestion *question,
                                  gint64 *ret_again_ms, char **ret_sentence)
{
    gint64 again_ms = question->again_ms;
    gint64 now_us = g_get_monotonic_time();
    gint64 first_us = now_us + question->first_sign_ms * 1000LL;
    gint64 last_us = now_us + question->deadline_ms * 1000LL;
    gint64 waited_us = began_us + (question->deadline_ms + question->waiting_ms) * 1000LL;
    gboolean heard = FALSE;
    char text[HOOK_ANSWER_MAX + 1];

    for (;;) {
        int code = next_answer(fd, heard ? last_us : first_us, text);

        switch (code) {
        case HOOK_PROGRESS:
            break;
        case HOOK_WAITING:
            last_us = MIN(waited_us, g_get_monotonic_time() + question->deadline_ms * 1000LL);
            again_ms = question->again_ms ? question->deadline_ms : 0;
            break;
        case HOOK_NOTE:
            outcome(NR_HOOK_OK, text + 1, ret_sentence);
            break;
        case HOOK_OK:
            return NR_HOOK_OK;
        case HOOK_REFUSED:
            return outcome(NR_HOOK_REFUSED, text + 1, ret_sentence);
        default: /* hung up, late, broken, or a language we do not know */
            *ret_again_ms = code == 0 ? again_ms : 0;
            return outcome(NR_HOOK_MUTE,
                           code != -ETIMEDOUT ? WHY_DIED
                           : heard            ? WHY_SLOW
                                              : WHY_MUTE,
                           ret_sentence);
        }
        heard = TRUE;
    }
}

static NrHookOutcome ask(int fd, gint64 began_us, const NrHookQuestion *question,
                         gint64 *ret_again_ms, char **ret_sentence)
{
    int r = fd < 0 ? fd : send_request(fd, question);

    *ret_again_ms = 0;
    if (r == -EAGAIN || r == -ETIMEDOUT)
        return outcome(NR_HOOK_MUTE, WHY_MUTE, ret_sentence);
    if (r == -EPIPE || r == -ECONNRESET) { /* it was dying when it was asked */
        *ret_again_ms = question->again_ms;
        return outcome(NR_HOOK_MUTE, WHY_DIED, ret_sentence);
    }
    if (r < 0)
        return outcome(NR_HOOK_ABSENT, WHY_ABSENT, ret_sentence);
    return await_answer(fd, began_us, question, ret_again_ms, ret_sentence);
}

/* The manager may be restarting: its successor takes the question, if it comes soon. Descriptor, or
 * -errno. */
static int connect_again(const NrHookQuestion *question, gint64 again_ms)
{
    gint64 until_us = g_get_monotonic_time() + again_ms * 1000;

    for (;;) {
        int fd = connect_within(question->runtime_dir, question->first_sign_ms);

        if ((fd != -ECONNREFUSED && fd != -ENOENT) || g_get_monotonic_time() >= until_us)
            return fd;
        g_usleep(AGAIN_US);
    }
}

NrHookOutcome nr_hook_ask(const NrHookQuestion *question, char **ret_sentence)
{
    gint64 began_us = g_get_monotonic_time();
    int fd = connect_within(question->runtime_dir, question->first_sign_ms);
    NrHookOutcome result = NR_HOOK_MUTE;
    gint64 again_ms, patience_ms = 0;

    *ret_sentence = NULL;
    for (guint tries = 1;; tries++) {
        g_autofree char *sentence = NULL;
        NrHookOutcome outcome = ask(fd, began_us, question, &again_ms, &sentence);

        closep(&fd);
        if (tries == 1 || outcome == NR_HOOK_OK || outcome == NR_HOOK_REFUSED) {
            result = outcome;
            g_free(*ret_sentence);
            *ret_sentence = g_steal_pointer(&sentence);
        } /* else: that the first one died is what there is to say */
        if (again_ms == 0 || tries == TRIES_MAX)
            return result;
        patience_ms = MAX(patience_ms, again_ms); /* what the first one said holds for the next */
        fd = connect_again(question, patience_ms);
    }
}
