// The most products of matrices of bfloat16 with sums of float32.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_bfloat16 : require
#define A bfloat16_t
#define C float
#include "matrix.glsl"
