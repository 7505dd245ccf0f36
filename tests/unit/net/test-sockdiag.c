/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "net/sockdiag.h"
#include "netns.h"

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    };
    socklen_t len;
};

static struct address address_of(const char *host, uint16_t l4_port)
{
    struct address a = { .len = sizeof(a.in6) };

    memset(&a.in6, 0, sizeof(a.in6));
    if (inet_pton(AF_INET, host, &a.in4.sin_addr) == 1) {
        a.in4.sin_family = AF_INET;
        a.in4.sin_port = htons(l4_port);
        a.len = sizeof(a.in4);
        return a;
    }
    g_assert_cmpint(inet_pton(AF_INET6, host, &a.in6.sin6_addr), ==, 1);
    a.in6.sin6_family = AF_INET6;
    a.in6.sin6_port = htons(l4_port);
    return a;
}

static uint64_t inode_of(int fd)
{
    struct stat st;

    g_assert_no_errno(fstat(fd, &st));
    return st.st_ino;
}

static struct address name_of(int fd)
{
    struct address a = { .len = sizeof(a.in6) };

    g_assert_no_errno(getsockname(fd, &a.any, &a.len));
    return a;
}

static struct address peer_of(int fd)
{
    struct address a = { .len = sizeof(a.in6) };

    g_assert_no_errno(getpeername(fd, &a.any, &a.len));
    return a;
}

static int bound(int type, const char *host, uint16_t l4_port, bool v6only)
{
    struct address a = address_of(host, l4_port);
    int fd = socket(a.any.sa_family, type | SOCK_CLOEXEC, 0), on = v6only;

    g_assert_cmpint(fd, >=, 0);
    if (a.any.sa_family == AF_INET6)
        g_assert_no_errno(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
    g_assert_no_errno(bind(fd, &a.any, a.len));
    return fd;
}

static int listening(const char *host, uint16_t l4_port, bool v6only)
{
    int fd = bound(SOCK_STREAM, host, l4_port, v6only);

    g_assert_no_errno(listen(fd, 8));
    return fd;
}

static int dialled(const char *host, uint16_t l4_port)
{
    struct address a = address_of(host, l4_port);
    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_no_errno(connect(fd, &a.any, a.len));
    return fd;
}

/* Both ends of one connection, each asked for by what the other end knows of it. */
static void check_pair(const char *listen_host, const char *dial_host)
{
    int listener = listening(listen_host, 0, false);
    uint16_t l4_port = ntohs(name_of(listener).in4.sin_port); /* at one place in both families */
    int dialler = dialled(dial_host, l4_port), accepted;
    struct address near = name_of(dialler), far = peer_of(dialler);
    struct sockdiag_owner owner;

    g_assert_cmpint(sockdiag_tcp(&near.any, &far.any, &owner), ==, 0);
    g_assert_cmpuint(owner.inode, ==, inode_of(dialler));
    g_assert_cmpuint(owner.uid, ==, geteuid());

    /* Nobody has accepted it yet. */
    g_assert_cmpint(sockdiag_tcp(&far.any, &near.any, &owner), ==, 0);
    g_assert_cmpuint(owner.inode, ==, 0);
    accepted = accept(listener, NULL, NULL);
    g_assert_cmpint(accepted, >=, 0);
    near = peer_of(accepted); /* mapped, where the listener is IPv6 and the dialler is not */
    far = name_of(accepted);
    g_assert_cmpint(sockdiag_tcp(&far.any, &near.any, &owner), ==, 0);
    g_assert_cmpuint(owner.inode, ==, inode_of(accepted));
    g_assert_cmpint(sockdiag_tcp(&near.any, &far.any, &owner), ==, 0);
    g_assert_cmpuint(owner.inode, ==, inode_of(dialler));

    close(accepted);
    close(dialler);
    close(listener);
}

static void test_tcp_ipv4(void)
{
    check_pair("127.0.0.1", "127.0.0.1");
    check_pair("0.0.0.0", "127.0.0.9");
}

static void test_tcp_ipv6(void)
{
    check_pair("::1", "::1");
    check_pair("::", "::1");
}

static void test_tcp_mapped(void)
{
    check_pair("::", "127.0.0.1");
    check_pair("::", "::ffff:127.0.0.1");
    check_pair("127.0.0.1", "::ffff:127.0.0.1");
}

static void test_tcp_none(void)
{
    int listener = listening("127.0.0.1", 4000, false);
    int dialler = dialled("127.0.0.1", 4000), accepted = accept(listener, NULL, NULL);
    struct address near = name_of(dialler), far = peer_of(dialler);
    struct address stranger = address_of("127.0.0.1", 1), v6 = address_of("::1", 4000);
    struct sockaddr_storage unix_address = { .ss_family = AF_UNIX };
    struct sockdiag_owner owner;

    /* The listener's own address: the kernel would answer with the listener. */
    g_assert_cmpint(sockdiag_tcp(&far.any, &stranger.any, &owner), ==, -ENOENT);
    g_assert_cmpint(sockdiag_tcp(&stranger.any, &far.any, &owner), ==, -ENOENT);
    g_assert_cmpint(sockdiag_tcp(&v6.any, &v6.any, &owner), ==, -ENOENT);
    g_assert_cmpint(sockdiag_tcp(&v6.any, &near.any, &owner), ==, -EINVAL);
    g_assert_cmpint(sockdiag_tcp((struct sockaddr *)&unix_address, &near.any, &owner), ==,
                    -EAFNOSUPPORT);

    /* Closed by its owner: what the kernel still keeps of it is nobody's connection. */
    close(dialler);
    g_assert_cmpint(sockdiag_tcp(&near.any, &far.any, &owner), ==, -ENOENT);
    g_assert_cmpint(sockdiag_tcp(&far.any, &near.any, &owner), ==, 0);
    g_assert_cmpuint(owner.inode, ==, inode_of(accepted));
    close(accepted);
    g_assert_cmpint(sockdiag_tcp(&near.any, &far.any, &owner), ==, -ENOENT);
    g_assert_cmpint(sockdiag_tcp(&far.any, &near.any, &owner), ==, -ENOENT);
    close(listener);
}

/* Who is in the way at `want`; 0 is nobody. */
static uint64_t holder(int protocol, const char *want, uint16_t l4_port)
{
    struct address a = address_of(want, l4_port);
    struct sockdiag_owner owner = { 0 };
    int r = sockdiag_bound(protocol, &a.any, &owner);

    if (r == -ENOENT)
        return 0;
    g_assert_cmpint(r, ==, 0);
    g_assert_cmpuint(owner.uid, ==, geteuid());
    return owner.inode;
}

/* The table says what bind() would say: that is asked, too. */
static void check_in_the_way(int type, const char *have, bool v6only, const char *want,
                             bool expected)
{
    int protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    int fd = bound(type, have, 5555, v6only), other;
    struct address a = address_of(want, 5555);

    g_test_message("%s at %s, for %s", protocol == IPPROTO_TCP ? "TCP" : "UDP", have, want);
    if (type == SOCK_STREAM)
        g_assert_no_errno(listen(fd, 1));
    other = socket(a.any.sa_family, type | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(other, &a.any, a.len), ==, expected ? -1 : 0);
    close(other);
    g_assert_cmpuint(holder(protocol, want, 5555), ==, expected ? inode_of(fd) : 0);
    g_assert_cmpuint(holder(protocol, want, 5556), ==, 0);
    close(fd);
    g_assert_cmpuint(holder(protocol, want, 5555), ==, 0);
}

struct wanted {
    uint16_t dialler, listener;
    unsigned near, far; /* how often each end has come */
    bool open, made;    /* the far one is in somebody's hands; the near one was answered */
};

static uint16_t l4_port_of(const struct sockaddr_storage *address)
{
    return ((const struct sockaddr_in *)address)->sin_port; /* at one place in both families */
}

static int on_connection(const struct sockdiag_connection *connection, void *userdata)
{
    struct wanted *wanted = userdata;
    uint16_t local = l4_port_of(&connection->local), remote = l4_port_of(&connection->remote);

    if (local == wanted->dialler && remote == wanted->listener) {
        wanted->near++;
        wanted->made = connection->made;
        g_assert_cmpuint(connection->inode, !=, 0);
    } else if (local == wanted->listener && remote == wanted->dialler) {
        wanted->far++;
        wanted->open = connection->inode != 0;
        g_assert_true(connection->made);
    }
    return 0;
}

static int on_any(const struct sockdiag_connection *connection, void *userdata)
{
    return -ECANCELED;
}

static void check_connections(const char *host)
{
    int listener = listening(host, 0, false), dialler, accepted;
    struct wanted wanted = { .listener = name_of(listener).in4.sin_port }, again;

    dialler = dialled(host, ntohs(wanted.listener));
    wanted.dialler = name_of(dialler).in4.sin_port;
    again = wanted;
    g_assert_cmpint(sockdiag_connections(on_connection, &wanted), ==, 0);
    g_assert_cmpuint(wanted.near, ==, 1); /* not the listener itself */
    g_assert_cmpuint(wanted.far, ==, 1);
    g_assert_true(wanted.made);
    g_assert_false(wanted.open);

    accepted = accept(listener, NULL, NULL);
    g_assert_cmpint(sockdiag_connections(on_connection, &again), ==, 0);
    g_assert_cmpuint(again.far, ==, 1);
    g_assert_true(again.open);
    g_assert_cmpint(sockdiag_connections(on_any, NULL), ==, -ECANCELED);
    close(accepted);
    close(dialler);
    close(listener);
}

/* A listener whose backlog is full answers nobody. */
static void check_dialling(void)
{
    int listener = bound(SOCK_STREAM, "127.0.0.1", 0, false), first, second;
    struct wanted wanted = { .listener = name_of(listener).in4.sin_port };
    struct address a = address_of("127.0.0.1", ntohs(wanted.listener));

    g_assert_no_errno(listen(listener, 0));
    first = dialled("127.0.0.1", ntohs(wanted.listener));
    second = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_cmpint(connect(second, &a.any, a.len), ==, -1);
    wanted.dialler = name_of(second).in4.sin_port;
    g_assert_cmpint(sockdiag_connections(on_connection, &wanted), ==, 0);
    g_assert_cmpuint(wanted.near, ==, 1);
    g_assert_cmpuint(wanted.far, ==, 0);
    g_assert_false(wanted.made);
    close(second);
    close(first);
    close(listener);
}

static void test_connections(void)
{
    check_connections("127.0.0.1");
    check_connections("::1");
    check_dialling();
}

static void test_bound(void)
{
    static const struct {
        const char *have, *want;
        bool v6only, in_the_way;
    } table[] = {
        { .have = "127.0.0.1", .want = "127.0.0.1", .in_the_way = true },
        { .have = "127.0.0.1", .want = "127.0.0.2", .in_the_way = false },
        { .have = "0.0.0.0", .want = "127.0.0.2", .in_the_way = true },
        { .have = "127.0.0.1", .want = "0.0.0.0", .in_the_way = true },
        { .have = "127.0.0.1", .want = "::1", .in_the_way = false },
        { .have = "127.0.0.1", .want = "::", .in_the_way = true },
        { .have = "::1", .want = "::1", .in_the_way = true },
        { .have = "::1", .want = "127.0.0.1", .in_the_way = false },
        { .have = "::", .want = "127.0.0.1", .in_the_way = true },
        { .have = "::", .want = "127.0.0.1", .v6only = true, .in_the_way = false },
        { .have = "::", .want = "::1", .v6only = true, .in_the_way = true },
        { .have = "::ffff:127.0.0.1", .want = "127.0.0.1", .in_the_way = true },
        { .have = "127.0.0.1", .want = "::ffff:127.0.0.1", .in_the_way = true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
        check_in_the_way(SOCK_STREAM, table[i].have, table[i].v6only, table[i].want,
                         table[i].in_the_way);
        check_in_the_way(SOCK_DGRAM, table[i].have, table[i].v6only, table[i].want,
                         table[i].in_the_way);
    }
}

/* The one bound to just this address, where one on any address is there, too. */
static void test_bound_prefers_exact(void)
{
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    int exact = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct address a = address_of("0.0.0.0", 5555), b = address_of("127.0.0.1", 5555);

    g_assert_no_errno(setsockopt(any, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
    g_assert_no_errno(setsockopt(exact, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
    g_assert_no_errno(bind(any, &a.any, a.len));
    g_assert_no_errno(bind(exact, &b.any, b.len));
    g_assert_cmpuint(holder(IPPROTO_UDP, "127.0.0.1", 5555), ==, inode_of(exact));
    g_assert_cmpuint(holder(IPPROTO_UDP, "127.0.0.2", 5555), ==, inode_of(any));
    g_assert_cmpuint(holder(IPPROTO_UDP, "0.0.0.0", 5555), ==, inode_of(any));
    close(any);
    close(exact);
}

/* A UDP socket which has a peer holds its port all the same; a TCP connection does not listen. */
static void test_bound_connected(void)
{
    struct address peer = address_of("127.0.0.1", 9);
    int udp = bound(SOCK_DGRAM, "127.0.0.1", 5555, false);
    int listener = listening("127.0.0.1", 5556, false);
    int dialler = dialled("127.0.0.1", 5556);

    g_assert_no_errno(connect(udp, &peer.any, peer.len));
    g_assert_cmpuint(holder(IPPROTO_UDP, "127.0.0.1", 5555), ==, inode_of(udp));
    g_assert_cmpuint(holder(IPPROTO_TCP, "127.0.0.1", ntohs(name_of(dialler).in4.sin_port)), ==, 0);
    close(udp);
    close(dialler);
    close(listener);
}

/* More sockets than one answer of the kernel holds, and the one that is looked for is the last. */
static void test_bound_among_many(void)
{
    enum { MANY = 600 };
    int fds[MANY], on = 1;

    for (int i = 0; i < MANY; i++) {
        struct address a = address_of("127.0.0.1", 6000);

        a.in4.sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)i);
        fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        g_assert_no_errno(setsockopt(fds[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
        g_assert_no_errno(bind(fds[i], &a.any, a.len));
    }
    g_assert_cmpuint(holder(IPPROTO_UDP, "127.0.0.1", 6000), ==, inode_of(fds[0]));
    g_assert_cmpuint(holder(IPPROTO_UDP, "127.0.2.88", 6000), ==, inode_of(fds[MANY - 1]));
    g_assert_cmpuint(holder(IPPROTO_UDP, "127.0.2.89", 6000), ==, 0);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
}

static void test_process(void)
{
    int fd = listening("127.0.0.1", 0, false);
    char name[16] = "untouched";
    pid_t pid = 0;
    uint64_t inode = inode_of(fd);

    g_assert_no_errno(prctl(PR_SET_NAME, "a (strange) one"));
    g_assert_cmpint(sockdiag_process(inode, &pid, name), ==, 0);
    g_assert_cmpint(pid, ==, getpid());
    g_assert_cmpstr(name, ==, "a (strange) one");
    g_assert_cmpint(sockdiag_process(0, &pid, name), ==, -ENOENT);
    close(fd);
    g_assert_cmpint(sockdiag_process(inode, &pid, name), ==, -ENOENT);
}

static void test_process_sockets(void)
{
    uint64_t before[64], now[64], few[2] = { 0, 7 };
    int count = sockdiag_process_sockets(getpid(), before, 64);
    int one, two, three;

    g_assert_cmpint(count, >=, 0);
    one = listening("127.0.0.1", 0, false);
    two = bound(SOCK_DGRAM, "127.0.0.1", 0, false);
    three = listening("::1", 0, false);
    close(one); /* so that the lowest number has the highest inode */
    one = listening("127.0.0.1", 0, false);
    g_assert_cmpint(one, <, two);
    g_assert_cmpint(sockdiag_process_sockets(getpid(), now, 64), ==, count + 3);
    g_assert_cmpuint(now[count], ==, inode_of(one));
    g_assert_cmpuint(now[count + 1], ==, inode_of(two));
    g_assert_cmpuint(now[count + 2], ==, inode_of(three));

    g_assert_cmpint(sockdiag_process_sockets(getpid(), few, 1), ==, count + 3);
    g_assert_cmpuint(few[0], ==, now[0]);
    g_assert_cmpuint(few[1], ==, 7);
    g_assert_cmpint(sockdiag_process_sockets(getpid(), NULL, 0), ==, count + 3);
    close(one);
    close(two);
    close(three);
    g_assert_cmpint(sockdiag_process_sockets(getpid(), now, 64), ==, count);
}

static void test_process_sockets_errors(void)
{
    uint64_t inodes[4];

    if (g_test_subprocess()) {
        g_assert_no_errno(setresuid(65534, 65534, 65534));
        g_assert_cmpint(sockdiag_process_sockets(getppid(), inodes, 4), ==, -EACCES);
        return;
    }
    g_assert_cmpint(sockdiag_process_sockets(0x3fffffff, inodes, 4), ==, -ENOENT);
    if (setresuid(0, 65534, 0) < 0) { /* only one user in this user namespace */
        g_test_skip("no second user here");
        return;
    }
    g_assert_no_errno(setresuid(0, 0, 0));
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
}

/* Of two sockets that had the same name one after the other only the later one's file is there. */
static void test_unix_file(void)
{
    g_autofree char *directory = g_dir_make_tmp("sockdiag-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "s", NULL);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat file;
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int other = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(sock, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(lstat(path, &file), ==, 0);
    g_assert_cmpint(sockdiag_unix_file(&file), ==, 0);
    close(sock);
    g_assert_cmpint(sockdiag_unix_file(&file), ==, -ENOENT);
    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_cmpint(bind(other, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(lstat(path, &file), ==, 0);
    g_assert_cmpint(sockdiag_unix_file(&file), ==, 0);
    file.st_dev++;
    g_assert_cmpint(sockdiag_unix_file(&file), ==, -ENOENT);
    close(other);
    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_cmpint(rmdir(directory), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    netns_enter();
    g_test_add_func("/sockdiag/tcp-ipv4", test_tcp_ipv4);
    g_test_add_func("/sockdiag/tcp-ipv6", test_tcp_ipv6);
    g_test_add_func("/sockdiag/tcp-mapped", test_tcp_mapped);
    g_test_add_func("/sockdiag/tcp-none", test_tcp_none);
    g_test_add_func("/sockdiag/connections", test_connections);
    g_test_add_func("/sockdiag/bound", test_bound);
    g_test_add_func("/sockdiag/bound-prefers-exact", test_bound_prefers_exact);
    g_test_add_func("/sockdiag/bound-connected", test_bound_connected);
    g_test_add_func("/sockdiag/bound-among-many", test_bound_among_many);
    g_test_add_func("/sockdiag/process", test_process);
    g_test_add_func("/sockdiag/process-sockets", test_process_sockets);
    g_test_add_func("/sockdiag/process-sockets-errors", test_process_sockets_errors);
    g_test_add_func("/sockdiag/unix-file", test_unix_file);
    return g_test_run();
}
