// The most products of matrices of bfloat16 with sums of bfloat16.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_bfloat16 : require
#define A bfloat16_t
#define C bfloat16_t
#include "matrix.glsl"
