/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/nft.h"

#include <dlfcn.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <stddef.h>
#include <string.h>
#include "common/scope.h"

#define LIBRARY "libnftables.so.1"
#define OUTPUT  (NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS)

static struct {
    __typeof__(nft_ctx_new) *ctx_new;
    __typeof__(nft_ctx_free) *ctx_free;
    __typeof__(nft_ctx_output_set_flags) *set_flags;
    __typeof__(nft_ctx_buffer_output) *buffer_output;
    __typeof__(nft_ctx_get_output_buffer) *get_output;
    __typeof__(nft_ctx_buffer_error) *buffer_error;
    __typeof__(nft_ctx_get_error_buffer) *get_error;
    __typeof__(nft_run_cmd_from_buffer) *run;
} nft;

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
    { "nft_ctx_new", offsetof(__typeof__(nft), ctx_new) },
    { "nft_ctx_free", offsetof(__typeof__(nft), ctx_free) },
    { "nft_ctx_output_set_flags", offsetof(__typeof__(nft), set_flags) },
    { "nft_ctx_buffer_output", offsetof(__typeof__(nft), buffer_output) },
    { "nft_ctx_get_output_buffer", offsetof(__typeof__(nft), get_output) },
    { "nft_ctx_buffer_error", offsetof(__typeof__(nft), buffer_error) },
    { "nft_ctx_get_error_buffer", offsetof(__typeof__(nft), get_error) },
    { "nft_run_cmd_from_buffer", offsetof(__typeof__(nft), run) },
};

/* Once; it stays. */
static int load(void)
{
    void *library;

    if (nft.run)
        return 0;
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library && i < sizeof(functions) / sizeof(*functions); i++) {
        void *function = dlsym(library, functions[i].name);

        if (!function)
            return -ENOPKG;
        memcpy((char *)&nft + functions[i].offset, &function, sizeof(function));
    }
    return library ? 0 : -ENOPKG;
}

static void context_freep(struct nft_ctx **context)
{
    if (*context)
        nft.ctx_free(*context);
}

/* The library tells an error as a text for people, with the kernel's word in it. */
static int error_of(const char *text)
{
    static const int known[] = { EPERM, ENOENT, EEXIST, EBUSY, EOPNOTSUPP, ENOMEM };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strstr(text, strerror(known[i])))
            return -known[i];
    return -EIO;
}

int nft_run(const char *commands, char **ret)
{
    _cleanup_(context_freep) struct nft_ctx *context = NULL;
    int r = load();

    if (r < 0)
        return r;
    context = nft.ctx_new(NFT_CTX_DEFAULT);
    if (!context || nft.buffer_output(context) != 0 || nft.buffer_error(context) != 0)
        return -ENOMEM;
    nft.set_flags(context, OUTPUT);
    if (nft.run(context, commands) != 0)
        return error_of(nft.get_error(context));
    if (!ret)
        return 0;
    *ret = strdup(nft.get_output(context));
    return *ret ? 0 : -ENOMEM;
}
