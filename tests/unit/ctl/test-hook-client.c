/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hook's conversation, with managers that do well, and with all others. */
#include "ctl/hook-client.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define XML        "<domain/>"
#define PATIENT_MS 15000 /* where the time is not what is looked at */
#define SILENT_MS  1000
#define AGAIN_MS   300
#define BOUND_MS   1500
#define WAITING_MS 500
#define LONG_XML   (32 << 20)

typedef struct {
    char *dir;
    char *path;
    int listener; /* or -1 */
} Place;

/* What a manager does once it has the request; "" hangs up, NULL ends the list in silence. */
typedef struct {
    Place *place;
    const char *const *answers;
    struct hook_request request; /* as it came */
    char xml[64];
    int seals;
    gboolean silent;             /* it does not hang up first */
    int deadline_ms, waiting_ms; /* what its client is ready to wait; 0: long */
    const char *successor;       /* its one answer */
    guint lives;                 /* how many successors there are; each dies of "" */
} Manager;

static Place place_new(gboolean listening)
{
    Place place = { .dir = g_dir_make_tmp("hook-XXXXXX", NULL), .listener = -1 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    place.path = g_build_filename(place.dir, HOOK_SOCKET_NAME, NULL);
    if (listening) {
        g_strlcpy(address.sun_path, place.path, sizeof(address.sun_path));
        place.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        g_assert_cmpint(bind(place.listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
        g_assert_cmpint(listen(place.listener, 1), ==, 0);
    }
    return place;
}

static void place_done(Place *place)
{
    if (place->listener >= 0)
        close(place->listener);
    g_unlink(place->path);
    g_rmdir(place->dir);
    g_free(place->path);
    g_free(place->dir);
}

static NrHookOutcome ask(const Place *place, int first_sign_ms, int deadline_ms, int waiting_ms,
                         char **sentence)
{
    const NrHookQuestion question = { .runtime_dir = place->dir,
                                      .op = HOOK_PREPARE,
                                      .guest = "-rf a b",
                                      .xml = XML,
                                      .xml_length = strlen(XML),
                                      .again_ms = AGAIN_MS,
                                      .first_sign_ms = first_sign_ms,
                                      .deadline_ms = deadline_ms,
                                      .waiting_ms = waiting_ms };

    return nr_hook_ask(&question, sentence);
}

static void receive_request(Manager *manager, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = &manager->request, .iov_len = sizeof(manager->request) };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    int xml_fd;

    g_assert_cmpint(recvmsg(fd, &message, MSG_CMSG_CLOEXEC), ==, sizeof(manager->request));
    g_assert_nonnull(CMSG_FIRSTHDR(&message));
    memcpy(&xml_fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    manager->seals = fcntl(xml_fd, F_GET_SEALS);
    g_assert_cmpint(pread(xml_fd, manager->xml, sizeof(manager->xml) - 1, 0), >=, 0);
    close(xml_fd);
}

static void nobody_follows(const Manager *manager)
{
    close(manager->place->listener);
    manager->place->listener = -1;
}

static void succeed(Manager *manager)
{
    int fd = accept(manager->place->listener, NULL, NULL);

    g_assert_cmpint(fd, >=, 0);
    receive_request(manager, fd);
    if (*manager->successor)
        g_assert_cmpint(send(fd, manager->successor, strlen(manager->successor), 0), >, 0);
    if (--manager->lives == 0)
        nobody_follows(manager);
    close(fd);
}

static void wait_for_hang_up(int fd)
{
    struct pollfd look = { .fd = fd };

    g_assert_cmpint(poll(&look, 1, PATIENT_MS), ==, 1);
}

static gpointer manager_thread(gpointer data)
{
    Manager *manager = data;
    int fd = accept(manager->place->listener, NULL, NULL);

    g_assert_cmpint(fd, >=, 0);
    receive_request(manager, fd);
    for (const char *const *answer = manager->answers; *answer; answer++) {
        if (send(fd, *answer, strlen(*answer), MSG_NOSIGNAL) < 0)
            break;
        g_usleep(20000);
    }
    if (manager->silent)
        wait_for_hang_up(fd);
    if (!manager->lives)
        nobody_follows(manager);
    close(fd);
    while (manager->lives > 0)
        succeed(manager);
    return NULL;
}

/* The outcome and sentence that a manager with these answers gives. */
static NrHookOutcome converse(Manager *manager, const char *const *answers, char **sentence)
{
    Place place = place_new(TRUE);
    GThread *thread;
    NrHookOutcome outcome;

    manager->place = &place;
    manager->answers = answers;
    thread = g_thread_new("manager", manager_thread, manager);
    outcome = ask(&place, !*answers && manager->silent ? SILENT_MS : PATIENT_MS,
                  manager->deadline_ms ? manager->deadline_ms : PATIENT_MS,
                  manager->waiting_ms ? manager->waiting_ms : PATIENT_MS, sentence);
    g_thread_join(thread);
    place_done(&place);
    return outcome;
}

static void test_answers(void)
{
    static const struct {
        const char *answers[4];
        gboolean silent;
        NrHookOutcome outcome;
        const char *sentence;
    } rows[] = {
        { { "O" }, FALSE, NR_HOOK_OK, NULL },
        { { "P", "P", "O" }, FALSE, NR_HOOK_OK, NULL },
        { { "P", "Na remark", "O" }, FALSE, NR_HOOK_OK, "a remark" },
        { { "Rno\nbridge\033" }, FALSE, NR_HOOK_REFUSED, "no\\x0abridge\\x1b" },
        { { "P", "Nold", "Rnew" }, FALSE, NR_HOOK_REFUSED, "new" },
        { { NULL }, TRUE, NR_HOOK_MUTE, "netrelayd does not answer" },
        { { "P" }, TRUE, NR_HOOK_MUTE, "netrelayd was not done in time" },
        { { "P" }, FALSE, NR_HOOK_MUTE, "netrelayd ended while it worked on it" },
        { { NULL }, FALSE, NR_HOOK_MUTE, "netrelayd ended while it worked on it" },
        { { "Zwhat?" }, TRUE, NR_HOOK_MUTE, "netrelayd ended while it worked on it" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Manager manager = { .silent = rows[i].silent,
                            .deadline_ms = rows[i].silent ? BOUND_MS : 0 };
        g_autofree char *sentence = NULL;

        g_assert_cmpint(converse(&manager, rows[i].answers, &sentence), ==, rows[i].outcome);
        g_assert_cmpstr(sentence, ==, rows[i].sentence);
    }
}

/* A manager that ends meanwhile has a successor, or one after the other, or none. */
static void test_restarted(void)
{
    static const struct {
        const char *successor;
        guint lives;
        NrHookOutcome outcome;
        const char *sentence;
    } rows[] = {
        { "O", 1, NR_HOOK_OK, NULL },
        { "Rno", 1, NR_HOOK_REFUSED, "no" },
        { "", 2, NR_HOOK_MUTE, "netrelayd ended while it worked on it" },
    };
    static const char *const answers[] = { "W", NULL };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Manager manager = { .successor = rows[i].successor, .lives = rows[i].lives };
        g_autofree char *sentence = NULL;

        g_assert_cmpint(converse(&manager, answers, &sentence), ==, rows[i].outcome);
        g_assert_cmpstr(sentence, ==, rows[i].sentence);
        g_assert_cmpstr(manager.xml, ==, XML);
    }
}

static gpointer dying_thread(gpointer data)
{
    Manager *manager = data;
    int fd = accept(manager->place->listener, NULL, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    if (!manager->lives)
        nobody_follows(manager);
    while (manager->lives > 0)
        succeed(manager);
    return NULL;
}

/* It has the connection and dies before the question is there, which takes a while to be copied. */
static NrHookOutcome ask_one_that_dies(Manager *manager, char **sentence)
{
    g_autofree char *long_xml = g_strnfill(LONG_XML, ' ');
    Place place = place_new(TRUE);
    const NrHookQuestion question = { .runtime_dir = place.dir,
                                      .op = HOOK_PREPARE,
                                      .guest = "web",
                                      .xml = long_xml,
                                      .xml_length = LONG_XML,
                                      .again_ms = AGAIN_MS,
                                      .first_sign_ms = PATIENT_MS,
                                      .deadline_ms = PATIENT_MS };
    NrHookOutcome outcome;
    GThread *thread;

    manager->place = &place;
    thread = g_thread_new("manager", dying_thread, manager);
    outcome = nr_hook_ask(&question, sentence);
    g_thread_join(thread);
    place_done(&place);
    return outcome;
}

static void test_died_as_it_was_asked(void)
{
    for (guint lives = 0; lives <= 1; lives++) {
        Manager manager = { .successor = "O", .lives = lives };
        g_autofree char *sentence = NULL;
        gint64 began = g_get_monotonic_time();

        g_assert_cmpint(ask_one_that_dies(&manager, &sentence), ==,
                        lives ? NR_HOOK_OK : NR_HOOK_MUTE);
        g_assert_cmpstr(sentence, ==, lives ? NULL : "netrelayd ended while it worked on it");
        g_assert_cmpstr(manager.request.name, ==, lives ? "web" : "");
        if (!lives)
            g_assert_cmpint((g_get_monotonic_time() - began) / 1000, >=, AGAIN_MS);
    }
}

static gint64 given_up_after_ms(const char *answer)
{
    const char *const answers[] = { answer, NULL };
    Manager manager = { .deadline_ms = BOUND_MS };
    g_autofree char *sentence = NULL;
    gint64 began = g_get_monotonic_time();

    g_assert_cmpint(converse(&manager, answers, &sentence), ==, NR_HOOK_MUTE);
    return (g_get_monotonic_time() - began) / 1000;
}

/* What a guest that waits is to bind is held for somebody: only a successor can let it go. */
static void test_restarted_while_others_are_waited_for(void)
{
    g_assert_cmpint(given_up_after_ms("P"), >=, AGAIN_MS);
    g_assert_cmpint(given_up_after_ms("W"), >=, BOUND_MS);
}

static void test_request(void)
{
    static const char *const answers[] = { "O", NULL };
    Manager manager = { 0 };
    g_autofree char *sentence = NULL;

    g_assert_cmpint(converse(&manager, answers, &sentence), ==, NR_HOOK_OK);
    g_assert_cmpuint(manager.request.magic, ==, HOOK_MAGIC);
    g_assert_cmpuint(manager.request.version, ==, HOOK_VERSION);
    g_assert_cmpuint(manager.request.op, ==, HOOK_PREPARE);
    g_assert_cmpstr(manager.request.name, ==, "-rf a b");
    g_assert_cmpstr(manager.xml, ==, XML);
    g_assert_cmpint(manager.seals & F_SEAL_WRITE, !=, 0);
    g_assert_cmpint(manager.seals & F_SEAL_SHRINK, !=, 0);
}

/* The outcome of so many answers, 20 ms apart, and a last one; and how long it took. */
static NrHookOutcome repeated(const char *answer, guint count, const char *last, int waiting_ms,
                              gint64 *ret_ms)
{
    g_autofree const char **answers = g_new0(const char *, count + 2);
    Manager manager = { .deadline_ms = BOUND_MS, .waiting_ms = waiting_ms };
    g_autofree char *sentence = NULL;
    gint64 began = g_get_monotonic_time();
    NrHookOutcome outcome;

    for (guint i = 0; i < count; i++)
        answers[i] = answer;
    answers[count] = last;
    outcome = converse(&manager, answers, &sentence);
    if (outcome == NR_HOOK_MUTE)
        g_assert_cmpstr(sentence, ==, "netrelayd was not done in time");
    *ret_ms = (g_get_monotonic_time() - began) / 1000;
    return outcome;
}

/* Progress for ever is no reason to wait for ever. */
static void test_endless_progress(void)
{
    gint64 ms;

    g_assert_cmpint(repeated("P", 100, NULL, 0, &ms), ==, NR_HOOK_MUTE);
    g_assert_cmpint(ms, <, 10000);
}

/* Other guests may take their time, and no time without end. */
static void test_waiting_for_others(void)
{
    gint64 ms;

    g_assert_cmpint(repeated("W", 90, "O", 0, &ms), ==, NR_HOOK_OK);
    g_assert_cmpint(ms, >=, 1700);
    g_assert_cmpint(repeated("W", 150, NULL, WAITING_MS, &ms), ==, NR_HOOK_MUTE);
    g_assert_cmpint(ms, <, 15000);
}

static void expect_absent(const Place *place)
{
    g_autofree char *sentence = NULL;

    g_assert_cmpint(ask(place, 300, 600, WAITING_MS, &sentence), ==, NR_HOOK_ABSENT);
    g_assert_cmpstr(sentence, ==, "netrelayd is not running");
}

static void test_absent(void)
{
    Place nowhere = { .dir = (char *)"/nonexistent", .listener = -1 };
    Place empty = place_new(FALSE);
    Place stale = place_new(TRUE);

    expect_absent(&nowhere);
    expect_absent(&empty);
    g_assert_true(g_file_set_contents(empty.path, "no socket", -1, NULL));
    expect_absent(&empty);
    close(stale.listener);
    stale.listener = -1;
    expect_absent(&stale);
    place_done(&empty);
    place_done(&stale);
}

/* Nobody accepts, and then not even the backlog has room: bounded both times. */
static void test_stopped_manager(void)
{
    Place place = place_new(TRUE);
    gint64 began = g_get_monotonic_time();
    gboolean refused_by_backlog = FALSE;

    for (guint i = 0; i < 4; i++) {
        g_autofree char *sentence = NULL;

        g_assert_cmpint(ask(&place, 200, 5000, WAITING_MS, &sentence), ==, NR_HOOK_MUTE);
        refused_by_backlog =
            refused_by_backlog || g_str_equal(sentence, "netrelayd does not answer");
    }
    g_assert_true(refused_by_backlog);
    g_assert_cmpint(g_get_monotonic_time() - began, >=, 4 * 150000);
    g_assert_cmpint(g_get_monotonic_time() - began, <, 5000000);
    place_done(&place);
}

/* In another user's directory another user would answer. */
static void test_foreign_directory(void)
{
    Place place;

    if (geteuid() != 0) {
        g_test_skip("only root can give a directory away");
        return;
    }
    place = place_new(TRUE);
    g_assert_cmpint(chown(place.dir, 65534, 65534), ==, 0);
    expect_absent(&place);
    place_done(&place);
}

static int open_descriptors(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    int count = 0;

    while (g_dir_read_name(dir))
        count++;
    return count;
}

static void test_no_descriptor_is_left(void)
{
    static const char *const answers[] = { "O", NULL };
    int before = open_descriptors();

    for (guint i = 0; i < 5; i++) {
        Manager manager = { 0 };
        g_autofree char *sentence = NULL;

        converse(&manager, answers, &sentence);
    }
    g_assert_cmpint(open_descriptors(), ==, before);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl/hook-client/answers", test_answers);
    g_test_add_func("/ctl/hook-client/restarted", test_restarted);
    g_test_add_func("/ctl/hook-client/died-as-it-was-asked", test_died_as_it_was_asked);
    g_test_add_func("/ctl/hook-client/restarted-while-others-are-waited-for",
                    test_restarted_while_others_are_waited_for);
    g_test_add_func("/ctl/hook-client/request", test_request);
    g_test_add_func("/ctl/hook-client/endless-progress", test_endless_progress);
    g_test_add_func("/ctl/hook-client/waiting-for-others", test_waiting_for_others);
    g_test_add_func("/ctl/hook-client/absent", test_absent);
    g_test_add_func("/ctl/hook-client/stopped-manager", test_stopped_manager);
    g_test_add_func("/ctl/hook-client/foreign-directory", test_foreign_directory);
    g_test_add_func("/ctl/hook-client/no-descriptor-is-left", test_no_descriptor_is_left);
    return g_test_run();
}
