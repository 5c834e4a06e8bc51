// RUN: rammer-opt %s -p annotate-costs --split-input-file --verify-diagnostics | filecheck %s

// 8 rows of 32 multiply-adds are 0.512 us, 128 bytes of x + 1024 of w + 32 of y through the cache 11.84 us, a fourth of x
// and of w from memory 105.6 us at 10 bytes a us; the fixed part is 0.5 us.
// CHECK: rtask.dispatch @gemv {{.*}} cost #rtask.cost<106.1 us from "analytic"> -> tensor<32xf32>
// 64 bytes through the cache; what a dispatch gave is in it.
// CHECK: rtask.dispatch @exp {{.*}} cost #rtask.cost<1.14 us from "analytic"> -> tensor<32xf32>
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @gemv grid [4] reads [#rtask.box<(i) -> (0) by [32]>, #rtask.box<(i) -> (i * 8, 0) by [8, 32]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %w: tensor<32x32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8, 32] maps [affine_map<(n, k)[i] -> (k)>, affine_map<(n, k)[i] -> (i * 8 + n, k)>, affine_map<(n, k)[i] -> (i * 8 + n)>]
      reduce [add] ins(%x, %w : tensor<32xf32>, tensor<32x32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32, %b: f32):
    %m = arith.mulf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
rop.weight @w : tensor<32x32xf32> hash "00"
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> tensor<32xf32> {
  %w = rop.get_weight @w : tensor<32x32xf32>
  %e = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @gemv ins(%x, %w : tensor<32xf32>, tensor<32x32xf32>) into(%e : tensor<32xf32>) -> tensor<32xf32>
  %f = tensor.empty() : tensor<32xf32>
  %z = rtask.dispatch @exp ins(%y : tensor<32xf32>) into(%f : tensor<32xf32>) -> tensor<32xf32>
  func.return %z : tensor<32xf32>
}

// -----

// CHECK: pass annotate-costs: 0 devices in the module, one is needed: run set-device
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}

// -----

// CHECK: pass annotate-costs: device @d has no rate 'multiply_adds_per_us': see set-device
vdevice.device @d kind "host" veus 4 threads 1 shared 65536 registers 0

// -----

// CHECK: pass annotate-costs: there is no kernel @none
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
func.func @main(%x: tensor<32xf32>) -> tensor<32xf32> {
  %e = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @none ins(%x : tensor<32xf32>) into(%e : tensor<32xf32>) -> tensor<32xf32>
  func.return %y : tensor<32xf32>
}
