/* What a checkpoint's tensors become: which tensor of the layer a slot is, and which axis a letter. */
#include "checkpoint_internal.h"

#include <string.h>

#define NONE SMOE_SLOT_COUNT

/* The tensor of the layer that a slot is, the slot that a fused tensor fills too, and that of a matrix's factors. */
static const struct {
    const char *name; /* as smoe_layer_tensor_get has it; NULL: no tensor of the layer */
    smoe_slot partner, factor;
} slots[SMOE_SLOT_COUNT] = {
    [SMOE_SLOT_ROUTER_WEIGHT] = {"router_weight", NONE, NONE},
    [SMOE_SLOT_ROUTER_BIAS] = {"router_bias", NONE, NONE},
    [SMOE_SLOT_PROJECTION] = {"router_projection", NONE, NONE},
    [SMOE_SLOT_PROJECTION_BIAS] = {"router_projection_bias", NONE, NONE},
    [SMOE_SLOT_SIMILARITY] = {"router_similarity", NONE, NONE},
    [SMOE_SLOT_LOG_SCALE] = {"router_log_scale", NONE, NONE},
    [SMOE_SLOT_BAND] = {NULL, NONE, NONE},
    [SMOE_SLOT_SELECTION_BIAS] = {"selection_bias", NONE, NONE},
    [SMOE_SLOT_W1] = {"w1", SMOE_SLOT_W3, SMOE_SLOT_FACTOR_W1},
    [SMOE_SLOT_W3] = {"w3", NONE, SMOE_SLOT_FACTOR_W3},
    [SMOE_SLOT_B1] = {"b1", SMOE_SLOT_B3, NONE},
    [SMOE_SLOT_B3] = {"b3", NONE, NONE},
    [SMOE_SLOT_W2] = {"w2", NONE, SMOE_SLOT_FACTOR_W2},
    [SMOE_SLOT_B2] = {"b2", NONE, NONE},
    [SMOE_SLOT_SHARED_W1] = {"shared_w1", SMOE_SLOT_SHARED_W3, SMOE_SLOT_FACTOR_SHARED_W1},
    [SMOE_SLOT_SHARED_W3] = {"shared_w3", NONE, SMOE_SLOT_FACTOR_SHARED_W3},
    [SMOE_SLOT_SHARED_W2] = {"shared_w2", NONE, SMOE_SLOT_FACTOR_SHARED_W2},
    [SMOE_SLOT_SHARED_GATE] = {"shared_gate", NONE, NONE},
    [SMOE_SLOT_FACTOR_W1] = {NULL, NONE, NONE},
    [SMOE_SLOT_FACTOR_W3] = {NULL, NONE, NONE},
    [SMOE_SLOT_FACTOR_W2] = {NULL, NONE, NONE},
    [SMOE_SLOT_FACTOR_SHARED_W1] = {NULL, NONE, NONE},
    [SMOE_SLOT_FACTOR_SHARED_W3] = {NULL, NONE, NONE},
    [SMOE_SLOT_FACTOR_SHARED_W2] = {NULL, NONE, NONE},
};

/* Factors: one for each matrix of the experts. */
static bool is_of_experts(smoe_slot slot)
{
    return slot == SMOE_SLOT_FACTOR_W1 || slot == SMOE_SLOT_FACTOR_W3 || slot == SMOE_SLOT_FACTOR_W2;
}

bool smoe_slot_tensor(const smoe_checkpoint_reading *r, smoe_slot slot, smoe_layer_tensor *out)
{
    for (uint32_t i = 0; slots[slot].name && smoe_layer_tensor_get(&r->out->plan, i, out); i++)
        if (strcmp(out->name, slots[slot].name) == 0)
            return true;
    const uint32_t count = is_of_experts(slot) ? (uint32_t)r->axes[SMOE_AXIS_E] : 1;
    *out = (smoe_layer_tensor){.name = "",
                               .axes = is_of_experts(slot) ? "E" : "1",
                               .axis_count = 1,
                               .shape = {count, 1, 1},
                               .element_count = count};
    return false;
}

smoe_slot smoe_slot_partner(smoe_slot slot)
{
    return slots[slot].partner;
}

smoe_slot smoe_slot_factor(smoe_slot slot)
{
    return slots[slot].factor;
}

static const char letters[] = "EDHPS"; /* in the order of SMOE_AXIS_* */

int smoe_layer_axis(char letter)
{
    const char *at = strchr(letters, letter);
    return at ? (int)(at - letters) : -1;
}
