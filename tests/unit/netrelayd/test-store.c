/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Without systemd: what is kept, and for whom. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "common/scope.h"
#include "daemon/store.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrStore, nr_store_free)

static int file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static int register_of(const char *network)
{
    struct ctl_msg msg = { 0 };
    int fd = file();

    ctl_msg_begin(&msg, CTL_EVENT_DEPOSIT, 0);
    ctl_put_str(&msg, CTL_A_NETWORK, network);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    g_assert_cmpint(pwrite(fd, msg.buf, sizeof(msg.buf), 0), ==, sizeof(msg.buf));
    return fd;
}

static gboolean is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static guint count(const NrStore *store, const char *relay)
{
    g_autoptr(GArray) fds = nr_store_descriptors(store, relay);

    return fds ? fds->len : 0;
}

/* A relay of network lab with ports 1 and 2. */
static NrStore *lab_store(char relay[NR_ACTUAL_SOCKET_MAX], int ports[2])
{
    NrStore *store = nr_store_new();

    nr_actual_socket_name("lab", relay);
    nr_store_keep(store, relay, CTL_DEPOSIT_REGISTER, 0, register_of("lab"));
    nr_store_keep(store, relay, CTL_DEPOSIT_MEMORY, 0, file());
    for (guint i = 0; i < 2; i++) {
        ports[i] = file();
        nr_store_keep(store, relay, CTL_DEPOSIT_PORT, i + 1, ports[i]);
    }
    g_assert_cmpuint(count(store, relay), ==, 4);
    return store;
}

static void test_keep_and_let_go(void)
{
    char relay[NR_ACTUAL_SOCKET_MAX];
    int ports[2];
    g_autoptr(NrStore) store = lab_store(relay, ports);
    g_autofree char *network = nr_store_network(store, relay);

    g_assert_cmpstr(network, ==, "lab");
    nr_store_let_go(store, relay, 1);
    nr_store_let_go(store, relay, 7);
    g_assert_false(is_open(ports[0]));
    g_assert_cmpuint(count(store, relay), ==, 3);
    nr_store_let_go(store, relay, 2);
    g_assert_cmpuint(count(store, relay), ==, 0); /* nobody needs to go on */
    g_assert_null(nr_store_network(store, relay));
}

/* It deposits anew where its connection was cut; what is there stays, and is not held twice. */
static void test_the_same_again(void)
{
    char relay[NR_ACTUAL_SOCKET_MAX];
    int ports[2], again;
    g_autoptr(NrStore) store = lab_store(relay, ports);

    again = dup(ports[0]);
    nr_store_keep(store, relay, CTL_DEPOSIT_PORT, 1, again);
    g_assert_true(is_open(ports[0]));
    g_assert_false(is_open(again));
}

static void test_another_relay(void)
{
    char relay[NR_ACTUAL_SOCKET_MAX];
    int ports[2];
    g_autoptr(NrStore) store = lab_store(relay, ports);

    nr_store_keep(store, relay, CTL_DEPOSIT_REGISTER, 0, register_of("lab"));
    g_assert_false(is_open(ports[0]) || is_open(ports[1]));
    g_assert_cmpuint(count(store, relay), ==, 0);
}

static void test_compare(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();
    NrActualNetwork *have = nr_actual_network_new("lab", 1);
    char relay[NR_ACTUAL_SOCKET_MAX];
    int ports[2];
    g_autoptr(NrStore) store = lab_store(relay, ports);

    g_ptr_array_add(actual->networks, have);
    g_ptr_array_add(have->ports, nr_actual_port_new(2, 0));
    nr_store_compare(store, relay, have);
    g_assert_false(is_open(ports[0]));
    g_assert_true(is_open(ports[1]));
}

/* A name that is not the network's whose socket it is. */
static void test_another_name(void)
{
    g_autoptr(NrStore) store = nr_store_new();
    char relay[NR_ACTUAL_SOCKET_MAX];

    nr_actual_socket_name("lab", relay);
    nr_store_keep(store, relay, CTL_DEPOSIT_REGISTER, 0, register_of("office"));
    nr_store_keep(store, relay, CTL_DEPOSIT_MEMORY, 0, file());
    nr_store_keep(store, relay, CTL_DEPOSIT_PORT, 1, file());
    g_assert_null(nr_store_network(store, relay));
}

static void test_taken_back(void)
{
    g_autoptr(NrStore) store = nr_store_new();
    g_autoptr(GPtrArray) relays = NULL;
    char relay[NR_ACTUAL_SOCKET_MAX];
    g_autofree char *network = NULL;
    g_autofree char *hash = NULL;
    static const char *const names[] = { "7", "memory", "register", "x", "" };
    static const char *const never_ours[] = { "relay-",           "netrelayd.socket",
                                              "relay-a.b-memory", "relay-.-register",
                                              "relay-a.sock-1",   "relay-a-07" };

    nr_actual_socket_name("lab", relay);
    hash = g_strndup(relay, strcspn(relay, "."));
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *name = g_strdup_printf("relay-%s-%s", hash, names[i]);

        nr_store_take_back(name, i == 2 ? register_of("lab") : file(), store);
    }
    for (guint i = 0; i < G_N_ELEMENTS(never_ours); i++) {
        int passed = file();

        nr_store_take_back(never_ours[i], passed, store);
        g_assert_false(is_open(passed));
    }
    relays = nr_store_relays(store);
    g_assert_cmpuint(relays->len, ==, 1);
    g_assert_cmpuint(count(store, relay), ==, 3);
    network = nr_store_network(store, relay);
    g_assert_cmpstr(network, ==, "lab");
    nr_store_forget(store, relay);
    g_assert_cmpuint(count(store, relay), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_unsetenv("NOTIFY_SOCKET");
    g_test_add_func("/store/keep-and-let-go", test_keep_and_let_go);
    g_test_add_func("/store/the-same-again", test_the_same_again);
    g_test_add_func("/store/another-relay", test_another_relay);
    g_test_add_func("/store/compare", test_compare);
    g_test_add_func("/store/another-name", test_another_name);
    g_test_add_func("/store/taken-back", test_taken_back);
    return g_test_run();
}
