/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/capture-proto.h"
#include "ctl/seconds.h"

#define BEGIN_MS     5000
#define END_GRACE_MS 1000 /* for a pipe's reader to take the rest */
#define SIZE_MIN     1024
#define PIPE_CHUNK   4096 /* PIPE_BUF: a writable pipe takes it without waiting */

enum { AT_SIGNALS, AT_OUT, AT_NEWS, AT_SOURCES }; /* and two for each source */

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

static gboolean expect(gboolean is_good, const char *option, const char *text, const char *expected)
{
    if (!is_good)
        nr_complain("--%s '%s': expected %s", option, text, expected);
    return is_good;
}

gboolean nr_capture_init(NrCapture *capture, const NrCall *call)
{
    NrCaptureBounds *bounds = &capture->bounds;
    guint64 snaplen = CAPTURE_SNAPLEN_MAX;

    *capture = (NrCapture){ .call = call, .out = -1, .signals = -1 };
    capture->sources = g_ptr_array_new_with_free_func((GDestroyNotify)nr_capture_source_free);
    *bounds = (NrCaptureBounds){ G_MAXUINT64, G_MAXUINT64, G_MAXUINT64, 0 };
    capture->seconds = G_MAXDOUBLE;
    if ((call->size && !expect(read_size(call->size, SIZE_MIN, G_MAXUINT64, &bounds->size), "size",
                               call->size, "bytes from 1024, or with K, M, G or T behind")) ||
        (call->packets && !expect(read_size(call->packets, 1, G_MAXUINT64, &bounds->packets),
                                  "packets", call->packets, "a number from 1")) ||
        (call->snaplen && !expect(read_size(call->snaplen, 14, CAPTURE_SNAPLEN_MAX, &snaplen),
                                  "snaplen", call->snaplen, "bytes from 14 to 69632")) ||
        (call->seconds && !expect(nr_seconds_read(call->seconds, &capture->seconds), "seconds",
                                  call->seconds, NR_SECONDS_EXPECTED)))
        return FALSE;
    bounds->snaplen = (guint32)snaplen;
    return TRUE;
}

/* Sources */

void nr_capture_add(NrCapture *capture, NrCaptureSource *source)
{
    source->stream.number = ++capture->streams;
    g_ptr_array_add(capture->sources, source);
}

/* TRUE where any of them had something. */
static gboolean take_packets(NrCapture *capture)
{
    gboolean any = FALSE;

    for (guint i = 0; i < capture->sources->len && !capture->full; i++)
        any |= nr_capture_source_take(capture->sources->pdata[i], capture->file, &capture->full);
    return any;
}

/* Those that nothing more comes of. */
static void drop_ended(NrCapture *capture, gboolean idle)
{
    for (guint i = 0; i < capture->sources->len; i++) {
        NrCaptureSource *source = capture->sources->pdata[i];

        if (capture->news && source->changed)
            capture->news->changed(capture->news->data);
        source->changed = FALSE;
        if (!source->ended && !(source->ports_gone && idle))
            continue;
        if (source->relay_gone)
            nr_complain("%s: the relay has ended%s", source->place,
                        capture->news ? "; the capture goes on when there is another one" : "");
        if (capture->news)
            capture->news->lost(source->place, capture->news->data);
        g_ptr_array_remove_index(capture->sources, i--);
    }
}

/* Waiting and writing */

static guint64 now_ns(void)
{
    return (guint64)g_get_real_time() * 1000;
}

static void set_over(NrCapture *capture)
{
    capture->over = TRUE;
    capture->file->bounds.end_ns = MIN(capture->file->bounds.end_ns, now_ns());
}

static int left_ms(const NrCapture *capture)
{
    gint64 left_us = capture->deadline_us - g_get_monotonic_time();

    return (int)CLAMP(left_us / 1000 + 1, 0, G_MAXINT / 2);
}

static void add_sources(const NrCapture *capture, GArray *fds, gboolean for_out)
{
    for (guint i = 0; i < capture->sources->len; i++) {
        const NrCaptureSource *source = capture->sources->pdata[i];
        struct pollfd both[] = {
            { .fd = source->relay_gone ? -1 : source->client->sock, .events = POLLIN },
            { .fd = for_out ? -1 : source->reader, .events = POLLIN },
        };

        g_array_append_vals(fds, both, G_N_ELEMENTS(both));
    }
}

/* What was told while it waited. News may change the sources. */
static void take_told(NrCapture *capture, const struct pollfd *fds)
{
    for (guint i = 0; i < capture->sources->len; i++)
        if (fds[AT_SOURCES + 2 * i].revents)
            nr_capture_source_drain(capture->sources->pdata[i]);
    if (fds[AT_NEWS].revents)
        capture->news->take(capture, capture->news->data);
}

/* Waits for room in the pipe, or for records; for the relays, news, a signal or the deadline, and
 * notes what has come of those. TRUE: there is room. */
static gboolean wait_for(NrCapture *capture, gboolean for_out)
{
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
    const struct pollfd fixed[AT_SOURCES] = {
        [AT_SIGNALS] = { .fd = capture->signals, .events = POLLIN },
        /* Also where nothing is to be written: a pipe's reader may go. */
        [AT_OUT] = { .fd = capture->out, .events = for_out ? POLLOUT : 0 },
        [AT_NEWS] = { .fd = capture->news ? capture->news->fd : -1, .events = POLLIN },
    };
    struct pollfd *fds;

    g_array_append_vals(list, fixed, AT_SOURCES);
    add_sources(capture, list, for_out);
    fds = (void *)list->data;
    if (g_get_monotonic_time() >= capture->deadline_us)
        set_over(capture);
    if (capture->over || poll(fds, list->len, left_ms(capture)) < 0)
        return FALSE;
    if (fds[AT_OUT].revents & ~POLLOUT)
        capture->reader_gone = TRUE;
    if (fds[AT_SIGNALS].revents || capture->reader_gone)
        set_over(capture);
    take_told(capture, fds);
    return fds[AT_OUT].revents & POLLOUT;
}

static gboolean is_writable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

    return poll(&poll_fd, 1, END_GRACE_MS) == 1;
}

/* FALSE after it has said what is wrong. A pipe that nobody reads is waited for until the end; that
 * its reader ends (tcpdump -c 3) is an end as good as any. */
static gboolean write_pending(NrCapture *capture)
{
    GByteArray *pending = capture->file->pending;
    gsize done = 0;

    while (done < pending->len && !capture->reader_gone) {
        gsize size = pending->len - done;
        ssize_t n;

        if (!capture->out_is_file && !wait_for(capture, TRUE)) {
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

/* From its beginning to its end */

static gboolean have_all_begun(const NrCapture *capture)
{
    for (guint i = 0; i < capture->sources->len; i++)
        if (!((NrCaptureSource *)capture->sources->pdata[i])->stream.begin_ns)
            return FALSE;
    return capture->sources->len > 0 || capture->news;
}

/* A relay's first packet says that it captures from now on. */
static void begin(NrCapture *capture)
{
    NrCaptureFile *file = capture->file;

    capture->begun = TRUE;
    file->begin_ns = file->begin_ns ? file->begin_ns : now_ns();
    nr_complain("capturing; it ends with Ctrl-C, or at a bound that was given");
    capture->deadline_us = G_MAXINT64;
    if (capture->seconds < G_MAXDOUBLE) {
        capture->deadline_us = g_get_monotonic_time() + (gint64)(capture->seconds * G_USEC_PER_SEC);
        file->bounds.end_ns = file->begin_ns + (guint64)(capture->seconds * 1e9);
    }
}

static NrExit finish(NrCapture *capture, NrExit code)
{
    nr_capture_file_end(capture->file);
    if (code == NR_EXIT_DONE && !write_pending(capture))
        code = NR_EXIT_FAILED;
    if (capture->file->begin_ns)
        nr_complain("%" G_GUINT64_FORMAT " frames captured, %" G_GUINT64_FORMAT " missed%s",
                    capture->file->frames, capture->file->missed,
                    capture->file->missed ? ": they were not read fast enough, or went with a "
                                            "process of the relay"
                                          : "");
    return code;
}

/* TRUE: there may be more. All that is there when it is over is still taken. */
static gboolean go_on(NrCapture *capture, gboolean any)
{
    drop_ended(capture, !any);
    if (!capture->sources->len && !capture->news)
        return FALSE;
    if (capture->full || (capture->over && !any))
        return FALSE;
    if (!any)
        wait_for(capture, FALSE);
    return TRUE;
}

/* Whom a person has waited for in vain; or NULL. */
static const char *silent_place(const NrCapture *capture)
{
    for (guint i = 0; !capture->begun && !capture->reader_gone && i < capture->sources->len; i++) {
        const NrCaptureSource *source = capture->sources->pdata[i];

        if (!source->stream.begin_ns)
            return source->place;
    }
    return NULL;
}

NrExit nr_capture_run(NrCapture *capture)
{
    gboolean any;

    capture->deadline_us = g_get_monotonic_time() + BEGIN_MS * G_TIME_SPAN_MILLISECOND;
    do {
        any = take_packets(capture);
        if (!capture->begun && have_all_begun(capture))
            begin(capture);
        if (!write_pending(capture))
            return finish(capture, NR_EXIT_FAILED);
    } while (go_on(capture, any));
    if (silent_place(capture)) {
        nr_complain("%s: the relay does not answer", silent_place(capture));
        return NR_EXIT_ABSENT;
    }
    return finish(capture, NR_EXIT_DONE);
}

/* Getting there */

static int told_to_end = -1; /* eventfd */

static void on_signal(int number)
{
    const guint64 one = 1;
    int error = errno;

    (void)!write(told_to_end, &one, sizeof(one));
    errno = error;
}

/* A handler, where a signalfd would want all threads of GDBus to block the signals, too. */
static int open_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    const struct sigaction action = { .sa_handler = on_signal };

    told_to_end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaction(numbers[i], &action, NULL);
    return told_to_end;
}

gboolean nr_capture_open(NrCapture *capture)
{
    const char *name = capture->call->write ?: "-";
    struct stat st;

    if (g_str_equal(name, "-")) {
        capture->out_name = "standard output";
        capture->out = STDOUT_FILENO;
        if (isatty(STDOUT_FILENO)) {
            nr_complain("standard output is a terminal; name a file with --write, or a pipe's "
                        "reader: netrelayctl capture ... | wireshark -k -i -");
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
    capture->signals = open_signals();
    capture->file = nr_capture_file_new(&capture->bounds, nr_capture_source_name);
    return TRUE;
}

void nr_capture_clear(NrCapture *capture)
{
    if (capture->signals >= 0)
        close(capture->signals);
    if (capture->out > STDERR_FILENO)
        close(capture->out);
    g_ptr_array_unref(capture->sources);
    nr_capture_file_free(capture->file);
}
