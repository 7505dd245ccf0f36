/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include "net/sockdiag.h"
#include "relay/log.h"

void inet_any(struct inet_address *ret, int family, uint16_t l4_port)
{
    *ret = (struct inet_address){ .storage.ss_family = (sa_family_t)family };
    if (family == AF_INET6) {
        ((struct sockaddr_in6 *)&ret->storage)->sin6_port = htons(l4_port);
        ret->len = sizeof(struct sockaddr_in6);
    } else {
        ((struct sockaddr_in *)&ret->storage)->sin_port = htons(l4_port);
        ret->len = sizeof(struct sockaddr_in);
    }
}

int inet_parse(struct inet_address *ret, const struct endpoint_address *address)
{
    struct in_addr v4;

    if (inet_pton(AF_INET, address->host, &v4) == 1) {
        inet_any(ret, AF_INET, address->l4_port);
        ((struct sockaddr_in *)&ret->storage)->sin_addr = v4;
        return 0;
    }
    inet_any(ret, AF_INET6, address->l4_port);
    if (!*address->host)
        return 0;
    if (inet_pton(AF_INET6, address->host, &((struct sockaddr_in6 *)&ret->storage)->sin6_addr) == 1)
        return 0;
    return -EINVAL;
}

void inet_unmap(struct inet_address *address)
{
    struct sockaddr_in6 v6 = *(const struct sockaddr_in6 *)&address->storage;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address->storage;

    if (v6.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return;
    inet_any(address, AF_INET, ntohs(v6.sin6_port));
    memcpy(&v4->sin_addr, v6.sin6_addr.s6_addr + 12, sizeof(v4->sin_addr));
}

int inet_socket(struct inet_address *address, int type, bool any)
{
    int flags = type | SOCK_NONBLOCK | SOCK_CLOEXEC, v6only = !any;
    int fd = socket(address->storage.ss_family, flags, 0);

    if (fd < 0 && any && errno == EAFNOSUPPORT) { /* a host without IPv6 */
        inet_any(address, AF_INET, ntohs(((struct sockaddr_in6 *)&address->storage)->sin6_port));
        fd = socket(AF_INET, flags, 0);
    }
    if (fd < 0)
        return -errno;
    if (address->storage.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) < 0) {
        close(fd);
        return -EAFNOSUPPORT;
    }
    return fd;
}

static void format_path(const struct inet_address *address, char buf[INET_TEXT_MAX])
{
    const char *path = ((const struct sockaddr_un *)&address->storage)->sun_path;

    if (address->len > offsetof(struct sockaddr_un, sun_path))
        log_printable(path, buf, INET_TEXT_MAX);
}

const char *inet_format(const struct inet_address *address, char buf[INET_TEXT_MAX])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    char host[INET6_ADDRSTRLEN] = "";

    buf[0] = '\0';
    if (address->storage.ss_family == AF_UNIX) {
        format_path(address, buf);
    } else if (address->storage.ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(buf, INET_TEXT_MAX, "%s:%u", v4->sin_addr.s_addr ? host : "*",
                 ntohs(v4->sin_port));
    } else if (address->storage.ss_family == AF_INET6) {
        if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
            snprintf(buf, INET_TEXT_MAX, "*:%u", ntohs(v6->sin6_port));
        } else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
            inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, host, sizeof(host));
            snprintf(buf, INET_TEXT_MAX, "%s:%u", host, ntohs(v6->sin6_port));
        } else {
            inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
            snprintf(buf, INET_TEXT_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
        }
    }
    return buf;
}

/* Only of a connection to a name: credentials of a pair are those of whoever made both ends. */
static void name_process(int fd, char peer[INET_TEXT_MAX])
{
    struct ucred credentials = { .pid = 0 };
    socklen_t len = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) == 0 && credentials.pid > 0)
        snprintf(peer, INET_TEXT_MAX, "pid %d", (int)credentials.pid);
}

void inet_names(int fd, char local[INET_TEXT_MAX], char peer[INET_TEXT_MAX])
{
    struct inet_address address = { .len = sizeof(address.storage) };

    local[0] = peer[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&address.storage, &address.len) == 0)
        inet_format(&address, local);
    address.len = sizeof(address.storage);
    if (getpeername(fd, (struct sockaddr *)&address.storage, &address.len) < 0)
        return;
    inet_format(&address, peer);
    if (address.storage.ss_family == AF_UNIX && *local && !*peer)
        name_process(fd, peer);
}

bool inet_is_local(const struct inet_address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;

    if (address->storage.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return address->storage.ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
            (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127));
}

bool inet_same_host(const struct inet_address *a, const struct inet_address *b)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->storage;

    if (a->storage.ss_family != b->storage.ss_family)
        return false;
    if (a->storage.ss_family == AF_INET)
        return v4->sin_addr.s_addr == ((const struct sockaddr_in *)&b->storage)->sin_addr.s_addr;
    return a->storage.ss_family == AF_INET6 &&
           IN6_ARE_ADDR_EQUAL(&v6->sin6_addr,
                              &((const struct sockaddr_in6 *)&b->storage)->sin6_addr);
}

static void in_use(int protocol, const struct inet_address *address, char *buf, size_t size)
{
    char text[INET_TEXT_MAX], holder[SOCKDIAG_HOLDER_MAX];

    inet_format(address, text);
    if (sockdiag_holder(protocol, (const struct sockaddr *)&address->storage, holder) < 0)
        snprintf(buf, size, "%s is in use; choose another port", text);
    else
        snprintf(buf, size, "%s is in use by %s; end it or choose another port", text, holder);
}

void inet_refused(int protocol, const struct inet_address *address, int r, char *buf, size_t size)
{
    char text[INET_TEXT_MAX];

    inet_format(address, text);
    if (r == -EADDRINUSE)
        in_use(protocol, address, buf, size);
    else if (r == -EADDRNOTAVAIL)
        snprintf(buf, size,
                 "%s is not an address of this host; choose one of its own, or give it one", text);
    else if (r == -EACCES)
        snprintf(buf, size, "%s cannot be bound: so low a port needs root or CAP_NET_BIND_SERVICE",
                 text);
    else
        snprintf(buf, size, "%s cannot be bound: %s", text, strerror(-r));
}
