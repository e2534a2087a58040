/* What smoe's headers share: results, log and host memory; the enumerations and limits of layers, names, and the types of weights. Part of
 * smoe.h, which has the general rules, and which apps include. */
#ifndef SMOE_TYPES_H
#define SMOE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* On Windows nothing need be defined: the DLLs export by name. SMOE_SHARED makes calls into them shorter. */
#ifndef SMOE_API
#if defined(_WIN32)
#if defined(SMOE_SHARED) && !defined(SMOE_BUILD)
#define SMOE_API __declspec(dllimport)
#else
#define SMOE_API
#endif
#elif defined(__GNUC__)
#define SMOE_API __attribute__((visibility("default")))
#else
#define SMOE_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- results, log, host memory ------------------------------------------------------------------------------------- */

typedef enum smoe_result {
    SMOE_SUCCESS = 0,
    SMOE_ERROR_INVALID_ARGUMENT = -1,     /* the log line names the argument and the rule */
    SMOE_ERROR_OUT_OF_HOST_MEMORY = -2,   /* the allocator or the driver had no host memory */
    SMOE_ERROR_OUT_OF_DEVICE_MEMORY = -3, /* the driver had no device memory */
    SMOE_ERROR_UNSUPPORTED = -4,          /* a legal request that this device, or smoe, cannot serve; the log line names the limit */
    SMOE_ERROR_DEVICE_LOST = -5,          /* VK_ERROR_DEVICE_LOST */
    SMOE_ERROR_VULKAN = -6,               /* any other Vulkan error; the log line has the call and its VkResult */
    SMOE_ERROR_NO_DEVICE = -7,            /* device.h: no Vulkan loader, or no device that matches and is usable */
    SMOE_ERROR_FILE = -8                  /* layer_file.h, checkpoint.h, capability_file.h: unreadable, damaged or contradictory file */
} smoe_result;

#define SMOE_REASON_SIZE 160 /* of the text of an error where there is no context to log to, with its end; longer ones are cut */

/* A short English text for a result, never NULL; "unknown result" for any other value. Static memory. */
SMOE_API const char *smoe_result_text(smoe_result result);

typedef enum smoe_log_level { SMOE_LOG_ERROR = 0, SMOE_LOG_WARNING = 1, SMOE_LOG_INFO = 2 } smoe_log_level;

/* Receives one line of text without a line end, valid during the call. `message` may be called from any thread that calls smoe;
 * NULL discards. The struct is copied. */
typedef struct smoe_log {
    void (*message)(void *user, smoe_log_level level, const char *text);
    void *user;
} smoe_log;

/* Host memory for smoe's own objects (Vulkan's objects use the driver's allocator). Both callbacks or neither; both are called within
 * a call of smoe, by its thread: by several at once where several threads call. Memory may be released by another thread than the one that
 * allocated it: what smoe_plan_create keeps for a new pipeline goes with the context. `allocate` returns memory aligned for any C type,
 * or NULL, which surfaces as SMOE_ERROR_OUT_OF_HOST_MEMORY. `release` gets only what `allocate` gave, never NULL. The struct is copied. */
typedef struct smoe_allocator {
    void *(*allocate)(void *user, size_t size);
    void (*release)(void *user, void *memory);
    void *user;
} smoe_allocator;

/* ---- enumerations of a layer ------------------------------------------------------------------------------------------- */

/* Types of weights. From MXFP4 on they have scales for blocks of elements: weights.h has their layouts and values. */
typedef enum smoe_type {
    SMOE_TYPE_FLOAT32 = 0,
    SMOE_TYPE_FLOAT16 = 1,
    SMOE_TYPE_BFLOAT16 = 2,
    SMOE_TYPE_MXFP4 = 3, /* 4 bits, a table of 16 values; a scale that is a power of two for 32 */
    SMOE_TYPE_Q4 = 4,    /* 4 bits, whole numbers; a float16 scale for 32 */
    SMOE_TYPE_Q8 = 5,    /* 8 bits, whole numbers; a float16 scale for 32 */
    SMOE_TYPE_FP8 = 6,   /* 8 bits, E4M3; a float32 scale for 128 x 128 */
    SMOE_TYPE_NVFP4 = 7, /* 4 bits, MXFP4's values; an E4M3 scale for 16 */
    /* what files have, which smoe does not round to */
    SMOE_TYPE_IQ4 = 8,     /* 4 bits, GGUF's table; a float16 scale for 32 */
    SMOE_TYPE_IQ4_XS = 9,  /* the same with scales of two levels */
    SMOE_TYPE_Q4_MIN = 10, /* 4 bits, whole numbers; a scale and a minimum for 32 */
    SMOE_TYPE_Q4_ZERO = 11, /* a scale and a zero point for 32 */
    SMOE_TYPE_Q4_K = 12,    /* scale and minimum of two levels */
    SMOE_TYPE_Q8_MIN = 13,  /* 8 bits, whole numbers, and so on as with 4 */
    SMOE_TYPE_Q8_ZERO = 14,
    SMOE_TYPE_Q8_K = 15,
    SMOE_TYPE_Q6_K = 16,    /* a scale of two levels for 16 */
    SMOE_TYPE_Q8_ROWS = 17, /* a float32 scale for 128 of a row */
    SMOE_TYPE_FP8_ROWS = 18, /* 8 bits, E4M3; likewise */
    /* No type of weights, but of smoe_host_weight only: what other programs' files hold, which weights_source.h describes */
    SMOE_TYPE_SOURCES = 255
} smoe_type;

typedef enum smoe_activation {
    SMOE_ACTIVATION_IDENTITY = 0,
    SMOE_ACTIVATION_RELU = 1,
    SMOE_ACTIVATION_GELU = 2,      /* x/2 (1 + erf(x/sqrt 2)) */
    SMOE_ACTIVATION_GELU_TANH = 3, /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    SMOE_ACTIVATION_SILU = 4,      /* x / (1 + exp(-x)); smoe_plan_desc.gate_alpha may be in it */
    SMOE_ACTIVATION_RELU_SQUARED = 5, /* max(x, 0)^2 */
    /* Gated only, as in gpt-oss: with g = min(W1 x + b1, 7) and u = W3 x + b3 held in -7 .. 7: g / (1 + exp(-1.702 g)) (u + 1). Short for
     * SILU with gate_max 7, up_limit 7, gate_alpha 1.702 and up_offset 1 in smoe_plan_desc, and the same limits for the shared expert */
    SMOE_ACTIVATION_SWIGLU_CLAMPED = 6
} smoe_activation;

typedef enum smoe_router {
    SMOE_ROUTER_LINEAR = 0, /* z = x W^T + b */
    /* v = P x + c; z_e = exp(min(log_scale, ln 100)) <v, S_e> / (max(|v|, 1e-12) max(|S_e|, 1e-12)), S_e column e of S (Tutel's
     * cosine_top, the router of GMoE) */
    SMOE_ROUTER_COSINE = 1
} smoe_router;

typedef enum smoe_gate {
    SMOE_GATE_SOFTMAX = 0, /* select on z, weigh with exp(z / temperature) */
    /* From here on temperature must be 1, and selection_bias, where the layer has one, moves the choice and no weight. */
    SMOE_GATE_SIGMOID = 1,       /* select on sigmoid(z) + selection_bias, weigh with sigmoid(z) (DeepSeek-V3) */
    SMOE_GATE_SQRT_SOFTPLUS = 2, /* likewise with sqrt(ln(1 + exp(z))) (DeepSeek-V4) */
    /* likewise with softmax(z) over all experts (ERNIE 4.5, LongCat; without bias Mistral's groups over probabilities) */
    SMOE_GATE_SOFTMAX_BIAS = 3
} smoe_gate;

/* A group's score, from the scores s of its experts. */
typedef enum smoe_group_score {
    SMOE_GROUP_SCORE_SUM2 = 0, /* the sum of the two largest, or the only one (DeepSeek-V3) */
    SMOE_GROUP_SCORE_MAX = 1   /* the largest (DeepSeek-V2) */
} smoe_group_score;

/* The types of the experts' matrices. Those of the shared expert are not looked at where there is none. */
typedef struct smoe_matrix_types {
    smoe_type up;          /* w1 and w3 */
    smoe_type down;        /* w2 */
    smoe_type shared_up;   /* shared_w1 and shared_w3 */
    smoe_type shared_down; /* shared_w2 */
    smoe_type latent_down; /* these two are not looked at without a latent width */
    smoe_type latent_up;
} smoe_matrix_types;

/* An initialiser: all of one type. */
#define SMOE_TYPES(type) {(type), (type), (type), (type), (type), (type)}

#define SMOE_MAX_EXPERTS 1024u
#define SMOE_MAX_WIDTH 65536u   /* of d_model, d_hidden and d_latent */
#define SMOE_MAX_TOKENS 1048576u

/* What may divide: Vulkan promises a division only by normal numbers up to 2^126. */
#define SMOE_LEAST_DIVISOR 1e-30f
#define SMOE_MOST_DIVISOR 1e30f

/* What the experts' matrix multiplications may round their inputs to, and weights with scales: a permission, which a plan uses where the
 * device gains by it. Later degrees will be more enumerators.
 * Error: a number v moves by at most 2^-11 |v| for float16 (Vulkan allows 2^-10 |v|), 2^-8 |v| for bfloat16, hence a sum over w_k v_k by at
 * most as large a part of the sum over |w_k v_k|, twice as large where weights are rounded too; roundings being independent, by about that
 * part of the root of the sum of squares. A float16 below 2^-14 moves by up to 2^-25 (Vulkan allows 2^-24), or counts as 0 on a device
 * without denormal numbers (smoe_forward). bfloat16 holds every weight of mxfp4 and nvfp4 before its factor, float16 those from 2^-14 to
 * 65504.
 * Range: what float16 does not hold, |v| >= 65520, counts as infinite with its sign. An input makes its token's y infinite or NaN unless an
 * activation hides it, a weight those of its expert's tokens. No other token changes, and the routing and its report are those of float32.
 * bfloat16 has float32's range. */
typedef enum smoe_precision {
    SMOE_PRECISION_FLOAT32 = 0, /* nothing is rounded */
    SMOE_PRECISION_FLOAT16 = 1, /* for matrix units that multiply float16, with weights of float16 and of types with scales */
    SMOE_PRECISION_BFLOAT16 = 2 /* likewise */
} smoe_precision;

/* ---- names ------------------------------------------------------------------------------------------------------------- */

/* Names of activations, routers, gates, group scores and types, as files, tools and the benchmark have them: "relu2", "sigmoid", "float16".
 * Static text; NULL for a number that is not in the enumeration. The short names of types are "f32", "f16", "bf16", and those of
 * types with scales their only ones: "mxfp4", "q4_k", "fp8_rows". Thread safe. */
SMOE_API const char *smoe_activation_name(smoe_activation activation);
SMOE_API const char *smoe_router_name(smoe_router router);
SMOE_API const char *smoe_gate_name(smoe_gate gate);
SMOE_API const char *smoe_group_score_name(smoe_group_score score);
SMOE_API const char *smoe_type_name(smoe_type type);
SMOE_API const char *smoe_type_short_name(smoe_type type);

/* The names of all activations, routers, gates or group scores, for a message: "identity, relu, ... or swiglu_clamped". Thread safe. */
#define SMOE_NAME_LIST_SIZE 128
SMOE_API void smoe_activation_list(char text[SMOE_NAME_LIST_SIZE]);
SMOE_API void smoe_router_list(char text[SMOE_NAME_LIST_SIZE]);
SMOE_API void smoe_gate_list(char text[SMOE_NAME_LIST_SIZE]);
SMOE_API void smoe_group_score_list(char text[SMOE_NAME_LIST_SIZE]);

/* From a name. False, with *out as it was, for any other text, and for NULL. An activation may also have the names of Hugging Face
 * configurations (ACT2FN of transformers) that mean the same function, such as "gelu_new" and "swish"; a type may have its short one. */
SMOE_API bool smoe_activation_find(const char *name, smoe_activation *out);
SMOE_API bool smoe_router_find(const char *name, smoe_router *out);
SMOE_API bool smoe_gate_find(const char *name, smoe_gate *out);
SMOE_API bool smoe_group_score_find(const char *name, smoe_group_score *out);
SMOE_API bool smoe_type_find(const char *name, smoe_type *out);

/* The precision of the matrix units that multiply a type as it is, SMOE_PRECISION_FLOAT32 for every other number. Types with scales have
 * none of their own: any precision rounds them. Thread safe. */
SMOE_API smoe_precision smoe_type_precision(smoe_type type);

/* ---- types of weights -------------------------------------------------------------------------------------------------- */

/* Bytes of `count` elements of a type without scales. 0 for the others (smoe_weights_size), and for a number that is not a type. Thread
 * safe. */
SMOE_API uint64_t smoe_type_size(smoe_type type, uint64_t count);

/* Converts `count` elements, rounded to nearest even. NaN stays NaN, and what is too large becomes infinite. The arrays must not overlap.
 * They need no alignment. Errors: INVALID_ARGUMENT (a number that is not a type, a type with scales, or NULL for elements), with nothing
 * written and no line in a log. Thread safe. */
SMOE_API smoe_result smoe_type_convert(void *to, smoe_type to_type, const void *from, smoe_type from_type, size_t count);

#ifdef __cplusplus
}
#endif

#endif
