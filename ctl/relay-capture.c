/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netrelayctl --relay PATH capture: frames of a running relay as pcapng. The relay never waits for
 * us: where we are too slow, or whoever reads us is, frames are missing, and that is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/capture-proto.h"
#include "common/scope.h"
#include "ctl/capture-file.h"
#include "ctl/relay-rows.h"
#include "ctl/row.h"
#include "xml/guest.h"

#define SOCKET_BUFFER (1024 * 1024) /* what may lie between the relay and us */
#define BEGIN_MS      5000
#define END_GRACE_MS  1000 /* for a pipe's reader to take the rest */
#define SIZE_MIN      1024
#define SECONDS_MAX   (366.0 * 24 * 3600)
#define PIPE_CHUNK    4096 /* PIPE_BUF: a writable pipe takes it without waiting */

typedef struct {
    const NrCall *call;
    NrRelayClient *client;
    NrRelayRows *rows;
    NrCaptureFile *file;
    GArray *ports, *endpoints; /* guint32: ids that are meant; both empty: all */
    guint32 snaplen;
    double seconds;     /* G_MAXDOUBLE: no bound */
    gint64 deadline_us; /* of the same, once it has begun; or of its beginning */
    const char *out_name;
    int out;
    gboolean out_is_file;
    int reader;  /* our end of the records' socket */
    int signals; /* signalfd */
    gboolean
        over; /* no more records: told to end, the time is up, the ports or the relay are gone */
    gboolean relay_gone;
    gboolean reader_gone; /* who read the pipe has seen enough */
} Capture;

/* Bounds */

static gboolean read_size(const char *text, guint64 min, guint64 max, guint64 *ret)
{
    static const char units[] = "KMGT";
    g_autofree char *digits = g_strdup(text);
    gsize length = strlen(digits);
    const char *unit = length ? strchr(units, digits[length - 1]) : NULL;
    guint shift = unit && *unit ? 10 * (guint)(unit - units + 1) : 0;

    if (shift)
        digits[length - 1] = '\0';
    if (!g_ascii_string_to_unsigned(digits, 10, 0, G_MAXUINT64 >> shift, ret, NULL))
        return FALSE;
    *ret <<= shift;
    return *ret >= min && *ret <= max;
}

static gboolean read_seconds(const char *text, double *ret)
{
    char *end;

    if (!g_ascii_isdigit(*text))
        return FALSE;
    *ret = g_ascii_strtod(text, &end);
    return !*end && *ret <= SECONDS_MAX;
}

static gboolean expect(gboolean is_good, const char *option, const char *text, const char *expected)
{
    if (!is_good)
        nr_complain("--%s '%s': expected %s", option, text, expected);
    return is_good;
}

static gboolean read_bounds(Capture *capture, NrCaptureBounds *bounds)
{
    const NrCall *call = capture->call;
    guint64 snaplen = CAPTURE_SNAPLEN_MAX;

    *bounds = (NrCaptureBounds){ G_MAXUINT64, G_MAXUINT64, G_MAXUINT64, 0 };
    capture->seconds = G_MAXDOUBLE;
    if ((call->size && !expect(read_size(call->size, SIZE_MIN, G_MAXUINT64, &bounds->size), "size",
                               call->size, "bytes from 1024, or with K, M, G or T behind")) ||
        (call->packets && !expect(read_size(call->packets, 1, G_MAXUINT64, &bounds->packets),
                                  "packets", call->packets, "a number from 1")) ||
        (call->snaplen && !expect(read_size(call->snaplen, 14, CAPTURE_SNAPLEN_MAX, &snaplen),
                                  "snaplen", call->snaplen, "bytes from 14 to 69632")) ||
        (call->seconds && !expect(read_seconds(call->seconds, &capture->seconds), "seconds",
                                  call->seconds, "seconds, up to a year")))
        return FALSE;
    bounds->snaplen = capture->snaplen = (guint32)snaplen;
    return TRUE;
}

/* Which ports */

static gboolean add_matches(GArray *ids, const GPtrArray *rows,
                            gboolean (*is_meant)(GVariant *, const char *), const char *word)
{
    guint before = ids->len;

    for (guint i = 0; i < rows->len && *word; i++) {
        guint32 id = (guint32)nr_row_number(rows->pdata[i], "id");

        if (is_meant(rows->pdata[i], word))
            g_array_append_val(ids, id);
    }
    return ids->len > before;
}

/* A number is a port's; anything else may be an endpoint, with all its ports, or a port's name. */
static gboolean add_named(Capture *capture, const char *word)
{
    const NrRelayRows *rows = capture->rows;

    if ((!g_ascii_isdigit(*word) || strchr(word, ':')) &&
        (add_matches(capture->endpoints, rows->endpoints, nr_relay_is_endpoint, word) ||
         add_matches(capture->endpoints, rows->endpoints, nr_relay_is_endpoint_without_options,
                     word)))
        return TRUE;
    return add_matches(capture->ports, rows->ports, nr_relay_is_port, word);
}

static gboolean choose(Capture *capture)
{
    char **words = capture->call->operands;
    guint count = capture->call->operand_count;

    for (guint i = 0; i < count && !g_str_equal(words[i], "all"); i++) {
        if (!add_named(capture, words[i])) {
            nr_complain("there is no port or endpoint '%s'", words[i]);
            return FALSE;
        }
    }
    if (count > 1 && g_strv_contains((const char *const *)words, "all")) {
        nr_complain("'all' stands alone: it is each frame once, where it comes in");
        return FALSE;
    }
    if (capture->ports->len > CAPTURE_NAMES_MAX || capture->endpoints->len > CAPTURE_NAMES_MAX) {
        nr_complain("these are more than %d ports or endpoints; name fewer, or all",
                    CAPTURE_NAMES_MAX);
        return FALSE;
    }
    return TRUE;
}

static void on_names(guint32 port_id, char **ret_name, char **ret_description, gpointer data)
{
    Capture *capture = data;
    GVariant *port;
    g_autofree char *text = NULL;

    /* The relay tells of a port before that port can have a frame. */
    if (!nr_relay_client_drain(capture->client))
        capture->relay_gone = TRUE;
    port = nr_relay_row_find(capture->rows->ports, port_id);
    text = nr_printable(port ? nr_relay_port_name(capture->rows, port) : "");
    *ret_name = g_strdup_printf("port %u%s%s", port_id, *text ? ": " : "", text);
    *ret_description = nr_printable(port ? nr_relay_port_endpoint(capture->rows, port) : "");
}

static void forget_port(Capture *capture, guint32 id)
{
    for (guint i = 0; i < capture->ports->len; i++) {
        if (g_array_index(capture->ports, guint32, i) != id)
            continue;
        g_array_remove_index(capture->ports, i);
        if (!capture->ports->len && !capture->endpoints->len)
            capture->over = TRUE; /* it was the last one that was asked for */
        return;
    }
}

static void on_event(const struct ctl_msg *msg, gpointer data)
{
    Capture *capture = data;
    guint32 id = 0;

    if (ctl_msg_type(msg) != CTL_EVENT_PORT_GONE)
        nr_relay_rows_update(capture->rows, msg);
    else if (ctl_get_u32(msg, CTL_A_PORT_ID, &id))
        forget_port(capture, id);
}

/* Waiting and writing */

static guint64 now_ns(void)
{
    return (guint64)g_get_real_time() * 1000;
}

static void set_over(Capture *capture)
{
    capture->over = TRUE;
    capture->file->bounds.end_ns = MIN(capture->file->bounds.end_ns, now_ns());
}

static int left_ms(const Capture *capture)
{
    gint64 left_us = capture->deadline_us - g_get_monotonic_time();

    return (int)CLAMP(left_us / 1000 + 1, 0, G_MAXINT / 2);
}

/* Waits for this, for the relay, a signal or the deadline, and notes what has come of those. */
static gboolean wait_for(Capture *capture, int fd, short events)
{
    struct pollfd fds[] = { { .fd = fd, .events = events },
                            { .fd = capture->signals, .events = POLLIN },
                            { .fd = capture->out, .events = 0 }, /* a pipe's reader is gone */
                            { .fd = capture->client->sock, .events = POLLIN } };
    guint count = G_N_ELEMENTS(fds) - capture->relay_gone;

    if (g_get_monotonic_time() >= capture->deadline_us)
        set_over(capture);
    if (capture->over || poll(fds, count, left_ms(capture)) < 0)
        return FALSE;
    capture->reader_gone = capture->reader_gone || fds[2].revents;
    if (fds[1].revents || fds[2].revents)
        set_over(capture);
    if (!capture->relay_gone && fds[3].revents && !nr_relay_client_drain(capture->client))
        capture->relay_gone = TRUE;
    return fds[0].revents != 0;
}

static gboolean is_writable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

    return poll(&poll_fd, 1, END_GRACE_MS) == 1;
}

/* FALSE after it has said what is wrong. A pipe that nobody reads is waited for until the end; that
 * its reader ends (tcpdump -c 3) is an end as good as any. */
static gboolean write_pending(Capture *capture)
{
    GByteArray *pending = capture->file->pending;
    gsize done = 0;

    while (done < pending->len && !capture->reader_gone) {
        gsize size = pending->len - done;
        ssize_t n;

        if (!capture->out_is_file && !wait_for(capture, capture->out, POLLOUT)) {
            if (!capture->over)
                continue;
            if (!is_writable(capture->out)) {
                nr_complain("%s: what reads it does not, so the capture is cut off",
                            capture->out_name);
                return FALSE;
            }
        }
        n = write(capture->out, pending->data + done,
                  capture->out_is_file ? size : MIN(size, PIPE_CHUNK));
        if (n < 0 && errno == EPIPE) {
            capture->reader_gone = TRUE;
            set_over(capture);
        } else if (n < 0 && errno != EINTR && errno != EAGAIN) {
            nr_complain("%s: %s; the capture ends", capture->out_name, g_strerror(errno));
            return FALSE;
        }
        done += n > 0 ? (gsize)n : 0;
    }
    g_byte_array_set_size(pending, 0);
    return TRUE;
}

/* 1: a packet was taken; 0: there is none; -1: that was the last one. */
static int take_packet(Capture *capture)
{
    static guint8 packet[CAPTURE_PACKET_MAX];
    ssize_t n = recv(capture->reader, packet, sizeof(packet), MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (n == 0)
        capture->relay_gone = TRUE;
    return n > 0 && nr_capture_file_take(capture->file, packet, (gsize)n) ? 1 : -1;
}

/* The first packet says that the relay captures from now on. */
static void begin(Capture *capture)
{
    nr_complain("capturing; it ends with Ctrl-C, or at a bound that was given");
    capture->deadline_us = G_MAXINT64;
    if (capture->seconds < G_MAXDOUBLE) {
        capture->deadline_us = g_get_monotonic_time() + (gint64)(capture->seconds * G_USEC_PER_SEC);
        capture->file->bounds.end_ns = capture->file->begin_ns + (guint64)(capture->seconds * 1e9);
    }
}

static NrExit finish(Capture *capture, NrExit code)
{
    nr_capture_file_end(capture->file);
    if (code == NR_EXIT_DONE && !write_pending(capture))
        code = NR_EXIT_FAILED;
    if (capture->file->begin_ns)
        nr_complain("%" G_GUINT64_FORMAT " frames captured, %" G_GUINT64_FORMAT
                    " missed: they were not read fast enough, or went with a process of the relay",
                    capture->file->frames, capture->file->missed);
    return code;
}

/* All that is there when it is over is still taken. */
static NrExit run(Capture *capture)
{
    gboolean begun = FALSE;
    int r;

    for (;;) {
        r = take_packet(capture);
        if (!begun && capture->file->begin_ns) {
            begun = TRUE;
            begin(capture);
        }
        if (!write_pending(capture))
            return finish(capture, NR_EXIT_FAILED);
        if (r < 0 || (r == 0 && capture->over))
            break;
        if (r == 0)
            wait_for(capture, capture->reader, POLLIN);
    }
    if (!begun && !capture->relay_gone && !capture->reader_gone) {
        nr_complain("%s: the relay does not answer", capture->call->relay);
        return NR_EXIT_ABSENT;
    }
    if (capture->relay_gone)
        nr_complain("%s: the relay has ended", capture->call->relay);
    return finish(capture, NR_EXIT_DONE);
}

/* Getting there */

static gboolean open_out(Capture *capture)
{
    const char *name = capture->call->write ?: "-";
    struct stat st;

    if (g_str_equal(name, "-")) {
        capture->out_name = "standard output";
        capture->out = STDOUT_FILENO;
        if (isatty(STDOUT_FILENO)) {
            nr_complain("standard output is a terminal; name a file with --write, or a pipe's "
                        "reader: capture --write - | wireshark -k -i -");
            return FALSE;
        }
    } else {
        /* Frames are others' business: for nobody else's eyes. */
        capture->out_name = name;
        capture->out = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
    }
    if (capture->out < 0 || fstat(capture->out, &st) < 0) {
        nr_complain("%s: %s", name, g_strerror(errno));
        return FALSE;
    }
    capture->out_is_file = S_ISREG(st.st_mode);
    return TRUE;
}

static int open_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void enlarge(int sock)
{
    const int size = SOCKET_BUFFER;

    if (setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 &&
        setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
        nr_complain("a small socket buffer has to do: %s", g_strerror(errno));
}

static NrExit ask(Capture *capture)
{
    struct ctl_msg request;
    int pair[2];
    NrExit code;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        nr_complain("a socket cannot be made: %s", g_strerror(errno));
        return NR_EXIT_FAILED;
    }
    capture->reader = pair[0];
    enlarge(pair[1]);
    nr_relay_request_begin(capture->client, &request, CTL_CAPTURE);
    ctl_put_u32(&request, CTL_A_SNAPLEN, capture->snaplen);
    for (guint i = 0; i < capture->ports->len; i++)
        ctl_put_u32(&request, CTL_A_PORT_ID, g_array_index(capture->ports, guint32, i));
    for (guint i = 0; i < capture->endpoints->len; i++)
        ctl_put_u32(&request, CTL_A_ENDPOINT_ID, g_array_index(capture->endpoints, guint32, i));
    code = nr_relay_request(capture->client, &request, pair[1], NULL, NULL);
    close(pair[1]);
    return code;
}

static void capture_clear(Capture *capture)
{
    if (capture->reader >= 0)
        close(capture->reader);
    if (capture->signals >= 0)
        close(capture->signals);
    if (capture->out > STDERR_FILENO)
        close(capture->out);
    nr_relay_rows_free(capture->rows);
    nr_relay_client_free(capture->client);
    nr_capture_file_free(capture->file);
    g_array_unref(capture->ports);
    g_array_unref(capture->endpoints);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Capture, capture_clear)

NrExit nr_relay_capture_run(const NrCall *call)
{
    g_auto(Capture) capture = { .call = call, .out = -1, .reader = -1, .signals = -1 };
    NrCaptureBounds bounds;
    NrExit code;

    capture.ports = g_array_new(FALSE, FALSE, sizeof(guint32));
    capture.endpoints = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!read_bounds(&capture, &bounds))
        return NR_EXIT_USAGE;
    capture.client = nr_relay_client_new(call, FALSE, &code);
    capture.rows = capture.client ? nr_relay_rows_fetch(capture.client, &code) : NULL;
    if (!capture.rows)
        return code;
    if (!choose(&capture) || !open_out(&capture))
        return NR_EXIT_FAILED;
    capture.file = nr_capture_file_new(&bounds, on_names, &capture);
    capture.client->on_event = on_event;
    capture.client->event_data = &capture;
    capture.signals = open_signals();
    capture.deadline_us = g_get_monotonic_time() + BEGIN_MS * G_TIME_SPAN_MILLISECOND;
    code = ask(&capture);
    return code == NR_EXIT_DONE ? run(&capture) : code;
}
