/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/openpgp.h"

#define OPENPGP_ERROR (openpgp_error_quark())
static G_DEFINE_QUARK(openpgp - error - quark, openpgp_error)

#ifdef HAVE_RNP

#include <rnp/rnp.h>
#include <rnp/rnp_err.h>

    static void clear_ffi(rnp_ffi_t *ffi)
{
    rnp_ffi_destroy(*ffi);
}

static void clear_input(rnp_input_t *input)
{
    rnp_input_destroy(*input);
}

static void clear_operation(rnp_op_verify_t *operation)
{
    rnp_op_verify_destroy(*operation);
}

static void clear_key(rnp_key_handle_t *key)
{
    rnp_key_handle_destroy(*key);
}

#define RNP_AUTO(type, clear) __attribute__((cleanup(clear))) type

static bool succeeded(rnp_result_t result, const char *what, GError **error)
{
    if (result != RNP_SUCCESS)
        g_set_error(error, OPENPGP_ERROR, (gint)result, "%s: %s", what,
                    rnp_result_to_string(result));
    return result == RNP_SUCCESS;
}

static bool open_input(Bytes bytes, rnp_input_t *input, GError **error)
{
    return succeeded(rnp_input_from_memory(input, bytes.data, bytes.size, false),
                     "reading OpenPGP data", error);
}

static bool import_key(rnp_ffi_t ffi, Bytes signer, GError **error)
{
    RNP_AUTO(rnp_input_t, clear_input) input = NULL;
    return open_input(signer, &input, error) &&
           succeeded(rnp_import_keys(ffi, input, RNP_LOAD_SAVE_PUBLIC_KEYS, NULL),
                     "the signer's OpenPGP key cannot be read", error);
}

static const char bad[] = "the signature is not a good one by the given OpenPGP key";

/* librnp is content with a key that was valid when it signed; a signer may have lost it since. */
static bool check_signer(rnp_op_verify_t operation, size_t index, GError **error)
{
    rnp_op_verify_signature_t signature = NULL;
    RNP_AUTO(rnp_key_handle_t, clear_key) key = NULL;
    bool valid = false;
    if (!succeeded(rnp_op_verify_get_signature_at(operation, index, &signature), bad, error) ||
        !succeeded(rnp_op_verify_signature_get_key(signature, &key), bad, error) ||
        !succeeded(rnp_key_is_valid(key, &valid), bad, error))
        return false;
    if (!valid)
        g_set_error_literal(error, OPENPGP_ERROR, 0,
                            "the given OpenPGP key has expired or is revoked");
    return valid;
}

/* Every signature of the file must be good, and there must be one. */
static bool check_all(rnp_ffi_t ffi, rnp_input_t data, rnp_input_t signature, GError **error)
{
    RNP_AUTO(rnp_op_verify_t, clear_operation) operation = NULL;
    size_t count = 0;
    if (!succeeded(rnp_op_verify_detached_create(&operation, ffi, data, signature), bad, error) ||
        !succeeded(rnp_op_verify_set_flags(operation, RNP_VERIFY_REQUIRE_ALL_SIGS), bad, error) ||
        !succeeded(rnp_op_verify_execute(operation), bad, error) ||
        !succeeded(rnp_op_verify_get_signature_count(operation, &count), bad, error) ||
        !succeeded(count ? RNP_SUCCESS : RNP_ERROR_NO_SIGNATURES_FOUND, bad, error))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!check_signer(operation, i, error))
            return false;
    return true;
}

bool openpgp_check(Bytes signer, Bytes signature, Bytes data, GError **error)
{
    RNP_AUTO(rnp_ffi_t, clear_ffi) ffi = NULL;
    RNP_AUTO(rnp_input_t, clear_input) data_input = NULL;
    RNP_AUTO(rnp_input_t, clear_input) signature_input = NULL;
    return succeeded(rnp_ffi_create(&ffi, RNP_KEYSTORE_GPG, RNP_KEYSTORE_GPG),
                     "librnp cannot be set up", error) &&
           import_key(ffi, signer, error) && open_input(data, &data_input, error) &&
           open_input(signature, &signature_input, error) &&
           check_all(ffi, data_input, signature_input, error);
}

#else

    bool openpgp_check(Bytes signer, Bytes signature, Bytes data, GError **error)
{
    g_set_error_literal(error, OPENPGP_ERROR, 0,
                        "OpenPGP signatures cannot be checked by this build, which is without "
                        "librnp; sign with an EC key (ECDSA over SHA-256) instead");
    return false;
}

#endif
