// RUN: rammer-opt %s -p select-kernels --split-input-file --verify-diagnostics | filecheck %s
// RUN: rammer-opt %s -p select-kernels{policy=efficient} --split-input-file --verify-diagnostics | filecheck %s --check-prefix=EFFICIENT
// RUN: not rammer-opt %s -p select-kernels{policy=best} --split-input-file 2>&1 | filecheck %s --check-prefix=UNKNOWN

// On 4 vEUs 8 tasks of 1 us take 2 us, 4 of 1.5 us take 1.5, one of 2.6 takes 2.6 but least of all vEUs together.
// CHECK-NOT:       rtask.kernel @fine
// CHECK-NOT:       rop.weight
// CHECK:           rtask.kernel @coarse
// CHECK-SAME:      grid [4]
// CHECK-NOT:       rtask.kernel
// CHECK:           block.body @coarse_body
// CHECK-NOT:       block.body
// CHECK:           func.func @main
// CHECK-NEXT:      tensor.empty
// CHECK-NEXT:      %[[y:.*]] = rtask.dispatch @coarse
// CHECK-NEXT:      func.return %[[y]]

// EFFICIENT-NOT:   @fine
// EFFICIENT-NOT:   @coarse
// EFFICIENT:       rtask.dispatch @whole

// UNKNOWN: error: pass select-kernels: unknown policy 'best': choose from fastest, efficient
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @fine grid [8] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<64xf32>, %y: tensor<64xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<64xf32>) into(%y : tensor<64xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<64xf32>
  rtask.yield %r : tensor<64xf32>
}
rtask.kernel @coarse grid [4] reads [#rtask.box<(i) -> (i * 16) by [16]>] writes [#rtask.box<(i) -> (i * 16) by [16]>] {
^bb0(%i: index, %x: tensor<64xf32>, %y: tensor<64xf32>):
  %r = rop.generic bounds [16] maps [affine_map<(d)[i] -> (i * 16 + d)>, affine_map<(d)[i] -> (i * 16 + d)>]
      ins(%x : tensor<64xf32>) into(%y : tensor<64xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<64xf32>
  rtask.yield %r : tensor<64xf32>
} implementation @coarse_body []
rtask.kernel @whole grid [1] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<64xf32>, %y: tensor<64xf32>):
  %r = rop.generic bounds [64] maps [affine_map<(d)[i] -> (i * 64 + d)>, affine_map<(d)[i] -> (i * 64 + d)>]
      ins(%x : tensor<64xf32>) into(%y : tensor<64xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<64xf32>
  rtask.yield %r : tensor<64xf32>
}
rop.weight @left_over : tensor<4xf32> hash "00"
block.body @coarse_body threads 8 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  block.yield
}
block.body @unused_body threads 8 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  block.yield
}
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %y = rtask.alternatives ins(%x : tensor<64xf32>) {
  ^bb0(%a: tensor<64xf32>):
    %e = tensor.empty() : tensor<64xf32>
    %w = rop.get_weight @left_over : tensor<4xf32>
    %0 = rtask.dispatch @fine ins(%a : tensor<64xf32>) into(%e : tensor<64xf32>) cost #rtask.cost<1.0 us from "analytic"> -> tensor<64xf32>
    rtask.yield %0 : tensor<64xf32>
  }, {
  ^bb1(%a: tensor<64xf32>):
    %e = tensor.empty() : tensor<64xf32>
    %0 = rtask.dispatch @coarse ins(%a : tensor<64xf32>) into(%e : tensor<64xf32>) cost #rtask.cost<1.5 us from "analytic"> -> tensor<64xf32>
    rtask.yield %0 : tensor<64xf32>
  }, {
  ^bb2(%a: tensor<64xf32>):
    %e = tensor.empty() : tensor<64xf32>
    %0 = rtask.dispatch @whole ins(%a : tensor<64xf32>) into(%e : tensor<64xf32>) cost #rtask.cost<2.6 us from "analytic"> -> tensor<64xf32>
    rtask.yield %0 : tensor<64xf32>
  } -> tensor<64xf32>
  func.return %y : tensor<64xf32>
}

// -----

// CHECK:     pass select-kernels: a dispatch has no cost: run annotate-costs
// EFFICIENT: pass select-kernels: a dispatch has no cost: run annotate-costs
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @fine grid [8] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<64xf32>, %y: tensor<64xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<64xf32>) into(%y : tensor<64xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<64xf32>
  rtask.yield %r : tensor<64xf32>
}
rtask.kernel @coarse grid [4] reads [#rtask.box<(i) -> (i * 16) by [16]>] writes [#rtask.box<(i) -> (i * 16) by [16]>] {
^bb0(%i: index, %x: tensor<64xf32>, %y: tensor<64xf32>):
  %r = rop.generic bounds [16] maps [affine_map<(d)[i] -> (i * 16 + d)>, affine_map<(d)[i] -> (i * 16 + d)>]
      ins(%x : tensor<64xf32>) into(%y : tensor<64xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<64xf32>
  rtask.yield %r : tensor<64xf32>
}
rtask.kernel @whole grid [1] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<64xf32>, %y: tensor<64xf32>):
  %r = rop.generic bounds [64] maps [affine_map<(d)[i] -> (i * 64 + d)>, affine_map<(d)[i] -> (i * 64 + d)>]
      ins(%x : tensor<64xf32>) into(%y : tensor<64xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<64xf32>
  rtask.yield %r : tensor<64xf32>
}
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %y = rtask.alternatives ins(%x : tensor<64xf32>) {
  ^bb0(%a: tensor<64xf32>):
    %e = tensor.empty() : tensor<64xf32>
    %0 = rtask.dispatch @fine ins(%a : tensor<64xf32>) into(%e : tensor<64xf32>) -> tensor<64xf32>
    rtask.yield %0 : tensor<64xf32>
  }, {
  ^bb1(%a: tensor<64xf32>):
    %e = tensor.empty() : tensor<64xf32>
    %0 = rtask.dispatch @coarse ins(%a : tensor<64xf32>) into(%e : tensor<64xf32>) cost #rtask.cost<1.5 us from "analytic"> -> tensor<64xf32>
    rtask.yield %0 : tensor<64xf32>
  }, {
  ^bb2(%a: tensor<64xf32>):
    %e = tensor.empty() : tensor<64xf32>
    %0 = rtask.dispatch @whole ins(%a : tensor<64xf32>) into(%e : tensor<64xf32>) cost #rtask.cost<2.6 us from "analytic"> -> tensor<64xf32>
    rtask.yield %0 : tensor<64xf32>
  } -> tensor<64xf32>
  func.return %y : tensor<64xf32>
}
