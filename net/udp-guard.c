/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports are in sets, and not a rule each: all that the host says to itself passes here, and is to
 * be looked up once, however many guests there are. Who may send is a rule, which is written anew
 * with the sets: a user may get another number.
 */
#include "net/udp-guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/scope.h"
#include "net/nft.h"

#define TABLE     "inet netrelay_guard"
#define OUTPUT    TABLE " output"
#define STRANGERS TABLE " strangers"

int udp_guard_is_set(bool *ret)
{
    int r = nft_run("list chain " OUTPUT, NULL);

    *ret = r == 0;
    return r == -ENOENT ? 0 : r;
}

/* What comes from no socket any more has no user, and is dropped, too. */
int udp_guard_add(void)
{
    return nft_run("add table " TABLE "; "
                   "add set " TABLE " places { type ipv4_addr . inet_service; }; "
                   "add set " TABLE " everywhere { type inet_service; }; "
                   "add chain " STRANGERS "; "
                   "add rule " STRANGERS " drop; "
                   "add chain " OUTPUT " { type filter hook output priority filter; }; "
                   "add rule " OUTPUT
                   " oifname \"lo\" ip daddr . udp dport @places goto strangers; "
                   "add rule " OUTPUT " oifname \"lo\" meta nfproto ipv4 udp dport @everywhere "
                   "goto strangers",
                   NULL);
}

int udp_guard_remove(void)
{
    int r = nft_run("delete table " TABLE, NULL);

    return r == -ENOENT ? 0 : r;
}

static void print_elements(FILE *file, const struct udp_guarded *guarded, size_t n)
{
    char addr[INET_ADDRSTRLEN];

    for (size_t i = 0; i < n; i++) {
        inet_ntop(AF_INET, &guarded[i].addr, addr, sizeof(addr));
        if (guarded[i].addr.s_addr == htonl(INADDR_ANY))
            fprintf(file, "; add element " TABLE " everywhere { %u }", guarded[i].l4_port);
        else
            fprintf(file, "; add element " TABLE " places { %s . %u }", addr, guarded[i].l4_port);
    }
}

static void print_senders(FILE *file, const uid_t *senders, size_t n)
{
    fprintf(file, "flush chain " STRANGERS "; add rule " STRANGERS " meta skuid { 0");
    for (size_t i = 0; i < n; i++)
        if (senders[i] != 0)
            fprintf(file, ", %u", senders[i]);
    fprintf(file, " } accept; add rule " STRANGERS " drop");
}

int udp_guard_fill(const struct udp_guarded *guarded, size_t n, const uid_t *senders,
                   size_t n_senders, bool more)
{
    _cleanup_(freep) char *commands = NULL;
    size_t length;
    FILE *file = open_memstream(&commands, &length);

    if (!file)
        return -ENOMEM;
    print_senders(file, senders, n_senders);
    if (!more)
        fprintf(file, "; flush set " TABLE " places; flush set " TABLE " everywhere");
    print_elements(file, guarded, n);
    if (fclose(file) != 0)
        return -ENOMEM;
    return nft_run(commands, NULL);
}
