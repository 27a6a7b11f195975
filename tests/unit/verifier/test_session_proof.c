/* SPDX-License-Identifier: Apache-2.0 */
/* The worked proof of verifier-push-api, appendix A, and what must not pass for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "verifier/session/proof.h"

#include <string.h>

#define AK                                                                                         \
    "ARgAAQALAAUAcgAAABAAFAALCAAAAAAAAQCzdArdLU20C8ls4iCaGetI2DOOiaBz6kbrjO/Wb07Mgu0kKNMAuMtCKtOl" \
    "ysnlGNXRzoI2AqOtADLX573uXPuZSlaHS80rxwWFnVr4ARPgmKPXRUCFp7jYeGvMK+TrZu5ptmZ2VON3UWsxPced/"    \
    "adeO"                                                                                         \
    "XyUKODjjlW365qpddaca8SUMbhjQbcJMMq50lLSGx0egZihpQnE8/"                                        \
    "PlvzgaxC6bvayVlG1h34SVlS4jB63PvjmDXRpVsL"                                                     \
    "FNxTGpZVgcpjHAJnpM5mfTxT6cZe8LB6DAWPllPnVAcTw8mSMKr4zvQQHlNbPV9uAn4yB+"                       \
    "wmApKHbvSmcMae3gL8HyFfK"                                                                      \
    "RHcEZ"
#define CHALLENGE "oKGio6SlpqeoqaqrrK2urw=="
#define MESSAGE                                                                                    \
    "/1RDR4AXACIACwqY6EL1Oyuvfi1wEe1XKETeAtkE4gqIGjqjaqtn/F5XABCgoaKjpKWmp6ipqqusra6vAAAAAAAABEwA" \
    "AAABAAAAAAEgGRAjABY2NgAiAAsKmOhC9Tsrr34tcBHtVyhE3gLZBOIKiBo6o2qrZ/xeVwAiAAsKmOhC9Tsrr34tcBHt" \
    "VyhE3gLZBOIKiBo6o2qrZ/xeVw=="
#define SIGNATURE                                                                                  \
    "ABQACwEAYGoW1RZOR07Sn1v49rdzOTyGNRRDHKdw8wcBZuUHUIzMgA84EF9EEYkrLoaqJXDR4mozlpkGcoV+oMBWj3T8" \
    "NbmFF6iICGluljQQc1jMKDhRkZATWU4i6ymq07pTWihPuu3n/fIKwFNSSvgIpO90Cp0ckbNB17mgXyn4ujjLadrnNkvu" \
    "+37dkGSnDBueJIu4yXkkvhZ0QKDmYCmtmqExFb4FPF3TOyBGVCW49RkLgp6pC9xEZrqZ+nYgNXIDwJhpyWqeByu/JhRQ" \
    "3hwGSfWsjLKCkwKiPmM7rsPD8Q0Ta8fZvhMPSavu3A0Bo/YCc2NgWmzQQ3l69SesthhTq9/5eQ=="

static AgentRecord *record_with(const char *ak)
{
    AgentRecord *record = g_new0(AgentRecord, 1);
    record->ak_tpm = base64_decode(ak);
    record->accept_hashes = g_strdup("[\"sha256\"]");
    return record;
}

static const char *check(const AgentRecord *record, const char *message, const char *signature)
{
    g_autoptr(References) references = references_new();
    g_autoptr(GBytes) challenge = base64_decode(CHALLENGE);
    return session_proof_check(record, references, message, signature, bytes_of_gbytes(challenge));
}

static void the_worked_example_is_proven(void **state)
{
    g_autoptr(AgentRecord) record = record_with(AK);
    assert_null(check(record, MESSAGE, SIGNATURE));
}

static void every_flipped_bit_is_noticed(void **state)
{
    g_autoptr(AgentRecord) record = record_with(AK);
    g_autoptr(GBytes) message = base64_decode(MESSAGE);
    g_autoptr(GBytes) signature = base64_decode(SIGNATURE);
    GBytes *parts[] = {message, signature};
    for (unsigned part = 0; part < 2; part++) {
        gsize size;
        const uint8_t *data = g_bytes_get_data(parts[part], &size);
        for (gsize i = 0; i < size; i++) {
            g_autofree uint8_t *copy = g_memdup2(data, size);
            copy[i] ^= (uint8_t)(1u << (i % 8));
            g_autofree char *text = base64_encode(bytes_of(copy, size));
            assert_non_null(
                check(record, part == 0 ? text : MESSAGE, part == 1 ? text : SIGNATURE));
        }
    }
}

static void another_challenge_or_broken_key_is_no_proof(void **state)
{
    g_autoptr(AgentRecord) record = record_with(AK);
    static const uint8_t other[16];
    g_autoptr(References) references = references_new();
    assert_non_null(
        session_proof_check(record, references, MESSAGE, SIGNATURE, BYTES_OF_ARRAY(other)));
    assert_non_null(check(record, "*", SIGNATURE));
    assert_non_null(check(record, MESSAGE, "*"));
    g_autoptr(AgentRecord) broken = record_with("AAAA");
    assert_non_null(check(broken, MESSAGE, SIGNATURE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_example_is_proven),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(another_challenge_or_broken_key_is_no_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
