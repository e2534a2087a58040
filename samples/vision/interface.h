/* What C and the shaders of this folder must agree on. Included by both.
 *
 * Every shader has one descriptor set, one push block, and the specialisation constants below. A dispatch has `rows`
 * rows of work for each image, or the same rows for all images and z = images times heads. Activations are float32
 * [rows, columns], row-major, and rows begin at multiples of 4 floats. */
#ifndef VISION_INTERFACE_H
#define VISION_INTERFACE_H

#define VISION_BINDING_INPUT 0
#define VISION_BINDING_WEIGHTS 1
#define VISION_BINDING_BIAS 2
#define VISION_BINDING_RESIDUAL 3
#define VISION_BINDING_OUTPUT 4
#define VISION_BINDING_BUFFERS 5       /* so far storage buffers */
#define VISION_BINDING_INPUT_TEXELS 5   /* matmul_broadcast: 0 and 1 as uniform texel buffers of four numbers each */
#define VISION_BINDING_WEIGHTS_TEXELS 6
#define VISION_BINDING_COUNT 7

#define VISION_ID_WORKGROUP_SIZE 0 /* local_size_x; one subgroup for matmul_broadcast */
#define VISION_ID_HALF 1           /* matmul_tiled: the weights are float16 */
#define VISION_ID_TRANSPOSED 2     /* matmul: the weights are [depth, columns] float32 instead of [columns, depth] */
#define VISION_ID_TEAM 3           /* layer_norm, softmax: invocations per row */

/* matmul_broadcast and matmul_tiled. Starts and strides are in elements; those of input and weights are multiples of 4,
 * of 8 for float16 weights, and so are the columns of transposed weights. z = image * heads + head. */
#define VISION_MATMUL_FIELDS(UINT, FLOAT)                                                                      \
    UINT rows;                                                                                                 \
    UINT columns;                                                                                              \
    UINT depth; /* of the input's rows, whose stride is its next multiple of 4 at least; zeros between */      \
    UINT flags;                                                                                                \
    FLOAT scale; /* of the products' sum */                                                                    \
    UINT heads;                                                                                                \
    UINT input_start;                                                                                          \
    UINT input_stride;                                                                                         \
    UINT input_image;                                                                                          \
    UINT input_head;                                                                                           \
    UINT weights_start;                                                                                        \
    UINT weights_stride;                                                                                       \
    UINT weights_image;                                                                                        \
    UINT weights_head;                                                                                         \
    UINT output_stride; /* the residual's too */                                                               \
    UINT output_image;                                                                                         \
    UINT output_head;

#define VISION_MATMUL_BIAS 1
#define VISION_MATMUL_GELU 2     /* after the bias */
#define VISION_MATMUL_RESIDUAL 4 /* added last */

/* layer_norm: rows of `columns`, a multiple of 4. softmax: of `columns`, the stride being its next multiple of 4. */
#define VISION_ROWS_FIELDS(UINT, FLOAT) \
    UINT rows;                          \
    UINT columns;                       \
    UINT input_stride;                  \
    UINT output_stride;                 \
    FLOAT eps;

/* unfold: what a convolution multiplies its weights with, one row of channels * size * size elements, in the order of
 * [channel, y, x], for each of its out_width * out_width outputs of an image; zeros up to the stride, a multiple of
 * 4. */
#define VISION_UNFOLD_FIELDS(UINT, FLOAT)                     \
    UINT rows;                                                \
    UINT channels;                                            \
    UINT size; /* of the convolution's window */              \
    UINT stride;                                              \
    UINT padding;                                             \
    UINT in_width; /* the images' width and height */         \
    UINT out_width;                                           \
    UINT channel_stride; /* elements between neighbours */    \
    UINT pixel_stride;                                        \
    UINT output_stride;

/* tokens: rows of `columns`, a multiple of 4; row 0 of each image is the class token. add: elements in groups of 4. */
#define VISION_TOKENS_FIELDS(UINT, FLOAT) \
    UINT rows;                            \
    UINT columns;                         \
    UINT tokens; /* of one image */

#endif
