// The most products of matrices of uint8 with sums of uint32.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#define A uint8_t
#define C uint
#include "matrix.glsl"
