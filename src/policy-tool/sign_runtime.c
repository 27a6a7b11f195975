/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime-policy sign runtime: a DSSE envelope around a policy (ima §12,
 * tenant-and-management-api §11.3). What is signed is the file as it is, byte for byte.
 */
#include "base/encoding.h"
#include "base/secret.h"
#include "pki/pem_file.h"
#include "policy-tool/command.h"
#include "policy/runtime_policy.h"

#include <openssl/ec.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NEW_KEY_FILE "keylime-ecdsa-key.pem"
/* The certificate of upstream's x509 backend: nobody reads it but people. */
#define CERTIFICATE_NAME "dsse_lib"
#define CERTIFICATE_SECONDS (30L * 24 * 60 * 60)

typedef struct {
    CommonOptions common;
    const char *policy, *output, *key_file, *key_path, *backend, *certificate;
} SignOptions;

static bool wants_certificate(const SignOptions *options)
{
    return g_strcmp0(options->backend, "x509") == 0;
}

/* What the options say together; the reason, or NULL. */
static const char *wrong_usage(const SignOptions *options)
{
    if (!options->policy)
        return "--runtime-policy is needed";
    if (options->key_file && options->key_path)
        return "--keyfile names a key to sign with, --keypath a new one: give one of them";
    if (options->backend && strcmp(options->backend, "ecdsa") != 0 && !wants_certificate(options))
        return "--backend is ecdsa or x509";
    if (wants_certificate(options) && !options->certificate)
        return "the backend x509 needs --cert-outfile";
    return NULL;
}

/* A new key, on disk before anything is signed with it. Never in place of another file. */
static EVP_PKEY *make_key(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE,
                    "%s exists: sign with it by --keyfile, or name another file by --keypath",
                    path);
        return NULL;
    }
    g_autoptr(EVP_PKEY) key = EVP_EC_gen("P-256");
    if (!key) {
        pki_set_openssl_error(error, "new key");
        return NULL;
    }
    char *text = pem_of_private_key(key, NULL);
    bool written = pem_file_write(path, text, strlen(text), PEM_MODE_SECRET, error);
    secret_free_text(text);
    if (!written)
        return NULL;
    command_note("New key in %s; its public half, for the verifier: "
                 "openssl pkey -pubout -in %s",
                 path, path);
    return g_steal_pointer(&key);
}

static bool fill_certificate(X509 *certificate, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" CERTIFICATE_NAME);
    bool good =
        extension && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0) &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), CERTIFICATE_SECONDS) &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   (const unsigned char *)CERTIFICATE_NAME, -1, -1, 0) == 1 &&
        X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
        X509_add_ext(certificate, extension, -1) == 1 &&
        X509_sign(certificate, key, EVP_sha256()) > 0;
    X509_EXTENSION_free(extension);
    return good;
}

/* The certificate's PEM text, also written to its file. */
static char *make_certificate(const char *path, EVP_PKEY *key, GError **error)
{
    g_autoptr(X509) certificate = X509_new();
    if (!fill_certificate(certificate, key)) {
        pki_set_openssl_error(error, "certificate");
        return NULL;
    }
    g_autofree char *text = pem_of_certificate(certificate);
    return command_write(path, bytes_of_text(text), error) ? g_steal_pointer(&text) : NULL;
}

static char *key_id(const SignOptions *options, EVP_PKEY *key, GError **error)
{
    if (!wants_certificate(options))
        return dsse_key_id(key);
    g_autofree char *certificate = make_certificate(options->certificate, key, error);
    return certificate ? base64_encode(bytes_of_text(certificate)) : NULL;
}

static Json *keys_told(const SignOptions *options, const char *new_key, const char *id)
{
    Json *told = json_object_new_object();
    json_add_text(told, "keyid", id);
    json_add_text(told, "key", options->key_file ? options->key_file : new_key);
    if (wants_certificate(options))
        json_add_text(told, "certificate", options->certificate);
    return told;
}

static bool sign(const PolicyCall *call, const SignOptions *options, GError **error)
{
    g_autoptr(GBytes) text = command_read(options->policy, error);
    if (!text)
        return false;
    g_autoptr(RuntimePolicy) policy =
        runtime_policy_parse(bytes_of_gbytes(text), &runtime_policy_rules_default, error);
    if (!policy) {
        g_prefix_error(error, "%s: ", options->policy);
        return false;
    }
    const char *path = options->key_path ? options->key_path : NEW_KEY_FILE;
    g_autoptr(EVP_PKEY) key = options->key_file
                                  ? pem_file_private_key(options->key_file, NULL, error)
                                  : make_key(path, error);
    g_autofree char *id = key ? key_id(options, key, error) : NULL;
    g_autofree char *envelope =
        id ? dsse_sign(DSSE_POLICY_TYPE, bytes_of_gbytes(text), key, id, error) : NULL;
    return envelope && command_write_result(call, options->output, bytes_of_text(envelope),
                                            keys_told(options, path, id), error);
}

static int run(PolicyCall *call)
{
    SignOptions options = {0};
    int status;
    if (!command_parse(call, &options, &status))
        return status;
    const char *wrong = wrong_usage(&options);
    if (wrong)
        return command_fail(call, STATUS_USAGE, "%s", wrong);
    g_autoptr(GError) error = NULL;
    if (!sign(call, &options, &error))
        return command_fail(call, STATUS_FAILED, "%s", error->message);
    return STATUS_GOOD;
}

/* clang-format off */
#define TEXT(brief_, full_, member_, value_) TOOL_OPTION(SignOptions, TOOL_TEXT, brief_, full_, member_, value_)

static const ToolOption options[] = {
    {TEXT("-r", "--runtime-policy", policy, "FILE"), .group = "Input", .help = "The policy to sign (required)."},
    {TEXT("-k", "--keyfile", key_file, "FILE"), .group = "Key",
     .help = "EC private key in PEM to sign with. Without it a new one is made."},
    {TEXT("-p", "--keypath", key_path, "FILE"), .group = "Key", .default_text = NEW_KEY_FILE,
     .help = "Where a new key goes. Never in place of another file."},
    {TEXT("-b", "--backend", backend, "NAME"), .group = "Key", .default_text = "ecdsa", .words = "ecdsa x509",
     .help = "What names the key: its hash, or a certificate."},
    {TEXT("-c", "--cert-outfile", certificate, "FILE"), .group = "Key",
     .help = "Where the certificate of the backend x509 goes."},
    {TEXT("-o", "--output", output, "FILE"), .group = "Output", .default_text = "standard output",
     .help = "Where the signed policy goes. A file is replaced whole or not at all."},
    {0},
};

const PolicyCommand sign_runtime_command = {
    {"sign runtime", "Runtime policies", "sign a runtime policy",
     .details = "The result is an envelope (DSSE) around the policy, byte for byte. A verifier and a tenant check it by"
                " the public half of the key.",
     .json = "the envelope; with --output the members output, its file, key, keyid and certificate.",
     .examples = "keylime-policy sign runtime -r policy.json -o signed.json\n"
                 "keylime-policy sign runtime -r policy.json -k keylime-ecdsa-key.pem -o signed.json",
     .options = options},
    run};
/* clang-format on */
