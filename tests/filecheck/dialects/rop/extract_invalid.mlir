// RUN: RAMMER_INVALID

// CHECK: rop.extract stands outside the body of a rop.generic
%t, %i = "test.op"() : () -> (tensor<4xf32>, index)
%e = rop.extract %t[%i] : tensor<4xf32>

// -----

// CHECK: 1 indices for an element of tensor<4x2xf32>
%t = "test.op"() : () -> tensor<4x2xf32>
%r = rop.generic bounds [4] maps [affine_map<(i) -> (i)>] {
  %i = rop.index 0
  %e = rop.extract %t[%i] : tensor<4x2xf32>
  rop.yield %e : f32
} -> tensor<4xf32>

// -----

// CHECK: tensor<?xf32> is not known to have elements
%t = "test.op"() : () -> tensor<?xf32>
%r = rop.generic bounds [4] maps [affine_map<(i) -> (i)>] {
  %i = rop.index 0
  %e = rop.extract %t[%i] : tensor<?xf32>
  rop.yield %e : f32
} -> tensor<4xf32>

// -----

// CHECK: a generic may not write into a tensor that it reads at computed indices
%t = "test.op"() : () -> tensor<4xf32>
%r = rop.generic bounds [4] maps [affine_map<(i) -> (i)>] into(%t : tensor<4xf32>) {
  %i = rop.index 0
  %e = rop.extract %t[%i] : tensor<4xf32>
  rop.yield %e : f32
} -> tensor<4xf32>
