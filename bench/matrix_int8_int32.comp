// The most products of matrices of int8 with sums of int32.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#define A int8_t
#define C int
#include "matrix.glsl"
