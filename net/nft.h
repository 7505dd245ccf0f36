/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft(8) within this process, by libnftables. The library is loaded at the first call: few networks
 * need it, and it would take netrelayctl, which hooks wait for, nearly as long again to start.
 */
#ifndef NR_NET_NFT_H
#define NR_NET_NFT_H

/*
 * Runs commands, with "; " between them: the kernel takes all or none. What they list is *ret
 * (unless that is NULL), with handles and without counters; the caller's, free(). 0 or negative
 * errno: -ENOENT: there is no such table or chain; -ENOPKG: the library is not installed.
 */
int nft_run(const char *commands, char **ret);

#endif
