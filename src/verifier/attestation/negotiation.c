/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/negotiation.h"

#include "base/encoding.h"

#include <string.h>

/* One item under examination. */
typedef struct {
    const OfferedQuote *quote;
    const NegotiationTerms *terms;
    ApiErrors *errors;
} Examination;

static void wrong(const Examination *item, const char *member, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void wrong(const Examination *item, const char *member, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *pointer = g_strdup_printf(
        "/data/attributes/evidence_supported/%u/capabilities/%s", item->quote->position, member);
    api_errors_add(item->errors, 422, "invalid_resource_data", pointer, "Attribute '%s' %s.",
                   member, message);
}

static bool contains(const char *const *words, const char *word)
{
    return words && g_strv_contains(words, word);
}

/* "['rsassa', 'rsapss']", as operators write such lists. */
static char *list_text(const char *const *words)
{
    GString *text = g_string_new("[");
    for (unsigned i = 0; words && words[i]; i++)
        g_string_append_printf(text, "%s'%s'", i > 0 ? ", " : "", words[i]);
    g_string_append_c(text, ']');
    return g_string_free(text, FALSE);
}

static const char *family_of(const TpmPublic *ak)
{
    return ak->type == TPM_ALG_RSA ? "rsa" : "ecc";
}

/* --- form of the item ---------------------------------------------------------------------- */

static void check_form(const Examination *item)
{
    const OfferedQuote *quote = item->quote;
    if (g_strcmp0(quote->component_version, "2.0") != 0)
        wrong(item, "component_version", "must be '2.0', the version of the TPM");
    if (!quote->hashes)
        wrong(item, "hash_algorithms", "is required for tpm_quote evidence");
    if (quote->banks_as_list)
        wrong(item, "available_subjects",
              "must be a dictionary mapping PCR bank names to PCR numbers for tpm_quote evidence");
    else if (!quote->has_banks)
        wrong(item, "available_subjects", "is required for tpm_quote evidence");
    for (unsigned i = 0; quote->hashes && i < quote->bank_count; i++) {
        if (!contains(quote->hashes, quote->bank[i].name)) {
            wrong(item, "available_subjects",
                  "may only contain PCR banks for the given hash algorithms");
            return;
        }
    }
}

/* --- key ----------------------------------------------------------------------------------- */

/* The enrolled AK, as TPMT_PUBLIC or with the size prefix of TPM2B_PUBLIC (decision D8). */
static bool public_is_ak(Bytes offered, const TpmPublic *ak)
{
    Bytes tpmt = bytes_of_gbytes(ak->tpmt);
    Reader reader = reader_of(offered);
    Bytes inner;
    if (bytes_equal(offered, tpmt))
        return true;
    return reader_tpm2b(&reader, &inner) && reader_at_end(&reader) && bytes_equal(inner, tpmt);
}

static bool key_is_ak(const OfferedKey *key, const TpmPublic *ak)
{
    if (key->symmetric)
        return false;
    if (key->public)
        return public_is_ak(bytes_of_gbytes(key->public), ak);
    if (key->local_identifier) {
        g_autofree char *name = hex_encode(tpm_public_name(ak));
        return g_ascii_strcasecmp(key->local_identifier, name) == 0;
    }
    return g_strcmp0(key->server_identifier, "ak") == 0;
}

static bool choose_key(const Examination *item, unsigned *out)
{
    const TpmPublic *ak = item->terms->ak;
    bool found = false;
    for (unsigned i = 0; i < item->quote->key_count && !found; i++) {
        found = key_is_ak(&item->quote->key[i], ak);
        *out = i;
    }
    if (!found) {
        g_autofree char *name = hex_encode(tpm_public_name(ak));
        wrong(
            item, "certification_keys",
            "must contain the attestation key that the agent is enrolled with (name %s); after the"
            " agent's key has changed, it must be enrolled anew with the tenant",
            name);
        return false;
    }
    if (accept_allows_key(&item->terms->accept, family_of(ak), ak->key_bits))
        return true;
    g_autofree char *accepted = list_text(item->terms->accept.encryption);
    wrong(item, "certification_keys",
          "must have a key usable with an algorithm allowable for agent: its attestation key is"
          " %s%u, and the enrolment accepts %s (tenant option accept_tpm_encryption_algs)",
          family_of(ak), ak->key_bits, accepted);
    return false;
}

/* --- signature scheme ---------------------------------------------------------------------- */

static bool scheme_fits_key(uint16_t scheme, const TpmPublic *ak)
{
    if (scheme == 0 || (ak->scheme != TPM_ALG_NULL && ak->scheme != scheme))
        return false;
    return (scheme == TPM_ALG_ECDSA) == (ak->type == TPM_ALG_ECC);
}

static uint16_t choose_scheme(const Examination *item, const OfferedKey *key)
{
    const TpmPublic *ak = item->terms->ak;
    const char *const *accepted = item->terms->accept.signing;
    for (unsigned i = 0; accepted && accepted[i]; i++) {
        uint16_t scheme = tpm_scheme_from_name(accepted[i]);
        if (scheme_fits_key(scheme, ak) && contains(item->quote->schemes, accepted[i]) &&
            (!key->schemes || contains(key->schemes, accepted[i])))
            return scheme;
    }
    const char *fixed = ak->scheme != TPM_ALG_NULL ? tpm_algorithm_name(ak->scheme) : NULL;
    g_autofree char *offered =
        list_text(key->schemes ? key->schemes : (const char *const *)item->quote->schemes);
    g_autofree char *list = list_text(accepted);
    wrong(item, "signature_schemes",
          "must have a signature scheme allowable for agent: its attestation key signs with %s (the"
          " agent offers %s), and the enrolment accepts %s (tenant option accept_tpm_signing_algs)",
          fixed ? fixed : family_of(ak), offered, list);
    return 0;
}

/* --- hash and bank ------------------------------------------------------------------------- */

static const OfferedBank *bank_of(const OfferedQuote *quote, uint16_t hash)
{
    for (unsigned i = 0; i < quote->bank_count; i++)
        if (quote->bank[i].hash == hash)
            return &quote->bank[i];
    return NULL;
}

static bool hash_fits_key(uint16_t hash, const char *name, const TpmPublic *ak,
                          const OfferedKey *key)
{
    if (hash == 0 || !tpm_hash_md(hash))
        return false;
    if (ak->scheme != TPM_ALG_NULL && ak->scheme_hash != hash)
        return false;
    return !key->hashes || contains(key->hashes, name);
}

/* What to ask of a bank: the policy's PCRs, or one that every TPM has (decision D79). 0 = unusable.
 */
static uint32_t pcrs_to_ask(const OfferedBank *bank, uint32_t required)
{
    if (!bank)
        return 0;
    if (required != 0)
        return (bank->pcrs & required) == required ? required : 0;
    return bank->pcrs & (~bank->pcrs + 1); /* the lowest one offered */
}

static void no_hash(const Examination *item, const OfferedKey *key)
{
    const TpmPublic *ak = item->terms->ak;
    GString *banks = g_string_new(NULL);
    for (unsigned i = 0; i < item->quote->bank_count; i++)
        g_string_append_printf(banks, "%s%s", i > 0 ? ", " : "", item->quote->bank[i].name);
    g_autofree char *bank_text = g_string_free(banks, FALSE);
    g_autofree char *accepted = list_text(item->terms->accept.hashes);
    g_autofree char *offered =
        list_text(key->hashes ? key->hashes : (const char *const *)item->quote->hashes);
    const char *fixed = ak->scheme != TPM_ALG_NULL ? tpm_algorithm_name(ak->scheme_hash) : NULL;
    wrong(item, "hash_algorithms",
          "must have a PCR bank for a hash algorithm allowable for agent: its attestation key signs"
          " with %s (the agent offers %s), its banks are %s, and the enrolment accepts %s (tenant"
          " option accept_tpm_hash_algs)",
          fixed ? fixed : "any hash", offered, *bank_text ? bank_text : "none", accepted);
}

static void no_pcrs(const Examination *item, const OfferedBank *bank)
{
    GString *missing = g_string_new(NULL);
    uint32_t bits = item->terms->required_pcrs & ~bank->pcrs;
    for (unsigned i = 0; i < PCR_COUNT; i++)
        if (bits & (UINT32_C(1) << i))
            g_string_append_printf(missing, "%s%u", missing->len > 0 ? ", " : "", i);
    g_autofree char *text = g_string_free(missing, FALSE);
    wrong(item, "available_subjects",
          "must have the PCRs of the agent's policy; check the correct numbered PCRs are given for"
          " an allowable PCR bank (missing from %s: %s)",
          bank->name, *text ? text : "all");
}

static bool choose_hash(const Examination *item, const OfferedKey *key, Negotiated *out)
{
    const char *const *accepted = item->terms->accept.hashes;
    const OfferedBank *lacking = NULL;
    for (unsigned i = 0; accepted && accepted[i]; i++) {
        uint16_t hash = tpm_hash_from_name(accepted[i]);
        if (!hash_fits_key(hash, accepted[i], item->terms->ak, key) ||
            !contains(item->quote->hashes, accepted[i]))
            continue;
        const OfferedBank *bank = bank_of(item->quote, hash);
        out->hash = hash;
        out->pcrs = pcrs_to_ask(bank, item->terms->required_pcrs);
        if (out->pcrs != 0)
            return true;
        if (bank && !lacking)
            lacking = bank;
    }
    if (lacking)
        no_pcrs(item, lacking);
    else
        no_hash(item, key);
    return false;
}

static bool examine(const Examination *item, Negotiated *out)
{
    guint before = item->errors->len;
    *out = (Negotiated){.quote = item->quote};
    check_form(item);
    if (item->errors->len > before || !choose_key(item, &out->key))
        return false;
    const OfferedKey *key = &item->quote->key[out->key];
    out->scheme = choose_scheme(item, key);
    choose_hash(item, key, out);
    return item->errors->len == before;
}

bool negotiate(const Capabilities *capabilities, const NegotiationTerms *terms, Negotiated *out,
               ApiErrors *errors)
{
    g_autoptr(GPtrArray) problems = api_errors_new();
    for (guint i = 0; i < capabilities->quotes->len; i++) {
        Examination item = {g_ptr_array_index(capabilities->quotes, i), terms, problems};
        guint before = problems->len;
        if (examine(&item, out))
            return true;
        g_assert(problems->len > before);
    }
    if (capabilities->quotes->len == 0)
        api_errors_add(problems, 422, "invalid_resource_data",
                       "/data/attributes/evidence_supported",
                       "Attribute 'evidence_supported' must contain a certification item of type"
                       " 'tpm_quote' per agent policy.");
    g_ptr_array_extend_and_steal(errors, g_steal_pointer(&problems));
    return false;
}
