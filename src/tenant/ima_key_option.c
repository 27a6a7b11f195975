/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/ima_key_option.h"

#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "tenant/detached_signature.h"
#include "tenant/remote_file.h"

/* One half of the options: the n-th key belongs to the n-th signature, and that to the n-th key of
 * a signer. All three are NULL-terminated, within ARGUMENTS_MAX_KEYS. */
typedef struct {
    const char *key_option, *signature_option, *signer_option;
    const char *const *keys, *const *signatures, *const *signers;
    bool remote; /* the signers' keys are files in any case */
} KeySource;

static GBytes *fetch(const Tenant *tenant, const KeySource *source, const char *option,
                     const char *where, size_t most, GError **error)
{
    return source->remote ? remote_file(tenant, option, where, most, error)
                          : local_file(option, where, error);
}

/* Before anything looks into the key: what was signed is the content that is used. */
static bool check_signed(const Tenant *tenant, const KeySource *source, guint index, GBytes *key,
                         GError **error)
{
    const char *where = source->signatures[index];
    g_autoptr(GBytes) signature =
        fetch(tenant, source, source->signature_option, where, DETACHED_SIGNATURE_MAX, error);
    g_autoptr(GBytes) signer =
        signature ? local_file(source->signer_option, source->signers[index], error) : NULL;
    if (!signer)
        return false;
    if (!detached_signature_check(bytes_of_gbytes(signer), bytes_of_gbytes(signature),
                                  bytes_of_gbytes(key), error)) {
        g_prefix_error(error, "%s %s with %s %s: ", source->signature_option, where,
                       source->signer_option, source->signers[index]);
        return false;
    }
    log_info("Signature verification on %s was successful", source->keys[index]);
    return true;
}

static bool read_key(const Tenant *tenant, const KeySource *source, guint index, ImaKeyring *ring,
                     GError **error)
{
    const char *where = source->keys[index];
    g_autoptr(GBytes) content =
        fetch(tenant, source, source->key_option, where, IMA_KEY_MAX_SIZE, error);
    if (!content ||
        (source->signatures[index] && !check_signed(tenant, source, index, content, error)))
        return false;
    g_autoptr(ImaKey) key = ima_key_parse(bytes_of_gbytes(content), error);
    if (!key) {
        g_prefix_error(error, "%s %s: ", source->key_option, where);
        return false;
    }
    ima_keyring_add(ring, key);
    return true;
}

ImaKeyring *ima_key_option_read(const Tenant *tenant, GError **error)
{
    const Arguments *arguments = tenant->arguments;
    const KeySource sources[] = {
        {"--signature-verification-key", "--signature-verification-key-sig",
         "--signature-verification-key-sig-key", arguments->signature_keys,
         arguments->signature_key_sigs, arguments->signature_key_sig_keys, false},
        {"--signature-verification-key-url", "--signature-verification-key-sig-url",
         "--signature-verification-key-sig-url-key", arguments->signature_key_urls,
         arguments->signature_key_sig_urls, arguments->signature_key_sig_url_keys, true},
    };
    g_autoptr(ImaKeyring) ring = ima_keyring_new();
    for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
        for (guint index = 0; sources[i].keys[index]; index++)
            if (!read_key(tenant, &sources[i], index, ring, error))
                return NULL;
    if (ima_keyring_size(ring) > 0)
        log_warning("--signature-verification-key is deprecated: put the keys into the runtime "
                    "policy (keylime-policy create runtime --add-ima-signature-verification-key)");
    return g_steal_pointer(&ring);
}
