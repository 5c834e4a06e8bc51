// RUN: rammer-opt %s -p approximate-activations | filecheck %s

// In steps of recurrences alone, and of float32 alone.
// CHECK-LABEL: rtask.kernel @step
// CHECK:         math.exp %{{.*}} fastmath<arcp,afn> : f32
// CHECK:         arith.divf %{{.*}}, %{{.*}} fastmath<arcp,afn> : f32
// CHECK:         math.tanh %{{.*}} fastmath<arcp,afn> : f32
// CHECK:         math.exp %{{.*}} : f64
// CHECK-LABEL: rtask.kernel @other
// CHECK:         math.exp %{{.*}} : f32
rtask.kernel @step grid [1] reads [#rtask.box<(p) -> (0) by [4]>] writes [#rtask.box<(p) -> (0) by [4]>]
    attributes {tiling = #rop.tiling<recurrence tile [4] threads 32>} {
^bb0(%p: index, %x: tensor<4xf32>, %y: tensor<4xf32>):
  %0 = rop.generic bounds [4] maps [affine_map<(i)[p] -> (i)>, affine_map<(i)[p] -> (i)>] ins(%x : tensor<4xf32>) into(%y : tensor<4xf32>) at(%p) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    %d = arith.divf %a, %e : f32
    %t = math.tanh %d : f32
    %w = arith.extf %t : f32 to f64
    %v = math.exp %w : f64
    %n = arith.truncf %v : f64 to f32
    rop.yield %n : f32
  } -> tensor<4xf32>
  rtask.yield %0 : tensor<4xf32>
}
rtask.kernel @other grid [1] reads [#rtask.box<(p) -> (0) by [4]>] writes [#rtask.box<(p) -> (0) by [4]>] {
^bb0(%p: index, %x: tensor<4xf32>, %y: tensor<4xf32>):
  %0 = rop.generic bounds [4] maps [affine_map<(i)[p] -> (i)>, affine_map<(i)[p] -> (i)>] ins(%x : tensor<4xf32>) into(%y : tensor<4xf32>) at(%p) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<4xf32>
  rtask.yield %0 : tensor<4xf32>
}
