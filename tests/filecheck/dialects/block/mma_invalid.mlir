// RUN: RAMMER_INVALID

// CHECK: Expected `tf32`
%v = "test.op"() : () -> f32
%s:4 = block.mma fp8 [%v, %v, %v, %v] [%v, %v] [%v, %v, %v, %v]

// -----

// CHECK: factors are tf32, not fp8
%v = "test.op"() : () -> f32
%s:4 = "block.mma"(%v, %v, %v, %v, %v, %v, %v, %v, %v, %v) <{format = "fp8", operandSegmentSizes = array<i32: 4, 2, 4>}> : (f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) -> (f32, f32, f32, f32)

// -----

// CHECK: a lane has four factors X, two factors W and four sums
%v = "test.op"() : () -> f32
%s:4 = block.mma tf32 [%v, %v] [%v, %v] [%v, %v, %v, %v]

// -----

// CHECK: factors of format tf32 are no values of type f64
%u, %v = "test.op"() : () -> (f64, f32)
%s:4 = "block.mma"(%u, %u, %u, %u, %u, %u, %v, %v, %v, %v) <{format = "tf32", operandSegmentSizes = array<i32: 4, 2, 4>}> : (f64, f64, f64, f64, f64, f64, f32, f32, f32, f32) -> (f32, f32, f32, f32)

// -----

// CHECK: block.mma stands in a loop over threads: an iteration is a lane
%n, %v = "test.op"() : () -> (index, f32)
block.parallel warp (%i) in %n {
  %s:4 = block.mma tf32 [%v, %v, %v, %v] [%v, %v] [%v, %v, %v, %v]
}
