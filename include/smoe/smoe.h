/* smoe: smooth sparse mixture-of-experts layers on any Vulkan device. The core library: it only records.
 *
 * The core turns a layer's description into pipelines once, then records dispatches into a command buffer that the
 * application owns, over buffers that the application owns. It never submits, waits, maps or allocates device memory; it never
 * aborts, prints or reads the environment, and holds no global state. Apps without a Vulkan device of their own use device.h.
 *
 * Objects, in the order they are made: context (one per VkDevice, with the pipelines) -> plan (one per layer shape) -> layer (one per
 * set of weights) and binding (one per set of input, output and workspace buffers) -> smoe_forward records layer over binding.
 *
 * Rules that hold for every function unless its comment says otherwise:
 * - Errors: SMOE_SUCCESS or a negative smoe_result. On failure *out is NULL, nothing is leaked, and one line that names the
 *   argument and the rule it broke goes to the context's log. Passing a description with invalid values is an error, never a crash;
 *   pointers, if not NULL, must point to what their type says.
 *   Functions that name Vulkan errors among theirs may give DEVICE_LOST too, and UNSUPPORTED where memory must be found and no type of the
 *   device suits.
 * - Thread safety: objects are immutable after creation, as far as a program can see; every function may be called from any thread on
 *   the same objects at the same time. Only command buffers, as Vulkan demands, are externally synchronised, and an object must outlive
 *   its use. smoe_plan_create may wait for another thread's smoe_plan_create on the same context, which compiles a pipeline that both
 *   need. Nothing else waits for another thread, and no thread is kept waiting for one that calls the app's log or allocator.
 * - Ownership: a child object does not own its parents; destroy children first, and the context, whose pipelines command buffers use,
 *   last. Destroying NULL is legal. Descriptions and the arrays they point to are only read during the call.
 * - Shapes: T tokens, D model width, E experts, M those of them that have matrices, H expert hidden width, L latent width, k experts
 *   chosen, A the cap on active experts, R experts that the app gives a token.
 *   Matrices are row-major.
 * - Sources: "paper" is arXiv 2606.19036 (Geometric and Stochastic Analysis of Discontinuities in Sparse Mixture-of-Experts);
 *   the soft-to-hard limit is arXiv 2605.02124. The cap and the smoothing of groups are smoe's own.
 *
 * With volk or VK_NO_PROTOTYPES: include volk.h, or define VK_NO_PROTOTYPES, before this header. */
#ifndef SMOE_SMOE_H
#define SMOE_SMOE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vulkan/vulkan.h>

#include "numbers.h"
#include "report.h"
#include "tensors.h"
#include "totals.h"
#include "types.h"
#include "weights.h"
#include "weights_source.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SMOE_VERSION_MAJOR 0
#define SMOE_VERSION_MINOR 2
#define SMOE_VERSION_PATCH 0

/* ---- devices as data ----------------------------------------------------------------------------------------------- */

/* What a device can do beyond the floor (Vulkan 1.1, storage buffers, 128 invocations and 16 KiB of shared memory per
 * workgroup, 8 storage buffers per stage). Each one has a fallback; masking it in smoe_context_desc forces the fallback. */
enum {
    SMOE_CAPABILITY_SUBGROUP_ARITHMETIC = 1 << 0,   /* basic and arithmetic subgroup operations in compute */
    SMOE_CAPABILITY_SUBGROUP_BALLOT = 1 << 1,       /* ballot */
    SMOE_CAPABILITY_SUBGROUP_SHUFFLE = 1 << 2,      /* shuffle */
    SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL = 1 << 3, /* compute pipelines may require a subgroup size, and full subgroups */
    /* Vulkan 1.2, VK_KHR_cooperative_matrix, shaderFloat16, vulkanMemoryModel and its device scope: one of matrix_shapes for float16, at
     * least */
    SMOE_CAPABILITY_COOPERATIVE_MATRIX = 1 << 4,
    SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16 = 1 << 5, /* that, and with VK_KHR_shader_bfloat16 one for bfloat16 */
    SMOE_CAPABILITY_ALL = (1 << 6) - 1
};

/* A product that the device's matrix units make of two cooperative matrices of `type`, [rows,depth] and [depth,columns], for one subgroup
 * in compute, with float32 sums: M, N and K of VkCooperativeMatrixPropertiesKHR. */
typedef struct smoe_matrix_shape {
    smoe_type type;
    uint32_t rows, columns, depth;
} smoe_matrix_shape;

#define SMOE_MAX_MATRIX_SHAPES 16

/* A physical device as smoe sees it: plain data, so that it can be stored and selection replayed elsewhere. Its strings are UTF-8, and a
 * space stands for each control character that a driver has there. */
typedef struct smoe_device_info {
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    char driver_name[VK_MAX_DRIVER_NAME_SIZE]; /* empty where the driver does not tell */
    char driver_info[VK_MAX_DRIVER_INFO_SIZE];
    uint8_t uuid[VK_UUID_SIZE];
    uint32_t vendor_id, device_id, driver_id /* VkDriverId, 0 = unknown */, driver_version, api_version;
    VkPhysicalDeviceType type;
    uint32_t capabilities;                                         /* SMOE_CAPABILITY_* */
    /* Lanes: what a shader is told without size control, the fewest and the most that a subgroup of a pipeline may have. The fewest is 1
     * where nobody knows: drivers that list no size control may run fewer than they tell. smoe's kernels do without subgroups there. */
    uint32_t subgroup_size, subgroup_size_min, subgroup_size_max;
    uint32_t max_workgroup_invocations, max_workgroup_size_x;
    uint32_t max_workgroup_count[3];
    uint32_t max_shared_memory_size;                               /* bytes */
    uint32_t max_stage_storage_buffers;
    uint64_t max_storage_buffer_range;                             /* bytes */
    uint64_t min_storage_buffer_offset_alignment;                  /* bytes */
    uint64_t max_allocation_size;                                  /* bytes, 0 = unknown */
    uint64_t device_memory_size;                                   /* bytes in the largest device-local heap */
    float timestamp_period;                                        /* nanoseconds per tick, 0 = no timestamps on compute */
    uint32_t matrix_shape_count;                                   /* 0 where the device, the real one if it acts as another, has none */
    smoe_matrix_shape matrix_shapes[SMOE_MAX_MATRIX_SHAPES];       /* in the driver's order; those beyond the array are not there */
    bool usable;
    char reason[SMOE_REASON_SIZE];                                 /* why not usable, else empty */
} smoe_device_info;

/* Describes a physical device. An unusable one is not an error: `usable` is false and `reason` says why.
 * Cooperative matrices are not there where the driver fails to list them, nor asked for where they are masked or a quirk of the driver
 * takes them away. `api_version` is VkApplicationInfo.apiVersion of `instance` (0 means Vulkan 1.0, which no device can be used under).
 * `masked_capabilities` are those that *out shall lack, as in smoe_context_desc; 0: none.
 * Errors: INVALID_ARGUMENT (a NULL argument, a mask that is not of SMOE_CAPABILITY_* bits, or a function the instance does not have),
 * OUT_OF_HOST_MEMORY, VULKAN. */
SMOE_API smoe_result smoe_physical_device_info(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkInstance instance,
                                               uint32_t api_version, VkPhysicalDevice physical_device, uint32_t masked_capabilities,
                                               smoe_device_info *out);

/* A named defect of a driver, and what smoe does without because of it. Contexts and smoe_select_kernels take the masked capabilities
 * away; a context says so in one line of its log, at level info. */
typedef struct smoe_quirk {
    const char *name;             /* "qualcomm_subgroups" */
    const char *text;             /* which driver, what goes wrong */
    const char *source;           /* where that was reported */
    uint32_t masked_capabilities; /* SMOE_CAPABILITY_* */
} smoe_quirk;

/* The index-th quirk of a described device's driver, by its driver id and version, vendor id, type, name and subgroups; NULL past the last
 * one. Static memory. */
SMOE_API const smoe_quirk *smoe_device_quirk(const smoe_device_info *info, uint32_t index);

/* What to enable in vkCreateDevice, as data to merge into the app's own. No feature and no extension is required beyond Vulkan 1.1.
 * The recommended features are a chain of VkPhysicalDevice*Features structs with VK_TRUE where smoe profits; enable those that
 * vkGetPhysicalDeviceFeatures2 reports too (unknown structs may be dropped). The extensions likewise: those not listed by the
 * device are left out, and so are those that its API version made core. All static memory.
 * smoe_capability_features gives the part of the recommended features that belongs to capabilities: to those of smoe_physical_device_info
 * it is what the device has of them, ready to be chained into VkDeviceCreateInfo and smoe_context_desc. An app with
 * VkPhysicalDeviceVulkan12Features or ...13Features in its chain sets their members of the same names instead. Whoever enables
 * vulkanMemoryModel must enable vulkanMemoryModelDeviceScope too, or neither where the device lacks the latter: kernels use atomics of
 * device scope. */
SMOE_API const VkPhysicalDeviceFeatures2 *smoe_recommended_features(void);
SMOE_API const VkPhysicalDeviceFeatures2 *smoe_capability_features(uint32_t capabilities);
SMOE_API const char *const *smoe_recommended_extensions(uint32_t *count);

/* ---- context ------------------------------------------------------------------------------------------------------- */

typedef struct smoe_context smoe_context;

typedef struct smoe_context_desc {
    PFN_vkGetInstanceProcAddr get_instance_proc_addr; /* the app's loader entry; smoe keeps its own function table */
    VkInstance instance;
    VkPhysicalDevice physical_device;
    VkDevice device;
    uint32_t api_version; /* VkApplicationInfo.apiVersion of the instance, at least VK_API_VERSION_1_1 */
    const VkPhysicalDeviceFeatures2 *enabled_features; /* the chain given to vkCreateDevice; NULL = nothing enabled */
    const char *const *enabled_extensions;             /* the names given to vkCreateDevice */
    uint32_t enabled_extension_count;
    /* SMOE_CAPABILITY_* to do without, for tests and for distrusted drivers: a context does not ask the driver for the shapes of
     * cooperative matrices that are masked or not enabled. Mask them in smoe_physical_device_info too */
    uint32_t masked_capabilities;
    /* Choose kernels as on this device, as far as the real one can: its type, ids and name, its quirks and the real one's, the lesser of
     * the limits, the capabilities of both; subgroup sizes and matrix shapes stay the real ones. For tests of kernels meant for others'
     * devices. NULL = none */
    const smoe_device_info *act_as;
    /* What smoe_context_pipeline_cache gave in an earlier run, or NULL. No driver sees other data: what was cut or changed meanwhile, what
     * smoe did not make, what another version of smoe, device or driver made is ignored with one line of the log, at level info */
    const void *pipeline_cache;
    size_t pipeline_cache_size;   /* bytes; 0 without */
    uint64_t slice_work;          /* of a slice of a forward at most (smoe_forward_slices); 0 = SMOE_SLICE_WORK */
    const smoe_allocator *allocator; /* NULL = malloc and free */
    const smoe_log *log;             /* NULL = none */
} smoe_context_desc;

/* What a device of 0.4 TFLOP/s and 20 GB/s does in a tenth of a second: floating-point operations, of which a byte that must move counts
 * as 20. A device that is n times as fast may have n times as much. */
#define SMOE_SLICE_WORK UINT64_C(40000000000)

/* Makes a context for an app's VkDevice. Compiles nothing: pipelines are made with plans. They are kept, for other plans too, until the
 * context is destroyed, which plans, layers and bindings must be before.
 * Errors: INVALID_ARGUMENT (also: act_as has a number that Vulkan does not allow, enabled_features have vulkanMemoryModel without
 * vulkanMemoryModelDeviceScope), OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, UNSUPPORTED (the device or act_as is below the floor),
 * VULKAN. */
SMOE_API smoe_result smoe_context_create(const smoe_context_desc *desc, smoe_context **out);
SMOE_API void smoe_context_destroy(smoe_context *context);

/* The device with capabilities as enabled, masked and left by its quirks: what selection sees. Owned by the context; NULL for NULL. */
SMOE_API const smoe_device_info *smoe_context_device_info(const smoe_context *context);

/* The pipeline cache for the next run: the driver's data behind a header, by which smoe_context_create knows it again. With data == NULL,
 * *size receives the bytes needed; else *size bytes at most are written and *size becomes the bytes written. Where *size is too small,
 * nothing is written, *size becomes the bytes needed, and the result is INVALID_ARGUMENT: plans that other threads make meanwhile may
 * have added some. Errors: INVALID_ARGUMENT, OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, VULKAN. */
SMOE_API smoe_result smoe_context_pipeline_cache(const smoe_context *context, size_t *size, void *data);

/* ---- plan ---------------------------------------------------------------------------------------------------------- */

/* The shape of a layer. All layers of one shape share a plan: its choice of kernels and its workspace's size. */
typedef struct smoe_plan_desc {
    uint32_t d_model;      /* D, 1 .. SMOE_MAX_WIDTH */
    uint32_t d_hidden;     /* H, 1 .. SMOE_MAX_WIDTH */
    /* L, the latent width: the routed experts see latent_down x + latent_down_bias, and their weighted sum s becomes latent_up s +
     * latent_up_bias; the router and the shared expert see x. 1 .. SMOE_MAX_WIDTH; 0: none, L is D (Nemotron 3). No norm lies between */
    uint32_t d_latent;
    uint32_t expert_count; /* E, 1 .. SMOE_MAX_EXPERTS */
    uint32_t top_k;        /* k, 1 .. E */
    uint32_t max_active;   /* A, k .. E; 0 = E. The workspace grows with A, up to about 512 MiB; then forwards take several passes
                              over fewer tokens each. A little more than k is enough for the usual bands */
    uint32_t max_expected_active; /* the most that a forward may expect (smoe_forward_params.expected_active), k .. A; 0 = k. The plan has
                              pipelines for k and for all that may be expected: more of them where other tiles suit those */
    uint32_t max_tokens;   /* the most tokens of one forward, 1 .. SMOE_MAX_TOKENS */
    uint32_t min_tokens;   /* the fewest tokens of one forward, 1 .. max_tokens; 0 = 1. The plan has pipelines for these counts only, and
                              different counts want different kernels: an app that runs one count waits for a third of the pipelines */
    smoe_router router;
    smoe_gate gate;
    smoe_activation activation;
    smoe_matrix_types types; /* of the experts' matrices. The router and every bias are float32 */
    bool gated;            /* false: f(x) = W2 act(W1 x + b1) + b2; true: f(x) = W2 (act(W1 x + b1) * (W3 x + b3)) + b2 */
    /* Gated experts only. With g = W1 x + b1 and u = W3 x + b3, as many of these steps as are not 0:
     *   f(x) = W2 (min(act(min(g, gate_max)), gate_limit_after) * (max(-up_limit, min(u, up_limit)) + up_offset)) + b2
     * Limits keep a NaN, which only relu and relu2 hide, and make an infinite g or u the limit. They cost a layer nothing that has none of
     * these numbers. Layers that have some share pipelines, whatever the numbers are.
     * Sources: gpt-oss (arXiv 2508.10925) has 7, 7, alpha 1.702 and offset 1; DeepSeek-V4 (swiglu_limit) has 10 and 10; Step-3.5
     * (swiglu_limits) has one number for gate_limit_after and up_limit */
    float gate_max;        /* 1e-30 .. 1e30; 0: no limit */
    float up_limit;        /* likewise */
    float gate_limit_after; /* likewise */
    float gate_alpha;      /* SMOE_ACTIVATION_SILU only: act(g) = g / (1 + exp(-alpha g)). 1e-30 .. 1e30; 0: 1. The shared expert's too */
    float up_offset;       /* -1e30 .. 1e30. The shared expert's too */
    bool renormalize;      /* weights g m are divided by their sum, and sum to `scale` without the three members below; false: w = m g, for
                              softmax gates g = softmax(z / temperature) over all experts */
    /* With renormalize, and not with softmax gates, one of these may be SMOE_LEAST_DIVISOR .. SMOE_MOST_DIVISOR, else 0: raw weights g m
     * are divided by max(their sum, renormalize_floor) (ERNIE 4.5's moe_norm_min), or by their sum + renormalize_add (LFM2 1e-6) */
    float renormalize_floor, renormalize_add;
    /* An expert's weight multiplies its input instead of its output, and its mask the output (Llama 4): y = sum of m_e f_e(w_e x), w_e =
     * scale sigmoid(z_e), times expert_scale. Only with SMOE_GATE_SIGMOID, without renormalize, selection bias and zero experts. The
     * report's weights are m_e w_e, and the shared expert sees x */
    bool weighted_input;
    bool expert_scale;     /* the layer has a factor of any sign for each expert's weight, after everything else (Gemma 4) */
    uint32_t projection_width; /* p of the cosine router, 1 .. SMOE_MAX_WIDTH; 0 with the linear one */
    uint32_t group_count;  /* experts in so many equal, consecutive groups; divides E. 0 and 1: no groups (DeepSeek-V3's n_group) */
    uint32_t top_groups;   /* groups whose experts may be chosen, 1 .. group_count, k experts at least; 0 without groups (topk_group) */
    smoe_group_score group_score; /* changes nothing without groups */
    /* Experts in so many equal, consecutive groups, of each of which k / balanced_groups are chosen (Pangu Pro's mixture of grouped
     * experts): E, k and A, also a call's max_active, are multiples of it. 0 and 1: none. Not together with group_count */
    uint32_t balanced_groups;
    uint32_t given_count;  /* R, k .. A: the app gives each token R ids of experts in the binding, which run instead of the router's choice
                              (hash routing, as in DeepSeek-V4's first layers; replay of a report). 0: the router chooses */
    bool given_weights;    /* the app gives their weights too; with weighted_input they multiply inputs, and masks are 1 */
    uint32_t zero_experts; /* Z, 0 .. E - 1: the last Z experts are the identity, f(x) = x, without matrices (LongCat, arXiv 2509.01322) */
    uint32_t shared_hidden; /* hidden width of the shared expert, which every token runs, 1 .. SMOE_MAX_WIDTH; 0: none. Several shared
                              experts are one: their hidden widths, biases b1 and b3 and rows of w1 and w3 one after another, b2 added */
    bool shared_gate;      /* the shared expert weighs sigmoid(<x, shared_gate>) instead of 1 */
    /* The shared expert's own limits, as gate_max and the like; 0: none, whatever the others have (Step-3.5: swiglu_limits_shared) */
    float shared_gate_max, shared_up_limit, shared_gate_limit_after;
    /* Float16 or bfloat16: the experts' two matrix multiplications, those of the shared one and the latent ones too, may round their
     * inputs (x; latent x and the weighted sum; the hidden numbers, behind activation and gate) to that type for the device's matrix units,
     * and weights with scales, after the scale and before the factor. Matrices without scales must be of that type. Products are added up
     * in float32, in the device's own order; all else stays float32. Used where the device has SMOE_CAPABILITY_COOPERATIVE_MATRIX (for
     * bfloat16 also ..._BFLOAT16) and an expert gets rows enough; smoe_select_kernels then names expert_up_cooperative. Elsewhere the plan
     * is the one of SMOE_PRECISION_FLOAT32. smoe_precision, in types.h, has the error and the range. */
    smoe_precision precision;
} smoe_plan_desc;

typedef enum smoe_stage {
    SMOE_STAGE_ROUTE_PROJECT = 0, /* cosine router only: v = P x + c */
    SMOE_STAGE_ROUTE_LOGITS = 1,  /* z, and the logit of the shared expert's gate */
    SMOE_STAGE_ROUTE_GROUP = 2,   /* groups only: which may be chosen from */
    SMOE_STAGE_ROUTE_SELECT = 3,  /* top-k, band, mask, weights, report */
    SMOE_STAGE_TOTALS = 4,        /* bindings with totals only */
    SMOE_STAGE_SORT = 5,          /* rows by expert, tile list, indirect arguments */
    SMOE_STAGE_LATENT_DOWN = 6,   /* latent experts only: what they see of x */
    SMOE_STAGE_EXPERT_UP = 7,     /* act(x W1^T + b1), gated with W3; the shared expert's too */
    SMOE_STAGE_EXPERT_DOWN = 8,   /* hidden W2^T + b2; the shared expert's too */
    SMOE_STAGE_LATENT_SUM = 9,    /* latent experts only: the sum of weighted rows */
    SMOE_STAGE_LATENT_UP = 10,    /* and what becomes of it */
    SMOE_STAGE_COMBINE = 11,      /* y = sum of weighted rows, or of the last stage's; and the shared expert's */
    SMOE_STAGE_COUNT = 12         /* later versions may have more; a stage that a forward does not run has no kernel and takes no time */
} smoe_stage;

/* The stage's name ("route_logits", ...), as in file names, tests and benchmark rows; "unknown" for any other value. */
SMOE_API const char *smoe_stage_name(smoe_stage stage);

/* A kernel chosen for a stage. */
typedef struct smoe_kernel_choice {
    const char *name;             /* as in the kernel table; static memory. Empty where the shape has no such stage */
    uint32_t workgroup_size;      /* invocations */
    uint32_t subgroup_size;       /* lanes required, 0 = any */
    uint32_t tile_rows, tile_columns, tile_depth; /* 0 where the stage has no tiles */
    uint32_t shared_memory_size;  /* bytes */
} smoe_kernel_choice;

/* What a choice of kernels depends on, all of it. */
typedef struct smoe_selection_desc {
    const smoe_device_info *info; /* may come from anywhere: what contradicts Vulkan's rules is refused by name. Quirks are accounted for */
    const smoe_plan_desc *plan;
    uint32_t token_count; /* of the forward, the plan's min_tokens .. max_tokens */
    uint32_t expected_active; /* of the forward, k .. the plan's max_expected_active; 0 = k */
} smoe_selection_desc;

/* Which kernels a device would run for a shape and token count: a pure function of its arguments, no device needed.
 * Errors: INVALID_ARGUMENT (a part of desc, or NULL for desc or choices), UNSUPPORTED (info is not usable or below the floor, or the shape
 * exceeds its limits). `reason`, if not NULL, receives the text of an error (there is no context to log to). Thread safe. */
SMOE_API smoe_result smoe_select_kernels(const smoe_selection_desc *desc, smoe_kernel_choice choices[SMOE_STAGE_COUNT],
                                         char reason[SMOE_REASON_SIZE]);

/* The precision for a device's matrix units and a plan's types, whose own is not looked at: float16 before bfloat16, where both would do.
 * Where the device runs neither, or info is NULL, the first that the types may have. SMOE_PRECISION_FLOAT32 where there is none. Thread
 * safe. */
SMOE_API smoe_precision smoe_select_precision(const smoe_device_info *info, const smoe_plan_desc *plan);

/* The ranges of experts that a plan would have on a device, as smoe_plan_range_count gives them, before anything is made or allocated.
 * desc's token_count and expected_active are not looked at. Errors and `reason`: as smoe_select_kernels. Thread safe. */
SMOE_API smoe_result smoe_select_ranges(const smoe_selection_desc *desc, uint32_t *range_count, uint32_t *range_experts,
                                        char reason[SMOE_REASON_SIZE]);

typedef struct smoe_plan smoe_plan;

/* Gets the pipelines for a shape from the context, and compiles those that no earlier plan of the context has needed: then it is the slow
 * call (milliseconds to seconds; the pipeline cache shortens it). What it has compiled stays with the context, also where a later pipeline
 * fails, and when the plan is destroyed. Pipelines depend on the device and on what a shape has in common with others: gate, activation,
 * whether gated experts have limits, whether there are zero or latent experts, types and the other choices; whether rows are multiples of 4
 * elements, of 16 bytes and of a tile's depth; the least powers of two that are not below E, M, A and the groups. They depend on no width,
 * k, token count or number of gated experts: layers that differ only in those share them.
 * Errors: INVALID_ARGUMENT, UNSUPPORTED (one expert's matrix, the shared expert's, a latent one, the router or its projection, or the
 * rows of one token exceed the device's maxStorageBufferRange, one expert's matrix its maxMemoryAllocationSize), OUT_OF_HOST_MEMORY,
 * OUT_OF_DEVICE_MEMORY, VULKAN. */
SMOE_API smoe_result smoe_plan_create(const smoe_context *context, const smoe_plan_desc *desc, smoe_plan **out);
SMOE_API void smoe_plan_destroy(smoe_plan *plan);

/* The description with max_active, max_expected_active and min_tokens resolved. Owned by the plan; NULL for NULL. */
SMOE_API const smoe_plan_desc *smoe_plan_get_desc(const smoe_plan *plan);

/* Bytes of workspace that one binding of the plan needs; 0 for NULL. Workspace contents need no initialisation and mean nothing
 * between forwards; forwards that may run at the same time on the device need workspaces of their own. */
SMOE_API VkDeviceSize smoe_plan_workspace_size(const smoe_plan *plan);

/* Where a forward leaves the router's logits, for analysis and tests: bytes from the workspace's start to float32 [T,E], T the tokens
 * of the forward's last pass (smoe_forward_params.keep_scores: the scores instead). *pass_token_count, if not NULL, receives the most
 * tokens that one pass takes. 0 for NULL. */
SMOE_API VkDeviceSize smoe_plan_logits_offset(const smoe_plan *plan, uint32_t *pass_token_count);

/* The ranges of consecutive experts that a forward binds one after another; 0 for NULL. One, unless the weights exceed the device's
 * maxStorageBufferRange or maxMemoryAllocationSize. *range_experts, if not NULL, receives the experts of each range but the last, which
 * has the rest. */
SMOE_API uint32_t smoe_plan_range_count(const smoe_plan *plan, uint32_t *range_experts);

/* Bytes of a report (report.h) of token_count tokens; 0 for NULL. */
SMOE_API VkDeviceSize smoe_plan_report_size(const smoe_plan *plan, uint32_t token_count);

/* Bytes of the totals (report.h); 0 for NULL. */
SMOE_API VkDeviceSize smoe_plan_totals_size(const smoe_plan *plan);

/* ---- layer: weights ------------------------------------------------------------------------------------------------ */

/* A part of a VkBuffer. offset: a multiple of 4 and of the device's minStorageBufferOffsetAlignment, whatever the type, and of 16 for
 * weights with scales. size: bytes from offset that smoe may touch, VK_WHOLE_SIZE not allowed (smoe cannot ask a buffer for its size).
 * buffer VK_NULL_HANDLE: absent. */
typedef struct smoe_buffer {
    VkBuffer buffer;
    VkDeviceSize offset, size;
} smoe_buffer;

/* A matrix of each expert, or a single one: `buffer` holds all experts, or each of `ranges` those of one range. */
typedef struct smoe_weight {
    smoe_buffer buffer;
    /* NULL, or smoe_plan_range_count of them: then buffer must be absent. Never for the shared expert and the latent matrices */
    const smoe_buffer *ranges;
} smoe_weight;

/* The weights, in VkBuffers with usage VK_BUFFER_USAGE_STORAGE_BUFFER_BIT. They may exceed maxStorageBufferRange as a whole:
 * smoe binds them in ranges of whole experts. Float16 is read in words of two: the size of a float16 matrix, or of a range of them, counts
 * rounded up to a multiple of 4 bytes, and so does a bfloat16 one's. smoe only reads them; they must outlive the layer and be visible to
 * compute shader reads when a forward runs. smoe_layer_tensor_get has the same list as data. */
typedef struct smoe_layer_desc {
    smoe_buffer router_weight; /* float32 [E,D]; given exactly with the linear router */
    smoe_buffer router_bias;   /* float32 [E], optional, only with the linear router */
    smoe_buffer router_projection;      /* float32 [p,D]; this and the next three exactly with the cosine router */
    smoe_buffer router_projection_bias; /* float32 [p], optional */
    smoe_buffer router_similarity;      /* float32 [p,E] */
    smoe_buffer router_log_scale;       /* float32 [1] */
    smoe_buffer selection_bias;         /* float32 [E], optional, not with the softmax gate, nor with weighted_input */
    smoe_buffer expert_scale;           /* float32 [E]; given exactly when the plan has expert_scale */
    /* Latent experts, exactly where the plan has d_latent. */
    smoe_weight latent_down;      /* types.latent_down [L,D] */
    smoe_buffer latent_down_bias; /* float32 [L], optional */
    smoe_weight latent_up;        /* types.latent_up [D,L] */
    smoe_buffer latent_up_bias;   /* float32 [D], optional */
    /* The routed experts; L is D without a latent width, M is E without zero experts. */
    smoe_weight w1;            /* the plan's types.up [M,H,L] */
    smoe_buffer b1;            /* float32 [M,H], optional */
    smoe_weight w3;            /* types.up [M,H,L]; given exactly when the plan is gated */
    smoe_buffer b3;            /* float32 [M,H], optional, only when gated */
    smoe_weight w2;            /* types.down [M,L,H] */
    smoe_buffer b2;            /* float32 [M,L], optional */
    /* The shared expert, exactly where the plan has one; S = shared_hidden. */
    smoe_weight shared_w1;     /* types.shared_up [S,D] */
    smoe_buffer shared_b1;     /* float32 [S], optional */
    smoe_weight shared_w3;     /* types.shared_up [S,D]; given exactly when the plan is gated */
    smoe_buffer shared_b3;     /* float32 [S], optional, only when gated */
    smoe_weight shared_w2;     /* types.shared_down [D,S] */
    smoe_buffer shared_b2;     /* float32 [D], optional */
    smoe_buffer shared_gate;   /* float32 [D]; given exactly when the plan has shared_gate */
} smoe_layer_desc;

/* The same weights as host arrays, for device.h and layer_file.h. Shapes, and which are given when, as in smoe_layer_desc. The core does
 * not read them. */
typedef struct smoe_host_weights {
    const float *router_weight, *router_bias;
    const float *router_projection, *router_projection_bias, *router_similarity, *router_log_scale;
    const float *selection_bias, *expert_scale;
    smoe_host_weight latent_down;
    const float *latent_down_bias;
    smoe_host_weight latent_up;
    const float *latent_up_bias;
    smoe_host_weight w1;
    const float *b1;
    smoe_host_weight w3;
    const float *b3;
    smoe_host_weight w2;
    const float *b2;
    smoe_host_weight shared_w1;
    const float *shared_b1;
    smoe_host_weight shared_w3;
    const float *shared_b3;
    smoe_host_weight shared_w2;
    const float *shared_b2;
    const float *shared_gate;
} smoe_host_weights;

typedef struct smoe_layer smoe_layer;

/* Errors: INVALID_ARGUMENT (a missing, misaligned or too small buffer), OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, VULKAN. */
SMOE_API smoe_result smoe_layer_create(const smoe_plan *plan, const smoe_layer_desc *desc, smoe_layer **out);
SMOE_API void smoe_layer_destroy(smoe_layer *layer);

/* ---- binding: input, output, workspace ----------------------------------------------------------------------------- */

/* Usage bits: all VK_BUFFER_USAGE_STORAGE_BUFFER_BIT; the workspace VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT too. x, y, workspace,
 * report, totals and what is given must not overlap one another. One binding serves every layer of its plan, also of one command buffer. */
typedef struct smoe_binding_desc {
    smoe_buffer x;         /* float32 [T,D], read */
    smoe_buffer y;         /* float32 [T,D], written */
    smoe_buffer workspace; /* at least smoe_plan_workspace_size bytes */
    smoe_buffer report;    /* optional: report.h, T records, written. Absent: no report, and no cost */
    smoe_buffer given_ids; /* uint32 [T,R], read; given exactly where the plan has given_count. SMOE_REPORT_UNUSED: skipped */
    smoe_buffer given_weights; /* float32 [T,R], read; given exactly where the plan has given_weights */
    smoe_buffer totals;    /* optional: report.h, smoe_plan_totals_size bytes. Every forward adds its tokens; smoe never clears it: fill it
                              with zeros (vkCmdFillBuffer) to begin. Read it when the forward's fence has passed */
} smoe_binding_desc;

typedef struct smoe_binding smoe_binding;

/* T, the most tokens a forward over this binding may take, follows from x.size: the whole rows it holds, at most max_tokens;
 * it must hold min_tokens. y, report and what is given must hold as many as T. Errors: INVALID_ARGUMENT, OUT_OF_HOST_MEMORY,
 * OUT_OF_DEVICE_MEMORY, VULKAN. */
SMOE_API smoe_result smoe_binding_create(const smoe_plan *plan, const smoe_binding_desc *desc, smoe_binding **out);
SMOE_API void smoe_binding_destroy(smoe_binding *binding);

/* ---- forward ------------------------------------------------------------------------------------------------------- */

/* What may change from call to call: plain values, no pipeline is rebuilt. Start from smoe_forward_defaults. */
typedef struct smoe_forward_params {
    uint32_t token_count;  /* the plan's min_tokens .. the binding's T; or 0, which records nothing */
    float eps;             /* epsilon, the band width: 0 = hard routing, else 1e-30 .. 1e30 (paper: the smoothing's epsilon) */
    float a, b;            /* the mask's exponents, above 0 and at most 1024; the paper's code uses 1 and 50 */
    uint32_t max_active;   /* the cap A for this call, k .. plan's, with given routing R .. plan's; 0 = the plan's */
    /* How many experts the app expects to run for a token on average, with its eps: it chooses the tiles, and nothing else. k .. the
     * plan's max_expected_active, and at most the cap of this call; 0 = k. A wide band gives experts more rows than k does, and may run
     * faster with it; a wrong guess costs time only. eps by itself changes no kernel */
    uint32_t expected_active;
    float temperature;     /* tau, 1e-30 .. 1e30; 1 unless the gate is softmax */
    float tie_tolerance;   /* delta >= 0, finite: experts this close to s[k] count as tied in the report */
    float scale;           /* factor on the weight of every expert but the shared one, finite */
    float group_eps;       /* band width of the groups' scores: 0 = hard groups, else 1e-30 .. 1e30; not looked at without groups */
    bool keep_scores;      /* for analysis: leave the scores that selection ranked, [T,E], where the logits were; -FLT_MAX: left out */
} smoe_forward_params;

/* a 1, b 50, temperature 1, scale 1, keep_scores false, and 0 for the others. */
SMOE_API smoe_forward_params smoe_forward_defaults(void);

/* Optional: SMOE_STAGE_COUNT + 1 timestamps written into pool, from query `first` on: one before the first stage and one after
 * each. The app resets the queries beforehand. Where a forward takes several passes (T over the plan's pass), stages repeat and
 * only the first pass is timed. */
typedef struct smoe_timestamps {
    VkQueryPool pool;
    uint32_t first;
} smoe_timestamps;

/* Records y = layer(x) into `command_buffer`: a primary or secondary buffer in the recording state, outside a render pass, of a
 * queue family with compute.
 *
 * y_t = sum over e of w_e f_e(x_t), for each token on its own; with weighted inputs sum of m_e f_e(w_e x_t); with latent experts f_e see
 * latent x_t, and latent_up of the sum is y_t:
 *   scores    s = z, the router's logits; for the other gates s = g + selection_bias, with g = sigmoid(z), sqrt(ln(1 + exp(z))) or
 *             softmax(z)_e over all experts; in float32 whatever the weights' type.
 *             Experts rank by s, equal ones by lower index; s[k] is the k-th largest.
 *   groups    a group's score G is the sum of its two largest s (of its one, if it has no more), or its largest s. The top_groups best
 *             by G, ties to the lower index, keep their experts; G[g] is the last of those. With d = G[g] - G of another group: its
 *             experts are left out where d >= group_eps, else their s is lowered by d / (1 - d / group_eps), which grows from nothing to
 *             infinity over the band (smoe's own; the derivation is in src/tools/analyze/README.md). From here on s means these scores.
 *   band      eps_t = min(eps, s[k] - s[A+1]), with s[E+1] = -inf: the band shrinks so that no more than A experts run (the cap is
 *             smoe's own). It is continuous in x_t. A band or gap below 2^-126, the smallest normal number, counts as 0. Where
 *             eps > 0 and eps_t = 0, only the k best by rank run: `capped`.
 *   balanced  with balanced groups, k, A, ranks and the band hold in each group for itself: s[k/G] and s[A/G+1] are the group's. The
 *             report has the least band and gap, and the order of the first group with that gap; `capped` where any band is 0.
 *   mask      m_e = 1 for the k best. For the others, with u = (s_e - s[k] + eps_t) / eps_t: 0 for u <= 0, 1 for u >= 1, else
 *             u^a / (u^a + (1-u)^b); all 0 where eps_t = 0 (paper: smoothing by soft inclusion near the boundary).
 *   weights   g_e = exp(z_e / temperature) for softmax gates. renormalize: w_e = scale g_e m_e / sum of g m; else
 *             scale m_e softmax(z / temperature)_e over all experts, for the other gates scale m_e g_e. The sum may have a floor or an
 *             addend; expert_scale multiplies last.
 *   given     with given_count the R ids of each token run instead, but for SMOE_REPORT_UNUSED, without band, cap and groups, with weights
 *             as above for m_e = 1, or those given, times scale and nothing else. An id that is there twice counts twice. An id that is no
 *             expert's, or a weight that is not finite, makes its token non-finite. No keep_scores.
 *   zero      the row of a zero expert is x_t, or what latent_down makes of it.
 *   shared    the shared expert's row is added with weight 1, or sigmoid(<x_t, shared_gate>): last, also behind latent_up.
 * The report adds gap = s[k] - s[k+1] (for k = 1 the top-two margin of 2605.02124) and order = the number of experts within
 * tie_tolerance of s[k], less one, where the gap is within it too, else 0 (paper: order of the discontinuity), and for groups
 * group_gap = G[g] - G[g+1]: within it the routing may jump because groups tie, which no eps smooths but group_eps does.
 *
 * Synchronisation: smoe orders its own stages, and orders this forward after earlier compute shader work on the command buffer's
 * queue that used the workspace, y or report (a full compute-to-compute barrier before the first stage: an app's earlier
 * dispatch that writes x needs no barrier of its own). Work of other stages (transfers, graphics, host writes through an already
 * running submission) that produces x, and everything that consumes y or report, is the app's to order: after the last stage
 * smoe makes its writes available to compute shader reads and writes, nothing else. The totals are written by atomic operations.
 * State: compute pipeline, compute descriptor sets 0 and 1 and push constants are overwritten; graphics state is untouched.
 *
 * Promises: the same inputs give the same bits on the same device and driver; a token's bits do not depend on the other tokens of the
 * batch while smoe_select_kernels gives the same kernels; eps = 0 gives the bits of hard routing; no input bits lead to an access
 * out of bounds; a token whose routing is not finite (report.h, SMOE_REPORT_FLAG_NONFINITE) gets an all-NaN y and changes no other
 * token.
 * Denormal numbers: Vulkan lets a device keep them or count them as 0, and smoe asks for neither. A float32 or bfloat16 number below
 * 2^-126 or a float16 weight below 2^-14, by its absolute value, counts as itself or as 0, among inputs and weights and in what follows
 * from them. Device, driver and kernel decide which, the same way every time.
 *
 * Errors: INVALID_ARGUMENT (then nothing has been recorded). layer and binding must be of the same plan. timestamps may be NULL. */
SMOE_API smoe_result smoe_forward(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                                  const smoe_forward_params *params, const smoe_timestamps *timestamps);

/* Records only the routing: logits, report and totals as smoe_forward would leave them; no expert runs and y is not touched.
 * Everything else as smoe_forward; the timestamps of the stages left out are all taken at the end. */
SMOE_API smoe_result smoe_route(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                                const smoe_forward_params *params, const smoe_timestamps *timestamps);

/* The same forward in slices, for apps whose command buffers must not take long: a system takes a device for hung after two seconds or so,
 * and others wait for the device meanwhile. A slice is what comes next of the forward, up to the context's slice_work by a bound on what
 * it may come to: most forwards over few tokens have one slice. Only a tile of a matrix multiplication, a step that is none, and layers
 * beyond 128 pieces for a matrix's rows may have more work.
 * The count depends on plan, binding and params, not on what the buffers hold. 0: nothing to record, or what smoe_forward would refuse,
 * with its line in the log. Thread safe. */
SMOE_API uint32_t smoe_forward_slice_count(const smoe_layer *layer, const smoe_binding *binding, const smoe_forward_params *params);
SMOE_API uint32_t smoe_route_slice_count(const smoe_layer *layer, const smoe_binding *binding, const smoe_forward_params *params);

/* Records the slices from `first` on, `count` of them. All slices, in their order, leave the bits of one smoe_forward or smoe_route with
 * the same arguments; they may lie in several command buffers, and these in several submissions to one queue, without semaphores between
 * them. What the forward uses must stay as it is from the first to the last. Each call begins with the barrier that smoe_forward begins
 * with, so the app's own compute work may stand between two. A timestamp is written in the slice where its stage ends, the first one in
 * slice 0.
 * Errors: as smoe_forward; INVALID_ARGUMENT also where the forward has fewer slices than first + count. */
SMOE_API smoe_result smoe_forward_slices(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                                         const smoe_forward_params *params, const smoe_timestamps *timestamps, uint32_t first,
                                         uint32_t count);
SMOE_API smoe_result smoe_route_slices(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                                       const smoe_forward_params *params, const smoe_timestamps *timestamps, uint32_t first,
                                       uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
