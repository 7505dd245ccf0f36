/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/dnsmasq.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/scope.h"
#include "daemon/child.h"
#include "daemon/dnsmasq-conf.h"
#include "daemon/log.h"

#define PROGRAM        "/usr/sbin/dnsmasq"
#define USER           "dnsmasq"
#define NOBODY         "nobody" /* where dnsmasq has no user of its own */
#define END_MS         5000
#define LINE_MAX_BYTES 512

struct NrDnsmasq {
    char *network;
    void (*ended)(const char *text, gpointer data);
    gpointer data;
    pid_t pid; /* not reaped while child_watch is there */
    guint child_watch, words_watch, deadline;
    int words; /* its standard error */
    GString *line;
    char *last_words; /* the last whole line, or NULL */
    gint64 began_us;
};

static void source_clear(guint *source)
{
    if (*source)
        g_source_remove(*source);
    *source = 0;
}

/* What it says */

/* "dnsmasq[17]: started" and "dnsmasq: cannot ..." without their beginning. */
static const char *without_name(const char *line)
{
    const char *colon = strstr(line, ": ");

    return g_str_has_prefix(line, "dnsmasq") && colon ? colon + 2 : line;
}

static void end_line(NrDnsmasq *dnsmasq)
{
    if (dnsmasq->line->len > 0) {
        g_free(dnsmasq->last_words);
        dnsmasq->last_words = g_strdup(without_name(dnsmasq->line->str));
        nr_log(NR_LOG_DEBUG, "network %s: dnsmasq: %s", dnsmasq->network, dnsmasq->last_words);
    }
    g_string_truncate(dnsmasq->line, 0);
}

/* FALSE: it has no more to say. */
static gboolean hear(NrDnsmasq *dnsmasq)
{
    char bytes[4096];
    ssize_t n = read(dnsmasq->words, bytes, sizeof(bytes));

    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '\n')
            end_line(dnsmasq);
        else if (dnsmasq->line->len < LINE_MAX_BYTES)
            g_string_append_c(dnsmasq->line, bytes[i]);
    }
    return n > 0;
}

static gboolean on_words(gint fd, GIOCondition condition, gpointer data)
{
    NrDnsmasq *dnsmasq = data;

    if (hear(dnsmasq) || errno == EAGAIN)
        return G_SOURCE_CONTINUE;
    dnsmasq->words_watch = 0;
    return G_SOURCE_REMOVE;
}

/* Its end */

static char *end_text(const NrDnsmasq *dnsmasq, int status)
{
    if (WIFSIGNALED(status))
        return g_strdup_printf("dnsmasq was killed by signal %d", WTERMSIG(status));
    if (dnsmasq->last_words)
        return g_strdup_printf("dnsmasq ended: %s", dnsmasq->last_words);
    return g_strdup_printf("dnsmasq ended with exit status %d", WEXITSTATUS(status));
}

static void on_ended(GPid pid, gint status, gpointer data)
{
    NrDnsmasq *dnsmasq = data;
    g_autofree char *text = NULL;

    dnsmasq->child_watch = 0;
    source_clear(&dnsmasq->deadline);
    while (dnsmasq->words_watch && hear(dnsmasq))
        ;
    end_line(dnsmasq);
    text = end_text(dnsmasq, status);
    dnsmasq->ended(text, dnsmasq->data);
}

static gboolean on_end_late(gpointer data)
{
    NrDnsmasq *dnsmasq = data;

    dnsmasq->deadline = 0;
    kill(dnsmasq->pid, SIGKILL);
    return G_SOURCE_REMOVE;
}

void nr_dnsmasq_end(NrDnsmasq *dnsmasq)
{
    if (!dnsmasq->child_watch || dnsmasq->deadline)
        return;
    kill(dnsmasq->pid, SIGTERM);
    dnsmasq->deadline = g_timeout_add(END_MS, on_end_late, dnsmasq);
}

static void on_reaped(GPid pid, gint status, gpointer data)
{
}

void nr_dnsmasq_free(NrDnsmasq *dnsmasq)
{
    if (!dnsmasq)
        return;
    if (dnsmasq->child_watch) {
        kill(dnsmasq->pid, SIGTERM);
        g_source_remove(dnsmasq->child_watch);
        g_child_watch_add(dnsmasq->pid, on_reaped, NULL);
    }
    source_clear(&dnsmasq->words_watch);
    source_clear(&dnsmasq->deadline);
    closep(&dnsmasq->words);
    g_string_free(dnsmasq->line, TRUE);
    g_free(dnsmasq->last_words);
    g_free(dnsmasq->network);
    g_free(dnsmasq);
}

gint64 nr_dnsmasq_age_ms(const NrDnsmasq *dnsmasq)
{
    return (g_get_monotonic_time() - dnsmasq->began_us) / 1000;
}

/* Its start */

/* A directory in another one, which may be there already; dnsmasq's, from an earlier version. */
static int open_dir(int dir_fd, const char *name)
{
    bool made = mkdirat(dir_fd, name, 0755) == 0;
    _cleanup_(closep) int fd =
        openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!made && st.st_uid == geteuid())
        return steal_fd(&fd);
    if (fchown(fd, geteuid(), getegid()) < 0 || fchmod(fd, 0755) < 0) /* the umask is narrow */
        return -errno;
    return steal_fd(&fd);
}

/* The directory is ours, so that we need no right over others' files to remove one of these. */
static int open_leases_dir(void)
{
    g_autofree char *name = g_path_get_basename(NR_LEASES_DIR);
    _cleanup_(closep) int state = open_dir(AT_FDCWD, NR_STATE_DIR);
    _cleanup_(closep) int leases = state < 0 ? state : open_dir(state, name);

    return leases < 0 ? leases : steal_fd(&leases);
}

/* dnsmasq writes to it where it is, and makes none beside it. */
static int make_leases(const char *network, const struct passwd *user)
{
    g_autofree char *name = nr_dnsmasq_leases_name(network);
    _cleanup_(closep) int dir = open_leases_dir();
    _cleanup_(closep) int file =
        dir < 0 ? dir : openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (dir < 0)
        return dir;
    if (file < 0 && errno != EEXIST)
        return -errno;
    return fchownat(dir, name, user->pw_uid, user->pw_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* A file that nobody else has, to be read from its beginning. */
static int hold_text(const char *text)
{
    _cleanup_(closep) int fd = memfd_create("dnsmasq.conf", MFD_CLOEXEC);
    size_t length = strlen(text);

    if (fd < 0)
        return -errno;
    if (write(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) < 0)
        return -EIO;
    return steal_fd(&fd);
}

/* For DHCP it writes to the kernel's table of neighbours, for router advertisements to a raw
 * socket, and all its ports are low. */
static pid_t run(const struct passwd *user, int conf, int words)
{
    char *const argv[] = { (char *)"dnsmasq", (char *)"--keep-in-foreground",
                           (char *)"--conf-file=-", NULL };
    const NrChild child = { .program = PROGRAM,
                            .argv = argv,
                            .switch_user = TRUE,
                            .uid = user->pw_uid,
                            .gid = user->pw_gid,
                            .capabilities = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW |
                                            1u << CAP_NET_BIND_SERVICE,
                            .input = conf,
                            .errors = words,
                            .ends_with_us = TRUE };

    return nr_child_run(&child);
}

static char *start_sentence(int error)
{
    if (error == -ENOENT)
        return g_strdup(PROGRAM " is not there; install dnsmasq-base");
    return g_strdup_printf("cannot start " PROGRAM ": %s", g_strerror(-error));
}

static NrDnsmasq *dnsmasq_new(const char *network, pid_t pid, int words)
{
    NrDnsmasq *dnsmasq = g_new0(NrDnsmasq, 1);

    dnsmasq->network = g_strdup(network);
    dnsmasq->pid = pid;
    dnsmasq->words = words;
    dnsmasq->line = g_string_new(NULL);
    dnsmasq->began_us = g_get_monotonic_time();
    dnsmasq->words_watch = g_unix_fd_add(words, G_IO_IN, on_words, dnsmasq);
    dnsmasq->child_watch = g_child_watch_add(pid, on_ended, dnsmasq);
    return dnsmasq;
}

NrDnsmasq *nr_dnsmasq_start(const char *network, const char *conf,
                            void (*ended)(const char *text, gpointer data), gpointer data,
                            int *ret_error, char **ret_text)
{
    const struct passwd *user = getpwnam(USER) ?: getpwnam(NOBODY);
    _cleanup_(closep) int text = hold_text(conf);
    _cleanup_(closep) int ours = -1, theirs = -1;
    NrDnsmasq *dnsmasq;
    int ends[2];
    pid_t pid;
    int r;

    r = user ? make_leases(network, user) : -ESRCH;
    if (r < 0) {
        *ret_error = r;
        *ret_text = g_strdup_printf("its leases in " NR_LEASES_DIR " cannot be made, for dnsmasq's "
                                    "user: %s",
                                    g_strerror(-r));
        return NULL;
    }
    if (text >= 0 && pipe2(ends, O_CLOEXEC) == 0) {
        ours = ends[0];
        theirs = ends[1];
    }
    pid = text < 0 ? text : ours < 0 ? -errno : run(user, text, theirs);
    if (pid < 0) {
        *ret_error = (int)pid;
        *ret_text = start_sentence((int)pid);
        return NULL;
    }
    (void)g_unix_set_fd_nonblocking(ours, TRUE, NULL);
    dnsmasq = dnsmasq_new(network, pid, steal_fd(&ours));
    dnsmasq->ended = ended;
    dnsmasq->data = data;
    return dnsmasq;
}
