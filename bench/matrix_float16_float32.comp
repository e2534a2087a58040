// The most products of matrices of float16 with sums of float32.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define A float16_t
#define C float
#include "matrix.glsl"
