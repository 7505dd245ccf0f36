/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "net/tap.h"
#include "netns.h"

static void test_create(void)
{
    char one[TAP_NAME_MAX], two[TAP_NAME_MAX];
    char frame[2048];
    int fd, other;

    if (netns_skip_without_tun())
        return;
    fd = tap_create("t%d", one);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpstr(one, ==, "t0");
    other = tap_create("t%d", two);
    g_assert_cmpint(other, >=, 0);
    g_assert_cmpstr(two, ==, "t1");
    g_assert_true(netns_link_exists("t0"));

    g_assert_cmpint(fcntl(fd, F_GETFL) & O_NONBLOCK, ==, O_NONBLOCK);
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    netns_link_up("t0", true);
    while (read(fd, frame, sizeof(frame)) > 0)
        continue; /* the kernel's own greetings */
    g_assert_cmpint(errno, ==, EAGAIN);

    close(fd);
    g_assert_false(netns_link_exists("t0"));
    close(other);
    g_assert_false(netns_link_exists("t1"));
}

/* No packet information, and a virtio header of 10 bytes, whatever the kernel's default is. */
static void test_what_is_before_a_frame(void)
{
    struct __attribute__((packed)) {
        struct virtio_net_hdr head;
        char frame[60];
    } one = { .frame = "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5 one" };
    int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0xb588);
    char name[TAP_NAME_MAX], got[2048];
    int fd, size = 0;
    ssize_t n;

    if (netns_skip_without_tun())
        return;
    fd = tap_create("t%d", name);
    g_assert_no_errno(ioctl(fd, TUNGETVNETHDRSZ, &size));
    g_assert_cmpint(size, ==, 10);
    g_assert_cmpint(sizeof(one), ==, 70);
    netns_link_up(name, true);
    g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
    n = recv(sock, got, sizeof(got), 0);
    g_assert_cmpmem(got, n, one.frame, sizeof(one.frame));
    close(fd);
    close(sock);
}

static void test_create_errors(void)
{
    char name[TAP_NAME_MAX] = "untouched";
    unsigned count;
    int fd;

    if (netns_skip_without_tun())
        return;
    fd = tap_create("taken", name);
    g_assert_cmpint(fd, >=, 0);
    count = netns_link_count();
    strcpy(name, "untouched");
    g_assert_cmpint(tap_create("taken", name), ==, -EBUSY);
    g_assert_cmpint(tap_create("lo", name), ==, -EBUSY);
    g_assert_cmpint(tap_create("", name), ==, -EINVAL);
    g_assert_cmpint(tap_create("sixteen-letters!", name), ==, -EINVAL);
    g_assert_cmpint(tap_create("a/b", name), ==, -EINVAL);
    g_assert_cmpstr(name, ==, "untouched");
    g_assert_cmpuint(netns_link_count(), ==, count);
    close(fd);
}

static void drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { 0 };

    g_assert_no_errno((int)syscall(SYS_capset, &header, none));
}

static void test_create_without_capability(void)
{
    char name[TAP_NAME_MAX];

    if (netns_skip_without_tun())
        return;
    if (g_test_subprocess()) {
        drop_capabilities();
        g_assert_cmpint(tap_create("t%d", name), ==, -EPERM);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
}

static void test_open_persistent(void)
{
    char name[TAP_NAME_MAX], found[TAP_NAME_MAX];
    int fd;

    if (netns_skip_without_tun())
        return;
    fd = tap_create("kept", name);
    g_assert_no_errno(ioctl(fd, TUNSETPERSIST, 1));
    g_assert_no_errno(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM));
    g_assert_cmpint(tap_open("kept"), ==, -EBUSY); /* somebody else has it */
    close(fd);
    g_assert_true(netns_link_exists("kept"));

    fd = tap_open("kept");
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(fcntl(fd, F_GETFL) & O_NONBLOCK, ==, O_NONBLOCK);
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    g_assert_cmpint(tap_name(fd, found), ==, 0);
    g_assert_cmpstr(found, ==, "kept");
    g_assert_no_errno(ioctl(fd, TUNSETPERSIST, 0));
    close(fd);
    g_assert_false(netns_link_exists("kept"));
}

static void test_open_errors(void)
{
    unsigned count = netns_link_count();

    if (netns_skip_without_tun())
        return;
    g_assert_cmpint(tap_open("none"), ==, -ENODEV);
    g_assert_cmpint(tap_open(""), ==, -ENODEV);
    g_assert_cmpint(tap_open("sixteen-letters!"), ==, -ENODEV);
    g_assert_cmpint(tap_open("lo"), ==, -EINVAL); /* not a TAP */
    g_assert_cmpuint(netns_link_count(), ==, count);
}

static int tun_with(short flags)
{
    struct ifreq {
        char name[16];
        short flags;
        char rest[22];
    } ifr = { .name = "odd%d", .flags = flags };
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    g_assert_no_errno(ioctl(fd, TUNSETIFF, &ifr));
    return fd;
}

static void test_name(void)
{
    char name[TAP_NAME_MAX], found[TAP_NAME_MAX] = "untouched";
    int fds[2], fd;

    if (netns_skip_without_tun())
        return;
    fd = tun_with(IFF_TUN | IFF_NO_PI);
    g_assert_cmpint(tap_name(fd, found), ==, -EBADFD);
    close(fd);
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    g_assert_cmpint(tap_name(fd, found), ==, -EBADFD); /* of no device yet */
    close(fd);
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    g_assert_cmpint(tap_name(fds[0], found), ==, -EBADFD);
    close(fds[0]);
    close(fds[1]);
    g_assert_cmpint(tap_name(-1, found), ==, -EBADFD);
    g_assert_cmpstr(found, ==, "untouched");

    fd = tap_create("ours%d", name);
    g_assert_cmpint(tap_name(fd, found), ==, 0);
    g_assert_cmpstr(found, ==, "ours0");
    close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    netns_enter();
    g_test_add_func("/tap/create", test_create);
    g_test_add_func("/tap/what-is-before-a-frame", test_what_is_before_a_frame);
    g_test_add_func("/tap/create-errors", test_create_errors);
    g_test_add_func("/tap/create-without-capability", test_create_without_capability);
    g_test_add_func("/tap/open-persistent", test_open_persistent);
    g_test_add_func("/tap/open-errors", test_open_errors);
    g_test_add_func("/tap/name", test_name);
    return g_test_run();
}
