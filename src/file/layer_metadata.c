/* The metadata of a layer file as numbers and truth values. */
#include "layer_reading.h"

#include <float.h>
#include <string.h>

#define FAIL SMOE_LAYER_READING_FAIL

const char *smoe_layer_reading_metadata(const smoe_layer_reading *r, const char *key)
{
    return r->result == SMOE_SUCCESS ? smoe_layer_file_metadata(r->file, key) : NULL;
}

void smoe_layer_reading_float(smoe_layer_reading *r, const char *key, float *out)
{
    const char *text = smoe_layer_reading_metadata(r, key);
    double value;
    if (!text)
        return;
    if (!smoe_file_parse_number(text, &value) || value > FLT_MAX || value < -FLT_MAX)
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", which is not a finite number", key, text);
    else
        *out = (float)value;
}

uint32_t smoe_layer_reading_count(smoe_layer_reading *r, const char *key, uint32_t least, uint32_t largest,
                                  uint32_t absent)
{
    const char *text = smoe_layer_reading_metadata(r, key);
    uint64_t value = absent;
    if (text && (!smoe_file_parse_integer(text, &value) || value < least || value > largest)) {
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be a whole number from %u to %u", key, text, least,
             largest);
        return absent;
    }
    return (uint32_t)value;
}

bool smoe_layer_reading_bool(smoe_layer_reading *r, const char *key, bool absent)
{
    const char *text = smoe_layer_reading_metadata(r, key);
    if (text && strcmp(text, "True") != 0 && strcmp(text, "False") != 0) {
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be True or False", key, text);
        return absent;
    }
    return text ? strcmp(text, "True") == 0 : absent;
}

void smoe_layer_reading_require(smoe_layer_reading *r, const char *key)
{
    if (r->result == SMOE_SUCCESS && !smoe_layer_reading_metadata(r, key))
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is missing: no tensor tells it", key);
}

void smoe_layer_reading_agree(smoe_layer_reading *r, const char *key, uint32_t value, const char *tensor)
{
    const char *text = smoe_layer_reading_metadata(r, key);
    uint64_t written;
    if (text && (!smoe_file_parse_integer(text, &written) || written != value))
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but tensor %s has %u", key, text, tensor, value);
}

/* ---- forward parameters ------------------------------------------------------------------------------------------ */

void smoe_layer_reading_params(smoe_layer_reading *r)
{
    const smoe_forward_number *number;
    char reason[SMOE_REASON_SIZE];
    for (uint32_t i = 0; r->result == SMOE_SUCCESS && (number = smoe_forward_number_get(i)) != NULL; i++) {
        float value = smoe_forward_number_value(number, &r->params);
        smoe_layer_reading_float(r, number->name, &value);
        if (r->result == SMOE_SUCCESS && !smoe_forward_number_allows(number, value))
            FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be %s", number->name,
                 smoe_layer_reading_metadata(r, number->name), number->rule);
        smoe_forward_number_set(number, &r->params, value);
    }
    if (r->result == SMOE_SUCCESS && smoe_forward_numbers_check(&r->plan, &r->params, reason) != SMOE_SUCCESS)
        FAIL(r, SMOE_ERROR_FILE, "metadata %s", reason);
}
